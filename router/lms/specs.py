"""What a model is called: ``embedded``, ``embedded:base``, ``FILE.gguf``, ``hf:OWNER/NAME/FILE.gguf`` or
``provider/model``. Leaves out loading one."""

from __future__ import annotations

from router.lms.model_file import ModelFileError, gguf
from router.lms.provider import check_provider

BUNDLED = ("embedded", "embedded:base")
"""The model that comes with Switchyard, with its adapter and without."""


def runs_here(spec: str) -> bool:
    """Whether the model runs in this process, from weights in a file."""
    return spec in BUNDLED or is_file(spec)


def is_file(spec: str) -> bool:
    """Whether ``spec`` is a file of weights, on this machine or on the Hugging Face hub."""
    return spec.endswith(".gguf") or spec.startswith("hf:")


def provider_of(spec: str) -> str:
    """The provider of ``provider/model``, in LiteLLM's notation; empty where there is none."""
    provider, _, model = spec.partition("/")
    return provider if model and not runs_here(spec) else ""


def check_spec(spec: str) -> None:
    """Raise ValueError or ModelFileError where no model can be made of ``spec``. Loads no weights, asks no network."""
    if spec.startswith("hf:"):
        if not spec.endswith(".gguf") or spec.count("/") < 2:
            raise ModelFileError(f"{spec!r} names no file. Write hf:owner/name/file.gguf.")
    elif is_file(spec):
        gguf(spec)
    elif spec not in BUNDLED:
        check_provider(spec)
