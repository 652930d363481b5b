"""Switchyard's library: a differentiable tool router, its tools, its language models and its pipeline."""
