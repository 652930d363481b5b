"""The trained pairs as a GGUF adapter that llama.cpp lays over the quantised base."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from baselines.adapter.model import LoraLlama


def write_adapter(model: LoraLlama, path: Path, name: str = "Switchyard agent adapter") -> int:
    """Write ``path`` in half precision and return its size in bytes.

    No rows are permuted: the pairs were trained in the layout of the GGUF base itself.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", model.config.alpha)
    writer.add_name(name)
    for key, matrix in sorted(model.lora.items()):
        layer, linear, side = key.split(":")
        array = np.ascontiguousarray(matrix.detach().numpy().astype(np.float16))
        writer.add_tensor(f"blk.{layer}.{linear}.weight.lora_{side}", array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.stat().st_size
