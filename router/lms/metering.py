"""Tokens and prices: one tokenizer to compare models on, one table of prices.

Leaves out the LM itself, and litellm's import (5 s): its tokenizer file and its price table are read from where the
package keeps them, so both work offline.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from router.types import Usage

ENCODING = "o200k_base"


def count_tokens(text: str) -> int:
    """Tokens of ``text`` in OpenAI's o200k_base. The marks that a chat format puts between messages are not counted."""
    return len(_encoder().encode_ordinary(text))


def price(usage: Usage, model: str, cached: bool = True, own: bool = False) -> float | None:
    """US dollars that ``usage`` costs at ``model``'s list price, or None where no price is known. Never 0.

    The o200k counts are priced ("priced as"); ``own``: the model's own counts, for a bill of that very model. With
    ``cached``, the share of the input that the model read from its prompt cache is priced as cached input. For another
    model's prices that is generous to long prompts: providers cache prefixes of 1,024 tokens and more only.
    """
    rates = _rates(model)
    if rates is None:
        return None
    fresh, written = rates["input_cost_per_token"], rates["output_cost_per_token"]
    read = rates.get("cache_read_input_token_cost", fresh) if cached else fresh
    inputs, outputs = (usage.input_tokens, usage.output_tokens) if own else (usage.o200k_input, usage.o200k_output)
    share = usage.cached_tokens / usage.input_tokens if usage.input_tokens else 0.0
    return inputs * (share * read + (1 - share) * fresh) + outputs * written


def _rates(model: str) -> Mapping[str, Any] | None:
    table = _table()
    for name in (model, model.split("/", 1)[-1], model.rsplit("/", 1)[-1]):
        row = table.get(name)
        if row and row.get("input_cost_per_token") and row.get("output_cost_per_token"):
            return row
    return None


@cache
def _table() -> Mapping[str, Any]:
    return json.loads((_litellm() / "model_prices_and_context_window_backup.json").read_text(encoding="utf-8"))


@cache
def _encoder() -> Any:
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(_litellm() / "litellm_core_utils" / "tokenizers"))
    import tiktoken

    return tiktoken.get_encoding(ENCODING)


def _litellm() -> Path:
    """Where the litellm package lies, found without importing it."""
    spec = importlib.util.find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("The package litellm is missing: it holds the price table. Run: pip install litellm")
    return Path(spec.submodule_search_locations[0])
