"""The tab "Your tools": a visitor's tools and examples, a router trained on them, tried, raced and taken home.

The page asks, and each answer goes back by the number of its question; a training tells by itself how far it is. Both
travel as JSON text, because Gradio takes any object with a ``path`` for a file, and a tool may have such a slot.
Leaves out the files (``workbench_projects``), trainings (``workbench_training``), what is said of them
(``workbench_view``) and the drawing (``assets/workbench*.js``).
"""

from __future__ import annotations

import base64
import json
import logging
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gradio as gr

from pages import assets
from pages.door import Door, visit_of
from pages.live import why
from pages.services import ASSETS, Services
from pages.settings import check_question
from pages.workbench_projects import ROWS, Project, Projects
from pages.workbench_training import FAULT, Trainings
from pages.workbench_view import read_call, report_view, rows_view, tool_view, training_view
from router.calls.tagger import CallModel
from router.learning.logs import Problem
from router.tools import sentence
from router.types import NON_TOOLS, Example
from router.workbench.examples import read_rows
from router.workbench.pack import pack
from router.workbench.tools import alike, read_tools

log = logging.getLogger(__name__)

TAB = "workbench"
TARGETS = (0.5, 0.99)
EXAMPLE = "workbench-example"
"""The example set's files in ``assets/``: .json has the tools, .jsonl the rows."""
MOST_PROBLEMS = 50
"""Lines that could not be read, of which so many are named."""
MCP_S = 20.0
"""Seconds that an MCP server may take to list its tools."""
BROKEN = "That did not work because of a fault in this program; the server's log says more."


def build(services: Services, door: Door, projects: Projects) -> None:
    """The tab's components and events. Call it inside a ``gr.Blocks``."""
    tab = Workbench(services, door, projects)
    form = gr.HTML(
        value={
            "public": services.limits.public,
            "rows": projects.bounds.rows,
            "characters": projects.bounds.characters,
        },
        html_template=assets.template("workbench.html"),
        js_on_load="Switchyard.workbench(element, (name, data) => trigger(name, data), props.value)"
        " /* trigger('ask') trigger('follow') */",
        head=assets.tab_head(TAB, "workbench_rows", "workbench_train", "workbench_report"),
        apply_default_css=False,
        elem_classes="sy-workbench",
    )
    answers, news = (
        assets.mailbox(f"const hear = () => Switchyard.{hears}(props.value); watch('value', hear); hear();", TAB)
        for hears in ("workbenchAnswer", "workbenchNews")
    )
    quiet = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "multiple"}
    form.ask(tab.ask, None, answers, concurrency_limit=4, **quiet)
    form.follow(tab.follow, None, news, concurrency_limit=32, **quiet)


class Workbench:
    """The tab's events, as Gradio calls them: with what the browser sent."""

    def __init__(self, services: Services, door: Door, projects: Projects) -> None:
        self.services, self.door, self.projects = services, door, projects
        self.trainings = Trainings()
        self._on_project: dict[str, Callable[[Project, Mapping[str, Any]], dict[str, Any]]] = {
            "open": lambda project, data: self.state(project),
            "mock": self.mock,
            "rows": lambda project, data: {"rows": rows_view(project, data)},
            "add": self.add,
            "put": self.put,
            "drop": self.drop,
            "train": self.train,
            "stop": self.stop,
            "try": self.tried,
            "zip": self.zip,
            "saved": lambda project, data: {"saved": project.rows_text},
            "forget": self.forget,
            "share": lambda project, data: {"shared": self.projects.share(project)},
        }

    def ask(self, event: gr.EventData) -> dict[str, Any]:
        """Do what the page asks; the answer has the number ``re`` of the question; ``fault`` says why it is refused."""
        data = json.loads((event._data or {}).get("text") or "{}")
        try:
            answer = self._answer(data)
        except (ValueError, OSError, ImportError) as fault:
            answer = {"fault": sentence(fault)}
        except Exception:
            log.exception("The page's %r failed", data.get("do"))
            answer = {"fault": BROKEN}
        return letter({"re": data.get("re"), **answer})

    def follow(self, event: gr.EventData) -> Iterator[dict[str, Any]]:
        """How the project's training goes, until it ends. Whoever leaves does not end it."""
        data = json.loads((event._data or {}).get("text") or "{}")
        try:
            training = self.trainings.of(self.projects.open(data.get("id")))
        except ValueError as fault:
            yield letter({"phase": "failed", "message": str(fault)})
            return
        if training is None:
            yield letter({"phase": "failed", "message": FAULT})
            return
        for told in training.follow():
            yield letter({"id": data.get("id"), **training_view(told)})

    def _answer(self, data: Mapping[str, Any]) -> dict[str, Any]:
        do = data.get("do")
        if do == "tools":
            return self.tools(data)
        if do == "shared":
            return self.state(self.projects.shared(data.get("id")))
        return self._on_project[do](self.projects.open(data.get("id")), data)

    def state(self, project: Project) -> dict[str, Any]:
        """Everything that the page shows of a project but its rows, of which it asks for a few at a time."""
        tools = project.tools
        rows, found = project.examined()
        training = self.trainings.of(project)
        counts = {
            "contradictions": len(found.contradictions),
            "near_duplicates": len(found.near_duplicates),
            "misfits": len(found.misfits),
        }
        return {
            "project": {
                "id": project.id,
                "tools": [tool_view(tool, found) for tool in tools.values()],
                "mocks": project.mocks,
                "alike": alike(tools),
                "rows": len(rows),
                "labels": dict(found.rows),
                "strangers": dict(found.strangers),
                "counts": counts,
                "training": training_view(training.told) if training and not training.ended else None,
                "report": report_view(project.report) if project.trained_on else None,
                "stamp": project.stamp,
                "stale": bool(project.trained_on) and project.trained_on != project.stamp,
            }
        }

    def tools(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Take a list of tools: ``text``, the example set, or what an MCP server lists. A project is made for them
        where ``id`` names none."""
        rows = None
        if data.get("source") == "example":
            text = (ASSETS / f"{EXAMPLE}.json").read_text(encoding="utf-8")
            rows, _ = read_rows((ASSETS / f"{EXAMPLE}.jsonl").read_text(encoding="utf-8"), ROWS)
        elif data.get("source") == "mcp":
            text = self._listed(str(data.get("server") or "").strip())
        else:
            text = str(data.get("text") or "")
        tools = read_tools(text)
        project = self.projects.open(data["id"]) if data.get("id") else self.projects.new()
        project.put_tools(tools)
        if rows is not None and not project.examined()[0]:
            project.put_rows(rows)
        return self.state(project)

    def _listed(self, server: str) -> str:
        """What the MCP server of a command or an address lists, as JSON text."""
        if self.services.limits.public:
            raise ValueError(
                "This public page connects to no MCP server. Paste what its tools/list answers, or run Switchyard on "
                "your own machine."
            )
        from router.tools.mcp import McpConnection

        with McpConnection(server if "://" in server else shlex.split(server), MCP_S) as connection:
            return json.dumps(connection.list_tools())

    def mock(self, project: Project, data: Mapping[str, Any]) -> dict[str, Any]:
        """Keep what stands in for running a tool."""
        if data.get("tool") not in project.tools:
            raise ValueError(f"There is no tool {data.get('tool')!r}. Choose one of {', '.join(project.tools)}.")
        project.put_mock(data["tool"], str(data.get("text") or "").strip())
        return self.state(project)

    def add(self, project: Project, data: Mapping[str, Any]) -> dict[str, Any]:
        """Add the rows of a log, ``text`` of a file called ``name``; the lines that are unfit come back in words."""
        text, bounds = str(data.get("text") or ""), self.projects.bounds
        if len(text) > bounds.characters:
            raise ValueError(
                f"The file has {len(text):,} characters; the limit is {bounds.characters:,}. Give fewer rows."
            )
        fresh, problems = read_rows(text, str(data.get("name") or "rows.jsonl")[:80])
        rows, room = list(project.examined()[0]), bounds.rows
        taken = fresh[: max(0, room - len(rows))]
        if left := len(fresh) - len(taken):
            said = f"{left:,} rows were left out: {room:,} is the limit. Delete some, or train on your own machine."
            problems = [*problems, Problem(0, said)]
        if taken:
            project.put_rows([*rows, *taken])
        lines = [{"line": one.line, "message": one.message} for one in problems[:MOST_PROBLEMS]]
        return self.state(project) | {"added": len(taken), "problems": lines, "unread": len(problems)}

    def put(self, project: Project, data: Mapping[str, Any]) -> dict[str, Any]:
        """Write one row: in the place ``at``, where ``was`` is its question so far, or after the last."""
        rows = list(project.examined()[0])
        row = read_row(data, project, self.services)
        if data.get("at") is None:
            if len(rows) >= self.projects.bounds.rows:
                raise ValueError(f"There are {len(rows):,} rows, which is the limit here. Delete some first.")
            rows.append(row)
        else:
            rows[place(rows, data)] = row
        project.put_rows(rows)
        return self.state(project)

    def drop(self, project: Project, data: Mapping[str, Any]) -> dict[str, Any]:
        """Delete the row in the place ``at``."""
        rows = list(project.examined()[0])
        del rows[place(rows, data)]
        project.put_rows(rows)
        return self.state(project)

    def train(self, project: Project, data: Mapping[str, Any]) -> dict[str, Any]:
        """Train on what the project has; with no rows, on the schemas alone."""
        least, most = TARGETS
        target = data.get("target")
        if not isinstance(target, int | float) or not least <= target <= most:
            raise ValueError(f"The share of right calls is {target!r}; give one from {least} to {most}, such as 0.9.")
        if not project.tools:
            raise ValueError("There are no tools yet. Give them first.")
        self.door.count(visit_of(data), 1)
        command = [*self.services.train, str(project.folder), "--target", str(target)]
        self.trainings.start(project, command, self.projects.bounds.training_s)
        return self.state(project)

    def stop(self, project: Project, data: Mapping[str, Any]) -> dict[str, Any]:
        """Ask the project's training to end with the best it has."""
        if training := self.trainings.of(project):
            training.stop()
        return {}

    def tried(self, project: Project, data: Mapping[str, Any]) -> dict[str, Any]:
        """What the router would call for a question, and why; nothing runs."""
        question = check_question(str(data.get("question") or ""), self.services.limits)
        services = self.projects.services_for(project.id)
        plan = services.plan(question)
        router = services.router
        return {
            "tried": plan
            | {
                "why": why(services, question),
                "read": read_call(router, question) if isinstance(router, CallModel) else None,
                "threshold": threshold(router, plan["tool"]),
            }
        }

    def zip(self, project: Project, data: Mapping[str, Any]) -> dict[str, Any]:
        """The router to take home."""
        project.router()
        return {"file": {"name": "switchyard-router.zip", "base64": base64.b64encode(pack(project.folder)).decode()}}

    def forget(self, project: Project, data: Mapping[str, Any]) -> dict[str, Any]:
        """Delete the project, and what a training has made of it so far."""
        if training := self.trainings.of(project):
            training.abandon()
        self.projects.forget(project)
        return {}


def letter(content: Mapping[str, Any]) -> dict[str, Any]:
    """A message to the page; stamped, because a component does not show the same value twice."""
    return {"at": time.time(), "text": json.dumps(content, ensure_ascii=False)}


def threshold(router: Any, tool: str) -> float | None:
    """The confidence from which a call of ``tool`` is made; None where no confidence is enough."""
    least = router.parts.confidence.least(tool) if isinstance(router, CallModel) else router.threshold
    return least if least <= 1 else None


def read_row(data: Mapping[str, Any], project: Project, services: Services) -> Example:
    """The row that a visitor typed. Raises ValueError where it does not fit its tool's schema."""
    question, tool, tools = str(data.get("question") or ""), data.get("tool"), project.tools
    if tool not in tools and tool not in NON_TOOLS:
        raise ValueError(f"There is no tool {tool!r}. Choose one of {', '.join([*tools, *NON_TOOLS])}.")
    arguments = data.get("arguments") or {}
    if tool in tools:
        tools[tool].check(arguments)
    return Example(check_question(question, services.limits), tool, arguments if tool in tools else {}, source="typed")


def place(rows: list[Example], data: Mapping[str, Any]) -> int:
    """The place of the row that the page means. Raises ValueError where it is another one by now."""
    at = data.get("at")
    if not isinstance(at, int) or not 0 <= at < len(rows) or rows[at].question != data.get("was"):
        raise ValueError("That row has been changed elsewhere, maybe in another window. Look at it again.")
    return at
