"""Visitors' own tools, rows and routers on this server: a folder for each project, named by a random id.

Whoever has the id has the project; nobody else can name it. Leaves out what is in the files (``router.workbench``),
training and the page.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from pages.services import Services
from router.calls.tagger import CallModel, load_router
from router.network import Router
from router.tools import ToolSet
from router.types import Example
from router.workbench.examples import Examination, check, read_rows
from router.workbench.folder import REPORT, ROUTER, ROWS, TOOLS, load_report, load_tools, save_rows, save_tools, share

NAME = re.compile(r"[0-9a-f]{32}")
DAY = 86_400.0
MAX_MOCK = 2_000
"""Characters of a mock result, as many as are kept of a tool's own."""
MOCKS, STAMP = "mocks.json", "trained_on"


@dataclass(frozen=True)
class Bounds:
    """What a project may take: ``rows``, ``characters`` of one file, ``training_s`` seconds (None: no limit). A project
    unused for ``life_s`` seconds is deleted; there are at most ``projects``."""

    rows: int = 20_000
    characters: int = 20_000_000
    training_s: float | None = None
    life_s: float = 30 * DAY
    projects: int = 1_000


PUBLIC = Bounds(rows=2_000, characters=2_000_000, training_s=180.0, life_s=DAY, projects=200)
"""Where strangers see the page."""


class Project:
    """One visitor's tools, rows and router, as they are on disk at the moment. ``folder`` exists."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.id = folder, folder.name

    @property
    def tools(self) -> ToolSet:
        """The tools; none where nothing was given yet."""
        return load_tools(self.folder) if (self.folder / TOOLS).exists() else ToolSet()

    @property
    def mocks(self) -> dict[str, str]:
        """Tool → the result that stands in for running it."""
        return json.loads(self._text(MOCKS) or "{}")

    @property
    def report(self) -> dict[str, Any] | None:
        """What the last training said of its router; None before the first."""
        return load_report(self.folder) if (self.folder / REPORT).exists() else None

    @property
    def stamp(self) -> str:
        """Equal as long as tools and rows are."""
        return hashlib.sha256(f"{self._text(TOOLS)}\0{self._text(ROWS)}".encode()).hexdigest()[:16]

    @property
    def trained_on(self) -> str:
        """The stamp of what the router was trained on; "" where there is none."""
        return self._text(STAMP)

    @property
    def rows_text(self) -> str:
        """The rows, as JSONL."""
        return self._text(ROWS)

    def examined(self) -> tuple[tuple[Example, ...], Examination]:
        """The rows, and what is to be known of them."""
        return _examined(self.folder, self.stamp)

    def router(self) -> Router | CallModel:
        """The trained router. Raises ValueError where there is none."""
        if not self.trained_on:
            raise ValueError("No router is trained for these tools yet. Train one first; no example is needed.")
        return _router(self.folder / ROUTER, (self.folder / STAMP).stat().st_mtime_ns)

    def offered(self) -> ToolSet:
        """The tools, to be raced: those with a mock result give it, a call of the others is the caller's to make."""
        mocks = self.mocks
        return ToolSet(
            replace(tool, run=partial(_say, mocks[name])) if mocks.get(name) else tool
            for name, tool in self.tools.items()
        )

    def put_tools(self, tools: ToolSet) -> None:
        save_tools(tools, self.folder)

    def put_rows(self, rows: Sequence[Example]) -> None:
        save_rows(rows, self.folder)

    def put_mock(self, tool: str, text: str) -> None:
        """Keep ``text`` as the result of ``tool``; "" for none. Raises ValueError where it is too long."""
        if len(text) > MAX_MOCK:
            raise ValueError(f"The mock result has {len(text):,} characters; the limit is {MAX_MOCK:,}. Shorten it.")
        self._write(MOCKS, json.dumps({**self.mocks, tool: text}, ensure_ascii=False))

    def put_stamp(self, stamp: str) -> None:
        self._write(STAMP, stamp)

    def _text(self, name: str) -> str:
        try:
            return (self.folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def _write(self, name: str, text: str) -> None:
        fresh = self.folder / f"{name}.new"
        fresh.write_text(text, encoding="utf-8")
        os.replace(fresh, self.folder / name)


class Projects:
    """All projects of this server. Thread-safe."""

    def __init__(self, services: Services, clock: Callable[[], float] = time.time) -> None:
        self.services = services
        self.bounds = PUBLIC if services.limits.public else Bounds()
        self._clock, self._lock = clock, threading.Lock()
        self._root = services.projects

    def new(self) -> Project:
        """An empty project. Raises ValueError where there are too many."""
        with self._lock:
            return Project(self._place("own"))

    def open(self, id: Any) -> Project:
        """The project of that id, which is then as if new. Raises ValueError where there is none (any more)."""
        with self._lock:
            return Project(self._found("own", id))

    def forget(self, project: Project) -> None:
        """Delete the project."""
        shutil.rmtree(project.folder, ignore_errors=True)

    def share(self, project: Project) -> str:
        """Keep a copy of the tools and the router, without rows, and return the id that opens it."""
        project.router()
        with self._lock:
            folder = self._place("shared")
            share(project.folder, folder)
            return folder.name

    def shared(self, id: Any) -> Project:
        """A new project with the tools and the router that were shared under that id. Raises ValueError as ``open``."""
        with self._lock:
            source = self._found("shared", id)
            project = Project(self._place("own"))
            share(source, project.folder)
            project.put_stamp(project.stamp)
            return project

    def services_for(self, id: Any) -> Services:
        """The page's services on a project's tools and router; ``id`` empty: on those of the page."""
        if not id:
            return self.services
        project = self.open(id)
        return replace(self.services, **self.services.on_tools(project.router(), project.offered()))

    def _place(self, kind: str) -> Path:
        """A new folder. The lock is held."""
        folder = self._folder(kind)
        self._forget(folder)
        if sum(1 for _ in folder.iterdir()) >= self.bounds.projects:
            raise ValueError(
                f"This server keeps {self.bounds.projects:,} projects already, which is its limit. Try again tomorrow, "
                "or run Switchyard on your own machine."
            )
        found = folder / secrets.token_hex(16)
        found.mkdir(mode=0o700)
        return found

    def _found(self, kind: str, id: Any) -> Path:
        folder = self._folder(kind) / str(id)
        if not NAME.fullmatch(str(id)) or not folder.is_dir():
            raise ValueError(
                f"These tools are not on this server any more: what nobody has used for {self._life()} is deleted. "
                "Give them again."
            )
        os.utime(folder, (self._clock(), self._clock()))
        return folder

    def _life(self) -> str:
        days = round(self.bounds.life_s / DAY)
        return "a day" if days == 1 else f"{days} days"

    def _forget(self, folder: Path) -> None:
        for old in folder.iterdir():
            if self._clock() - old.stat().st_mtime > self.bounds.life_s:
                shutil.rmtree(old, ignore_errors=True)

    def _folder(self, kind: str) -> Path:
        if self._root is None:
            self._root = own_folder()
        folder = self._root / kind
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def own_folder() -> Path:
    """A folder of this user in the temporary folder, which nobody else can read; the same after a restart."""
    owner = os.getuid() if hasattr(os, "getuid") else "own"
    folder = Path(tempfile.gettempdir()) / f"switchyard-projects-{owner}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if hasattr(os, "getuid") and (found.st_uid != owner or found.st_mode & 0o077 or folder.is_symlink()):
            raise PermissionError
        return folder
    except OSError:  # somebody else has the name
        return Path(tempfile.mkdtemp(prefix="switchyard-projects-"))


def _say(text: str, **_: Any) -> str:
    return text


@lru_cache(16)
def _examined(folder: Path, stamp: str) -> tuple[tuple[Example, ...], Examination]:
    project = Project(folder)
    rows, _ = read_rows(project.rows_text, ROWS)
    return tuple(rows), check(rows, project.tools)


@lru_cache(8)
def _router(folder: Path, written: int) -> Router | CallModel:
    return load_router(folder)
