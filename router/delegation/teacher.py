"""Teacher: self-delegation for a model that cannot write a learning instruction.

A small model's own small talk is not sane ("thx" → "That's great!"), but its likelihoods know more than its words: its
verdict is the log-probability of "yes" against "no" after eight examples, and its reply is the likeliest of a few, one
for each kind of small talk, in the phrase's language. Leaves out models that write the wire format themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import dspy

from router.delegation import COMMAND, Said
from router.delegation.phrases import lookup_forms, normalise
from router.lms import ask, prompts, score
from router.lms.prompts import Prompt
from router.trace import Trace

REPLIES = Path(__file__).with_name("replies.json")
VERDICTS = Path(__file__).with_name("verdicts.json")
"""Messages with the verdict that each deserves, shown before the message in question."""
METHOD = "verdict and reply chosen by log-probability"
SIMPLE_ABOVE = -1.0
"""log P(yes) - log P(no) above which a phrase is simple, for SmolLM2-135M: chosen on 42 phrases written for it."""
_VERDICT = "Decide whether the message is only a greeting, thanks or acknowledgement (yes) or a real question or request (no). Answer yes or no."
NEUTRAL = "..."
_SCRIPTS = (
    ("ja", "\u3040\u30ff"), ("ko", "\uac00\ud7af"), ("ko", "\u3130\u318f"), ("zh", "\u3400\u9fff"), ("th", "\u0e00\u0e7f"),
    ("hi", "\u0900\u097f"), ("he", "\u0590\u05ff"), ("el", "\u0370\u03ff"), ("ar", "\u0600\u06ff"), ("ru", "\u0400\u04ff"),
)  # fmt: skip


_BIASES: WeakKeyDictionary[Any, dict[tuple[str, ...], Mapping[str, float]]] = WeakKeyDictionary()
"""What each engine says after a message that says nothing: scored once, not at every phrase."""


class Teacher:
    """Speaks for ``lm``, a model in this process: ``say`` answers a phrase, and teaches it where it is simple."""

    def __init__(self, lm: dspy.LM) -> None:
        self.lm = lm
        self._bias = _BIASES.setdefault(lm.engine, {})

    def say(self, message: str, trace: Trace) -> Said:
        """The reply to ``message``: of its kind where that is known, with a lesson where it is simple; else free text.

        One or two scoring steps of ``trace``, or a written answer. Raises dspy's LMError, and Cancelled.
        """
        form = normalise(message)
        language = detect(form)
        kinds = kinds_of(form, language) if language else ()
        if not kinds:
            return Said(ask(self.lm, prompts.chat(message), trace))
        simple = self.verdict(message, trace) > SIMPLE_ABOVE
        reply = self.reply(message, kinds, language, trace)
        if not simple:
            return Said(reply)
        return Said(reply, {"command": COMMAND, "query": message.strip(), "response": reply}, method=METHOD)

    def verdict(self, message: str, trace: Trace) -> float:
        """log P("yes") - log P("no"): how simple the model holds ``message`` to be."""
        scores = score(self.lm, _prompt(_VERDICT, _verdicts(), message), ("yes", "no"), trace)
        return scores["yes"] - scores["no"]

    def reply(self, message: str, kinds: tuple[str, ...], language: str, trace: Trace) -> str:
        """The reply, in ``language``, of that one of ``kinds`` whose English reply ``message`` makes likelier most.

        Likelihoods are compared with those after a message that says nothing, so that a reply which is likely anywhere
        does not win. English, because this model's likelihoods of other languages say little.
        """
        best = kinds[0]
        if len(kinds) > 1:
            texts = {_replies()["en"]["kinds"][kind]["reply"]: kind for kind in kinds}
            gains = self._gains(message, tuple(texts), language, trace)
            best = texts[max(texts, key=gains.__getitem__)]
        return _replies()[language]["kinds"][best]["reply"]

    def _gains(self, message: str, texts: tuple[str, ...], language: str, trace: Trace) -> dict[str, float]:
        """How much likelier ``message`` makes each text than a message that says nothing."""
        shots = _shots(language)
        likely = score(self.lm, _prompt("Reply to the message.", shots, message), texts, trace)
        if (language, *texts) not in self._bias:
            self._bias[language, *texts] = score(
                self.lm, _prompt("Reply to the message.", shots, NEUTRAL), texts, trace
            )
        return {text: likely[text] - self._bias[language, *texts][text] for text in texts}


def detect(form: str) -> str:
    """The language of a phrase, from its script and from the words of small talk; "" where half of its words are unknown."""
    replies = _replies()
    words = set(form.removesuffix("?").split(" "))
    letters = [c for c in form if c.isalpha()]
    if not letters:
        return "emoji" if form else ""
    votes = {language: len(words & set(_words(language))) for language in replies}
    script = next((language for language, (low, high) in _SCRIPTS if any(low <= c <= high for c in letters)), "")
    if script:
        if script == "ru" and (votes["uk"] or set(form) & set("іїєґ")):
            return "uk"
        return "fa" if script == "ar" and (votes["fa"] or set(form) & set("پچژگ")) else script
    best = max(votes, key=votes.__getitem__)
    return best if votes[best] * 2 > len(words) else ""


def kinds_of(form: str, language: str) -> tuple[str, ...]:
    """The kinds of small talk that ``form`` may be: by an example that it is, by words of one kind's examples only, or
    by words of several kinds'. None where it shares no word: left to likelihoods alone, "cheers" makes this model laugh.
    """
    kinds = _replies()[language]["kinds"]
    forms = set(lookup_forms(form))
    exact = [kind for kind, entry in kinds.items() if any(normalise(e) in forms for e in entry["after"])]
    if exact:
        return tuple(exact)
    words = {word for f in forms for word in f.removesuffix("?").split(" ")}
    shared = {
        k: words & {w for e in entry["after"] for w in normalise(e).removesuffix("?").split(" ")}
        for k, entry in kinds.items()
    }
    own = [
        k
        for k, found in shared.items()
        if any(all(w not in rest for o, rest in shared.items() if o != k) for w in found)
    ]
    return tuple(own or (k for k, found in shared.items() if found))


def _prompt(system: str, shots: Any, message: str) -> Prompt:
    turns = [turn for asked, said in shots for turn in (("user", asked), ("assistant", said))]
    messages = (("system", system), *turns, ("user", message))
    return Prompt("teach", tuple({"role": role, "content": text} for role, text in messages))


def _shots(language: str) -> list[tuple[str, str]]:
    """Examples in English and in ``language``, each with the English reply of its kind."""
    replies = _replies()
    english = {kind: entry["reply"] for kind, entry in replies["en"]["kinds"].items()}
    shots = [(entry["after"][0], english[kind]) for kind, entry in replies["en"]["kinds"].items()]
    rest = replies[language]["kinds"].items()
    return shots + [
        (e, english[kind]) for kind, entry in rest for e in entry["after"][1 if language == "en" else 0 :][:2]
    ]


@cache
def _replies() -> dict[str, Any]:
    return json.loads(REPLIES.read_text(encoding="utf-8"))


def known_phrases() -> list[str]:
    """The phrases of small talk that the teacher has a reply to, in all languages."""
    return [phrase for entry in _replies().values() for kind in entry["kinds"].values() for phrase in kind["after"]]


@cache
def _verdicts() -> list[tuple[str, str]]:
    return [(message, verdict) for message, verdict in json.loads(VERDICTS.read_text(encoding="utf-8"))]


@cache
def _words(language: str) -> frozenset[str]:
    entry = _replies()[language]
    examples = (normalise(e).removesuffix("?").split(" ") for kind in entry["kinds"].values() for e in kind["after"])
    return frozenset(entry["words"]).union(*examples)
