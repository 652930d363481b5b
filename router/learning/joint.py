"""MiniLM fine-tuned to say tool and tags at once: the teacher of a call model, and its peer in the benchmark.

As Chen et al. 2019, "BERT for Joint Intent Classification and Slot Filling": the tool from the mean of the last layer,
the tag of a word from its first piece, told the tool. Optional, as ``router.network.minilm``. Leaves out classes and
constants, which it does not read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from router.learning.call_log import Batches, CallLog, Drawing
from router.learning.tagger import rules
from router.learning.training import smoothed
from router.network.minilm import LAYERS, MAX_PIECES, WIDTH, MiniLM

INNER = 256
"""Width of the layer between a word's vector and its tags."""


@dataclass(frozen=True)
class JointConfig:
    """How MiniLM is fine-tuned: AdamW, linear warm-up and decay; embeddings and the lower layers stay frozen.
    ``least_steps`` are made however short the log."""

    epochs: int = 5
    least_steps: int = 350
    learning_rate: float = 1.5e-4
    head_learning_rate: float = 1e-3
    label_smoothing: float = 0.05
    frozen_layers: int = 2
    warmup: float = 0.06
    drawing: Drawing = Drawing(batch_size=32, swapped=0.5)
    seed: int = 0


class JointMiniLM(nn.Module):
    """Words → logits over tools; words and a tool → log-probabilities of tags."""

    def __init__(self, log: CallLog, config: JointConfig = JointConfig()) -> None:
        super().__init__()
        n_tags = 2 * len(log.span_slots) + 1
        self.config, self.labels = config, tuple(log.slots)
        self.encoder = MiniLM(len(log.slots))
        self.inner = nn.Linear(WIDTH, INNER)
        self.tools = nn.Embedding(len(log.slots), INNER)
        self.tags = nn.Linear(INNER, n_tags)
        nn.init.normal_(self.encoder.head.weight, std=0.02)
        nn.init.zeros_(self.encoder.head.bias)
        nn.init.normal_(self.tools.weight, std=0.02)
        self.register_buffer("allowed", rules(log.slots, log.span_slots)[0])

    def forward(self, texts: Sequence[Sequence[str]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits over tools (n, labels), and a vector for each word (n, longest, 384)."""
        pieces = self.encoder.tokenizer.encode_batch([list(words) for words in texts], is_pretokenized=True)
        longest = max(len(piece.ids) for piece in pieces)
        ids = torch.tensor([piece.ids + [0] * (longest - len(piece.ids)) for piece in pieces])
        lengths = torch.tensor([len(piece.ids) for piece in pieces])
        padded = torch.arange(longest)[None] >= lengths[:, None]
        first = np.zeros((len(texts), max(map(len, texts))), np.int64)
        for row, piece in zip(first, pieces):
            for place, word in reversed(list(enumerate(piece.word_ids))):
                if word is not None:
                    row[word] = place
        h = self.encoder.states(ids, padded, self.config.frozen_layers)
        kept = (~padded).float()[..., None]
        mean = (h * kept).sum(1) / kept.sum(1)
        logits = self.encoder.head(F.dropout(mean, 0.1, self.training))
        return logits, h.gather(1, torch.from_numpy(first)[..., None].expand(-1, -1, WIDTH))

    def tag(self, vectors: torch.Tensor, tools: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (n, longest, t) of tags for ``tools`` (n,)."""
        inner = F.relu(self.inner(F.dropout(vectors, 0.1, self.training)) + self.tools(tools)[:, None])
        scores = self.tags(F.dropout(inner, 0.1, self.training)) + self.allowed[tools][:, None]
        return F.log_softmax(scores, 2)

    def fit(
        self, log: CallLog, on_progress: Callable[[int, int, float], None] = lambda step, steps, loss: None
    ) -> JointMiniLM:
        """Fine-tune on ``log``. ``on_progress(step, steps, loss)`` is called at each step."""
        config = self.config
        targets = smoothed(log.tools, len(self.labels), config.label_smoothing)
        batches = Batches(log, config.drawing, targets, config.seed)
        steps = max(config.least_steps, -(-config.epochs * len(log.rows) // batches.size))
        body = [p for layer in self.encoder.layers[config.frozen_layers :] for p in layer.parameters()]
        heads = [*self.encoder.head.parameters(), *self.inner.parameters(), *self.tools.parameters()]
        groups = [{"params": body, "peak": config.learning_rate}]
        groups += [{"params": [*heads, *self.tags.parameters()], "peak": config.head_learning_rate}]
        optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=0.01, fused=True)
        self.train()
        for step, (chosen, drawn) in zip(range(steps), batches):
            warm = max(1.0, config.warmup * steps)
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * min((step + 1) / warm, (steps - step) / (steps - warm))
            logits, vectors = self([row.words for row in drawn])
            wanted = torch.from_numpy(np.stack([row.tools for row in drawn]))
            loss = F.cross_entropy(logits, wanted)
            said = self.tag(vectors, torch.from_numpy(log.tools[chosen]))
            known = [n for n, row in enumerate(drawn) if row.tags is not None]
            right = [(said[n, : len(drawn[n].said)] * torch.from_numpy(drawn[n].said)).sum() for n in known]
            if right:
                loss = loss - 0.5 * torch.stack(right).sum() / len(drawn)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(body, 1.0)
            optimizer.step()
            on_progress(step, steps, float(loss.detach()))
        return self.eval()

    @torch.no_grad()
    def read(self, texts: Sequence[Sequence[str]], tools: Sequence[int] | None = None) -> tuple[np.ndarray, list[np.ndarray]]:
        """Logits (n, labels), and log-probabilities of tags (words, t) of each text, for ``tools`` or the likeliest."""
        self.eval()
        logits = np.zeros((len(texts), len(self.labels)), np.float32)
        tags: list[np.ndarray] = [np.zeros(0)] * len(texts)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for start in range(0, len(order), 64):
            chosen = order[start : start + 64]
            scores, vectors = self([texts[i] for i in chosen])
            which = scores.argmax(1) if tools is None else torch.tensor([tools[i] for i in chosen])
            said = self.tag(vectors, which).numpy()
            logits[chosen] = scores.numpy()
            for row, i in zip(said, chosen):
                tags[i] = row[: len(texts[i])]
        return logits, tags
