"""What one would put before an LLM in an afternoon, on the same stream: caches and nearest neighbours.

They are told of every call, also of those that the router made. Leaves out the router (``replay``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from router.calls.confidence import comparable, given
from router.handover.evidence import NEVER, prove
from router.network.features import static_vectors, tokenise
from router.types import Example

Embed = Callable[[Sequence[str]], np.ndarray]
CACHE = 0.95
"""The cosine from which a semantic cache takes two questions for one."""
NEIGHBOURS = 5


@dataclass(frozen=True)
class PeerFigures:
    """On a block of the stream: shares that a peer answered by tool and as a whole, and how often it agreed then."""

    tool_coverage: float
    tool_agreement: float | None
    call_coverage: float
    call_agreement: float | None


def static_embed(questions: Sequence[str]) -> np.ndarray:
    """The mean of each question's static word vectors, of length 1, (n, 256)."""
    out = np.zeros((len(questions), 256), np.float32)
    for row, question in zip(out, questions):
        words = tokenise(question)
        if words:
            row[:] = static_vectors.matrix(words).mean(0)
            row /= np.linalg.norm(row) or 1.0
    return out


def same_call(a: Example, b: Example) -> bool:
    """Whether tool and arguments are the same; texts compare without case and spacing."""
    return a.tool == b.tool and comparable(given(a)) == comparable(given(b))


def exact_cache(seen: Sequence[Example], block: Sequence[Example]) -> PeerFigures:
    """The call of the last question that had the same words."""
    known = {" ".join(tokenise(example.question)): example for example in seen}
    found = [known.get(" ".join(tokenise(example.question))) for example in block]
    return _figures([one is not None for one in found], [one is not None for one in found], found, block)


def semantic_cache(cosines: np.ndarray, seen: Sequence[Example], block: Sequence[Example]) -> PeerFigures:
    """The call of the nearest question, from a cosine of CACHE on. ``cosines``: (block, seen)."""
    sure = (cosines.max(1) >= CACHE).tolist()
    return _figures(sure, sure, [seen[i] for i in cosines.argmax(1)], block)


def neighbours(
    within: np.ndarray, cosines: np.ndarray, seen: Sequence[Example], block: Sequence[Example], target: float
) -> PeerFigures:
    """The tool that most of the NEIGHBOURS nearest questions have, weighed by cosine, and the call of the nearest of
    these; thresholds by leaving each of the questions seen out once. ``within``: (seen, seen), its diagonal below all.
    """
    thresholds = []
    found, confidence = _votes(within, seen)
    for scores, agreed in (
        (confidence[:, 0], [a.tool == b.tool for a, b in zip(found, seen)]),
        (confidence[:, 1], [same_call(a, b) for a, b in zip(found, seen)]),
    ):
        proof = prove(scores, agreed, target, 0.05)
        thresholds.append(proof.threshold if proof.proven else NEVER)
    found, confidence = _votes(cosines, seen)
    sure = confidence >= np.array(thresholds)
    return _figures(sure[:, 0].tolist(), sure[:, 1].tolist(), found, block)


def _votes(cosines: np.ndarray, seen: Sequence[Example]) -> tuple[list[Example], np.ndarray]:
    """For each question the nearest example of the tool that wins; its share of the votes, and its cosine, (n, 2)."""
    k = min(NEIGHBOURS, cosines.shape[1])
    found, confidence = [], np.zeros((len(cosines), 2))
    for n, row in enumerate(cosines):
        near = np.argpartition(-row, k - 1)[:k]
        near = near[np.argsort(-row[near])]
        votes: dict[str, float] = {}
        for i in near:
            votes[seen[i].tool] = votes.get(seen[i].tool, 0.0) + max(0.0, float(row[i]))
        tool = max(votes, key=votes.get)
        best = next(i for i in near if seen[i].tool == tool)
        found.append(seen[best])
        confidence[n] = votes[tool] / (sum(votes.values()) or 1.0) * float(row[near[0]]), float(row[best])
    return found, confidence


def _figures(
    tools: Sequence[bool], calls: Sequence[bool], found: Sequence[Example | None], block: Sequence[Example]
) -> PeerFigures:
    def share(sure: Sequence[bool], agree: Callable[[Example, Example], bool]) -> float | None:
        hits = [agree(a, b) for ok, a, b in zip(sure, found, block) if ok]
        return sum(hits) / len(hits) if hits else None

    n = max(1, len(block))
    return PeerFigures(
        sum(tools) / n, share(tools, lambda a, b: a.tool == b.tool), sum(calls) / n, share(calls, same_call)
    )


def measure(
    seen: Sequence[Example], block: Sequence[Example], target: float, embed: Embed = static_embed, name: str = "static"
) -> dict[str, PeerFigures]:
    """The peers that have seen ``seen``, on ``block``. ``name``: of the embedding."""
    vectors, asked = embed([e.question for e in seen]), embed([e.question for e in block])
    within = vectors @ vectors.T
    np.fill_diagonal(within, -2.0)
    cosines = asked @ vectors.T
    return {
        "exact cache": exact_cache(seen, block),
        f"semantic cache ({name})": semantic_cache(cosines, seen, block),
        f"{NEIGHBOURS}-NN ({name})": neighbours(within, cosines, seen, block, target),
    }
