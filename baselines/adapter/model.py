"""The embedded model in torch, for training only: a Llama forward with LoRA on its upper layers.

Leaves out a key/value cache, sampling and every architecture but the one of SmolLM2-135M: inference is llama.cpp's
work. Weights come from the GGUF file that inference uses, dequantised, in llama.cpp's own layout (q and k rows in the
order of its interleaved rope), so the trained matrices go back into a GGUF adapter without a permutation.

Many short conversations share one long system message. They are packed: the prefix is computed once, each branch sees
the prefix and itself, and positions of every branch go on after the prefix. The prefix is a constant of the step: no
gradient flows through it, and its keys and values are computed anew only when ``forget_prefixes`` says so. Below
``first_layer`` nothing is trained, so no graph is kept there.

Products with the frozen weights, and those of attention, are taken in bfloat16 where the processor multiplies it by
itself: twice as fast, and finer than the 8-bit activations that llama.cpp multiplies with its 4-bit weights.

LoRA: Hu et al. 2021, https://arxiv.org/abs/2106.09685. Llama: Touvron et al. 2023, https://arxiv.org/abs/2302.13971.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.adapter.tokenizer import ChatTokenizer

LINEARS = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
"""The linear maps of a layer, by their GGUF names: each gets a LoRA pair."""


@dataclass(frozen=True)
class Shape:
    """Sizes of the network, read from the GGUF metadata."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    rope_base: float
    norm_eps: float

    @property
    def head(self) -> int:
        return self.width // self.heads


@dataclass(frozen=True)
class LoraConfig:
    """Rank and scale of the adapter, and the first layer that has one."""

    rank: int = 16
    alpha: float = 32.0
    first_layer: int = 10
    seed: int = 0


@dataclass(frozen=True)
class Branch:
    """One conversation after its system message. ``targets`` marks the ids that the model has to write."""

    ids: tuple[int, ...]
    targets: tuple[bool, ...]


@dataclass(frozen=True)
class Group:
    """Branches that share the prefix ``prefix`` (ids of the system message)."""

    prefix: tuple[int, ...]
    branches: tuple[Branch, ...]


def fast_products() -> torch.dtype:
    """The number format in which this processor multiplies matrices fastest: bfloat16 where it has an instruction."""
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32


def read_gguf(path: Path) -> tuple[Shape, dict[str, Tensor], ChatTokenizer]:
    """Shape, float32 weights by GGUF name, and tokenizer of a Llama-type GGUF file.

    Raises ValueError when the file's architecture is not ``llama``.
    """
    reader = gguf.GGUFReader(path)
    value = {name: field.contents() for name, field in reader.fields.items() if name != "tokenizer.chat_template"}
    kind = value["general.architecture"]
    if kind != "llama":
        raise ValueError(f"{path} holds a model of architecture {kind!r}. Give a GGUF file of a 'llama' model.")
    shape = Shape(
        layers=value["llama.block_count"],
        width=value["llama.embedding_length"],
        heads=value["llama.attention.head_count"],
        kv_heads=value["llama.attention.head_count_kv"],
        rope_base=value["llama.rope.freq_base"],
        norm_eps=value["llama.attention.layer_norm_rms_epsilon"],
    )
    weights = {}
    for tensor in reader.tensors:
        array = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        weights[tensor.name] = torch.from_numpy(np.ascontiguousarray(array))
    return shape, weights, ChatTokenizer(value["tokenizer.ggml.tokens"], value["tokenizer.ggml.merges"])


class LoraLlama(nn.Module):
    """A frozen Llama with trainable LoRA pairs in its layers from ``config.first_layer`` on."""

    def __init__(
        self,
        shape: Shape,
        weights: dict[str, Tensor],
        config: LoraConfig = LoraConfig(),
        products: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.shape, self.config, self._weights, self._products = shape, config, weights, products
        self._embedding = weights["token_embd.weight"]  # [vocabulary, width], also the output matrix
        self._head = weights.get("output.weight", self._embedding)
        self._linear = {
            name: weight.to(products) for name, weight in weights.items() if name.split(".")[-2] in LINEARS
        }
        self._frozen: dict[tuple[int, ...], tuple[list[tuple[Tensor, Tensor]], Tensor]] = {}
        self._prefixes: dict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = {}
        dice = torch.Generator().manual_seed(config.seed)
        self.lora = nn.ParameterDict()
        for layer in range(config.first_layer, shape.layers):
            for name in LINEARS:
                rows, columns = weights[f"blk.{layer}.{name}.weight"].shape
                a = torch.randn(config.rank, columns, generator=dice) / math.sqrt(columns)
                self.lora[f"{layer}:{name}:a"] = nn.Parameter(a)
                self.lora[f"{layer}:{name}:b"] = nn.Parameter(torch.zeros(rows, config.rank))

    def forward(self, groups: Sequence[Group]) -> tuple[Tensor, Tensor]:
        """Final hidden states at the positions that predict a target, ``[targets, width]``, and the targets' ids."""
        packs = [_Pack(group) for group in groups]
        rope = self._rope(max(pack.prefix + pack.longest for pack in packs))
        prefixes = [self._prefix(group.prefix) for group in groups]
        with torch.no_grad():
            x = torch.cat([self._embedding[pack.ids] for pack in packs])  # branches only: [tokens, width]
        for layer in range(self.shape.layers):
            with torch.set_grad_enabled(torch.is_grad_enabled() and layer >= self.config.first_layer):
                x = self._layer(layer, x, packs, rope, [prefix[layer] for prefix in prefixes])
        rows, wanted, start = [], [], 0
        for pack in packs:
            rows.append(pack.before_targets + start)
            wanted.append(pack.ids[pack.targets])
            start += len(pack.ids)
        return self._norm(x[torch.cat(rows)], "output_norm"), torch.cat(wanted)

    def forget_prefixes(self) -> None:
        """Compute prefixes anew at the next use: to be called after the pairs have changed."""
        self._prefixes.clear()

    def logits(self, hidden: Tensor, candidates: Tensor | None = None) -> Tensor:
        """``[n, width]`` → ``[n, candidates]`` (all of the vocabulary when None)."""
        return hidden @ (self._head if candidates is None else self._head[candidates]).T

    @torch.no_grad()
    def greedy(self, prefix: Sequence[int], asked: Sequence[int], stop: int, limit: int = 80) -> list[int]:
        """The most probable continuation of ``prefix + asked`` without the stop token. Slow: for checks only."""
        ids = list(asked)
        for _ in range(limit):
            branch = Branch((*ids, 0), (*(False for _ in ids), True))
            hidden, _ = self([Group(tuple(prefix), (branch,))])
            best = int(self.logits(hidden)[0].argmax())
            if best == stop:
                break
            ids.append(best)
        return ids[len(asked) :]

    @torch.no_grad()
    def _prefix(self, ids: tuple[int, ...]) -> list[tuple[Tensor, Tensor]]:
        """Keys and values ``[prefix, kv_heads, head]`` of every layer for a system message."""
        if ids not in self._prefixes:
            pack, rope, first = (
                _Pack(Group((), (Branch(ids, (False,) * len(ids)),))),
                self._rope(len(ids) + 1),
                self.config.first_layer,
            )
            empty = torch.empty(0, self.shape.kv_heads, self.shape.head, dtype=self._products)
            if ids not in self._frozen:
                x, kept = self._embedding[pack.ids], []
                for layer in range(first):
                    x = self._layer(layer, x, [pack], rope, [(empty, empty)], kept)
                self._frozen[ids] = kept, x
            kept, x = self._frozen[ids]
            kept = list(kept)
            for layer in range(first, self.shape.layers):
                x = self._layer(layer, x, [pack], rope, [(empty, empty)], kept)
            self._prefixes[ids] = kept
        return self._prefixes[ids]

    def _layer(
        self,
        layer: int,
        x: Tensor,
        packs: Sequence[_Pack],
        rope: tuple[Tensor, Tensor],
        prefixes: Sequence[tuple[Tensor, Tensor]],
        kept: list[tuple[Tensor, Tensor]] | None = None,
    ) -> Tensor:
        """``[tokens, width]``, the packs one after another, → the same; ``kept`` collects keys and values."""
        head, sizes = self.shape.head, [len(pack.ids) for pack in packs]
        h = self._norm(x, f"blk.{layer}.attn_norm")
        q, k, v = self._linears(layer, ("attn_q", "attn_k", "attn_v"), h)
        places = torch.cat([pack.positions for pack in packs])
        q = _rotate(q.view(-1, self.shape.heads, head), rope, places)
        k = _rotate(k.view(-1, self.shape.kv_heads, head), rope, places)
        v = v.view(-1, self.shape.kv_heads, head)
        q, k, v = (each.to(self._products) for each in (q, k, v))
        if kept is not None:
            kept.append((k, v))
        parts = zip(packs, q.split(sizes), k.split(sizes), v.split(sizes), prefixes)
        outputs = [_attend(q_own, k_own, v_own, prefix, pack) for pack, q_own, k_own, v_own, prefix in parts]
        x = x + self._linears(layer, ("attn_output",), torch.cat(outputs).to(x.dtype))[0]
        h = self._norm(x, f"blk.{layer}.ffn_norm")
        gate, up = self._linears(layer, ("ffn_gate", "ffn_up"), h)
        return x + self._linears(layer, ("ffn_down",), F.silu(gate) * up)[0]

    def _linears(self, layer: int, names: Sequence[str], x: Tensor) -> list[Tensor]:
        weights = [self._linear[f"blk.{layer}.{name}.weight"] for name in names]
        x_low = x.to(weights[0].dtype)
        base = [(x_low @ weight.T).to(x.dtype) for weight in weights]
        if layer < self.config.first_layer:
            return base
        down = x @ torch.cat([self.lora[f"{layer}:{name}:a"] for name in names]).T  # [tokens, rank * len(names)]
        scale = self.config.alpha / self.config.rank
        pieces = down.split(self.config.rank, dim=1)
        return [
            torch.addmm(y, piece, self.lora[f"{layer}:{name}:b"].T, alpha=scale)
            for y, piece, name in zip(base, pieces, names)
        ]

    def _norm(self, x: Tensor, name: str) -> Tensor:
        return F.rms_norm(x, (self.shape.width,), self._weights[f"{name}.weight"], self.shape.norm_eps)

    def _rope(self, length: int) -> tuple[Tensor, Tensor]:
        half = torch.arange(0, self.shape.head, 2, dtype=torch.float32) / self.shape.head
        angles = torch.arange(length)[:, None] * self.shape.rope_base**-half  # [length, head / 2]
        return angles.cos(), angles.sin()


class _Pack:
    """A group as index tensors: ``ids`` are its branches one after another, ``grid`` the same padded."""

    def __init__(self, group: Group) -> None:
        lengths = torch.tensor([len(branch.ids) for branch in group.branches], dtype=torch.long)
        self.prefix = len(group.prefix)
        self.longest = int(lengths.max()) if len(lengths) else 0
        self.ids = torch.tensor([number for branch in group.branches for number in branch.ids], dtype=torch.long)
        self.targets = torch.tensor([mark for branch in group.branches for mark in branch.targets], dtype=torch.bool)
        self.before_targets = self.targets.nonzero()[:, 0] - 1
        column = torch.arange(self.longest)
        self.valid = column[None] < lengths[:, None]  # [branches, longest]
        starts = lengths.cumsum(0) - lengths
        self.grid = torch.where(self.valid, starts[:, None] + column, 0)
        self.positions = (column.expand(len(lengths), -1) + self.prefix)[self.valid]
        self.future = torch.ones(self.longest, self.longest, dtype=torch.bool).triu(1)


def _rotate(x: Tensor, rope: tuple[Tensor, Tensor], places: Tensor) -> Tensor:
    """Interleaved rope on ``[tokens, heads, head]``: pairs (0, 1), (2, 3), ..."""
    cos, sin = rope[0][places][:, None], rope[1][places][:, None]  # [tokens, 1, head / 2]
    even, odd = x[..., ::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)


def _attend(q: Tensor, k: Tensor, v: Tensor, prefix: tuple[Tensor, Tensor], pack: _Pack) -> Tensor:
    """Attention of every branch on the prefix (one matrix product for all branches) and on its own past.

    q ``[tokens, heads, head]``; k, v ``[tokens, kv_heads, head]``; prefix: the same two ``[prefix, kv_heads, head]``.
    """
    k_pre, v_pre = prefix
    (branches, longest), kv, head, share = pack.grid.shape, k.shape[1], k.shape[2], q.shape[1] // k.shape[1]
    grid = q[pack.grid].view(branches, longest, kv, share, head).permute(2, 0, 3, 1, 4) / math.sqrt(head)
    rows = grid.reshape(kv, branches * share * longest, head)
    own_k, own_v = k[pack.grid].permute(2, 0, 1, 3), v[pack.grid].permute(2, 0, 1, 3)  # [kv, branches, longest, head]
    on_prefix = rows @ k_pre.permute(1, 2, 0)  # [kv, branches * share * longest, prefix]
    on_own = rows.view(kv, branches, share * longest, head) @ own_k.transpose(2, 3)
    on_own = on_own.view(kv, branches, share, longest, longest).masked_fill(pack.future, -math.inf)
    scores = torch.cat((on_prefix.view(kv, branches, share, longest, len(k_pre)), on_own), dim=-1)
    weights = scores.softmax(-1, dtype=torch.float32).to(q.dtype)
    from_prefix, from_own = weights.split((len(k_pre), longest), dim=-1)
    y = (from_prefix.reshape(kv, rows.shape[1], len(k_pre)) @ v_pre.transpose(0, 1)).view(
        kv, branches, share, longest, head
    )
    y = y + (from_own.reshape(kv, branches, share * longest, longest) @ own_v).view_as(y)
    return y.permute(1, 3, 0, 2, 4)[pack.valid].flatten(1)  # [tokens, width]
