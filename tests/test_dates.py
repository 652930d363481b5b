"""Days and times: every kind of phrase read right or handed over, and none answered wrong with confidence."""

from __future__ import annotations

import json
import random
from datetime import date

import pytest
from date_phrases import KINDS, NOW, TODAY

from router.builtin import ToolConfig, default_tools
from router.builtin.moments import name_day, name_days
from router.builtin.said import SAID
from router.builtin.times import find_times, spoken
from router.learning.shipped import said_words
from router.network import Router
from router.plans import plan
from router.types import Plan

ROUTER = Router.from_pretrained()
TOOLS = default_tools(ToolConfig(now=lambda: NOW))

ANSWERED = [
    ("what's the date two and a half weeks from now", "= Tuesday 15 December 2026"),
    ("what was the date a year and a half ago", "= Wednesday 28 May 2025"),
    ("what time was it an hour ago", "09:00 on Saturday 28 November 2026"),
    ("what time will it be 45 minutes from now in Tokyo", "19:45 on Saturday 28 November 2026"),
    ("in 90 minutes what time will it be", "11:30 on Saturday"),
    (
        "if it is half past 8 in berlin, what time is it in los angeles",
        "08:30 in Berlin = 23:30 in Los Angeles (previous day)",
    ),
    (
        "if it is quarter to 9 in the evening in paris what time is it in tokyo",
        "20:45 in Paris = 04:45 in Tokyo (next day)",
    ),
    ("if it is 3 pm EST what time is it in UTC+5:30", "15:00 in EST = 01:30 in UTC+5:30 (next day)"),
    ("if it's 11:45 PM here what time is it in Khartoum", "23:45 here (UTC) = 01:45 in Khartoum (next day)"),
    ("how many weeks in 2026", "(52 weeks and 1 day)"),
    ("third friday of march", "= Friday 19 March 2027"),
    ("the day before 1 march 2024", "= Thursday 29 February 2024"),
    ("the monday after easter 2027", "= Monday 29 March 2027"),
    ("how many days since last christmas", "= 338 days"),
    ("how many days until next christmas", "= 27 days"),
    ("when was last easter", "= Sunday 5 April 2026"),
    ("my birthday is May 12, how many days left", "until Wednesday 12 May 2027 = 165 days"),
]
REFUSED = [
    ("what day of the week is 2024-02-30", "2024-02-30"),
    ("weekday of 29 February 2023", "29 february 2023"),
    ("31 april weekday", "31 april"),
    ("when is the fifth friday of february 2026", "fifth friday of february 2026"),
    ("what day is 2024-13-01", "2024-13-01"),
]
HANDED_OVER = [
    ("how many mondays are left this year", "mondays"),
    ("how many working days until christmas", "working"),
    ("what date is 10 business days from today", "10"),
    ("how many hours until easter", None),
    ("what day is 03/04/2025", None),
    ("when does daylight saving time end in berlin", "daylight"),
    ("how many time zones away is Singapore", None),
    ("how far is it from london to paris", None),
    ("time in Tokyo and 2+2", "2"),
    ("what time is it in New York or in London", None),
    ("if it is 9 am on 3 July in London what time is it in New York", "3"),
    ("what time does the sun rise in Oslo", "sun"),
]
TURNED_BACK = [
    "and in metres?",
    "the same for Oslo",
    "what about tomorrow",
    "and for that?",
    "convert that to euros",
    "and Berlin?",
]
STRANGE = [
    "который час",
    "कितने बजे हैं",
    "今天天气怎么样",
    "كم الساعة",
    "날씨 어때",
    "กี่โมงแล้ว",
    "kitne baje hain",
    "🍕🍕🍕",
]
TALK = ["hola", "merci beaucoup", "спасибо", "привіт", "你好", "नमस्ते", "こんにちは", "👍", "dzień dobry"]


def told(found: Plan) -> list[str]:
    return [(step.result or TOOLS[step.call.tool].call(step.call.arguments)).text for step in found.steps]


@pytest.mark.parametrize(("question", "answer"), ANSWERED)
def test_days_and_times_are_read_as_people_say_them(question: str, answer: str) -> None:
    found = plan(question, ROUTER, TOOLS)
    assert found.outcome == "call" and len(found.steps) == 1, found
    assert answer in told(found)[0]


@pytest.mark.parametrize(("question", "day"), REFUSED)
def test_a_day_that_does_not_exist_is_said_not_to_exist(question: str, day: str) -> None:
    (text,) = told(plan(question, ROUTER, TOOLS))
    assert text.startswith("Error: There is no such date") and day in text


@pytest.mark.parametrize(("question", "word"), HANDED_OVER)
def test_a_word_that_changes_the_question_hands_it_over(question: str, word: str | None) -> None:
    found = plan(question, ROUTER, TOOLS)
    assert found.outcome in ("abstain", "none"), found
    assert word is None or repr(word) in found.reason


@pytest.mark.parametrize("question", TURNED_BACK)
def test_a_question_that_needs_the_turn_before_it_is_handed_over(question: str) -> None:
    found = plan(question, ROUTER, TOOLS)
    assert found.abstained and "turn before" in found.reason


@pytest.mark.parametrize("kind", KINDS)
def test_phrases_whose_answer_is_known_are_answered_right_or_handed_over(kind: str) -> None:
    wrong, over, count, rng = [], 0, 60, random.Random(f"held/{kind}")
    for question, answer in (KINDS[kind](rng) for _ in range(count)):
        found = plan(question, ROUTER, TOOLS)
        if found.outcome != "call":
            over += answer is not None
        elif not any(text.startswith("Error") if answer is None else answer in text for text in told(found)):
            wrong.append((question, answer, told(found)))
    assert not wrong
    assert over <= 0.15 * count


@pytest.mark.parametrize("question", STRANGE)
def test_words_that_the_network_never_saw_are_not_its_to_decide(question: str) -> None:
    found = plan(question, ROUTER, TOOLS)
    assert found.abstained and "unknown to the router" in found.reason


@pytest.mark.parametrize("phrase", TALK)
def test_small_talk_in_languages_that_it_knows_stays_small_talk(phrase: str) -> None:
    decision = ROUTER.decide(phrase)
    assert decision.tool == "smalltalk" and not decision.abstained


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("the twenty-first of june 2027", date(2027, 6, 21)),
        ("last day of february 2028", date(2028, 2, 29)),
        ("end of next month", date(2026, 12, 31)),
        ("friday next week", date(2026, 12, 4)),
        ("a week from friday", date(2026, 12, 11)),
        ("2 weeks before the day after christmas", date(2026, 12, 12)),
        ("1 year, 2 months and 3 days after 5 may 2020", date(2021, 7, 8)),
        ("canadian thanksgiving 2027", date(2027, 10, 11)),
        ("20/12/2026", date(2026, 12, 20)),
        ("5 may next year", date(2027, 5, 5)),
    ],
)
def test_a_day_may_be_said_from_another(text: str, day: date) -> None:
    found = name_day(text.replace("twenty", "20"), TODAY)
    assert found is not None and found.day == day


def test_what_may_be_two_days_is_none() -> None:
    (moment,) = name_days("what day is 03/04/2025", TODAY).moments
    assert moment.ambiguous and moment.day is None


def test_spans_that_are_counted_are_no_day() -> None:
    assert not name_days("how many days in 3 weeks", TODAY).moments


@pytest.mark.parametrize(
    ("text", "said"),
    [("half past 8", "08:30"), ("20 to 5 pm", "16:40"), ("eight thirty am", "08:30"), ("12 am", "00:00"), ("noon", "12:00"),
     ("9 in the evening", "21:00"), ("1500 hours", "15:00"), ("an hour and a half ago", "-90 minutes"), ("half 8", None), ("25:00", "")],
)  # fmt: skip
def test_times_of_day_are_read_or_left(text: str, said: str | None) -> None:
    assert [time.said for time in find_times(spoken(text))] == ([] if said is None else [said])


def test_the_words_of_questions_are_those_of_the_templates() -> None:
    assert json.loads(SAID.read_text("utf-8")) == said_words(default_tools())
