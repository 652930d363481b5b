"""Training of whole calls: what the log shows is learned, torch and numpy agree, the threshold keeps its promise."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from call_log import SMALL, log, small_model

from router.bench import calls as bench
from router.bench.command import main
from router.calls.classes import class_phrases, cues_of, disputed
from router.calls.confidence import choose_call_threshold, fit_call_confidence, is_right, provable_target
from router.calls.read import LearnedCall, Read
from router.calls.slots import Slot
from router.calls.tagger import CallModel
from router.learning.call_log import CallLog
from router.learning.classes import fit_classes
from router.learning.tagger import Batch, log_partition, path_score
from router.learning.tagging import (
    CallProgress,
    fit_calls,
    train_network,
    wording,
)
from router.network.calibration import wilson
from router.network.features import tokens
from router.types import Example

SHORT = replace(SMALL, epochs=1, least_steps=20)


def test_a_toy_log_teaches_unseen_combinations() -> None:
    rows = log(300, seed=5)
    wrong = [(e, c) for e, c in ((e, small_model().call(e.question)) for e in rows) if not is_right(c, e)]
    assert len(wrong) <= 6, wrong[:3]


def test_enums_constants_numbers_and_open_slots_come_with_their_types() -> None:
    read = small_model().read("turn off the attic lamp", "lamp")
    assert read.arguments == {"room": "attic", "lit": False, "source": "voice"}
    assert set(read.spans) == {"room", "lit"} and read.missing == ()
    read = small_model().read("send a parcel of 217 kg to Grace", "parcel")
    assert read.arguments == {"weight": 217, "to": "Grace"} and isinstance(read.arguments["weight"], int)
    assert small_model().read("send 5 kg to Ada quickly", "parcel").arguments["speed"] == "express"


def test_a_slot_that_the_log_always_has_is_missed() -> None:
    call = small_model().call("post a parcel")
    assert call.tool == "parcel" and "weight" in call.read.missing and not call.sure


def test_the_same_seed_gives_the_same_model_watched_or_not() -> None:
    rows = log(120)
    first, other = (fit_calls(rows, replace(SHORT, seed=seed)) for seed in (1, 2))
    second = fit_calls(rows, replace(SHORT, seed=1), lambda progress: progress.held_right())
    questions = [e.question for e in log(60, seed=3)]
    assert [first.call(q) for q in questions] == [second.call(q) for q in questions]
    assert [first.call(q) for q in questions] != [other.call(q) for q in questions]


def test_training_leaves_the_random_state_alone() -> None:
    torch.manual_seed(7)
    before = torch.rand(3)
    torch.manual_seed(7)
    fit_calls(log(60), SHORT)
    assert torch.equal(before, torch.rand(3))


def test_a_listener_may_break_training_off() -> None:
    def stop(progress: CallProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_calls(log(60), SHORT, stop)


@pytest.mark.parametrize("rows", [[], [Example("hello", "none")] * 9])
def test_one_tool_is_refused_with_the_remedy(rows: list[Example]) -> None:
    with pytest.raises(ValueError, match="a router needs two. Add examples"):
        fit_calls(rows)


def test_rows_without_known_arguments_teach_the_tool_alone() -> None:
    rows = [replace(e, arguments=None) if e.tool == "invite" else e for e in log(200)]
    model = fit_calls(rows, SMALL)
    call = model.call("invite Ada to dinner")
    assert "invite" not in model.tools and call.tool == "invite" and not call.sure


def test_numpy_says_what_torch_says() -> None:
    network, parts = train_network(log(300), SMALL)
    spans = {tool: tuple(slot for slot in own if slot.kind == "span") for tool, own in parts.slots.items()}
    model = CallModel(network.base.fold(precision="float32"), replace(parts, slots=spans, classes={}))
    for example in (e for e in log(300, seed=4) if parts.slots[e.tool]):
        words, places = tokens(example.question)
        bits = model.gazetteer.bits(len(words), model.gazetteer.matches(words))
        tool = torch.tensor([network.base.labels.index(example.tool)])
        batch = Batch(
            [network.base.encode_words(words)],
            torch.from_numpy(bits)[None],
            torch.tensor([len(words)]),
            tool,
        )
        with torch.no_grad():
            scores = network(batch)
        assert model.router.logits([example.question])[0] == pytest.approx(scores.tools[0].numpy(), abs=1e-3)
        read = model.read(example.question, example.tool)
        with torch.no_grad():
            log_p = -float(network.path_loss(scores.tags.mean(0), _tags(read, places, parts.span_slots), batch.mask)[0])
        assert np.exp(log_p) == pytest.approx(read.posterior, abs=1e-3)


def _tags(read: Read, places: list[tuple[int, int]], names: tuple[str, ...]) -> torch.Tensor:
    """The path that ``read`` was read from."""
    tags = torch.zeros(1, len(places), dtype=torch.long)
    for slot, spans in read.spans.items():
        for a, b in spans:
            inside = [i for i, (start, end) in enumerate(places) if a <= start and end <= b]
            tags[0, inside] = 2 * names.index(slot) + 2
            tags[0, inside[0]] -= 1
    return tags


def test_the_forward_algorithm_in_a_batch_is_that_of_each_row() -> None:
    torch.manual_seed(0)
    emissions, transitions, start = torch.randn(5, 7, 4), torch.randn(4, 4), torch.randn(4)
    lengths = torch.tensor([7, 1, 3, 5, 2])
    mask = (torch.arange(7) < lengths[:, None]).float()
    tags = torch.randint(0, 4, (5, 7))
    together = log_partition(emissions, transitions, start, mask)
    for i, n in enumerate(lengths.tolist()):
        one = torch.ones(1, n)
        assert together[i] == pytest.approx(
            float(log_partition(emissions[i : i + 1, :n], transitions, start, one)[0]), abs=1e-4
        )
        said = path_score(emissions[i : i + 1, :n], transitions, start, tags[i : i + 1, :n], one)[0]
        assert said <= together[i] + 1e-4


def test_the_threshold_is_the_lowest_whose_lower_bound_holds() -> None:
    draw = np.random.default_rng(0)
    scores = draw.random(2_000)
    right = draw.random(2_000) < 0.8 + 0.2 * scores
    threshold = choose_call_threshold(scores, right, 0.95)
    kept = scores >= threshold
    assert wilson(int(right[kept].sum()), int(kept.sum()), 1.645)[0] >= 0.95
    lower = np.sort(scores[~kept])[-40:]
    assert all(wilson(int(right[scores >= s].sum()), int((scores >= s).sum()), 1.645)[0] < 0.95 for s in lower)


def test_where_no_threshold_holds_nothing_is_sure() -> None:
    rows = log(20, seed=8)
    confidence = fit_call_confidence([small_model().call(e.question) for e in rows], rows, 0.97)
    model = small_model().with_confidence(confidence)  # 20 rows, all right, promise no more than .88
    assert not any(model.call(e.question).sure for e in log(60, seed=2))
    assert model.parts.confidence.chosen_on["coverage"] == 0


def test_a_good_tool_does_not_hide_a_bad_one() -> None:
    draw = np.random.default_rng(0)
    examples = [
        Example("x", tool, {"a": 1}) for tool in ("good", "bad", "rare") for _ in range(400 if tool != "rare" else 50)
    ]
    wrong = [e.tool == "bad" and draw.random() < 0.3 for e in examples]
    calls = [LearnedCall(e.tool, Read({"a": 1 + w}), 0.9, 0.9, False) for e, w in zip(examples, wrong)]
    confidence = fit_call_confidence(calls, examples, 0.97)
    assert confidence.least("good") <= confidence.of(0.9) < confidence.least("bad")
    assert "rare" not in confidence.thresholds and confidence.chosen_on["sure"] == 400


def test_that_no_tool_is_needed_proves_nothing_of_calls() -> None:
    examples = [Example("x", "none")] * 500 + [Example("x", "lamp", {"a": 1})] * 20
    calls = [LearnedCall(e.tool, Read(dict(e.arguments or {})), 0.9, 0.9, False) for e in examples]
    confidence = fit_call_confidence(calls, examples, 0.97)
    assert confidence.least("lamp") > 1 and confidence.chosen_on["questions"] == 20


def test_rows_in_the_same_words_are_held_out_together() -> None:
    rows = [Example(f"{please}send a parcel of {n} kg to {who}", "parcel", {"weight": n, "to": who})
            for n, who, please in ((4, "Ada", ""), (217, "Barbara Liskov", ""), (9, "Linus", "please "))]  # fmt: skip
    other = Example("post 4 kg to Ada", "parcel", {"weight": 4, "to": "Ada"})
    read = CallLog.read([*rows, other]).rows
    said = [wording(example, row, {"please"}) for example, row in zip([*rows, other], read)]
    assert said == ["send a parcel of <weight> kg to <to>"] * 3 + ["post <weight> kg to <to>"]


def test_a_class_is_told_by_words_that_are_no_values_and_by_its_own() -> None:
    slots = (Slot("speed", "class", ("high", "very_low", 2, True)), Slot("to", "span"))
    assert class_phrases(slots) == {" high": (1,), " very low": (2,), " 2": (3,), " speed": (4,)}
    assert cues_of("very low or highly".split(), (2,), class_phrases(slots)) == {
        "very", "low", "highly", " very low", " high",
    }  # fmt: skip
    assert disputed(slots, {" high", " very low"}, class_phrases(slots)) == {"speed"}
    assert not disputed(slots, {" high", "very", "low"}, class_phrases(slots))
    rows = [Example(f"{word} a ticket, {title}", "ticket", {"title": title, "rank": rank})
            for word, rank in {"open": "normal", "rush": "high"}.items()
            for title in ("rush hour", "the open door", "no light", "a leak", "noise")] * 2  # fmt: skip
    log = CallLog.read(rows)
    told = fit_classes(log)["ticket"]
    for cues, rank in (({"open", "a"}, "normal"), ({"rush", "a"}, "high")):
        ((slot, value, chance),) = told.choose(log.slots["ticket"], cues)
        assert (slot.name, value) == ("rank", rank) and -0.2 < chance < 0


def test_the_words_of_a_tool_are_those_beside_its_values() -> None:
    spoken = CallLog.read([*log(200), Example("Ada says hello", "none")]).spoken
    assert {"invite", "dinner", "over"} <= spoken["invite"] and not {"ada", "grace", "barbara"} & spoken["invite"]
    assert "ada" in spoken["none"]


def test_classes_that_no_words_tell_are_as_likely_as_they_are_frequent() -> None:
    rows = [Example(town, "go", {"to": town, "by": by})
            for town in ("Rome", "Oslo", "Bonn", "Lima") for by in ("bus", "bus", "bus", "car")]  # fmt: skip
    log = CallLog.read(rows * 2)
    ((slot, value, chance),) = fit_classes(log)["go"].choose(log.slots["go"], {"fast"})
    assert (slot.name, value) == ("by", "bus") and np.exp(chance) == pytest.approx(0.75, abs=0.03)


def test_the_highest_target_that_held_out_calls_prove_is_named() -> None:
    scores = np.linspace(1, 0.5, 60)
    right = np.arange(60) != 40
    assert provable_target(scores, right) == 0.93  # forty right ones: wilson's lower bound is 0.937
    assert choose_call_threshold(scores, right, 0.93) < 2 <= choose_call_threshold(scores, right, 0.94)
    assert provable_target(np.zeros(0), np.zeros(0, bool)) == 0 == provable_target(np.ones(1), np.zeros(1, bool))


def test_values_that_the_log_has_not_shown_make_a_call_less_sure() -> None:
    draw = np.random.default_rng(0)
    examples = [Example("x", "invite", {"guest": "Ada"})] * 800
    strange = draw.integers(0, 2, 800)
    wrong = draw.random(800) < np.where(strange, 0.3, 0.01)
    calls = [
        LearnedCall("invite", Read({"guest": "Bob" if w else "Ada"}, unseen=int(s)), p, p, False)
        for w, s, p in zip(wrong, strange, np.where(wrong, draw.uniform(0.75, 0.9, 800), draw.uniform(0.85, 0.95, 800)))
    ]
    confidence = fit_call_confidence(calls, examples, 0.97)
    assert confidence.unseen < -1 and confidence.elsewhere == 0
    assert confidence.of(0.88, Read(unseen=1)) < confidence.least("invite") <= confidence.of(0.93, Read())


def test_what_the_log_has_shown_of_a_value_is_told() -> None:
    known, new = (small_model().call(f"invite {name} to dinner") for name in ("Barbara Liskov", "Katherine Johnson"))
    assert known.read.arguments == {"guest": "Barbara Liskov"} and (known.read.unseen, known.read.elsewhere) == (0, 0)
    assert new.read.unseen == 1 and new.confidence <= known.confidence
    room = small_model().read("invite garage to dinner", "invite")
    assert room.arguments == {"guest": "garage"} and (room.unseen, room.elsewhere) == (0, 1)


def test_a_small_log_is_calibrated_on_all_its_rows_by_others_of_its_models() -> None:
    told: list[CallProgress] = []
    model = fit_calls(log(90), SHORT, told.append)
    assert model.parts.confidence.chosen_on["questions"] == sum(e.tool != "none" for e in log(90))
    assert {p.part for p in told} == {1, 2, 3, 4} and all(p.parts == 4 for p in told)


def test_what_the_small_log_promises_holds_on_new_questions() -> None:
    calls = [(small_model().call(e.question), e) for e in log(400, seed=6)]
    sure = [is_right(call, example) for call, example in calls if call.sure]
    assert len(sure) > 200 and sum(sure) >= 0.97 * len(sure)


def test_a_call_is_right_only_as_a_whole() -> None:
    example = Example("invite Ada", "invite", {"guest": "Ada", "when": None})
    call = lambda tool, arguments: LearnedCall(tool, Read(arguments), 1.0, 1.0, True)  # noqa: E731
    assert is_right(call("invite", {"guest": " ADA "}), example)
    assert not is_right(call("lamp", {"guest": "Ada"}), example)
    assert not is_right(call("invite", {"guest": "Ada", "time": "now"}), example)
    assert not is_right(call("invite", {}), example)


def test_the_benchmark_ends_in_one_document_with_every_column(tmp_path, capsys, monkeypatch) -> None:
    files = [tmp_path / f"{name}.jsonl" for name in ("train", "valid", "test")]
    for seed, (file, n) in enumerate(zip(files, (200, 150, 100))):
        rows = [{"question": e.question, "tool": e.tool, "arguments": e.arguments} for e in log(n, seed)]
        file.write_text("\n".join(json.dumps(row) for row in rows))
    monkeypatch.setattr(bench.CallTrainingConfig, "of", lambda rows, seed: replace(SMALL, seed=seed))
    train, valid, test = map(str, files)
    asked = ["--calls", train, "--valid", valid, "--test", test, "--rows", "180", "--seeds", "1"]
    assert main([*asked, "--peers", "tfidf-lookup", "--out", str(tmp_path / "rows.jsonl")]) == 0
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    rows = {row["model"]: row for row in document["rows"]}
    assert document["train_rows"] == 180 and set(rows) == {"tfidf-lookup", "switchyard"}
    assert all(set(bench.COLUMNS) <= set(row) for row in rows.values())
    ours = rows["switchyard"]
    assert ours["call_exact"] > rows["tfidf-lookup"]["call_exact"] and ours["call_exact"] <= ours["slot_f1"] <= 1
    assert ours["coverage"] > 0 and ours["precision"] >= 0.95 and 0 < ours["p50_us"] <= ours["p99_us"]
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["--calls", "x.jsonl"], "needs --valid FILE and --test FILE"),
        (["--calls", "x.jsonl", "--valid", "x", "--test", "x", "--peers", "oracle"], "Unknown peers .'oracle'."),
        (["--calls", "x.jsonl", "--valid", "x", "--test", "x"], "x.jsonl"),
    ],
)
def test_the_benchmark_says_what_it_needs(asked: list[str], message: str, capsys) -> None:
    assert main(asked) == 2
    assert re.search(message, capsys.readouterr().err)
