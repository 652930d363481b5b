"""The journal: what is acknowledged is kept, what is secret is not, and all of it can be taken out again."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pgserver
import pytest
import sqlalchemy as sa

from router.handover.journal import Journal, JournalConfig, JournalError, JournalRow, schemas_of
from router.learning.data import read_examples
from router.tools import Tool, ToolSet
from router.types import Example, ToolCall, Usage

ROOM = {"type": "object", "properties": {"room": {"type": "string"}}}
TOOLS = ToolSet([Tool("lamp", "Turns a lamp on.", ROOM)])
ROOT = Path(__file__).parents[1]


def row(question: str = "light in the hall", room: str = "hall", **more: object) -> JournalRow:
    return JournalRow(question, **{"mode": "shadow", "llm_call": ToolCall("lamp", {"room": room}), **more})


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pgserver.PostgresServer]:
    server = pgserver.get_server(tmp_path_factory.mktemp("postgresql"))
    yield server
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    if request.param == "sqlite":
        found = Journal(tmp_path / "journal.db")
    else:
        server = request.getfixturevalue("postgresql")
        name = f"j{uuid.uuid4().hex}"
        server.psql(f"CREATE DATABASE {name};")
        found = Journal(server.get_uri(name).replace("postgresql://", "postgresql+psycopg://"))
    yield found
    found.close()


def test_a_row_comes_back_as_it_was(journal: Journal) -> None:
    given = row(
        router_call=ToolCall("lamp", {"room": "attic"}), confidence={"tool": 0.9, "call": 0.4}, tag="ada", at=5.0,
        agreed={"tool": True, "call": False}, usage=Usage(1, 20, 5), history=({"role": "user", "content": "hi"},), model=3,
        same_twice=True, seconds=0.5,
    )  # fmt: skip
    number = journal.append(given, TOOLS)
    assert list(journal.rows()) == [(number, JournalRow(**{**given.__dict__, "tools_id": TOOLS.id}))]


def test_keys_and_patterns_are_cut_out_before_anything_is_written(tmp_path: Path) -> None:
    config = JournalConfig(redact=[r"\b\d{6,}\b"], redactor=lambda text: text.replace("Ada", "someone"))
    journal = Journal(tmp_path / "j.db", config)
    said = {"role": "user", "content": "call Ada at 5551234567"}
    journal.append(row("Ada: hall 1234567 with sk-proj-abcdefghijklmnopqrstuvwx1234", "hall 1234567", history=(said,)))
    journal.close()
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in (b"1234567", b"sk-proj", b"Ada"):
        assert secret not in written
    assert b"hall" in written


def test_rows_of_one_tag_are_erased_and_old_ones_expire(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db", JournalConfig(keep_days=1))
    for tag, at in (("ada", 1e9), ("grace", 1e9), ("grace", 1e9 - 200_000)):
        journal.append(row(tag=tag, at=at))
    assert journal.expire(now=1e9) == 1
    assert journal.erase("ada") == 1 and [found.tag for _, found in journal.rows()] == ["grace"]


def test_an_export_is_what_training_reads_and_comes_back_whole(journal: Journal, tmp_path: Path) -> None:
    journal.append(row(), TOOLS)
    journal.append(row("hall please", mode="act", llm_call=None, router_call=ToolCall("lamp", {"room": "hall"})), TOOLS)
    assert journal.export(tmp_path / "all.jsonl") == 2
    again = Journal(tmp_path / "again.db")
    assert again.import_(tmp_path / "all.jsonl") == 2
    assert [found for _, found in again.rows()] == [found for _, found in journal.rows()]
    assert journal.export(tmp_path / "lessons.jsonl", lessons_only=True) == 1
    examples, problems = read_examples(tmp_path / "lessons.jsonl")
    assert [(e.question, e.tool, e.arguments) for e in examples] == [("light in the hall", "lamp", {"room": "hall"})]
    assert problems == []


def test_a_file_with_a_bad_line_is_refused_and_nothing_of_it_kept(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"question": "a", "tool": "lamp"}\n{"question": 5}\n', "utf-8")
    with pytest.raises(JournalError, match="line 2"):
        journal.import_(tmp_path / "bad.jsonl")
    assert journal.count() == 0


def test_wrong_calls_are_no_lessons_and_corrections_are(journal: Journal) -> None:
    journal.append(row(failed=True), TOOLS)
    journal.append(row(mode="act", llm_call=None), TOOLS)
    wrong = journal.append(row(), TOOLS)
    journal.append(row(mode="ask"), TOOLS)
    journal.correct(wrong, ToolCall("lamp", {"room": "attic"}))
    lessons = journal.lessons(schemas_of(TOOLS))
    assert [(one.example.arguments["room"], one.proof) for one in lessons] == [("attic", True), ("hall", False)]
    with pytest.raises(JournalError, match="no row 99"):
        journal.correct(99, ToolCall("lamp", {}))


def test_calls_of_a_schema_that_has_changed_are_no_lessons(journal: Journal) -> None:
    changed = ToolSet([Tool("lamp", "Turns a lamp on.", {**ROOM, "required": ["room"]})])
    journal.append(row("old"), TOOLS)
    journal.append(row("new"), changed)
    assert [one.example.question for one in journal.lessons(schemas_of(changed))] == ["new"]


def test_no_change_of_the_state_is_lost_between_threads(journal: Journal) -> None:
    def count() -> None:
        for _ in range(10):
            journal.update(lambda state: state | {"n": state.get("n", 0) + 1})

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.state() == {"n": 40}


def test_many_may_create_one_journal_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        for round_ in range(10):
            journals = list(threads.map(Journal, [tmp_path / f"{round_}.db"] * 8))
            numbers = threads.map(lambda journal: journal.append(row(), TOOLS), journals)
            assert sorted(numbers) == list(range(1, 9))
            assert journals[0].state() == {}


def test_a_journal_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    Journal(tmp_path / "j.db").close()
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'j.db'}")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE journal_schema SET version = 99"))
    with pytest.raises(JournalError, match="version 99"):
        Journal(tmp_path / "j.db")


@pytest.mark.parametrize("url", ["/nope/nope/j.db", "nosuchdatabase://x", "postgresql://u:secret@127.0.0.1:1/db"])
def test_a_journal_that_cannot_be_opened_says_so_without_its_password(url: str) -> None:
    with pytest.raises(JournalError, match="cannot be opened|Can't") as caught:
        Journal(url)
    assert "secret" not in str(caught.value)


WRITER = """
import sys
from router.handover.journal import Journal, JournalRow
journal = Journal(sys.argv[1])
for i in range(100_000):
    print(journal.append(JournalRow(f"question {i}", "collecting")), flush=True)
"""


@pytest.mark.parametrize("lines", [1, 7, 40])
def test_acknowledged_rows_survive_a_kill(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "j.db"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    acknowledged = [int(writer.stdout.readline()) for _ in range(lines)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in writer.stdout.read().split("\n")[:-1]]
    writer.wait()
    journal = Journal(path)
    assert set(acknowledged) <= {number for number, _ in journal.rows()}
    assert journal.append(JournalRow("and on", "collecting")) > max(acknowledged)


def test_a_lesson_says_where_it_is_from_and_when_it_was_asked(journal: Journal) -> None:
    at = datetime(2026, 3, 1, 12, 30)
    number = journal.append(row(at=at.timestamp()), TOOLS)
    assert journal.lessons({})[0].example == Example(
        "light in the hall", "lamp", {"room": "hall"}, source=f"journal:{number}", at=at.isoformat()
    )
