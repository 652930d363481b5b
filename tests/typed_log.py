"""A toy log whose values are not the words of its questions: numbers, dates, times, durations, codes."""

from __future__ import annotations

import random
from datetime import date, timedelta
from functools import lru_cache

from call_log import SMALL

from router.calls.tagger import CallModel
from router.learning.tagging import fit_calls
from router.types import Example

WRITTEN = date(2026, 11, 28)
AHEAD = {"today": 0, "tomorrow": 1, "the day after tomorrow": 2, "in 3 days": 3, "in two weeks": 14}
DATES = {"december 6": (12, 6), "on 10 december": (12, 10), "december 24th": (12, 24)}
TIMES = {"7 pm": "19:00", "9am": "09:00", "noon": "12:00", "18:30": "18:30", "8 in the morning": "08:00"}
COUNTS = {"five": 5, "12": 12, "twenty five": 25, "1,200": 1_200, "two hundred": 200, "3": 3, "7": 7}
LASTING = {"2 hours": 120, "ninety minutes": 90, "an hour": 60, "45 min": 45, "10 minutes": 10}
SHOPS = {f"the {place}": f"S-{n}" for n, place in enumerate(
    "harbour market station castle bridge garden mill tower square lake".split())}  # fmt: skip
AIRPORTS = {"oslo": "OSL", "paris": "CDG", "rome": "FCO", "berlin": "BER", "madrid": "MAD", "lima": "LIM"}


def _remind(pick: random.Random, day: date) -> Example:
    days = {said: day + timedelta(ahead) for said, ahead in AHEAD.items()}
    days |= {said: date(day.year, *of) for said, of in DATES.items()}
    days["on friday"] = day + timedelta((4 - day.weekday()) % 7 or 7)
    when, then = pick.choice(list(days.items()))
    at, time = pick.choice(list(TIMES.items()))
    what = pick.choice(["call mum", "buy milk", "water the plants", "pay the rent"])
    text = pick.choice([f"remind me {when} at {at} to {what}", f"set a reminder to {what} {when} at {at}"])
    return Example(text, "remind", {"date": str(then), "time": time, "text": what, "by": "push"})


def _order(pick: random.Random, day: date) -> Example:
    count, number = pick.choice(list(COUNTS.items()))
    long, minutes = pick.choice(list(LASTING.items()))
    shop, code = pick.choice(list(SHOPS.items()))
    text = pick.choice([f"order {count} boxes from {shop} to arrive within {long}",
                        f"I need {count} boxes in {long} at most, {shop} has them"])  # fmt: skip
    return Example(text, "order", {"boxes": number, "minutes": minutes, "shop": code})


def _fly(pick: random.Random, day: date) -> Example:
    city, code = pick.choice(list(AIRPORTS.items()))
    seats, number = pick.choice([("", 2), ("", 2), *((f" for {said}", n) for said, n in COUNTS.items())])
    text = pick.choice([f"book a flight to {city}{seats}", f"fly to {city}{seats} please"])
    return Example(text, "fly", {"to": code, "seats": number, "home": city.title()})


def typed_log(rows: int, seed: int = 0, day: date = WRITTEN) -> list[Example]:
    pick = random.Random(seed)
    return [(_remind, _order, _fly)[i % 3](pick, day) for i in range(rows)]


@lru_cache(1)
def typed_model() -> CallModel:
    return fit_calls(typed_log(180), SMALL)
