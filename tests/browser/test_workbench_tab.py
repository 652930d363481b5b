"""The tab "Your tools" as a visitor uses it: five schemas in, a router out. Real processes train small networks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import call_log
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app import build_page
from pages import frame, wiring
from pages.services import ROOT
from tests.browser.scripted import services
from tests.browser.watching import hear_faults, of_the_page

PATIENT = 240_000  # small networks, but trained at low priority
TRAIN = Path(__file__).parent / "small_workbench.py"
SAID = {"type": "string", "description": "as it was said"}
SLOTS = {
    "lamp": {"room": SAID, "lit": {"type": "boolean"}, "source": {"type": "string"}},
    "parcel": {"weight": {"type": "number"}, "to": SAID, "speed": {"type": "string", "enum": ["express", "slow"]}},
    "invite": {"guest": {"anyOf": [SAID, {"type": "array", "items": SAID}]}},
    "kettle": {},
    "radio": {"station": SAID},
}
HOSTILE = "<img src=x onerror='window.pwned = 1'> ${window.pwned = 1}"
TOOLS = [
    {
        "name": name,
        "description": f"A {name} at home. {HOSTILE}",
        "input_schema": {"type": "object", "properties": slots},
    }
    for name, slots in SLOTS.items()
]
QUESTION = "switch on the light in the kitchen"


def log() -> bytes:
    rows = [asdict(row) for row in call_log.log(120)]
    keys = ("question", "tool", "arguments")
    lines = [json.dumps({key: row[key] for key in keys}) for row in rows]
    return "\n".join([*lines, "{broken"]).encode()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that trains small networks and really plans with them; only the race is scripted."""

    def on_tools(router: object, tools: object) -> dict[str, object]:
        return {name: one for name, one in wiring.on_tools(router, tools).items() if name != "race"}

    projects = tmp_path_factory.mktemp("projects")
    offered = replace(services(), on_tools=on_tools, projects=projects, train=(sys.executable, str(TRAIN)))
    page = build_page(offered)
    found, _ = frame.serve(page, "127.0.0.1", None)
    yield found
    page.close()


@pytest.fixture
def visitors(browser: Browser, address: str) -> Iterator[list[Page]]:
    """Two visitors, whose pages fail the test on any fault that they show."""
    faults: list[str] = []
    opened: list[BrowserContext] = []
    for _ in range(2):
        opened.append(browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce"))
        page = opened[-1].new_page()
        hear_faults(page, faults)
        page.on("dialog", lambda dialog: dialog.accept())
        page.set_default_timeout(120_000)
        page.goto(f"{address}#yourtools")
    yield [context.pages[0] for context in opened]
    for context in opened:
        context.close()
    assert of_the_page(faults) == []


def give(tab: Page) -> None:
    tab.get_by_label("Your list of tools").fill(json.dumps(TOOLS))
    tab.get_by_role("button", name="Read the tools").click()
    expect(tab.locator(".wb-tool")).to_have_count(5)
    assert tab.evaluate("window.pwned === undefined")


def add(tab: Page, question: str, tool: str, **slots: str) -> None:
    form = tab.locator(".wb-add form")
    form.get_by_label("What somebody asks").fill(question)
    form.get_by_label("The right tool").select_option(tool)
    for name, value in slots.items():
        form.locator(f"[data-slot={name}]").fill(value)
    form.get_by_role("button", name="Add").click()
    expect(tab.locator(".wb-list .wb-said").first).to_contain_text(question)


def train(tab: Page) -> None:
    tab.get_by_label("Share of calls that are to be right").press("Home")
    tab.locator("[data-step=train] [name=start]").click()
    expect(tab.locator("[data-step=train] [name=stop]")).to_be_enabled()


def trained(tab: Page) -> None:
    expect(tab.locator("[data-step=train] [name=start]")).to_be_enabled(timeout=PATIENT)
    expect(tab.locator("[data-step=train] .wb-state")).to_have_text("")


def attempt(tab: Page, question: str) -> None:
    tab.get_by_label("A question", exact=True).fill(question)
    tab.get_by_role("button", name="Try it").click()
    expect(tab.locator(".wb-words")).to_contain_text(question.split()[0])


def check_accessible(tab: Page) -> None:
    from axe_playwright_python.sync_playwright import Axe

    for _ in ("light", "dark"):
        found = Axe().run(tab, context=".wb").response["violations"]
        serious = [v for v in found if v["impact"] in ("serious", "critical")]
        assert not [v["id"] + ": " + v["nodes"][0]["html"][:160] for v in serious]
        tab.get_by_role("button", name="Switch between light and dark").click()
    tab.set_viewport_size({"width": 360, "height": 800})
    tab.wait_for_timeout(300)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    tab.set_viewport_size({"width": 1280, "height": 900})


def test_from_five_schemas_to_a_router_at_home(visitors: list[Page], address: str, tmp_path: Path) -> None:
    tab, other = visitors
    give(tab)
    expect(tab.locator("[data-step=tools] .wb-state")).to_contain_text("5 tools")
    add(tab, "boil some water", "kettle")
    add(tab, "play the news channel", "radio", station="news channel")
    tab.locator("[name=log]").set_input_files({"name": "log.jsonl", "mimeType": "text/plain", "buffer": log()})
    expect(tab.locator(".wb-unread")).to_contain_text("Line 121")
    expect(tab.locator("[data-step=rows] .wb-state")).to_contain_text("122 examples")

    train(tab)
    expect(other.get_by_role("button", name="Read the tools")).to_be_enabled()  # nothing of the first one's crosses
    give(other)
    expect(other.locator("[data-step=rows] .wb-state")).to_contain_text("Type some")
    train(other)
    expect(other.locator(".wb-progress p")).to_contain_text("1 training before yours")
    tab.reload()
    expect(tab.locator(".wb-progress p")).to_contain_text("it goes on", timeout=PATIENT)
    trained(tab)
    expect(tab.locator(".wb-three")).to_contain_text("Right tool")
    tab.locator(".wb-matrix button.right").first.click()
    expect(tab.locator(".wb-cell")).to_contain_text("read right")

    attempt(tab, QUESTION)
    expect(tab.locator(".wb-tried h4")).to_have_text("It makes this call")
    expect(tab.locator(".wb-tried .call")).to_have_text('lamp(room="kitchen", lit=true, source="voice")')
    check_accessible(tab)
    tab.get_by_role("button", name="Race it").click()
    expect(tab.locator(".verdict .asked")).to_contain_text(QUESTION)
    expect(tab.locator(".own input[value=own]")).to_be_checked()
    expect(tab.locator(".send")).to_be_visible()
    tab.get_by_role("tab", name="Your tools").click()

    attempt(tab, "get the tea ready")
    tab.get_by_role("button", name="Teach the right call").click()
    tab.locator(".wb-correct select").first.select_option("kettle")
    tab.get_by_role("button", name="Add it to the examples").click()
    expect(tab.locator("[data-step=rows] .wb-state")).to_contain_text("123 examples")
    expect(tab.locator("[data-step=train] .wb-state")).to_contain_text("changed since")
    tab.locator(".wb-correct").get_by_role("button", name="Train again").click()
    expect(tab.locator("[data-step=train] [name=stop]")).to_be_enabled()
    trained(tab)

    with tab.expect_download() as download:
        tab.get_by_role("button", name="Download the router").click()
    archive = tmp_path / "router.zip"
    download.value.save_as(archive)
    attempt(tab, QUESTION)
    expect(tab.locator(".wb-tried h4")).to_have_text("It makes this call")
    shown = tab.locator(".wb-tried .call").inner_text()
    assert shown == taken_home(archive, tmp_path)

    tab.get_by_role("button", name="Make a share link").click()
    shared = tab.get_by_label("Share link")
    expect(shared).to_have_value(re.compile(rf"{address}\?tools=[0-9a-f]{{32}}#yourtools"))
    link = shared.input_value()
    expect(other.locator("[data-step=try]")).to_have_attribute("data-open", "", timeout=PATIENT)
    expect(other.locator(".wb-report")).to_contain_text("Nothing of yours: there are no rows")
    attempt(other, "boil some water")  # by the schemas alone
    other.goto(link)
    other.get_by_role("button", name="Open the shared ones").click()
    expect(other.locator("[data-step=rows] .wb-state")).to_contain_text("Type some")  # never the log
    attempt(other, QUESTION)
    assert other.locator(".wb-tried .call").inner_text() == shown
    other.get_by_role("button", name="Delete it all").click()
    expect(other.get_by_label("Your list of tools")).to_be_visible()
    expect(other.locator("[data-step=take]")).not_to_have_attribute("data-open", "")


def taken_home(archive: Path, folder: Path) -> str:
    """The call that a new process makes with what was downloaded, in the page's words."""
    zipfile.ZipFile(archive).extractall(folder)
    command = [sys.executable, "-m", "router", "route", "--router", "router", "--tools", "tools.json"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    row = json.loads(subprocess.check_output(command, input=QUESTION, cwd=folder, env=environment, text=True))
    return f"{row['tool']}({', '.join(f'{slot}={json.dumps(value)}' for slot, value in row['arguments'].items())})"
