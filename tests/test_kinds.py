"""What was once answered with confidence and wrong, by its kind: the right answer, or none."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from router.builtin import ToolConfig, default_tools
from router.network import Router
from router.plans import plan
from router.types import NON_TOOLS

NOW = datetime(2026, 11, 28, 10, 0, tzinfo=timezone.utc)
ROUTER, TOOLS = Router.from_pretrained(), default_tools(ToolConfig(now=lambda: NOW))

ANSWERED = {
    # two things of a kind are asked about one after the other
    "capital of Bolivia and Chile": ["Sucre", "Santiago"],
    "population of Malta and Cyprus": ["483,530", "1,189,265"],
    "languages of Belgium and Switzerland": ["Dutch", "Romansh"],
    "100 dollars in pounds and euros": ["100 USD =", "100 USD ="],
    "10 euros in dollars, pounds and yen": ["USD (", "GBP (", "JPY ("],
    "capital of France, Spain and Italy": ["Paris", "Madrid", "Rome"],
    "5 miles in km and feet": ["8.04672 km", "26,400 ft"],
    "what time is it in Tokyo and London": ["Tokyo: 19:00", "London: 10:00"],
    "how many days until christmas and new year": ["= 27 days", "= 34 days"],
    "capital of Bosnia and Herzegovina": ["Sarajevo"],
    # a target in two units
    "90 min in hours and minutes": ["= 1 h 30 min"],
    "100 ounces in pounds and ounces": ["= 6 lb 4 oz"],
    "200 pounds in stone and pounds": ["= 14 st 4 lb"],
    "180 cm in feet and inches": ["= 5 ft 10.87 in"],
    "5000 seconds in hours and minutes and seconds": ["= 1 h 23 min 20 s"],
    "5 MW in kW": ["5 MW = 5,000 kW"],
    "60 Mph in km/h": ["60 mph ="],
    # the tool that can read it
    "$5k in pounds": ["5,000 USD ="],
    "how many weeks are there in 60200 days": ["= 8,600 weeks"],
    "how many days are there in 1900 weeks": ["= 13,300 days"],
    "how many weeks in 2024": ["52 weeks"],
    # of two days of an age the earlier is the birth
    "how old will I be on 1 May 2030 if I was born 3 June 1990": ["= 39 years"],
    "I was born 3 June 1990, how old will I be on 1 May 2030": ["= 39 years"],
    "how old was I on 1 may 2000, born 3 june 1990": ["= 9 years"],
    "how long since christmas": ["= 338 days"],
    # here is said to be where
    "noon here in Tokyo": ["12:00 here (UTC) = 21:00 in Tokyo"],
    "what's 5pm Tokyo time here": ["08:00 here (UTC)"],
    # directions and sums
    "90 in euros from dollars": ["90 USD ="],
    "10% of 200 dollars plus 5 dollars": ["= 25"],
    "20% of 50 dollars in euros": ["= 10", "10 USD ="],
    "20% of 50 euros plus 10 euros in dollars": ["= 20", "20 EUR ="],
    "3 times 5 plus 4 miles in km": ["= 19", "30.5775 km"],
    "sum of 5 and 6 miles in km": ["= 11", "17.7028 km"],
    "how old is somebody who was born on 12 feb 1990": ["= 36 years"],
    "is it tomorrow already in sydney": ["Sydney: Saturday 28 November"],
    "reverse hello world": ["dlrow olleh"],
    "5,000 metres in km": ["= 5 km"],
    # of places of one name the largest
    "population of London": ["United Kingdom, is 8,961,989"],
    "population of Birmingham": ["United Kingdom"],
}

NO_CALL = [
    # a fact about something else than all that was asked
    "capital of the country north of Germany", "is Munich the capital of Germany", "capital of the country next to Spain",
    "largest city in Asia", "population of Paris in 1900", "capital of Georgia the US state", "does Botswana use the euro",
    "do they speak german in Syria", "which countries speak spanish", "second largest city of El Salvador",
    "capital of a company", "population of Malta and Cyprus combined", "capital of Georgia or Armenia",
    "how many countries are in south america", "is London the capital of Guyana", "currency of Liuzhou",
    # two targets, of which none is the other's
    "100 cm in feet or inches", "100 dollars in pounds or euros", "5 mW in W", "3 Mm in km", "100 pounds in dollars in words",
    "should I invest 1000 dollars in gold", "100 dollars in silver", "100 dollars and 50 euros in yen",
    "5 dollars plus 3 euros", "5 dollars plus 3 euros in pounds", "20 pounds minus 3 dollars", "add £5 and $3",
    "7 divided by 2 with remainder", "2,000 plus 3.000", "2.500 * 3", "2+2, 3+3",
    # days that no operation counts
    "days since 1 december 2026", "how many days ago was 5 december 2026", "days since tomorrow", "age of someone born 5 may 2030",
    "what day is it in a week and a half in dog years", "day of the year for 3 may 2026", "who was born on 4 July 1976",
    "what time is it on the moon",
    # a forecast for another day, or of something else
    "weather in Rome next week", "will it rain in Belgium on tuesday", "what's the uv index in Moscow", "is it tomorrow in Auckland",
    "any chance of a white christmas in Madagascar", "quelle heure est-il à Tokyo", "wie spät ist es in Berlin",
    "what is the date tomorrow in Tokyo", "what time did it get in Tokyo", "average time in Tokyo", "a pair of 5 kg weights in pounds",
    # texts that are spoken of
    "what's a palindrome", "reverse the decision", "pounds and yen", "is the pound stronger than the euro",
    "what does spell mean", "spell check this sentence", "count to ten", "count on me", "reverse hello twice",
    "spell hello in morse code", "spell hello in german", "spell hello phonetically", "uppercase hello except the h",
]  # fmt: skip

NOT_SMALL_TALK = [
    "combien de jours jusqu'à noël", "wie viele Tage bis Weihnachten", "wie alt ist Angela Merkel", "¿qué tiempo hace en Madrid?",
    "wie viel kostet ein Brot", "ist heute Montag", "quelle heure est-il", "épelle le mot chien", "quanto costa un caffè", "was ist die Hauptstadt von Frankreich",
]  # fmt: skip
SMALL_TALK = ["merci beaucoup", "vielen dank", "wie geht es dir", "buenos días", "good morning", "thanks a lot"]


@pytest.mark.parametrize(("question", "told"), ANSWERED.items(), ids=ANSWERED)
def test_the_whole_question_is_answered(question: str, told: list[str]) -> None:
    found = plan(question, ROUTER, TOOLS)
    assert found.outcome == "call", found.reason
    results = [(step.result or TOOLS[step.call.tool].call(step.call.arguments)).output for step in found.steps]
    assert len(results) == len(told) and all(part in output for part, output in zip(told, results)), results


@pytest.mark.parametrize("question", NO_CALL)
def test_a_question_that_is_read_in_part_makes_no_call(question: str) -> None:
    assert plan(question, ROUTER, TOOLS).outcome != "call"


@pytest.mark.parametrize("question", NOT_SMALL_TALK)
def test_a_language_that_the_network_never_learned_is_not_its_to_decide(question: str) -> None:
    assert plan(question, ROUTER, TOOLS).abstained


@pytest.mark.parametrize("phrase", SMALL_TALK)
def test_small_talk_that_it_knows_stays_small_talk(phrase: str) -> None:
    found = plan(phrase, ROUTER, TOOLS)
    assert not found.abstained and found.decision.tool in NON_TOOLS
