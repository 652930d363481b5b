"""The hand-over: what the LLM calls is learned, what is proven is acted on, and nothing is ever half a model."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import dspy
import pytest
from call_log import SMALL, log
from scripted_lm import scripted_lm

from router.__main__ import main
from router.builtin import default_tools
from router.calls.read import LearnedCall, Read
from router.handover import background
from router.handover.background import (
    GIVEN,
    change_gates,
    folder_of,
    learn,
    look_again,
    numbers,
    right_before,
    rollback,
    stand,
    worse,
)
from router.handover.gate import SCOPES, GateConfig, Gates
from router.handover.given import Given
from router.handover.handover import SEVERAL, Handover, HandoverConfig
from router.handover.journal import Journal, JournalConfig, JournalRow, schemas_of
from router.handover.learner import (
    Candidate,
    LearnerConfig,
    Lesson,
    compare,
    confidences,
    read_as_of_then,
    train_candidate,
)
from router.handover.replay import Recorded, Replay, ReplayConfig, erring
from router.network import Router
from router.pipeline import RouterPipeline
from router.tools import Tool, ToolSet
from router.types import NONE, Example, ToolCall

QUICK = LearnerConfig(replace(SMALL, epochs=1, least_steps=120), folds=(2, 2))
HASTY = replace(QUICK, training=replace(QUICK.training, least_steps=15))
GATE = GateConfig(target=0.8, own=10_000)
ROOT = Path(__file__).parents[1]


def tool(name: str, **slots: str) -> Tool:
    properties = {slot: {"type": kind.split()} if " " in kind else {"type": kind} for slot, kind in slots.items()}
    schema = {"type": "object", "properties": {s: {"type": v["type"]} for s, v in properties.items()}}
    return Tool(name, f"The tool {name}.", schema, lambda **arguments: f"{name} done")


TOOLS = ToolSet(
    [
        tool("lamp", room="string", lit="boolean", source="string"),
        tool("parcel", weight="integer", to="string", speed="string"),
        tool("invite", guest="string array"),
    ]
)


@pytest.fixture(scope="session")
def candidate() -> Candidate:
    return train_candidate([Lesson(i + 1, example) for i, example in enumerate(log(300))], QUICK)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    found = Journal(tmp_path / "journal.db")
    yield found
    found.close()


def fill(journal: Journal, rows: int, seed: int = 0) -> None:
    for example in log(rows, seed):
        call = ToolCall(example.tool, example.arguments)
        journal.append(JournalRow(example.question, "collecting", llm_call=call), TOOLS)


def handover(journal: Journal, models: Path, candidate: Candidate | None = None, **gate: float) -> Handover:
    config = replace(GATE, **gate)
    if candidate:
        if not folder_of(models, 1).exists():
            folder_of(models, 1).mkdir(parents=True)
            candidate.save(folder_of(models, 1))
        stand(journal, 1, candidate, config, {})
    return Handover(journal, TOOLS, HandoverConfig(models, config, twice=1e-9, learns=False))


# ---------------------------------------------------------------- learning


def test_every_lesson_is_read_by_a_model_that_had_not_seen_it(candidate: Candidate) -> None:
    assert sorted(one.row for one in candidate.comparisons) == list(range(1, 301))
    share = sum(one.agreed["call"] for one in candidate.comparisons) / 300
    assert 0.8 < share < 1.0


def test_several_processes_train_the_same_candidate() -> None:
    lessons = [Lesson(i, example) for i, example in enumerate(log(60))]
    done: list[tuple[int, int]] = []
    alone = train_candidate(lessons, HASTY)
    found = train_candidate(lessons, replace(HASTY, workers=2), lambda *so_far: done.append(so_far))
    assert [one.agreed for one in found.comparisons] == [one.agreed for one in alone.comparisons]
    assert done == [(1, 3), (2, 3), (3, 3)] and found.seconds > 0
    question = "send a parcel of 12 kg to Ada"
    assert found.model.call(question).read.arguments == alone.model.call(question).read.arguments


def test_what_the_router_left_to_the_llm_out_of_doubt_is_learned_and_no_proof() -> None:
    lessons = [Lesson(i, example, proof=i % 2 == 0) for i, example in enumerate(log(60))]
    found = train_candidate(lessons, HASTY)
    assert found.rows == 60 and {one.row % 2 for one in found.comparisons} == {0}


def test_a_candidate_comes_back_from_its_folder(candidate: Candidate, tmp_path: Path) -> None:
    candidate.save(tmp_path)
    again = Candidate.load(tmp_path)
    question = "send a parcel of 12 kg to Ada"
    now = datetime(2026, 1, 1)
    assert again.model.call(question, now) == candidate.model.call(question, now)
    assert again.comparisons == candidate.comparisons and again.usual == candidate.usual


def test_too_few_lessons_are_refused_with_what_helps() -> None:
    with pytest.raises(ValueError, match="Add examples"):
        train_candidate([Lesson(0, Example("hello", "none", {}))], QUICK)


def test_a_call_with_a_missing_slot_is_sure_of_its_tool_at_most(candidate: Candidate) -> None:
    found = confidences(candidate.model.call("rush a parcel"))
    assert found["call"] == 0.0 < found["tool"]


# ---------------------------------------------------------------- deciding


def test_without_a_model_everything_is_the_llms(journal: Journal, tmp_path: Path) -> None:
    found = handover(journal, tmp_path)
    assert found.consider("turn on the hall lamp").mode == "collecting" and found.model is None


def test_a_proven_call_is_acted_on_and_one_in_doubt_is_not(
    journal: Journal, tmp_path: Path, candidate: Candidate
) -> None:
    found = handover(journal, tmp_path, candidate, audit=1e-9)
    opinion = found.consider("turn on the attic lamp")
    assert (opinion.mode, opinion.tool, opinion.call.read.arguments["room"]) == ("act", "lamp", "attic")
    assert found.consider("zork the frobnicator with a grue in the dark").mode == "ask"


def test_a_call_that_may_not_be_made_is_left_to_the_llm(journal: Journal, tmp_path: Path, candidate: Candidate) -> None:
    found = handover(journal, tmp_path, candidate, audit=1e-9)
    found.tools = ToolSet([replace(one, destructive=True) for one in TOOLS.values()])
    assert found.consider("turn on the attic lamp").mode == "ask"
    found.tools = ToolSet([tool("lamp", room="integer")])
    assert found.consider("turn on the attic lamp").mode == "ask"


def test_the_audit_sample_goes_to_the_llm_though_the_call_is_sure(
    journal: Journal, tmp_path: Path, candidate: Candidate
) -> None:
    found = handover(journal, tmp_path, candidate, audit=0.5)
    modes = [found.consider("turn on the attic lamp").mode for _ in range(100)]
    assert {"act", "audit"} == set(modes) and 20 < modes.count("audit") < 80


def test_an_llm_that_disagrees_pauses_the_tool_for_every_process(
    journal: Journal, tmp_path: Path, candidate: Candidate
) -> None:
    found, asked = handover(journal, tmp_path, candidate, audit=0.999), 0
    while found.gates.gate("call", "lamp").state == "live":
        opinion = found.consider("turn on the attic lamp")
        found.record(
            opinion, JournalRow("turn on the attic lamp", opinion.mode, llm_call=ToolCall("invite", {"guest": "a"}))
        )
        asked += 1
        assert asked < 60
    assert handover(journal, tmp_path).gates.gate("call", "lamp").state == "paused"


def test_a_stream_of_other_questions_pauses_everything(journal: Journal, tmp_path: Path, candidate: Candidate) -> None:
    found, asked = handover(journal, tmp_path, candidate, audit=1e-9), 0
    while found.gates.gate("call", "lamp").state == "live":
        found.consider(f"book flight {asked} from Oslo to Kyoto next week")
        asked += 1
        assert asked < 100
    assert "input has changed" in found.gates.gate("call", "lamp").reason


def test_a_changed_schema_pauses_its_tool(journal: Journal, tmp_path: Path, candidate: Candidate) -> None:
    handover(journal, tmp_path)  # notes the schemas
    handover(journal, tmp_path, candidate)
    other = ToolSet([tool("lamp", room="string", level="integer"), *(TOOLS[name] for name in ("parcel", "invite"))])
    found = Handover(journal, other, HandoverConfig(tmp_path, GATE, learns=False))
    assert found.gates.gate("call", "lamp").state == "paused" and found.gates.gate("call", "parcel").state == "live"


def test_what_is_recorded_says_who_would_have_called_what(
    journal: Journal, tmp_path: Path, candidate: Candidate
) -> None:
    found = handover(journal, tmp_path, candidate, audit=0.999)
    opinion = found.consider("turn on the attic lamp")
    number = found.record(
        opinion, JournalRow("turn on the attic lamp", opinion.mode, llm_call=ToolCall("lamp", {"room": "hall"}))
    )
    row = dict(journal.rows())[number]
    assert row.router_call.arguments["room"] == "attic" and row.agreed == {"tool": True, "call": False}
    assert row.model == 1 and row.proof and row.confidence["tool"] > 0.5


def test_many_askers_never_see_a_mixed_model(journal: Journal, tmp_path: Path, candidate: Candidate) -> None:
    other = train_candidate([Lesson(i + 1, e) for i, e in enumerate(log(60, seed=7))], HASTY)
    for number, one in ((1, candidate), (2, other)):
        folder_of(tmp_path, number).mkdir()
        one.save(folder_of(tmp_path, number))
    found = handover(journal, tmp_path, candidate)
    expected = {number: one.model.call("send 7 kg to Tony Hoare") for number, one in ((1, candidate), (2, other))}
    wrong: list[object] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            opinion = found.consider("send 7 kg to Tony Hoare")
            if opinion.call != expected[opinion.model]:
                wrong.append(opinion)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for number, one in ((2, other), (1, candidate), (2, other)):
        stand(journal, number, one, GATE, {})
        found._adopt(journal.state())
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == [] and found.model == 2


# ---------------------------------------------------------------- judged again, and corrected


class Parrot:
    """A model that reads of every question what it was told, and is always as sure."""

    def __init__(self, example: Example) -> None:
        self.example = example

    def call(self, question: str, now: datetime | None = None) -> LearnedCall:
        return LearnedCall(self.example.tool, Read(self.example.arguments), 0.9, 0.9, True)


def given(journal: Journal, models: Path, **gate: float) -> Handover:
    """A hand-over that begins with a model which always calls the attic's lamp."""
    config = HandoverConfig(models, replace(GATE, **gate), learns=False)
    return Handover(journal, TOOLS, config, Parrot(Example("", "lamp", {"room": "attic"})))


def told(found: Handover, room: str, mode: str | None = None) -> int:
    """The LLM has called the lamp of ``room``; how the request stood, unless ``mode`` is given."""
    opinion = found.consider("a lamp")
    opinion = replace(opinion, mode=mode or opinion.mode)
    return found.record(opinion, JournalRow("a lamp", opinion.mode, llm_call=ToolCall("lamp", {"room": room})))


def judged(found: Handover) -> None:
    """Wait for the look that the last request has begun."""
    while found._judging:
        time.sleep(0.001)
    found.follow()


def test_what_the_standing_model_would_have_called_proves_it_without_a_new_one(journal: Journal, tmp_path: Path) -> None:
    found = given(journal, tmp_path, audit=1e-9)
    assert found.model == GIVEN and found.gates.gate("call", "lamp").missing is None
    told(found, "attic")
    judged(found)
    missing, asked = found.gates.gate("call", "lamp").missing, 1
    while found.consider("a lamp").mode == "shadow":
        told(found, "attic")
        judged(found)
        asked += 1
    assert found.consider("a lamp").mode == "act" and missing < asked < 1.5 * missing + 3


def test_a_look_comes_only_when_there_is_enough_more_to_see(journal: Journal, tmp_path: Path) -> None:
    found = given(journal, tmp_path)
    for _ in range(8):
        told(found, "attic")
        judged(found)
    looks = journal.state()["changes"]
    assert not look_again(journal, tmp_path, found.config.gate) and journal.state()["changes"] == looks


def test_what_a_person_corrects_is_taught_and_counts_against_the_call(journal: Journal, tmp_path: Path) -> None:
    found = given(journal, tmp_path)
    numbers = [told(found, "attic") for _ in range(3)]
    judged(found)
    found.correct(numbers[0], ToolCall("lamp", {"room": "hall"}))
    row = dict(journal.rows())[numbers[0]]
    assert row.lesson.arguments == {"room": "hall"} and row.agreed == {"tool": True, "call": False}
    assert [one.agreed["call"] for one in journal.comparisons(GIVEN)] == [False, True, True]
    with pytest.raises(ValueError, match="no row 99"):
        found.correct(99, ToolCall("lamp", {}))


def test_a_planned_call_is_read_as_a_call_and_what_is_left_to_the_llm_is_never_sure() -> None:
    tools = default_tools()
    model = Given(Router.from_pretrained(), tools)
    whole = model.call("what is 18% of 64.50")
    assert whole.tool == "calculator" and confidences(whole)["call"] > 0.5
    for question in ("what is 12 * 3 and what time is it in Tokyo", "and what about that one"):
        assert set(confidences(model.call(question)).values()) == {0.0}
    assert model.call("good morning").tool == NONE


# ---------------------------------------------------------------- the learner's process


def test_the_learner_puts_a_model_in_place_and_rolls_back(journal: Journal, tmp_path: Path) -> None:
    models = tmp_path / "models"
    fill(journal, 60)
    assert learn(journal, models, GATE, HASTY)["kept"]
    fill(journal, 60, seed=1)
    found = learn(journal, models, GATE, HASTY)
    assert (found["number"], found["lessons"], found["kept"]) == (2, 120, True)
    assert journal.state()["model"] == 2 and journal.state()["lessons"] == 120
    assert rollback(journal, models, GATE) == 1 and journal.state()["model"] == 1
    with pytest.raises(ValueError, match="no model before number 1"):
        rollback(journal, models, GATE)


def test_the_learner_lets_go_of_rows_that_are_too_old(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db", JournalConfig(keep_days=1))
    Handover(journal, TOOLS, HandoverConfig(tmp_path, GATE, learns=False))
    journal.append(JournalRow("long ago", "collecting", at=1.0), TOOLS)
    with pytest.raises(ValueError, match="0 lessons"):
        learn(Journal(tmp_path / "j.db"), tmp_path, GATE, HASTY)
    assert journal.count() == 0


def test_a_candidate_that_is_right_less_often_is_not_put_in_place(
    journal: Journal, tmp_path: Path, candidate: Candidate
) -> None:
    handover(journal, tmp_path, candidate)
    fresh = [Lesson(1_000 + i, example) for i, example in enumerate(log(60, seed=9))]
    before = right_before(journal, tmp_path, fresh)
    read = [compare(one.row, read_as_of_then(candidate.model, one.example), one.example) for one in fresh]
    wrong = tuple(replace(one, agreed=dict.fromkeys(SCOPES, False)) for one in read)
    assert worse(replace(candidate, comparisons=wrong), before)
    assert not worse(replace(candidate, comparisons=tuple(read)), before)


def test_only_one_learner_is_at_work(journal: Journal, tmp_path: Path) -> None:
    with background._alone(tmp_path), pytest.raises(ValueError, match="Another learner"):
        learn(journal, tmp_path, GATE, QUICK)


def test_the_last_five_models_are_kept(tmp_path: Path) -> None:
    for number in range(1, 9):
        folder_of(tmp_path, number).mkdir()
    background._forget(tmp_path, standing=2)
    assert numbers(tmp_path) == [2, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("state", "lessons", "expected"),
    [({}, 99, False), ({}, 100, True), ({"lessons": 100}, 149, False), ({"lessons": 100}, 150, True)],
)
def test_the_learner_is_due_when_the_lessons_have_grown(state: dict, lessons: int, expected: bool) -> None:
    assert background.due(state, lessons) is expected


LEARNER = """
import sys
from pathlib import Path
sys.path.insert(0, "tests")
from test_handover import GATE, HASTY
from router.handover.background import learn
from router.handover.journal import Journal
print("ready", flush=True)
while True:
    learn(Journal(sys.argv[1]), Path(sys.argv[2]), GATE, HASTY)
    print("learned", flush=True)
"""


def test_a_learner_killed_at_any_point_leaves_a_whole_model_and_the_next_goes_on(
    journal: Journal, tmp_path: Path
) -> None:
    fill(journal, 60)
    models, pick, learned = tmp_path / "models", random.Random(3), 0
    for _ in range(2):
        command = [sys.executable, "-c", LEARNER, str(tmp_path / "journal.db"), str(models)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert process.stdout.readline() == "ready\n"
        for _ in range(pick.randrange(1, 3)):
            assert process.stdout.readline() == "learned\n"
        time.sleep(pick.random() * 2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        number = journal.state()["model"]
        assert number > learned and Candidate.load(folder_of(models, number)).rows == 60
        assert Handover(journal, TOOLS, HandoverConfig(models, GATE, learns=False)).model == number
        learned = number


# ---------------------------------------------------------------- replay


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models that replays of the same rows share."""
    return tmp_path_factory.mktemp("replayed")


def play(folder: Path, rows: list[Recorded] | Iterator[Recorded], **config: object) -> tuple[Replay, list]:
    settings = {"gate": GATE, "checkpoints": (200,), "learner": QUICK, "embed": None, "folder": folder}
    run = Replay(ReplayConfig(**{**settings, **config}))
    return run, list(run.points(rows))


def test_a_replay_hands_over_what_is_proven_and_learns_only_from_what_the_llm_answered(trained: Path) -> None:
    run, points = play(trained, erring(log(500), 0.0))
    assert [point.seen for point in points] == [200]
    last = points[-1]
    assert last.requests == 200 and last.call_coverage > 0.3 and last.call_agreement > 0.8
    assert last.llm_calls_saved == sum(opinion.mode == "act" for opinion in run.opinions[200:])
    acted = {opinion.row for opinion in run.opinions if opinion.mode == "act"}
    assert acted and not acted & {lesson.row for lesson, _ in run.lessons}


def test_with_all_labels_nothing_is_withheld(trained: Path) -> None:
    run, points = play(trained, erring(log(400), 0.0), labels="all")
    assert points[0].call_coverage > 0.3 and len(run.lessons) == 400 and all(lesson.proof for lesson, _ in run.lessons)


def test_a_replay_that_broke_off_goes_on_with_the_models_that_it_had(trained: Path) -> None:
    _, first = play(trained, erring(log(400), 0.0))
    slow: list[str] = []
    run = Replay(ReplayConfig(GATE, (200,), folder=trained, embed=None), slow.append)
    assert list(run.points(erring(log(400), 0.0))) == first and slow == []


def test_noise_errs_as_often_as_asked_and_leaves_the_truth() -> None:
    rows = list(erring(log(2_000), 0.1, seed=1))
    wrong = sum((one.called.tool, one.called.arguments) != (one.truth.tool, one.truth.arguments) for one in rows)
    assert 140 < wrong < 260
    assert 50 < sum(one.again is not None for one in rows) < 160


def test_a_schema_change_pauses_in_a_replay(trained: Path) -> None:
    told = erring(log(400), 0.0)
    rows = [replace(one, schemas={"lamp": "old" if i < 250 else "new"}) for i, one in enumerate(told)]
    run, points = play(trained, rows)
    assert {gate["tool"] for gate in points[-1].paused} == {"lamp"}
    assert {o.mode for o in run.opinions[250:] if o.tool == "lamp"} == {"shadow"}
    assert "act" in {o.mode for o in run.opinions[250:] if o.tool != "lamp"}


def test_the_command_prints_a_curve_and_draws_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log.jsonl"
    rows = [{"question": e.question, "tool": e.tool, "arguments": e.arguments} for e in log(20)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert main(["replay", str(path), "--checkpoints", "1,5", "--out", str(tmp_path / "out"), "--peers", "none"]) == 0
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [point["seen"] for point in document["curve"]] == [1, 5] and document["target"] == 0.95
    page = (tmp_path / "out" / "replay.html").read_text("utf-8")
    assert "<svg" in page and "http" not in page and "<script" not in page
    assert len((tmp_path / "out" / "replay.jsonl").read_text("utf-8").splitlines()) == 2


@pytest.mark.parametrize(
    "arguments",
    ["replay {none} --out {out}", "replay {bad} --out {out}", "replay {bad} --out {out} --target 2",
     "replay {bad} --out {out} --noise 1", "handover status", "handover status --journal {none}"],
)  # fmt: skip
def test_bad_input_is_one_sentence(arguments: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.jsonl").write_text('{"question": "a"}\n', "utf-8")
    paths = {"none": tmp_path / "none", "bad": tmp_path / "bad.jsonl", "out": tmp_path / "out"}
    assert main(arguments.format(**paths).split()) == 2
    told = capsys.readouterr().err.strip()
    assert told.count("\n") == 0 and told.startswith("python -m router: ") and told.endswith(".")


# ---------------------------------------------------------------- the pipeline, and the command


def ask(found: Handover, question: str, *replies: object) -> dspy.Prediction:
    lm = scripted_lm(*replies, local=True)
    with dspy.context(lm=lm):
        return RouterPipeline(Router.from_pretrained(), TOOLS, handover=found)(question=question)


CALL = json.dumps({"name": "lamp", "arguments": {"room": "attic", "lit": True, "source": "voice"}})


def test_in_shadow_the_llm_calls_and_both_are_noted(journal: Journal, tmp_path: Path) -> None:
    found = handover(journal, tmp_path)
    said = ask(found, "turn on the attic lamp", CALL, "It is on.")
    assert said.answer == "It is on." and said.usage.calls == 2 and said.decision.abstained
    (row,) = (row for _, row in journal.rows())
    assert row.llm_call.arguments["room"] == "attic" and row.mode == "collecting" and row.usage.calls == 2


def test_what_is_live_and_sure_costs_one_call_of_the_llm(
    journal: Journal, tmp_path: Path, candidate: Candidate
) -> None:
    found = handover(journal, tmp_path, candidate, audit=1e-9)
    said = ask(found, "turn on the attic lamp", "It is on.")
    assert said.usage.calls == 1 and said.tool_results[0].output == "lamp done"
    (row,) = (row for _, row in journal.rows())
    assert row.mode == "act" and row.llm_call is None and row.router_call.tool == "lamp"


def proven_tool(journal: Journal, models: Path, **gate: float) -> Handover:
    """Of the lamp the choice is live and the whole call is not."""
    found = given(journal, models, audit=1e-9, partial=1 - 1e-9, **gate)
    told(found, "hall")
    judged(found)

    def prove(gates: Gates) -> None:
        one = gates.gate("tool", "lamp")
        gates.gates["tool"]["lamp"] = replace(one, state="live", proof=replace(one.proof, threshold=0.5))

    change_gates(journal, lambda gates, at: prove(gates))
    found.follow()
    return found


ARGUMENTS = json.dumps({"room": "cellar", "lit": True})


def test_where_the_tool_is_proven_the_llm_gives_its_arguments_for_one_schema(journal: Journal, tmp_path: Path) -> None:
    found, before = proven_tool(journal, tmp_path), journal.count()
    said = ask(found, "light the cellar", ARGUMENTS, "It is lit.")
    assert said.usage.calls == 2 and said.tool_results[0].call == ToolCall("lamp", json.loads(ARGUMENTS))
    assert not said.decision.abstained
    row = list(journal.rows())[-1][1]
    assert row.mode == "partial" and row.llm_call.arguments["room"] == "cellar" and row.usage.calls == 2
    assert row.lesson == row.llm_call and row.agreed is None and not row.proof
    assert len(journal.comparisons(GIVEN)) == before


def test_arguments_that_do_not_fit_leave_the_choice_to_the_llm(journal: Journal, tmp_path: Path) -> None:
    found = proven_tool(journal, tmp_path)
    said = ask(found, "light the attic", json.dumps({"room": 7}), CALL, "It is on.")
    assert said.usage.calls == 3 and list(journal.rows())[-1][1].mode == "ask"


def test_a_coin_leaves_requests_that_prove_the_whole_call(journal: Journal, tmp_path: Path) -> None:
    found = proven_tool(journal, tmp_path, own=1)
    found.gates.config = replace(found.gates.config, partial=0.3)
    modes = [found.consider("a lamp", fills=True).mode for _ in range(200)]
    assert set(modes) == {"partial", "shadow"} and 30 < modes.count("partial") < 90
    assert {found.consider("a lamp").mode for _ in range(20)} == {"shadow"}


def test_a_destructive_tool_is_never_called_in_part(journal: Journal, tmp_path: Path) -> None:
    found = proven_tool(journal, tmp_path)
    found.tools = ToolSet([replace(one, destructive=True) for one in TOOLS.values()])
    assert found.consider("a lamp", fills=True).mode == "ask"


def test_several_calls_and_none_are_noted_as_such(journal: Journal, tmp_path: Path) -> None:
    found = handover(journal, tmp_path)
    ask(found, "turn on both", CALL, CALL.replace("attic", "hall"), "Both are on.")
    ask(found, "hello", "Hello!")
    assert [row.llm_call.tool for _, row in journal.rows()] == [SEVERAL, NONE]


def test_the_llm_asked_twice_shows_how_consistent_it_is(journal: Journal, tmp_path: Path) -> None:
    found = Handover(journal, TOOLS, HandoverConfig(tmp_path, GATE, twice=1.0, learns=False))
    ask(found, "turn on the attic lamp", CALL, "It is on.", CALL)
    ask(found, "turn on the attic lamp", CALL, "It is on.", CALL.replace("attic", "hall"))
    assert journal.consistency() == (1, 2)


def test_the_command_shows_pauses_promotes_and_erases(
    journal: Journal, tmp_path: Path, candidate: Candidate, capsys: pytest.CaptureFixture[str]
) -> None:
    found = handover(journal, tmp_path / "models", candidate)
    where = ["--journal", str(tmp_path / "journal.db")]
    assert main(["handover", "status", *where]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["model"] == 1 and {row["state"] for row in told["gates"]} == {"live"}
    assert main(["handover", "pause", "lamp", *where]) == 0
    found._adopt(journal.state())
    assert found.consider("turn on the attic lamp").mode == "shadow"
    assert main(["handover", "promote", "lamp", *where]) == 0
    found._adopt(journal.state())
    assert found.gates.gate("call", "lamp").by_hand == "promoted"
    assert main(["handover", "pause", "oven", *where]) == 2
    assert "no gate for 'oven'" in capsys.readouterr().err
    path = tmp_path / "log.jsonl"
    path.write_text('{"question": "call 5551234", "tool": "invite", "arguments": {"guest": "5551234"}}', "utf-8")
    assert main(["handover", "import", str(path), "--redact", "[0-9]{7}", *where]) == 0
    assert b"5551234" not in (tmp_path / "journal.db").read_bytes()
    fill(journal, 3)
    assert main(["handover", "erase", "", *where]) == 0 and journal.count() == 0


def test_a_model_that_is_gone_leaves_the_one_that_stands(
    journal: Journal, tmp_path: Path, candidate: Candidate
) -> None:
    found = handover(journal, tmp_path, candidate)
    stand(journal, 2, candidate, GATE, {})
    shutil.rmtree(folder_of(tmp_path, 1))
    found._load(journal.state())
    assert found.model == 1 and found.consider("turn on the attic lamp").call is not None


def test_schemas_are_told_apart_by_what_they_say() -> None:
    same, other = schemas_of(TOOLS), schemas_of({"lamp": replace(TOOLS["lamp"], description="Other.")})
    assert same == schemas_of(dict(TOOLS)) and same["lamp"] != other["lamp"]
