"""The router's network: two forms that agree, decisions that depend on the text alone, files that are checked."""

from __future__ import annotations

import copy
import json
import math
import pickle
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from routers import examples, small_network, small_router

from router.network import Router
from router.network.artifact import CONFIG_FILE, VERSION, WEIGHTS_FILE, ArtifactError, Calibration, Head, Parts
from router.network.features import MAX_WORDS, ngrams, static_vectors, tokenise

QUESTIONS = [e.question for e in examples()[1]]
STRANGE = [
    "",
    "  \n",
    "?!",
    "東京は何時ですか",
    "Wie spät ist es in Zürich?",
    "qwzx flurbity 12",
    "👋🏽",
    "a" * 5000,
    "word " * 3000,
]


def test_folded_and_torch_forms_agree_to_the_last_label() -> None:
    torch_logits = small_network().logits(QUESTIONS + STRANGE[2:])
    folded = small_network().fold(precision="float32").logits(QUESTIONS + STRANGE[2:])
    assert (torch_logits.argmax(1) == folded.argmax(1)).all()
    assert np.abs(torch_logits - folded).max() < 1e-4


def test_eight_bits_move_no_label_that_has_a_margin() -> None:
    exact = small_network().fold(precision="float32").logits(QUESTIONS)
    compact = small_network().fold().logits(QUESTIONS)
    spread = np.abs(exact - compact).max()
    top = np.sort(exact, 1)
    clear = top[:, -1] - top[:, -2] > 2 * spread
    assert spread < 0.05 * exact.std() + 0.02
    assert clear.mean() > 0.5
    assert (exact.argmax(1) == compact.argmax(1))[clear].all()


def test_it_learned_more_than_its_largest_label() -> None:
    right = [d.tool == e.tool for d, e in zip(small_router().decide_batch(QUESTIONS), examples()[1])]
    assert np.mean(right) > 0.7  # ten labels, so chance is 0.1


def test_a_decision_is_the_same_bits_in_any_order_batch_and_thread() -> None:
    asked = (QUESTIONS + STRANGE + [f"please {i}flur{i * 7919 % 997}bity the wombat" for i in range(300)]) * 2
    alone = {q: small_router().with_calibration(small_router().calibration).decide(q) for q in asked[:40]}
    wanted = dict(zip(asked, small_router().decide_batch(asked)))
    random.Random(0).shuffle(asked)
    fresh = small_router().with_calibration(small_router().calibration)  # nothing memoised yet
    with ThreadPoolExecutor(8) as pool:
        for question, decision in zip(asked, pool.map(fresh.decide, asked)):
            assert decision == wanted[question]
    assert all(wanted[q] == d for q, d in alone.items())


def test_a_full_memo_changes_no_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    new_words = [f"blorp{i}x in paris" for i in range(50)]
    wanted = small_router().decide_batch(new_words)
    monkeypatch.setattr("router.network.router.MEMO_WORDS", 3)
    bounded = small_router().with_calibration(small_router().calibration)
    assert [bounded.decide(q) for q in new_words * 2] == wanted * 2
    assert len(bounded._table) == len(bounded.vocabulary.words) + 3


def test_another_process_decides_alike(tmp_path) -> None:
    small_router().save_pretrained(tmp_path)
    asked = QUESTIONS[:30] + STRANGE[:5]
    program = (
        "import json, sys; from router.network import Router; r = Router.from_pretrained(sys.argv[1]);"
        "print(json.dumps([[d.tool, d.confidence] for d in r.decide_batch(json.loads(sys.argv[2]))]))"
    )
    out = subprocess.run([sys.executable, "-c", program, tmp_path, json.dumps(asked)], capture_output=True, check=True)
    for (tool, confidence), mine in zip(json.loads(out.stdout), small_router().decide_batch(asked)):
        assert tool == mine.tool and abs(confidence - mine.confidence) < 1e-6


@pytest.mark.parametrize("text", ["", "  \n\t", "\u200b", "\ud83d"])
def test_text_without_a_word_abstains(text: str) -> None:
    decision = small_router().decide(text)
    assert decision.abstained and decision.tool is None and decision.confidence == 0
    assert math.isclose(sum(decision.probabilities.values()), 1)


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=200))
def test_any_text_gives_probabilities_that_sum_to_one(text: str) -> None:
    decision = small_router().decide(text)
    assert set(decision.probabilities) == set(small_router().labels)
    assert abs(sum(decision.probabilities.values()) - 1) < 1e-5
    assert 0 <= decision.confidence <= 1
    assert decision.tool is None or decision.probabilities[decision.tool] == max(decision.probabilities.values())


def test_long_text_is_read_up_to_the_limit() -> None:
    assert len(tokenise("word " * 3000)) == MAX_WORDS
    assert small_router().decide("time in paris " * 4000) == small_router().decide("time in paris " * 40)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("What's 20% of 45?", ["what", "'", "s", "2", "0", "%", "of", "4", "5", "?"]),
        ("It’s", ["it", "'", "s"]),
        ("spät", ["spät"]),
        ("東京は", ["東", "京", "は"]),
        ("ﬁne", ["fine"]),
        ("a_b", ["a", "b"]),
    ],
)
def test_words_of_any_script(text: str, words: list[str]) -> None:
    assert tokenise(text) == words


def test_ngrams_of_short_words_are_not_the_word_twice() -> None:
    assert len(ngrams("tip")) == len(set(ngrams("tip")))
    assert ngrams("a") == ["<a>"]


def test_a_misspelt_word_stays_near_its_right_form() -> None:
    def likeness(a: str, b: str) -> float:
        u, v = small_router().word_vector(a), small_router().word_vector(b)
        return float(u @ v / np.linalg.norm(u) / np.linalg.norm(v))

    assert likeness("weather", "weathr") > likeness("weather", "dollars")


def test_static_vectors_need_no_network_and_tell_words_apart() -> None:
    cat, dog, tax = (static_vectors(w) for w in ("cat", "dog", "tax"))
    assert cat @ dog > cat @ tax


@pytest.mark.parametrize("n", [2, 1000])
def test_from_two_to_a_thousand_labels(n: int) -> None:
    weights = small_router().weights
    head, bias = (
        np.random.default_rng(0).normal(size=(len(weights.head), n)).astype(np.float32),
        np.zeros(n, np.float32),
    )
    labels = tuple(f"tool_{i}" for i in range(n))
    router = Router(Parts(labels, small_router().vocabulary, replace(weights, head=head, head_bias=bias)))
    assert len(router.decide("time in paris").probabilities) == n


@pytest.mark.parametrize("labels", [["one"], ["a"] * 10, ["a", ""], [f"t{i}" for i in range(1001)]])
def test_unfit_labels_are_refused(labels: list[str]) -> None:
    with pytest.raises(ValueError, match="label|Label"):
        Router(Parts(tuple(labels), small_router().vocabulary, small_router().weights))


def test_a_saved_router_is_the_same_router(tmp_path) -> None:
    small_router().save_pretrained(tmp_path)
    loaded = Router.from_pretrained(tmp_path)
    assert loaded.decide_batch(QUESTIONS + STRANGE) == small_router().decide_batch(QUESTIONS + STRANGE)
    assert loaded.calibration == small_router().calibration
    assert loaded.provenance["data_sha256"] == small_router().provenance["data_sha256"]
    assert loaded.memory == small_router().memory


def with_a_reader() -> Router:
    """The small router with one reader and one filler."""
    width = len(small_router().weights.head)
    weights = np.random.default_rng(0).normal(size=(width, 2)).astype(np.float16).astype(np.float32)
    head = Head(("date", "time"), weights, np.array([0.25, -0.25], np.float32))
    return small_router().having(readers={("clock", "ask"): head}, fillers=frozenset({"please"}))


@pytest.mark.parametrize("change", ["saved", "pickled", "copied", "calibrated", "given a tool"])
def test_readers_and_fillers_go_with_the_router(change: str, tmp_path) -> None:
    router = with_a_reader()
    if change == "saved":
        router.save_pretrained(tmp_path)
        changed = Router.from_pretrained(tmp_path)
    elif change == "pickled":
        changed = pickle.loads(pickle.dumps(router))
    elif change == "copied":
        changed = copy.deepcopy(router)
    elif change == "calibrated":
        changed = router.with_calibration(Calibration(threshold=0.7))
    else:
        changed = router.add_tool("sprinkler", "Waters the garden.").router
    feature = router.features(["what day is it"])[0]
    assert changed.readers["clock", "ask"].read(feature) == router.readers["clock", "ask"].read(feature)
    assert changed.fillers == {"please"}


def test_a_reader_of_another_width_is_refused() -> None:
    head = Head(("date", "time"), np.zeros((3, 2), np.float32), np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="reader of clock.ask"):
        small_router().having(readers={("clock", "ask"): head})


def test_copies_decide_alike() -> None:
    for twin in (copy.deepcopy(small_router()), pickle.loads(pickle.dumps(small_router()))):
        assert twin.decide(QUESTIONS[0]) == small_router().decide(QUESTIONS[0])


def test_deciding_imports_no_torch(tmp_path) -> None:
    small_router().save_pretrained(tmp_path)
    program = (
        "import sys; from router.network import Router; Router.from_pretrained(sys.argv[1]).decide('hello there');"
        "sys.exit('torch' in sys.modules or 'dspy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program, tmp_path], check=False).returncode == 0


def _truncated(folder) -> None:
    path = folder / WEIGHTS_FILE
    path.write_bytes(path.read_bytes()[:-100])


def _no_weights(folder) -> None:
    (folder / WEIGHTS_FILE).unlink()


def _foreign(folder) -> None:
    (folder / CONFIG_FILE).write_text('{"model_type": "bert"}')


def _newer(folder) -> None:
    config = json.loads((folder / CONFIG_FILE).read_text())
    (folder / CONFIG_FILE).write_text(json.dumps(config | {"version": VERSION + 1}))


def _older(folder) -> None:
    config = json.loads((folder / CONFIG_FILE).read_text())
    (folder / CONFIG_FILE).write_text(json.dumps(config | {"version": VERSION - 1}))


def _no_reader(folder) -> None:
    config = json.loads((folder / CONFIG_FILE).read_text())
    row = {"tool": "clock", "slot": "ask", "values": ["date", "time"]}
    (folder / CONFIG_FILE).write_text(json.dumps(config | {"readers": [row]}))


def _half_config(folder) -> None:
    (folder / CONFIG_FILE).write_text((folder / CONFIG_FILE).read_text()[:50])


def _no_config(folder) -> None:
    (folder / CONFIG_FILE).unlink()


def _wrong_labels(folder) -> None:
    config = json.loads((folder / CONFIG_FILE).read_text())
    (folder / CONFIG_FILE).write_text(json.dumps(config | {"labels": ["only", "two"]}))


def _no_calibration(folder) -> None:
    config = json.loads((folder / CONFIG_FILE).read_text())
    del config["calibration"]
    (folder / CONFIG_FILE).write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_truncated, "truncated"),
        (_no_weights, "cannot be read"),
        (_foreign, "format is None"),
        (_newer, f"version {VERSION + 1}"),
        (_older, f"version {VERSION - 1}"),
        (_no_reader, "reader_0_weights"),
        (_half_config, "not JSON"),
        (_no_config, "cannot be read"),
        (_wrong_labels, "shape"),
        (_no_calibration, "calibration"),
    ],
)
def test_a_spoilt_artifact_is_refused_with_its_reason(tmp_path, spoil, says: str) -> None:
    small_router().save_pretrained(tmp_path)
    spoil(tmp_path)
    with pytest.raises(ArtifactError, match=says):
        Router.from_pretrained(tmp_path)


def test_abstains_below_the_threshold_and_only_there() -> None:
    base = small_router()
    for threshold in (0.0, 0.5, 0.9, 1.01):
        router = base.with_calibration(replace(base.calibration, threshold=threshold))
        for decision in router.decide_batch(QUESTIONS[:50]):
            assert decision.abstained == (decision.confidence < threshold)


def test_without_calibration_the_confidence_is_the_highest_probability() -> None:
    router = small_router().with_calibration(Calibration())
    decision = router.decide(QUESTIONS[0])
    assert math.isclose(decision.confidence, max(decision.probabilities.values()), rel_tol=1e-5)


class TestNewTool:
    EXAMPLES = ("water the tomatoes", "turn the garden sprinkler on", "irrigate my vegetable beds", "sprinkle the lawn")
    DESCRIPTION = "Waters the garden: switches the sprinkler that irrigates lawn, beds and tomatoes."

    def test_it_is_recognised_and_old_questions_stay(self) -> None:
        grown = small_router().add_tool("sprinkler", self.DESCRIPTION, self.EXAMPLES, past=QUESTIONS)
        assert grown.router.decide("please water my lawn with the sprinkler").tool == "sprinkler"
        assert grown.recognised == 1
        assert len(grown.changes) <= 0.03 * grown.past
        right = [d.tool == e.tool for d, e in zip(grown.router.decide_batch(QUESTIONS), examples()[1])]
        before = [d.tool == e.tool for d, e in zip(small_router().decide_batch(QUESTIONS), examples()[1])]
        assert np.mean(right) >= np.mean(before) - 0.03

    def test_every_reported_change_is_a_change(self) -> None:
        grown = small_router().add_tool(
            "clock_two", "Tells the time in a city.", ["what time is it in rome"], QUESTIONS
        )
        for change in grown.changes:
            assert small_router().decide(change.question).tool == change.before != change.after
            assert grown.router.decide(change.question).tool == change.after

    def test_the_first_router_is_left_as_it_was(self) -> None:
        before = small_router().decide_batch(QUESTIONS[:20])
        small_router().add_tool("sprinkler", self.DESCRIPTION)
        assert "sprinkler" not in small_router().labels
        assert small_router().decide_batch(QUESTIONS[:20]) == before

    def test_bad_tools_are_refused(self) -> None:
        with pytest.raises(ValueError, match="already"):
            small_router().add_tool("clock", "Tells the time.")
        with pytest.raises(ValueError, match="description"):
            small_router().add_tool("sprinkler", " ")
