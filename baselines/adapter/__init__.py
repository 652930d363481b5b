"""The embedded model's adapter: synthetic agent traces, LoRA training, export to GGUF, held-out figures.

    cases.py       questions, their calls, and what the tools say  tokenizer.py   chat transcripts → ids
    results.py     altered results, forecasts and errors           model.py       the forward, packed, with LoRA
    sentences.py   a result → the sentence that answers            train.py       the loop
    talk.py        small talk, and what no tool serves             export.py      pairs → GGUF
    traces.py      transcripts of all roles                        evaluate.py    held-out figures

Needs ``requirements-train.txt``. Nothing here is imported when the model is used.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """``python -m baselines train-adapter``."""
    from baselines.adapter.__main__ import main as command

    return command(argv)
