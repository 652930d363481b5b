"""The call model at run time: exact places, the same bits always, files that are whole or refused, a right CRF."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from call_log import log, small_model
from hypothesis import given, settings
from hypothesis import strategies as st

from router.calls.crf import best_path, log_partition
from router.calls.gazetteer import Gazetteer
from router.calls.numbers import number
from router.calls.slots import asked_on, dated, learn_slots, plain, read_row
from router.calls.tagger import CallModel
from router.network.artifact import ArtifactError
from router.network.features import MAX_CHARACTERS, tokenise, tokens
from router.types import Example

QUESTIONS = [example.question for example in log(300, seed=9)]
ODD = [
    "",
    " \t\n",
    "😀",
    "switch on\tthe light in the  bath\troom",
    "send ½ kg to José Núñez",
    "İ" * 80,
    "invite 李雷 and Ada",
]


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
def test_tokens_are_the_words_of_tokenise_at_their_places(text: str) -> None:
    words, places = tokens(text)
    assert words == tokenise(text)
    assert places == sorted(places) and all(0 <= a < b <= len(text) for a, b in places)
    for word, (a, b) in zip(words, places):
        assert word in tokenise(text[a:b]) or len(text[a:b]) > 1  # a sign of several words lies within its cluster


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("naïve café 😀 £5", ["naïve", "café", "😀", "£", "5"]),
        ("cafe\u0301 ok", ["cafe\u0301", "ok"]),
        ("½ kg", ["½", "½", "½", "kg"]),
        ("“hi”", ["“", "hi", "”"]),
        ("a\ud800b c", ["a\ud800b", "c"]),
        ("İstanbul'da", ["İ", "İ", "stanbul", "'", "da"]),
    ],
)
def test_a_place_is_the_text_as_it_was_written(text: str, parts: list[str]) -> None:
    assert [text[a:b] for a, b in tokens(text)[1]] == parts


def test_a_very_long_text_is_cut_alike() -> None:
    text = "é " * MAX_CHARACTERS
    assert tokens(text)[0] == tokenise(text)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["lamp", "parcel", "invite"]))
def test_spans_map_back_to_the_question(text: str, tool: str) -> None:
    for question in (text, f"invite {text} and Ada", f"send 3 kg to {text}"):
        read = small_model().read(question, tool)
        assert 0.0 <= read.posterior <= 1.0
        for slot, spans in read.spans.items():
            said = [question[a:b] for a, b in spans]
            value = read.arguments[slot]
            values = value if isinstance(value, list) else [value]
            assert values == said or values == [number(one) for one in said]


def test_a_slot_that_occurs_twice_is_a_list() -> None:
    read = small_model().read("invite Grace and Linus to dinner", "invite")
    assert read.arguments == {"guest": ["Grace", "Linus"]} and read.spans == {"guest": ((7, 12), (17, 22))}


def test_a_tool_that_the_log_has_not_is_refused_with_those_it_has() -> None:
    with pytest.raises(ValueError, match="'oven' is not in the log .*lamp"):
        small_model().read("bake a cake", "oven")


def test_text_without_a_word_is_no_call() -> None:
    call = small_model().call(" \t ")
    assert call.tool is None and not call.sure and call.confidence == 0
    assert small_model().read("", "parcel").missing == ("to", "weight")


def test_the_same_bits_in_any_thread_and_order() -> None:
    model, asked = small_model(), [*QUESTIONS, *ODD]
    before = [model.call(question) for question in asked]
    with ThreadPoolExecutor(8) as pool:
        rounds = list(pool.map(lambda _: [model.call(q) for q in reversed(asked)][::-1], range(8)))
    assert all(each == before for each in rounds)


def test_a_loaded_model_is_the_saved_one(tmp_path) -> None:
    small_model().save(tmp_path)
    loaded = CallModel.load(tmp_path)
    assert [loaded.call(q) for q in [*QUESTIONS, *ODD]] == [small_model().call(q) for q in [*QUESTIONS, *ODD]]
    assert loaded.parts.slots == small_model().parts.slots and loaded.tools == small_model().tools


@pytest.mark.parametrize("name", ["calls.json", "calls.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "cut", "foreign"])
def test_damaged_files_are_refused_with_the_remedy(tmp_path, name: str, damage: str) -> None:
    small_model().save(tmp_path)
    file = tmp_path / name
    content = file.read_bytes()
    file.unlink()
    if damage != "missing":
        file.write_bytes(content[: len(content) // 2] if damage == "cut" else b"{}")
    with pytest.raises(ArtifactError, match=rf"{name}.*Train"):
        CallModel.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "version 99"),
        ({"span_slots": []}, "do not fit"),
        ({"slots": {}}, "do not fit"),
        ({"slots": {"lamp": [{"kind": "span"}]}}, "whole call model"),
        ({"confidence": {"slop": 1}}, "whole call model"),
    ],
)
def test_a_config_of_something_else_is_refused(tmp_path, change: dict, message: str) -> None:
    small_model().save(tmp_path)
    config = json.loads((tmp_path / "calls.json").read_text())
    (tmp_path / "calls.json").write_text(json.dumps(config | change))
    with pytest.raises(ArtifactError, match=message):
        CallModel.load(tmp_path)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_the_best_path_and_the_partition_are_those_of_brute_force(n: int, k: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    emissions, transitions, start = draw.normal(0, 3, (n, k)), draw.normal(0, 3, (k, k)), draw.normal(0, 3, k)

    def score(path: tuple[int, ...]) -> float:
        moves = sum(transitions[a, b] for a, b in itertools.pairwise(path))
        return start[path[0]] + emissions[range(n), path].sum() + moves

    scores = {path: score(path) for path in itertools.product(range(k), repeat=n)}
    path, best = best_path(emissions, np.ascontiguousarray(transitions.T), start)
    assert best == pytest.approx(max(scores.values())) and scores[tuple(path)] == pytest.approx(best)
    total = np.logaddexp.reduce(list(scores.values()))
    assert log_partition(emissions, np.exp(transitions), start) == pytest.approx(total)


def test_the_gazetteer_finds_the_longest_known_value_and_not_a_rows_own() -> None:
    book = Gazetteer.build(2, [(0, ["new"]), (0, ["new", "york"]), (1, ["york"]), (1, ["york"])])
    words = ["in", "new", "york"]
    assert book.matches(words) == [(1, 3, 0), (2, 3, 1)]
    assert book.matches(words, {("new york", 0): 1, ("york", 1): 1}) == [(1, 2, 0), (2, 3, 1)]
    bits = book.bits(3, book.matches(words))
    assert bits.tolist() == [[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0]]


class TestSlots:
    def slots(self, rows: list[tuple[str, dict | None]]) -> dict[str, str]:
        read = [read_row(Example(question, "t", arguments)) for question, arguments in rows]
        learned = learn_slots(dated(read, asked_on(read)))
        return {slot.name: slot.kind for slot in learned["t"]}

    def test_what_stands_in_the_question_is_a_span_what_repeats_a_class(self) -> None:
        rows = [(f"open the {room} at {n} percent", {"room": room, "percent": n, "state": "open", "by": "me"})
                for n, room in enumerate(["hall", "attic", "loft"] * 4, 10)]  # fmt: skip
        rows += [("shut the hall at 7 percent", {"room": "hall", "percent": 7, "state": "closed", "by": "me"})] * 4
        assert self.slots(rows) == {"room": "span", "percent": "span", "state": "class", "by": "constant"}

    def test_values_that_neither_stand_there_nor_repeat_stay_open(self) -> None:
        rows = [(f"meet number {n}", {"ticket": f"T-{n * n}"}) for n in range(2, 20)]
        assert self.slots(rows) == {"ticket": "open"}

    def test_rows_whose_arguments_are_unknown_say_nothing(self) -> None:
        assert self.slots([("go to Rome", {"to": "Rome"}), ("go to Oslo", {"to": "Oslo"})] + [("go", None)] * 9) == {
            "to": "span"
        }

    @pytest.mark.parametrize(
        ("question", "value", "found"),
        [
            ("room 15 please", 5, False),
            ("give 2.5 stars", 2, False),
            ("give 2.5 stars", 2.5, True),
            ("pay 3 euros", 3.0, True),
            ("Zürich Hbf", "zürich  hbf", True),
            ("Zürich Hbf", "zurich", False),
            ("is it true", True, False),
        ],
    )
    def test_a_value_is_found_whole_or_not_at_all(self, question: str, value: object, found: bool) -> None:
        assert (read_row(Example(question, "t", {"x": value})).places["x"] is not None) == found

    def test_two_values_never_share_a_word(self) -> None:
        row = read_row(Example("play rome in rome", "t", {"song": "rome", "city": "rome"}))
        assert sorted(row.places.values()) == [((1, 2),), ((3, 4),)]


def test_comparison_ignores_case_and_spacing() -> None:
    assert plain(" Bath\t ROOM ") == "bath room"
