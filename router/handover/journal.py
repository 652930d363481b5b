"""What the LLM called, what the router would have called, and who acted: one row a request, in a database.

SQLite in a file by default, PostgreSQL by its URL. A row that ``append`` has returned the number of survives the end of
the process, however it comes. What ``redact`` finds is cut out before anything is written, and what looks like an API key
always is. Leaves out what is learned from the rows (``learner``) and what follows from them (``gate``).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from router.handover.desk import PROOF, Mode
from router.handover.gate import Comparison
from router.handover.learner import Lesson
from router.handover.peers import same_call
from router.lms.errors import redact as without_keys
from router.tools import ToolSet
from router.tools.tool import Tool
from router.types import Example, ToolCall, Usage

BUSY_S = 30
"""Seconds that a writer waits for another one."""
OPENINGS, OPENING_S = 5, 0.1
"""How often, and after how many seconds again, a database is opened that another process is just creating."""
PAGE = 1_000
"""Rows that are read at once."""
SIZE = 20_000
"""Characters of a question that are kept."""
DAY_S = 86_400
_META = sa.MetaData()
_SCHEMA = sa.Table("journal_schema", _META, sa.Column("version", sa.Integer, nullable=False))
_TOOLS = sa.Table(
    "journal_tools",
    _META,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("schemas", sa.JSON, nullable=False),
)
_ROWS = sa.Table(
    "journal_rows",
    _META,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False, index=True),
    sa.Column("tag", sa.String(200), nullable=False, index=True),
    sa.Column("conversation", sa.String(200), nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("history", sa.JSON, nullable=False),
    sa.Column("tools_id", sa.String(16), nullable=False),
    sa.Column("mode", sa.String(16), nullable=False),
    sa.Column("llm_call", sa.JSON(none_as_null=True)),
    sa.Column("router_call", sa.JSON(none_as_null=True)),
    sa.Column("corrected", sa.JSON(none_as_null=True)),
    sa.Column("confidence", sa.JSON, nullable=False),
    sa.Column("agreed", sa.JSON(none_as_null=True)),
    sa.Column("same_twice", sa.Boolean),
    sa.Column("failed", sa.Boolean, nullable=False),
    sa.Column("model", sa.Integer),
    sa.Column("usage", sa.JSON, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
)
_STATE = sa.Table(
    "journal_state",
    _META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("value", sa.JSON, nullable=False),
)
MIGRATIONS: tuple[Callable[[sa.Connection], None], ...] = (lambda connection: _META.create_all(connection),)
"""What brings a database from version n to n + 1, by n. A change of the tables is one more."""


class JournalError(ValueError):
    """A journal that cannot be used. The message says why and what helps."""


@dataclass(frozen=True)
class JournalRow:
    """One request. ``mode``: what became of it (``desk.Mode``). ``tag``: whose it is, to erase by.

    ``llm_call``: what the LLM called, the tool "none" where it called none; None where it was not asked (on "act" it is there
    only where the LLM is asked in any case, as in the page's race). ``corrected``:
    what a user said is right instead. ``agreed``: by scope, whether the router's call is the one that is right, None where
    there was nothing to compare. ``same_twice``:
    whether the LLM, asked for a second time, called the same; None where it was not. ``failed``: the tool gave an error.
    ``tools_id``: of the ToolSet on offer. ``model``: number of the model that was in place.
    """

    question: str
    mode: Mode
    tools_id: str = ""
    llm_call: ToolCall | None = None
    router_call: ToolCall | None = None
    confidence: Mapping[str, float] = field(default_factory=dict)
    agreed: Mapping[str, bool] | None = None
    failed: bool = False
    corrected: ToolCall | None = None
    same_twice: bool | None = None
    model: int | None = None
    at: float = 0.0
    tag: str = ""
    conversation: str = ""
    history: tuple[Mapping[str, Any], ...] = ()
    usage: Usage = Usage()
    seconds: float = 0.0

    @property
    def lesson(self) -> ToolCall | None:
        """The call that the row teaches: the user's, else the LLM's if its tool did not fail."""
        return self.corrected or (None if self.failed else self.llm_call)

    @property
    def proof(self) -> bool:
        """Whether the row may count as proof: the LLM answered it whatever the router thought of it."""
        return self.llm_call is not None and self.mode in (*PROOF, "act")


@dataclass(frozen=True)
class JournalConfig:
    """``redact``: patterns whose matches become "[…]", in questions, turns before and arguments alike; ``redactor``: a
    function that does so with any text. ``keep_days``: the learner deletes rows older than that (None: none)."""

    redact: Sequence[str] = ()
    redactor: Callable[[str], str] | None = None
    keep_days: float | None = None


class Journal:
    """The rows and the state of a hand-over at ``url``: SQLAlchemy's form, or a path, which is a SQLite file.

    Safe to share between threads and processes. Raises JournalError where the database cannot be opened, or is of a
    newer version than this.
    """

    def __init__(self, url: str | Path, config: JournalConfig = JournalConfig()) -> None:
        self.url = f"sqlite:///{url}" if "://" not in str(url) else str(url)
        self.config = config
        try:
            self._patterns = [re.compile(pattern) for pattern in config.redact]
        except re.error as fault:
            raise JournalError(f"A pattern of redact cannot be read: {fault}. Mend it.") from fault
        self._known_tools: set[str] = set()
        try:
            self._engine = sa.create_engine(self.url)
            if self._engine.dialect.name == "sqlite":
                sa.event.listen(self._engine, "connect", _prepare_sqlite)
            self._migrated()
        except (sa.exc.SQLAlchemyError, ImportError) as fault:
            told = str(getattr(fault, "orig", None) or fault).split("\n")[0]
            raise JournalError(f"The journal {self.shown!r} cannot be opened: {told}. Check its URL.") from fault

    @property
    def shown(self) -> str:
        """The URL without its password."""
        return sa.make_url(self.url).render_as_string(hide_password=True)

    def close(self) -> None:
        """Let go of the database's connections."""
        self._engine.dispose()

    def append(self, row: JournalRow, tools: ToolSet | None = None) -> int:
        """Write ``row`` and return its number; it is in the database then. ``tools``: those on offer."""
        row = self._redacted(replace(row, at=row.at or time.time()))
        tools_id = row.tools_id or (tools.id if tools is not None else "")
        with self._engine.begin() as connection:
            if tools is not None and tools_id not in self._known_tools:
                self._offer(connection, tools)
            found = connection.execute(_ROWS.insert().values(**_columns(row) | {"tools_id": tools_id}))
            number = int(found.inserted_primary_key[0])
        if tools is not None:
            self._known_tools.add(tools_id)
        return number

    def correct(self, number: int, call: ToolCall) -> JournalRow:
        """Note that for row ``number`` ``call`` is right, and whether the router's was. Returns the row as it is now. Raises
        JournalError where there is no such row."""
        call = self._clean_call(call)
        with self._engine.begin() as connection:
            found = connection.execute(sa.select(_ROWS).where(_ROWS.c.id == number)).mappings().first()
            if found is None:
                raise JournalError(f"There is no row {number} in the journal. Give a row's number.")
            row = replace(_row(found), corrected=call)
            if row.router_call is not None:
                same = same_call(_example(row.question, row.router_call), _example(row.question, call))
                row = replace(row, agreed={"tool": row.router_call.tool == call.tool, "call": same})
            values = {"corrected": _call_json(call), "agreed": row.agreed}
            connection.execute(_ROWS.update().where(_ROWS.c.id == number).values(**values))
        return row

    def comparisons(self, model: int) -> list[Comparison]:
        """What ``model`` would have called for requests that came while it stood, beside what was right, as far as it may
        count as proof."""
        with self._engine.connect() as connection:
            query = sa.select(_ROWS).where(_ROWS.c.model == model, _ROWS.c.agreed.is_not(None)).order_by(_ROWS.c.id)
            rows = [(found["id"], _row(found)) for found in connection.execute(query).mappings()]
        return [
            Comparison(number, row.router_call.tool, row.confidence, row.agreed)
            for number, row in rows
            if row.proof and row.lesson is not None and row.router_call is not None
        ]

    def rows(self, after: int = 0) -> Iterator[tuple[int, JournalRow]]:
        """(number, row) of all rows with a number over ``after``, in order."""
        while True:
            with self._engine.connect() as connection:
                query = sa.select(_ROWS).where(_ROWS.c.id > after).order_by(_ROWS.c.id).limit(PAGE)
                page = connection.execute(query).mappings().all()
            for found in page:
                yield found["id"], _row(found)
            if len(page) < PAGE:
                return
            after = page[-1]["id"]

    def lessons(self, schemas: Mapping[str, str]) -> list[Lesson]:
        """What the rows teach, but for tools whose schema, of those on offer now (``schemas``), was another one then."""
        with self._engine.connect() as connection:
            offered = dict(connection.execute(sa.select(_TOOLS.c.id, _TOOLS.c.schemas)).all())
        found = []
        for number, row in self.rows():
            call = row.lesson
            then = offered.get(row.tools_id, {}).get(call.tool) if call else None
            if call is not None and then == schemas.get(call.tool, then):
                source = f"journal:{number}"
                example = Example(row.question, call.tool, dict(call.arguments), source=source, at=_clock(row))
                found.append(Lesson(number, example, row.proof))
        return found

    def count(self) -> int:
        with self._engine.connect() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(_ROWS)).scalar_one()

    def last(self) -> int:
        """The number of the last row; 0 where there is none."""
        with self._engine.connect() as connection:
            return connection.execute(sa.select(sa.func.max(_ROWS.c.id))).scalar_one() or 0

    def consistency(self) -> tuple[int, int]:
        """(same, asked): for how many rows the LLM was asked twice, and called the same."""
        with self._engine.connect() as connection:
            query = sa.select(_ROWS.c.same_twice, sa.func.count()).where(_ROWS.c.same_twice.is_not(None))
            counts = dict(connection.execute(query.group_by(_ROWS.c.same_twice)).all())
        return counts.get(True, 0), sum(counts.values())

    def by_mode(self) -> dict[str, int]:
        """How many rows there are of each mode."""
        with self._engine.connect() as connection:
            return dict(connection.execute(sa.select(_ROWS.c.mode, sa.func.count()).group_by(_ROWS.c.mode)).all())

    def erase(self, tag: str) -> int:
        """Delete all rows of ``tag``; returns how many. What a model has learned from them stays until the next one."""
        with self._engine.begin() as connection:
            return connection.execute(_ROWS.delete().where(_ROWS.c.tag == tag)).rowcount

    def expire(self, keep_days: float | None = None, now: float | None = None) -> int:
        """Delete rows older than ``keep_days`` (None: as configured); returns how many."""
        days = self.config.keep_days if keep_days is None else keep_days
        if days is None:
            return 0
        oldest = (time.time() if now is None else now) - days * DAY_S
        with self._engine.begin() as connection:
            return connection.execute(_ROWS.delete().where(_ROWS.c.at < oldest)).rowcount

    def state(self) -> dict[str, Any]:
        """What ``update`` has left: gates, and which model stands."""
        with self._engine.connect() as connection:
            return dict(connection.execute(sa.select(_STATE.c.value)).scalar_one())

    def update(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
        """Put ``change`` of the state in its place, whole or not at all; where another was faster, it is called again on
        what that one has left."""
        while True:
            with self._engine.begin() as connection:
                version, value = connection.execute(sa.select(_STATE.c.version, _STATE.c.value)).one()
            changed = change(json.loads(json.dumps(value)))
            with self._engine.begin() as connection:
                query = _STATE.update().where(_STATE.c.version == version)
                if connection.execute(query.values(version=version + 1, value=changed)).rowcount:
                    return changed

    def export(self, path: Path, lessons_only: bool = False) -> int:
        """Rows as JSONL; those that teach have question, tool and arguments as ``train`` reads them. Returns how many
        were written: all, or with ``lessons_only`` these."""
        n = 0
        with open(path, "w", encoding="utf-8") as file:
            for _, row in self.rows():
                lesson, told = row.lesson, {"question": row.question, "at": _clock(row)}
                if lesson is None and lessons_only:
                    continue
                told |= {"tool": lesson.tool, "arguments": dict(lesson.arguments)} if lesson else {}
                file.write(json.dumps(told | {"journal": _columns(row)}, ensure_ascii=False) + "\n")
                n += 1
        return n

    def import_(self, path: Path) -> int:
        """Append the rows of an exported file, or of any file of questions, tools and arguments, which count as calls of
        the LLM. Returns how many. Raises OSError, and JournalError where a line cannot be read; then none is appended.
        """
        from router.learning.data import read_each

        rows = []
        try:
            for number, line in enumerate(path.read_text("utf-8-sig").splitlines(), 1):
                if line.strip() and isinstance(own := json.loads(line).get("journal"), dict):
                    rows.append(_row(own))
            rows = rows or [
                JournalRow(e.question, "collecting", llm_call=ToolCall(e.tool, e.arguments or {}))
                for e in read_each(path)
            ]
        except (ValueError, KeyError, TypeError, AttributeError) as fault:
            raise JournalError(
                f"{path.name}: line {number} is no row of a journal ({fault}). Export it again."
            ) from fault
        with self._engine.begin() as connection:
            for row in rows:
                connection.execute(
                    _ROWS.insert().values(**_columns(self._redacted(replace(row, at=row.at or time.time()))))
                )
        return len(rows)

    def _offer(self, connection: sa.Connection, tools: ToolSet) -> None:
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        new = insert(_TOOLS).values(id=tools.id, schemas=schemas_of(tools))
        connection.execute(new.on_conflict_do_nothing())  # others may note the same tools just now

    def _migrated(self) -> None:
        """Bring the database to this version; where another process is just doing so, see what it has done."""
        for left in reversed(range(OPENINGS)):
            try:
                return self._migrate()
            except (sa.exc.OperationalError, sa.exc.IntegrityError, sa.exc.ProgrammingError):
                if not left:
                    raise
                time.sleep(OPENING_S)

    def _migrate(self) -> None:
        with self._engine.begin() as connection:
            _SCHEMA.create(connection, checkfirst=True)
            version = connection.execute(sa.select(_SCHEMA.c.version)).scalar() or 0
            if version > len(MIGRATIONS):
                raise JournalError(
                    f"The journal {self.shown!r} is of version {version}, and this reads up to {len(MIGRATIONS)}. Update "
                    "Switchyard."
                )
            for step in MIGRATIONS[version:]:
                step(connection)
            if version < len(MIGRATIONS):
                connection.execute(_SCHEMA.delete())
                connection.execute(_SCHEMA.insert().values(version=len(MIGRATIONS)))
            if not connection.execute(sa.select(_STATE.c.id)).first():
                connection.execute(_STATE.insert().values(id=1, version=0, value={}))

    def _redacted(self, row: JournalRow) -> JournalRow:
        clean = self._clean
        return replace(
            row,
            question=clean(row.question)[:SIZE],
            history=tuple(_mapped(turn, clean) for turn in row.history),
            llm_call=self._clean_call(row.llm_call),
            router_call=self._clean_call(row.router_call),
            corrected=self._clean_call(row.corrected),
        )

    def _clean_call(self, call: ToolCall | None) -> ToolCall | None:
        return call and ToolCall(call.tool, _mapped(call.arguments, self._clean))

    def _clean(self, text: str) -> str:
        text = without_keys(text)
        for pattern in self._patterns:
            text = pattern.sub("[…]", text)
        return self.config.redactor(text) if self.config.redactor else text


def _example(question: str, call: ToolCall) -> Example:
    return Example(question, call.tool, dict(call.arguments))


def _clock(row: JournalRow) -> str:
    """When ``row`` was asked, by the clock of this place, which is the one that a model goes by."""
    return datetime.fromtimestamp(row.at).isoformat()


def schemas_of(tools: Mapping[str, Tool]) -> dict[str, str]:
    """A digest of each tool, by name: another one where its description, schema or marks are others."""
    return {name: ToolSet([tool]).id for name, tool in tools.items()}


def _mapped(value: Any, clean: Callable[[str], str]) -> Any:
    """A JSON value with ``clean`` of all its texts."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {name: _mapped(one, clean) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(one, clean) for one in value]
    return value


def _columns(row: JournalRow) -> dict[str, Any]:
    calls = {name: _call_json(getattr(row, name)) for name in ("llm_call", "router_call", "corrected")}
    return (
        asdict(replace(row, llm_call=None, router_call=None, corrected=None)) | calls | {"history": list(row.history)}
    )


def _call_json(call: ToolCall | None) -> dict[str, Any] | None:
    return call and {"tool": call.tool, "arguments": dict(call.arguments)}


def _row(found: Mapping[str, Any]) -> JournalRow:
    own = {name: found[name] for name in JournalRow.__dataclass_fields__}
    calls = {name: own[name] and ToolCall(**own[name]) for name in ("llm_call", "router_call", "corrected")}
    return JournalRow(**own | calls | {"usage": Usage(**own["usage"]), "history": tuple(own["history"])})


def _prepare_sqlite(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    for name, value in (("journal_mode", "WAL"), ("synchronous", "NORMAL"), ("busy_timeout", BUSY_S * 1000)):
        cursor.execute(f"PRAGMA {name}={value}")
    cursor.close()
