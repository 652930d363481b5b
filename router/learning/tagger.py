"""The trainable form of the call model, in torch: a ``RouterNetwork`` with a tagger on its convolution.

Leaves out optimisation (``tagging.py``) and use after training, which is ``router.calls.tagger``'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import torch
from torch import nn
from torch.nn import functional as F

from router.calls.artifact import CallWeights
from router.calls.crf import BANNED
from router.calls.slots import Slot
from router.calls.tagger import tag_numbers
from router.network.features import Vocabulary
from router.network.module import NetworkConfig, RouterNetwork


@dataclass(frozen=True)
class Batch:
    """Questions as tensors. n questions of at most ``longest`` words."""

    ids: Sequence[Sequence[int]]
    hints: torch.Tensor  # (n, longest, 2 slots)
    lengths: torch.Tensor  # (n,)
    tools: torch.Tensor  # (n,)

    @property
    def mask(self) -> torch.Tensor:
        """(n, longest): 1 where there is a word."""
        return (torch.arange(self.hints.shape[1]) < self.lengths[:, None]).float()


@dataclass(frozen=True)
class Scores:
    """Logits over tools (n, labels). For the r questions ``read`` of them whose tool has slots: emissions of tags of each
    member (m, r, longest, t)."""

    tools: torch.Tensor
    read: torch.Tensor
    tags: torch.Tensor


class CallNetwork(nn.Module):
    """Words → tool; words and tool → tags.

    The router's channels are divided among ``members``: each is a tagger by itself, with a loss of its own, on u of
    them. What they say is averaged later: an ensemble that shares its words (Hansen and Salamon 1990, "Neural Network
    Ensembles").
    """

    def __init__(
        self, vocabulary: Vocabulary, slots: Mapping[str, Sequence[Slot]], span_slots: Sequence[str],
        config: NetworkConfig, members: int, layers: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.base = RouterNetwork(vocabulary, tuple(slots), config)
        d, h, m = config.width, config.channels, members
        if h % m:
            raise ValueError(f"{h} channels cannot be divided among {m} members. Take a multiple of {m}.")
        u, self.members, self.layers = h // m, m, layers
        n_tags = 2 * len(span_slots) + 1
        self.hints = nn.Parameter(torch.randn(n_tags - 1, h) * 0.02)
        self.convolutions = nn.Parameter(_uniform(layers, m, u, 3 * u, fan_in=3 * u))
        self.convolution_bias = nn.Parameter(torch.zeros(layers, m, 1, u))
        self.norms = nn.Parameter(torch.stack([torch.ones(layers, m, 1, u), torch.zeros(layers, m, 1, u)], 1))
        self.hidden = nn.Parameter(_uniform(m, u, u, fan_in=u))
        self.context = nn.Parameter(_uniform(d + h, h, fan_in=d + h))
        self.tools = nn.Embedding(len(slots), h)
        nn.init.normal_(self.tools.weight, std=0.02)
        self.output = nn.Parameter(_uniform(m, u, n_tags, fan_in=u))
        self.output_bias = nn.Parameter(torch.zeros(m, 1, n_tags))
        self.transitions = nn.Parameter(torch.zeros(n_tags, n_tags))
        self.start = nn.Parameter(torch.zeros(n_tags))
        for name, rule in zip(("allowed", "follows", "begins"), rules(slots, span_slots)):
            self.register_buffer(name, rule)
        self.register_buffer("has_slots", torch.tensor([bool(own) for own in slots.values()]))

    def forward(self, batch: Batch) -> Scores:
        p, training, m = self.base.config.dropout, self.training, self.members
        features, conv = self.base.contextual(batch.ids)
        features = F.dropout(features, p, training)
        tools = self.base.tail.head(features)
        read = self.has_slots[batch.tools].nonzero()[:, 0]
        features, conv = features[read], conv[read]
        n, longest, h = conv.shape
        u = h // m
        mask = batch.mask[read, :, None]
        x = F.dropout(F.relu(conv + batch.hints[read] @ self.hints) * mask, p, training)
        x = x.view(n, longest, m, u).permute(2, 0, 1, 3)  # (m, n, longest, u)
        for i in range(self.layers):
            taps = (x.reshape(m, n * longest, u) @ self.convolutions[i]).view(m, n, longest, 3 * u)
            after, here, before = taps.chunk(3, 3)
            reach = 2 ** (i + 1)
            bias = self.convolution_bias[i][:, None]
            x = x + F.relu(here + bias + _shifted(after, reach) + _shifted(before, -reach))
            weight, shift = self.norms[i, :, :, None]
            x = F.dropout((F.layer_norm(x, x.shape[-1:]) * weight + shift) * mask, p / 2, training)
        told = (features @ self.context + self.tools(batch.tools[read])).view(n, m, 1, u).transpose(0, 1)
        hidden = (x.reshape(m, n * longest, u) @ self.hidden).view(x.shape) + told
        hidden = F.dropout(F.relu(hidden), p, training).view(m, n * longest, u)
        tags = (hidden @ self.output + self.output_bias).view(m, n, longest, len(self.start))
        return Scores(tools, read, tags + self.allowed[batch.tools[read]][:, None])

    def path_loss(self, emissions: torch.Tensor, tags: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """-log probability (n,) of the paths ``tags`` (n, longest)."""
        transitions, start = self.transitions + self.follows, self.start + self.begins
        return log_partition(emissions, transitions, start, mask) - path_score(
            emissions, transitions, start, tags, mask
        )

    @torch.no_grad()
    def arrays(self) -> CallWeights:
        """The weights for inference."""
        return CallWeights(
            **{f.name: getattr(self, f.name).numpy().copy() for f in fields(CallWeights) if f.name != "tools"},
            tools=self.tools.weight.numpy().copy(),
        )


def _uniform(*shape: int, fan_in: int) -> torch.Tensor:
    return (torch.rand(shape) * 2 - 1) * fan_in**-0.5


def log_partition(
    emissions: torch.Tensor, transitions: torch.Tensor, start: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """log Σ exp(score) over all paths, (n,): the forward algorithm. ``transitions`` (from, to)."""
    odds = transitions.exp()
    forward = emissions[:, 0] + start
    for t in range(1, emissions.shape[1]):
        top = forward.amax(1, keepdim=True).detach()
        ahead = ((forward - top).exp() @ odds).clamp(min=1e-30).log() + top + emissions[:, t]
        forward = torch.where(mask[:, t, None] > 0, ahead, forward)
    return forward.logsumexp(1)


def path_score(
    emissions: torch.Tensor, transitions: torch.Tensor, start: torch.Tensor, tags: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """The score (n,) of ``tags`` (n, longest)."""
    moves = tags[:, :-1] * len(start) + tags[:, 1:]
    moved = transitions.flatten().index_select(0, moves.flatten()).view_as(moves)  # its gradient adds in one order
    said = (emissions.gather(2, tags[..., None])[..., 0] * mask).sum(1)
    return said + start.index_select(0, tags[:, 0]) + (moved * mask[:, 1:]).sum(1)


def rules(
    slots: Mapping[str, Sequence[Slot]], span_slots: Sequence[str]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What may be, as 0, and what may not, as BANNED: tags of a tool (tools, t), a tag after a tag (t, t), a first
    tag (t,)."""
    numbers = tag_numbers(span_slots)
    n_tags = len(numbers) + 1
    allowed = torch.full((len(slots), n_tags), BANNED)
    allowed[:, 0] = 0
    for row, own in zip(allowed, slots.values()):
        spans = {slot.name for slot in own if slot.kind == "span"}
        row[[tag for tag, name in numbers if name in spans]] = 0
    follows, begins = torch.zeros(n_tags, n_tags), torch.zeros(n_tags)
    for inside in range(2, n_tags, 2):
        follows[:, inside] = begins[inside] = BANNED
        follows[inside - 1 : inside + 1, inside] = 0
    return allowed, follows, begins


def _shifted(x: torch.Tensor, by: int) -> torch.Tensor:
    """``x`` (..., longest, u) moved ``by`` places to the right (left if negative), zeros where nothing was."""
    edge = min(abs(by), x.shape[-2])
    if by > 0:
        return F.pad(x[..., : x.shape[-2] - edge, :], (0, 0, edge, 0))
    return F.pad(x[..., edge:, :], (0, 0, 0, edge))
