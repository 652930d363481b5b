"""Examples from logs and templates; training, distillation, reward; the router that ships. torch lives here."""
