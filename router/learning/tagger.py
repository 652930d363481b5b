"""The trainable form of the call model, in torch: a ``RouterNetwork`` with a tagger on its convolution.

Leaves out optimisation (``tagging.py``) and use after training, which is ``router.calls.tagger``'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from router.calls.artifact import CallWeights
from router.calls.crf import BANNED
from router.calls.slots import Slot
from router.calls.tagger import class_ranges, tag_numbers
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
    """Logits over tools (n, labels), emissions of tags (n, longest, t), logits of all classes (n, columns)."""

    tools: torch.Tensor
    tags: torch.Tensor
    classes: torch.Tensor


class CallNetwork(nn.Module):
    """Words → tool; words and tool → tags and classes."""

    def __init__(
        self, vocabulary: Vocabulary, slots: Mapping[str, Sequence[Slot]], span_slots: Sequence[str],
        config: NetworkConfig, units: int, layers: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.base = RouterNetwork(vocabulary, tuple(slots), config)
        d, h = config.width, config.channels
        self.class_columns = [(start, end) for _, _, start, end in class_ranges(slots)]
        n_tags, n_classes = 2 * len(span_slots) + 1, sum(end - start for start, end in self.class_columns)
        self.hints = nn.Linear(n_tags - 1, h, bias=False)
        nn.init.normal_(self.hints.weight, std=0.02)
        self.narrow = nn.Linear(h, units, bias=False)
        self.convolutions = nn.ModuleList(nn.Linear(units, 3 * units, bias=False) for _ in range(layers))
        for conv in self.convolutions:  # three taps meet in one sum: the fan-in is three times the units
            nn.init.uniform_(conv.weight, -((3 * units) ** -0.5), (3 * units) ** -0.5)
        self.convolution_bias = nn.Parameter(torch.zeros(layers, units))
        self.norms = nn.ModuleList(nn.LayerNorm(units) for _ in range(layers))
        self.hidden = nn.Linear(units, units, bias=False)
        self.context = nn.Linear(d + h, units, bias=False)
        self.tools = nn.Embedding(len(slots), units)
        nn.init.normal_(self.tools.weight, std=0.02)
        self.output = nn.Linear(units, n_tags)
        self.classes = nn.Linear(d + h + units, n_classes)
        self.transitions = nn.Parameter(torch.zeros(n_tags, n_tags))
        self.start = nn.Parameter(torch.zeros(n_tags))
        allowed, follows, begins = _rules(slots, span_slots)
        self.register_buffer("allowed", allowed)
        self.register_buffer("follows", follows)
        self.register_buffer("begins", begins)

    def forward(self, batch: Batch) -> Scores:
        p, training = self.base.config.dropout, self.training
        features, conv = self.base.contextual(batch.ids)
        features = F.dropout(features, p, training)
        mask = batch.mask[..., None]
        x = self.narrow(F.dropout(F.relu(conv + self.hints(batch.hints)) * mask, p, training))
        for i, (layer, norm) in enumerate(zip(self.convolutions, self.norms)):
            after, here, before = layer(x).chunk(3, 2)
            reach = 2 ** (i + 1)
            out = here + self.convolution_bias[i] + _shifted(after, reach) + _shifted(before, -reach)
            x = F.dropout(norm(x + F.relu(out)) * mask, p / 2, training)
        told = self.context(features) + self.tools(batch.tools)
        hidden = F.dropout(F.relu(self.hidden(x) + told[:, None]), p, training)
        highest = torch.where(mask > 0, x, torch.full_like(x[:1, :1], -torch.inf)).amax(1)
        return Scores(
            self.base.tail.head(features),
            self.output(hidden) + self.allowed[batch.tools][:, None],
            self.classes(torch.cat([features, highest], 1)),
        )

    def path_loss(self, emissions: torch.Tensor, tags: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """-log probability (n,) of the paths ``tags`` (n, longest)."""
        transitions, start = self.transitions + self.follows, self.start + self.begins
        return log_partition(emissions, transitions, start, mask) - path_score(
            emissions, transitions, start, tags, mask
        )

    @torch.no_grad()
    def arrays(self) -> CallWeights:
        """The weights for inference."""
        units, layers = self.hidden.in_features, len(self.convolutions)
        convolutions = [conv.weight.T.numpy() for conv in self.convolutions]
        norms = [torch.stack([norm.weight, norm.bias]).numpy() for norm in self.norms]
        return CallWeights(
            hints=_copy(self.hints.weight.T),
            narrow=_copy(self.narrow.weight.T),
            convolutions=np.stack(convolutions).copy() if layers else np.zeros((0, units, 3 * units), np.float32),
            convolution_bias=_copy(self.convolution_bias),
            norms=np.stack(norms).copy() if layers else np.zeros((0, 2, units), np.float32),
            hidden=_copy(self.hidden.weight.T),
            context=_copy(self.context.weight.T),
            tools=_copy(self.tools.weight),
            output=_copy(self.output.weight.T),
            output_bias=_copy(self.output.bias),
            transitions=_copy(self.transitions),
            start=_copy(self.start),
            classes=_copy(self.classes.weight.T),
            class_bias=_copy(self.classes.bias),
        )


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


def _rules(
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
    """``x`` (n, longest, h) moved ``by`` places to the right (left if negative), zeros where nothing was."""
    if by > 0:
        return F.pad(x[:, :-by], (0, 0, min(by, x.shape[1]), 0))
    return F.pad(x[:, -by:], (0, 0, 0, min(-by, x.shape[1])))


def _copy(tensor: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().numpy()).copy()
