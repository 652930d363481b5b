"""The contract that every tool keeps, and what each of them must read and answer."""

from __future__ import annotations

import json
import threading
import time
from datetime import datetime, timezone

import jsonschema
import pytest

from router.builtin import ToolConfig, default_tools, places
from router.builtin.search import build as build_search
from router.builtin.values import number_in, value_of
from router.builtin.weather import describe
from router.lms.prompts import signature
from router.tools import Tool
from tests.tool_cases import CASES, FAULTS

NOW = datetime(2026, 11, 22, 14, 5, tzinfo=timezone.utc)
CONFIG = ToolConfig(now=lambda: NOW)
TOOLS = default_tools(CONFIG)
PAIRS = [(name, *case) for name, cases in CASES.items() for case in cases]


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_schema_is_closed_flat_and_fits_one_prompt_line(tool: Tool):
    jsonschema.Draft202012Validator.check_schema(tool.parameters)
    assert tool.parameters["additionalProperties"] is False
    assert all(
        {"type", "enum"} & set(slot) and slot.get("type") != "object" for slot in tool.parameters["properties"].values()
    )
    assert json.loads(json.dumps(tool.parameters)) == tool.parameters
    assert len(tool.description.split()) <= 16 and tool.description.endswith(".")
    assert len(signature(tool)) < 330


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
@pytest.mark.parametrize(
    "question", ["", " ", "?", "\x00", "hello there", "💥" * 50, "a" * 100_000, "1" * 5_000, "(" * 900, "%s{}${x}"]
)
def test_no_input_breaks_a_parser(tool: Tool, question: str):
    arguments = tool.parse(question)
    if arguments is not None:
        tool.check(arguments)
        assert tool.call(arguments).text


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
@pytest.mark.parametrize(
    "arguments", [{}, {"nonsense": 1}, {"expression": 3}, {"value": "x", "from_unit": 1}, {"ask": None}, {"query": ""}]
)
def test_unfit_arguments_become_an_error_with_a_remedy(tool: Tool, arguments: dict):
    result = tool.call(arguments)
    assert (
        result.output is None
        and result.error.startswith(f"{tool.name}: ")
        and "Give arguments that fit" in result.error
    )


@pytest.mark.parametrize(("name", "arguments", "parts"), FAULTS, ids=[f"{n}-{i}" for i, (n, *_) in enumerate(FAULTS)])
def test_bad_arguments_give_an_error_that_names_value_limit_and_remedy(name: str, arguments: dict, parts: tuple):
    result = TOOLS[name].call(arguments)
    assert result.output is None
    for part in parts:
        assert part in result.error, result.error
    assert " failed: " not in result.error
    assert result.seconds < 5  # the capped sizes, not the machine: unbounded, 9**9**9 would take hours


@pytest.mark.parametrize(("name", "question", "expected", "part"), PAIRS, ids=[f"{n}: {q}" for n, q, *_ in PAIRS])
def test_reads_the_question_and_answers_it(name: str, question: str, expected: dict, part: str):
    tool = TOOLS[name]
    arguments = tool.parse(question)
    assert arguments is not None, "not read"
    tool.check(arguments)
    assert {key: arguments.get(key) for key in expected} == expected
    result = tool.call(arguments)
    if name == "weather":  # offline: the error says so, and the place was found
        assert "needs the internet" in result.error
    else:
        assert result.error is None and part in result.output, result.text


def test_every_tool_has_at_least_25_pairs():
    assert {name: len(cases) >= 25 for name, cases in CASES.items()} == dict.fromkeys(TOOLS, True)


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("calculator", "how many r's in strawberry"), ("calculator", "what is the capital of France"), ("calculator", "42"),
        ("unit_converter", "100 dollars in euros"), ("unit_converter", "weather in Paris"), ("unit_converter", "3 kg in meters"),
        ("clock", "how many days until Christmas"), ("clock", "write a poem about autumn"), ("clock", "what day was 14 July 1789"),
        ("calendar", "what time is it in Paris"), ("calendar", "hello"), ("currency", "26.2 miles to km"), ("currency", "350F in C"),
        ("weather", "tell me a joke"), ("weather", "what is 2 + 2"), ("text", "what's the weather in Oslo"), ("text", "thanks a lot"),
    ],
)  # fmt: skip
def test_reads_nothing_from_a_question_of_another_tool(name: str, question: str):
    assert TOOLS[name].parse(question) is None


@pytest.mark.parametrize(
    ("output", "value", "number"),
    [
        ("The population of Malta is 483,530. (source: GeoNames, score 1.00)", "483,530", "483530"),
        ("The population of Lyon, a city in France, is 520,774. (source: GeoNames, score 1.00)", "520,774", "520774"),
        ("The capital of Japan is Tokyo. (source: GeoNames, score 0.98)", "Tokyo", None),
        ("The area of St. Lucia is 616 km². (source: GeoNames, score 1.00)", "616 km²", "616"),
        ("Ouagadougou is the capital of Burkina Faso. (source: GeoNames, score 1.00)", "Burkina Faso", None),
        ("The currency of Malta is the Euro (EUR). (source: GeoNames, score 1.00)", "Euro", None),
        ("26.2 mi = 42.1648 km", "42.1648 km", "42.1648"),
        ("20% of 45 = 9", "9", "9"),
        ("100 USD = 89.51 EUR (ECB rate of 30 October 2026)", "89.51 EUR", "89.51"),
        ("days until Christmas (Friday 25 December 2026) = 33 days (4 weeks and 5 days)", "33 days", "33"),
        ("Paris: 15:05 on Sunday 22 November 2026 (CET, UTC+1)", "15:05", "15"),
        ('"python" reversed = nohtyp', "nohtyp", None),
        ("Nothing found for 'x' in 10 passages.", "Nothing found for 'x' in 10 passages.", "10"),
    ],
)
def test_value_of_bares_the_value_of_an_output(output: str, value: str, number: str | None):
    assert value_of(output) == value
    assert number_in(output) == number


@pytest.mark.parametrize(
    ("name", "question", "expected", "part"),
    [p for p in PAIRS if p[0] in ("calculator", "unit_converter", "calendar", "text")],
)
def test_value_of_keeps_the_answer_of_real_outputs(name: str, question: str, expected: dict, part: str):
    output = TOOLS[name].call(TOOLS[name].parse(question)).output
    assert value_of(output) and value_of(output) in output.rsplit(" = ", 1)[1]


def test_typos_and_number_words_give_the_same_arguments_as_clean_writing():
    read = TOOLS["unit_converter"].parse
    assert (
        read("twenty-six point two miles to kilometers")
        == read("26.2 miles to km")
        == read("convert 26,2 mi into kilometres please")
    )


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
@pytest.mark.parametrize(
    "unit", ["1 ", "a ", "in ", "time in ", "1,", "1 and ", "(1", "to the ", "9.", "1 a b ", "half "]
)
def test_no_repetition_makes_a_parser_backtrack_for_long(tool: Tool, unit: str):
    for length in (290, 1_990):
        started = time.thread_time()
        tool.parse(unit * (length // len(unit)))
        assert time.thread_time() - started < 2  # cubic backtracking would take 15 s and more


def test_clock_reads_the_injected_clock():
    past = default_tools(ToolConfig(now=lambda: datetime(1999, 12, 31, 23, 59, tzinfo=timezone.utc)))["clock"]
    assert "23:59 on Friday 31 December 1999" in past.call({"ask": "time"}).output


def test_calculator_runs_no_code():
    for hostile in (
        "().__class__",
        "'a'*10",
        "lambda: 1",
        "[1]*9",
        "print(1)",
        "x",
        "a.b",
        "True",
        "1 if 1 else 2",
        "2 > 1",
        '"%d" % 1',
    ):
        assert TOOLS["calculator"].call({"expression": hostile}).error, hostile


def test_search_reads_a_folder_of_text_and_names_the_file(tmp_path):
    (tmp_path / "pumps.md").write_text(
        "# Pump P-7\n\nThe rated flow of pump P-7 is 40 litres a minute.\n\n# Pump P-9\n\nIt is blue."
    )
    (tmp_path / "notes.txt").write_text("The spare key hangs behind the boiler.")
    search = build_search(ToolConfig(knowledge=tmp_path))
    assert "40 litres a minute. (source: pumps.md" in search.call({"query": "rated flow of pump P-7"}).output
    assert "boiler. (source: notes.txt" in search.call({"query": "where is the spare key"}).output
    assert "Nothing found" in search.call({"query": "capital of Malta"}).output


@pytest.mark.parametrize("content", [None, "empty"])
def test_search_refuses_a_folder_without_text(tmp_path, content):
    folder = tmp_path / "kb"
    if content:
        folder.mkdir()
        (folder / "picture.png").write_bytes(b"\x89PNG")
    with pytest.raises(ValueError, match=r"kb.*at least 1 file.*Give a folder"):
        build_search(ToolConfig(knowledge=folder))


def test_search_offline_never_asks_wikipedia(monkeypatch):
    monkeypatch.setattr("router.builtin.search.urllib.request.urlopen", lambda *a, **k: pytest.fail("asked the internet"))
    assert "Nothing found" in TOOLS["search"].call({"query": "who wrote Hamlet"}).output


def test_search_online_asks_wikipedia_only_where_it_knows_nothing(monkeypatch):
    asked = []

    def answer(request, timeout):
        asked.append(request.full_url)
        return Reply(
            {"query": {"pages": {"1": {"title": "Hamlet", "extract": "Hamlet is a tragedy by William Shakespeare."}}}}
        )

    monkeypatch.setattr("router.builtin.search.urllib.request.urlopen", answer)
    search = build_search(ToolConfig(online=True))
    assert "Valletta" in search.call({"query": "capital of Malta"}).output and not asked
    assert (
        search.call({"query": "who wrote Hamlet"}).output
        == "Hamlet is a tragedy by William Shakespeare. (source: Wikipedia, Hamlet)"
    )
    assert "wikipedia.org" in asked[0]


def test_weather_online_tells_open_meteos_forecast(monkeypatch):
    monkeypatch.setattr("router.builtin.weather.urllib.request.urlopen", lambda url, timeout: Reply(FORECAST))
    weather = default_tools(ToolConfig(online=True))["weather"]
    assert weather.call({"place": "Lisbon", "day": "tomorrow"}).output == (
        "weather in Lisbon tomorrow = rain, 12 to 17 °C, rain 6.5 mm (80% chance), wind up to 31 km/h (Open-Meteo)"
    )


@pytest.mark.parametrize("reply", [OSError("no route"), TimeoutError("slow"), ValueError("not JSON")])
def test_weather_says_so_when_open_meteo_does_not_answer(monkeypatch, reply):
    def fail(url, timeout):
        raise reply

    monkeypatch.setattr("router.builtin.weather.urllib.request.urlopen", fail)
    result = default_tools(ToolConfig(online=True))["weather"].call({"place": "Lisbon"})
    assert "did not answer within 8 s" in result.error and "Check the connection" in result.error


def test_weather_says_so_when_the_forecast_is_malformed():
    with pytest.raises(ValueError, match="lacks"):
        describe("Lisbon", "today", {"daily": {"weather_code": []}})


def test_tools_serve_several_threads_at_once():
    failures = []

    def ask(name: str) -> None:
        question, _, part = CASES[name][0]
        result = TOOLS[name].call(TOOLS[name].parse(question))
        if name != "weather" and part not in (result.output or ""):
            failures.append((name, result.text))

    threads = [threading.Thread(target=ask, args=(name,)) for name in TOOLS for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


class Reply:
    """What urlopen gives: a context manager over a JSON body."""

    def __init__(self, body: dict) -> None:
        self._body = json.dumps(body).encode()

    def read(self) -> bytes:
        return self._body

    def __enter__(self) -> Reply:
        return self

    def __exit__(self, *_: object) -> None:
        return None


FORECAST = {
    "current": {"temperature_2m": 15.2, "weather_code": 2},
    "daily": {
        "weather_code": [2, 63], "temperature_2m_max": [21.3, 16.9], "temperature_2m_min": [14.0, 12.2],
        "precipitation_sum": [0.0, 6.5],
        "precipitation_probability_max": [10, 80], "wind_speed_10m_max": [14.0, 31.2],
    },
}  # fmt: skip


def test_a_span_of_dates_shares_the_year_that_is_said_once() -> None:
    def between(question: str) -> tuple[str, str]:
        found = TOOLS["calendar"].parse(question)
        return found["date"], found["other_date"]

    assert between("how many days between 3 march and 5 june 2024") == ("2024-03-03", "2024-06-05")
    assert between("days from 3 december to 5 june 2024") == ("2023-12-03", "2024-06-05")


@pytest.mark.parametrize(
    ("tool", "question", "slot", "value"),
    [
        ("calculator", "3.50 * 4 in dollars", "expression", "3.50 * 4"),
        ("calculator", "add 20% vat to 349 dollars", "expression", "349 + 20%"),
        ("text", "spell the word hippopotamus for my 9 year old", "text", "hippopotamus"),
    ],
)
def test_what_is_told_around_a_request_is_not_read_into_it(tool: str, question: str, slot: str, value: str) -> None:
    assert TOOLS[tool].parse(question)[slot] == value


def test_every_other_name_of_a_city_is_a_city_that_the_data_knows() -> None:
    assert [name for name, city in places._CITY_ALIASES.items() if places.fold(city) not in places._cities()] == []
