"""A question and a tool's schema to arguments. Leaves out choosing the tool (``network``) and running it (``tools``)."""
