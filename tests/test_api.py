"""``/route`` and ``/race`` as a client calls them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from app import build_page, flags
from pages import frame
from pages.services import Limits, Options
from pages.wiring import load_services
from tests.browser.scripted import services


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    page = build_page(services(Limits(questions_per_hour=3)))
    address, _ = frame.serve(page, "127.0.0.1", None)
    yield Client(address, verbose=False)
    page.close()


def test_only_the_documented_endpoints_are_public(client: Client) -> None:
    assert set(client.view_api(return_format="dict")["named_endpoints"]) == {"/route", "/race"}


def test_route_gives_the_decision_and_its_arguments(client: Client) -> None:
    found = client.predict("18% of 64.50", api_name="/route")
    assert found["tool"] == "calculator"
    assert found["arguments"] == {"expression": "18/100*64.50"}
    assert sum(found["probabilities"].values()) == pytest.approx(1)


def test_race_gives_one_result_a_path(client: Client) -> None:
    found = client.predict("18% of 64.50", paths="router,llm_chain", api_name="/race")
    assert {path: run["usage"]["calls"] for path, run in found.items()} == {"router": 1, "llm_chain": 3}
    assert found["router"]["tool_results"][0]["output"] == "18% of 64.50 = 11.61"


def test_bad_calls_are_refused_with_a_sentence(client: Client) -> None:
    with pytest.raises(AppError, match="The question is empty"):
        client.predict("", api_name="/route")
    with pytest.raises(AppError, match="Choose from llm_chain, tool_calling, router"):
        client.predict("q", paths="router,magic", api_name="/race")


def test_the_hourly_limit_holds_for_the_interface_too(client: Client) -> None:
    with pytest.raises(AppError, match="which is its limit"):
        for _ in range(4):
            client.predict("q", paths="router", api_name="/race")


@pytest.mark.parametrize("text", ["0", "x", "1/2/3", "5/0", ""])
def test_an_unfit_demo_limit_is_refused_with_an_example(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        flags(["--demo-limit", text])
    assert "Try 20 or 20/200" in capsys.readouterr().err


def test_a_demo_has_a_limit_an_hour_without_asking() -> None:
    assert flags(["--demo-limit", "3"]).demo_limit == (3, 60)
    assert flags(["--demo-limit", "3/5"]).demo_limit == (3, 5)


@pytest.mark.parametrize("text", ["0", "-1", "x", "nan", "inf", "0.1/2/3", "5/0", ""])
def test_an_unfit_demo_budget_is_refused_with_an_example(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        flags(["--demo-budget", text])
    assert "Try 0.05 or 0.05/2" in capsys.readouterr().err


def test_a_budget_an_hour_is_twenty_visits_worth_unless_it_is_given() -> None:
    assert flags(["--demo-budget", "0.5"]).demo_budget == (0.5, 10.0)
    assert flags(["--demo-budget", "0.05/2"]).demo_budget == (0.05, 2.0)


@pytest.mark.parametrize(("lm", "says"), [("embedded", "for none"), ("openai/nobody-knows-it", "no price is known")])
def test_a_budget_that_cannot_be_counted_is_refused_at_launch(lm: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        load_services(Options(lm=lm), Limits(dollars_per_session=1.0))


def test_flags_have_a_default_that_needs_nothing() -> None:
    chosen = flags([])
    assert (chosen.lm, chosen.host, chosen.share, chosen.online, chosen.demo_limit) == (
        "embedded",
        None,
        False,
        False,
        (None, None),
    )
