"""MiniLM fine-tuned to say tool and tags at once: what the call model is measured against.

As Chen et al. 2019, "BERT for Joint Intent Classification and Slot Filling": the tool from the mean of the last layer,
the tag of a word from its first piece, told the tool. Optional, as ``router.network.minilm``. Leaves out classes and
constants, which it does not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from router.calls.crf import best_path
from router.learning.call_log import Batches, CallLog, Drawing
from router.learning.tagger import rules
from router.learning.training import seeded
from router.network.minilm import WIDTH, MiniLM

INNER = 256
"""Width of the layer between a word's vector and its tags."""
DROPOUT = 0.1


@dataclass(frozen=True)
class JointConfig:
    """How MiniLM is fine-tuned: AdamW, linear warm-up and decay; embeddings and the lower layers stay frozen.
    ``least_steps`` are made however short the log.
    """

    epochs: int = 5
    least_steps: int = 350
    learning_rate: float = 1.5e-4
    head_learning_rate: float = 1e-3
    label_smoothing: float = 0.05
    path_weight: float = 0.5
    frozen_layers: int = 2
    warmup: float = 0.06
    drawing: Drawing = Drawing(batch_size=32)
    seed: int = 0


class JointMiniLM(nn.Module):
    """Words → logits over tools; words and a tool → log-probabilities of tags."""

    def __init__(self, log: CallLog, frozen_layers: int) -> None:
        super().__init__()
        self.frozen_layers = frozen_layers
        self.encoder = MiniLM(len(log.slots))
        self.inner = nn.Linear(WIDTH, INNER)
        self.tools = nn.Embedding(len(log.slots), INNER)
        self.tags = nn.Linear(INNER, 2 * len(log.span_slots) + 1)
        for weight in (self.encoder.head.weight, self.tools.weight):
            nn.init.normal_(weight, std=0.02)
        nn.init.zeros_(self.encoder.head.bias)
        for name, rule in zip(("allowed", "follows", "begins"), rules(log.slots, log.span_slots)):
            self.register_buffer(name, rule)

    @classmethod
    def trained(cls, log: CallLog, config: JointConfig = JointConfig()) -> JointMiniLM:
        """Fine-tuned on ``log``. Raises ImportError where MiniLM's weights are not installed."""
        with seeded(config.seed):
            model = cls(log, config.frozen_layers)
            model._fit(log, config)
        return model.eval()

    def forward(self, texts: Sequence[Sequence[str]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits over tools (n, labels), and a vector for each word (n, longest, 384)."""
        pieces = self.encoder.tokenizer.encode_batch([list(words) for words in texts], is_pretokenized=True)
        ids = nn.utils.rnn.pad_sequence([torch.tensor(piece.ids) for piece in pieces], batch_first=True)
        padded = torch.arange(ids.shape[1])[None] >= torch.tensor([len(piece.ids) for piece in pieces])[:, None]
        first = np.zeros((len(texts), max(map(len, texts))), np.int64)
        for row, piece in zip(first, pieces):
            for place in reversed(range(len(piece.ids))):
                if (word := piece.word_ids[place]) is not None:
                    row[word] = place
        h = self.encoder.states(ids, padded, self.frozen_layers)
        kept = (~padded).float()[..., None]
        mean = (h * kept).sum(1) / kept.sum(1)
        vectors = h.gather(1, torch.from_numpy(first)[..., None].expand(-1, -1, WIDTH))
        return self.encoder.head(F.dropout(mean, DROPOUT, self.training)), vectors

    def tag(self, vectors: torch.Tensor, tools: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (n, longest, t) of tags for ``tools`` (n,)."""
        inner = F.relu(self.inner(F.dropout(vectors, DROPOUT, self.training)) + self.tools(tools)[:, None])
        scores = self.tags(F.dropout(inner, DROPOUT, self.training)) + self.allowed[tools][:, None]
        return F.log_softmax(scores, 2)

    @torch.no_grad()
    def call(self, words: Sequence[str]) -> tuple[int, list[int], float]:
        """The tool's number, the tags of ``words``, and the log-probability of both."""
        scores, vectors = self([words])
        tools = F.log_softmax(scores, 1)[0]
        tool = int(tools.argmax())
        said = self.tag(vectors, torch.tensor([tool]))[0].numpy().astype(np.float64)
        tags, log_p = best_path(said, self.follows.numpy().T, self.begins.numpy())
        return tool, tags, float(tools[tool]) + log_p

    def _fit(self, log: CallLog, config: JointConfig) -> None:
        batches = Batches(log, config.drawing, config.seed)
        steps = max(config.least_steps, -(-config.epochs * len(log.rows) // batches.size))
        body = [p for layer in self.encoder.layers[config.frozen_layers :] for p in layer.parameters()]
        heads = [p for part in (self.encoder.head, self.inner, self.tools, self.tags) for p in part.parameters()]
        groups = [{"params": body, "peak": config.learning_rate}, {"params": heads, "peak": config.head_learning_rate}]
        optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=0.01, fused=True)
        warm = max(1.0, config.warmup * steps)
        self.train()
        for step, (chosen, drawn) in zip(range(steps), batches):
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * min((step + 1) / warm, (steps - step) / (steps - warm))
            logits, vectors = self([words for words, _ in drawn])
            tools = torch.from_numpy(log.tools[chosen])
            loss = F.cross_entropy(logits, tools, label_smoothing=config.label_smoothing)
            said = [
                row[range(len(tags)), tags].sum() for row, (_, tags) in zip(self.tag(vectors, tools), drawn) if tags
            ]
            if said:
                loss = loss - config.path_weight * torch.stack(said).sum() / len(drawn)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(body, 1.0)
            optimizer.step()
