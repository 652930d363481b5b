"""The page's own traffic in the Hand-over tab: what its journal adds up to, each tool's gate, the latest decisions.

A person pauses, promotes, rolls back and corrects here. Leaves out the journals (``journals.py``), the figures
(``baselines.figures.traffic``) and the drawing (``assets/traffic.js``).
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from baselines.figures.handover import row as tool_row
from baselines.figures.traffic import bands, panel
from pages import assets
from pages.assets import message
from pages.door import visit_of
from pages.journals import Journals, Opened
from pages.services import Services
from pages.trace_view import NOT_TOOLS
from router.types import NON_TOOLS, NONE, ToolCall

if TYPE_CHECKING:
    from router.handover.gate import Gates
    from router.handover.journal import JournalRow

log = logging.getLogger(__name__)

TAB = "traffic"
HEAR = "const hear = () => Switchyard.trafficMessage(props.value); watch('value', hear); hear();"
MOST_ROWS = 5_000
"""Requests that are added up, the latest."""
SHOWN = 50
"""Decisions that are shown, the latest."""
LONGEST = 4_000
"""Characters of a correction's arguments."""
READ_ONLY = (
    "This journal is its owner's, and a public page only shows it. Run Switchyard on your own machine to change one."
)
MADE = {
    "collecting": "Nothing was learned yet, so the LLM chose.",
    "shadow": "The tool was not handed over, so the LLM chose, and both calls were compared.",
    "ask": "The call was in doubt, so the LLM chose.",
    "audit": "The tool was handed over. The LLM chose all the same: the call was in doubt, or drawn as a check.",
    "partial": "The tool was proven and its arguments were not: the LLM gave these, seeing one schema.",
    "act": "The call was proven, so the router made it, and the LLM was not asked to choose.",
}
BOTH = (
    "The call was proven, so it counts as the router’s. The Race asked the LLM as well: what that cost is what is saved."
)


def build(services: Services, journals: Journals) -> None:
    """The components and events. Call it inside a ``gr.Blocks``."""
    traffic = Traffic(services, journals)
    view = gr.HTML(
        value={"bands": bands()},
        html_template=assets.template("traffic.html"),
        js_on_load="Switchyard.traffic(element, (name, data) => trigger(name, data), props.value)"
        " /* trigger('traffic') */",
        head=assets.tab_head(TAB),
        apply_default_css=False,
        elem_classes="sy-traffic",
    )
    messages = assets.mailbox(HEAR, TAB)
    view.traffic(
        traffic.hear, None, messages, show_progress="hidden", api_visibility="private", trigger_mode="multiple"
    )


class Traffic:
    """The events, as Gradio calls them: with what the browser sent."""

    def __init__(self, services: Services, journals: Journals) -> None:
        self.services, self.journals = services, journals

    def hear(self, event: gr.EventData) -> dict[str, Any]:
        """Do what a person wants (``act``), and say what the journal adds up to; or why a row was decided as it was."""
        data = event._data or {}
        try:
            opened = self.journals.of(visit_of(data))
            if opened is None:
                return message("traffic", view=None)
            if data.get("act") == "why":
                return message("why", row=data.get("row"), words=self._why(opened, data))
            did = self._act(opened, data) if data.get("act") else ""
            return message("traffic", view=view(opened, self.services), did=did)
        except (ValueError, OSError) as fault:
            return message("refused", message=str(fault))
        except Exception:
            log.exception("The journal could not be shown")
            return message("refused", message="A fault in this program; the server's log says more.")

    def _act(self, opened: Opened, data: Mapping[str, Any]) -> str:
        """Change what stands, and say what was done. Raises ValueError with the remedy."""
        from router.handover import background

        if opened.read_only:
            raise ValueError(READ_ONLY)
        act, tool, journal = data["act"], str(data.get("tool") or ""), opened.journal
        if act == "pause":
            background.change_gates(journal, lambda gates, at: gates.pause(tool, at))
            did = f"{tool} is paused: the LLM makes its calls until you promote it."
        elif act == "promote":
            background.change_gates(journal, lambda gates, at: gates.promote(tool, at))
            did = f"{tool} is live by your hand. Less agreement than the target still pauses it."
        elif act == "rollback":
            state = journal.state()
            number = background.rollback(journal, _models(state), background.config_of(state))
            did = f"Model {number} is in place again."
        elif act == "wrong":
            did = self._correct(opened, data)
        else:
            raise ValueError(f"{act!r} is nothing to do here. Choose pause, promote, rollback or wrong.")
        if opened.handover is not None:
            opened.handover.follow()
        return did

    def _correct(self, opened: Opened, data: Mapping[str, Any]) -> str:
        number, row = find(opened, data)
        call = correction(data, row, self._checked(opened))
        if opened.handover is not None:
            opened.handover.correct(number, call)
        else:
            opened.journal.correct(number, call)
        return f"Noted: {said(call)} is right. The row teaches that from now on, and the agreement counts by it."

    def _checked(self, opened: Opened) -> Callable[[ToolCall], None]:
        """Raises ValueError where a call fits no tool of the journal."""

        def check(call: ToolCall) -> None:
            known = self.services.tools if opened.handover is not None else opened.journal.state().get("schemas", {})
            if call.tool not in known:
                raise ValueError(f"There is no tool {call.tool!r}. Choose one of {', '.join(known)}.")
            if opened.handover is not None and not self.services.tools[call.tool].fits(call.arguments):
                raise ValueError(
                    f"{json.dumps(dict(call.arguments), ensure_ascii=False)} does not fit the schema of {call.tool}. "
                    f"Its arguments are {', '.join(self.services.tools[call.tool].slots) or 'none'}."
                )

        return check

    def _why(self, opened: Opened, data: Mapping[str, Any]) -> str:
        """Which words spoke for the router's tool, and the nearest question that it has learned from."""
        from router.handover import background

        if opened.read_only:
            raise ValueError(READ_ONLY)
        _, row = find(opened, data)
        if row.model is None:
            return "No model stood yet."
        if row.model == background.GIVEN:
            found = self.services.explain(row.question)
        else:
            from router.calls.tagger import CallModel
            from router.network.explain import explain

            folder = background.folder_of(_models(opened.journal.state()), row.model)
            if not folder.exists():
                return f"Model {row.model} is no longer kept, so its words cannot be told."
            found = explain(CallModel.load(folder).router, row.question)
        return explained(found)


def find(opened: Opened, data: Mapping[str, Any]) -> tuple[int, JournalRow]:
    """The row that ``data`` names. Raises ValueError where there is none."""
    number = data.get("row")
    rows = opened.journal.rows(number - 1) if isinstance(number, int) else iter(())
    found = next(rows, None)
    if found is None or found[0] != number:
        raise ValueError(f"There is no row {number!r} in this journal any more. Reload the page.")
    return found


def correction(data: Mapping[str, Any], row: JournalRow, check: Callable[[ToolCall], None]) -> ToolCall:
    """The call that a person says is right for ``row``: ``data["right"]`` is llm, router, none, or other with ``tool`` and
    ``arguments`` (JSON), which ``check`` checks. Raises ValueError where it names none."""
    known = {"llm": row.llm_call, "router": row.router_call, "none": ToolCall(NONE, {})}
    right = data.get("right")
    if right in known and known[right] is not None:
        return known[right]
    if right != "other":
        raise ValueError(f"{right!r} says no call that is right. Choose one of those that the form offers.")
    text = str(data.get("arguments") or "{}").strip()
    if len(text) > LONGEST:
        raise ValueError(f"The arguments have {len(text):,} characters; the limit is {LONGEST:,}. Shorten them.")
    try:
        arguments = json.loads(text)
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise ValueError(f"The arguments are no JSON object: {text[:80]!r}. Write them like {{\"place\": \"Oslo\"}}.")
    call = ToolCall(str(data.get("tool") or ""), arguments)
    check(call)
    return call


def view(opened: Opened, services: Services) -> dict[str, Any]:
    """Everything that is shown of a journal, as JSON values. A public page keeps its owner's questions back."""
    from router.handover import background
    from router.handover.account import account

    journal = opened.journal
    state = journal.state()
    config = background.config_of(state)
    last = journal.last()
    rows = list(journal.rows(max(0, last - MOST_ROWS)))
    found = account([row for _, row in rows])
    gates = background.gates_of(state, config).shown(_comparisons(journal, state))
    kept = [] if opened.read_only else rows[-SHOWN:]
    return panel(found, config.target) | {
        "source": "race" if opened.handover is not None else "public" if opened.read_only else "endpoint",
        "name": "" if opened.read_only else Path(journal.shown).name,
        "latest": len(rows) if len(rows) == MOST_ROWS else 0,
        "tools": tools(Counter(found.seen), gates),
        "model": model(state, opened.read_only),
        "changes": not opened.read_only,
        "decisions": [decision(number, row, gates) for number, row in reversed(kept)],
        "offered": sorted(services.tools if opened.handover is not None else state.get("schemas", {})),
    }


def tools(seen: Counter[str], gates: Gates) -> list[dict[str, Any]]:
    """A row for each tool that has a gate; those of which a person may change something say what."""
    from router.handover.handover import SEVERAL
    from router.handover.watch import tools as told

    rows = [one for one in told(seen, gates) if one["name"] != SEVERAL]
    return [
        tool_row(one, gates.config.target)
        | {"tool": one["name"], "name": NOT_TOOLS.get(one["name"], one["name"])}
        | {"hand": hand(gates, one["name"])}
        for one in rows
    ]


def hand(gates: Gates, tool: str) -> dict[str, bool]:
    """What a person may do with a tool's gate."""
    gate = gates.gate("call", tool)
    known = tool in gates.gates["tool"]
    compared = any(gates.gate(scope, tool).proof.accepted for scope in gates.gates)
    return {"pause": known and gate.by_hand != "paused", "promote": compared and gate.state != "live"}


def model(state: Mapping[str, Any], read_only: bool) -> dict[str, Any]:
    """Which model stands, in words, and whether there is one before it."""
    from router.handover import background

    number = state.get("model")
    if not number:
        return {"words": "", "back": False}
    before = [one for one in background.numbers(_models(state)) if one < number]
    return {"words": f"Model {number}, which has learned from {state.get('lessons', 0):,} rows.", "back": bool(before)}


def decision(number: int, row: JournalRow, gates: Gates) -> dict[str, Any]:
    """One request: both calls, whether they agree, and why it was decided as it was."""
    return {
        "row": number,
        "at": row.at,
        "question": row.question,
        "mode": row.mode,
        "llm": said(row.llm_call),
        "router": said(row.router_call) if row.router_call and row.confidence.get("call", 0) > 0 else "",
        "verdict": verdict(row),
        "right": said(row.corrected),
        "why": reasons(row, gates),
        "may": [name for name, call in (("llm", row.llm_call), ("router", row.router_call)) if call is not None],
    }


def verdict(row: JournalRow) -> str:
    """agree | tool | differ | doubt | alone: how the two calls compare, or that there are not two."""
    if row.llm_call is None or row.mode == "partial":
        return "alone"
    if row.router_call is None or not row.confidence.get("call", 0):
        return "doubt"
    if row.agreed and row.agreed["call"]:
        return "agree"
    return "tool" if row.agreed and row.agreed["tool"] else "differ"


def reasons(row: JournalRow, gates: Gates) -> list[str]:
    """Why ``row`` was decided as it was, in sentences."""
    both = row.mode == "act" and row.llm_call is not None
    found = [BOTH if both else MADE[row.mode]]
    if row.router_call is not None and not row.confidence.get("call", 0):
        found.append(f"The router had no whole call ready; {name_of(row.router_call.tool)} was its likeliest guess.")
    elif row.router_call is not None:
        gate = gates.gate("call", row.router_call.tool)
        acts = f"it acts from {gate.threshold:.2f} on" if gate.state == "live" else "it does not act for this tool now"
        found.append(f"The router was {row.confidence['call']:.2f} sure of its whole call; {acts}.")
    if row.agreed and row.agreed["call"] and row.lesson != row.router_call:
        found.append("The arguments are written otherwise, and both calls found the same.")
    if row.failed:
        found.append("The LLM’s tool gave an error, so its call teaches nothing.")
    return found


def explained(found: Any) -> str:
    """A router's explanation in two sentences."""
    words = sorted(found.words, key=lambda one: -abs(one.contribution))[:4]
    told = ", ".join(f"“{one.word}” {'for' if one.contribution > 0 else 'against'} it" for one in words)
    near = f" The nearest question it has learned from: “{found.nearest[0].question}” ({name_of(found.nearest[0].tool)})."
    return f"Words for {name_of(found.tool)} rather than {name_of(found.runner_up)}: {told}." + (near if found.nearest else "")


def said(call: ToolCall | None) -> str:
    """A call for a person; "" where there is none."""
    if call is None:
        return ""
    if call.tool in NON_TOOLS:
        return NOT_TOOLS[call.tool]
    values = (f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
              for name, value in call.arguments.items())  # fmt: skip
    return f"{call.tool}({', '.join(values)})" if call.arguments else call.tool


def name_of(tool: str) -> str:
    return NOT_TOOLS.get(tool, tool)


def _models(state: Mapping[str, Any]) -> Path:
    return Path(state.get("models") or ".")


def _comparisons(journal: Any, state: Mapping[str, Any]) -> Sequence[Any]:
    """What is known of the model that stands; of one that is gone, what it did since it stood."""
    from router.handover import background

    number = state.get("model") or background.GIVEN
    try:
        return background.comparisons_of(journal, _models(state), number)[0]
    except OSError:
        return journal.comparisons(number)
