"""What may run without a language model in between: several requests, several steps, and what may not."""
