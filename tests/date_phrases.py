"""Phrases about days and times whose answer is known, in five forms or more of each kind. Not a test module."""

from __future__ import annotations

import calendar
import random
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from dateutil.easter import easter
from dateutil.relativedelta import relativedelta

NOW = datetime(2026, 11, 28, 10, 0, tzinfo=timezone.utc)
TODAY = NOW.date()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = list(calendar.month_name)[1:]
WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()
CITIES = {
    "Berlin": "Europe/Berlin", "Los Angeles": "America/Los_Angeles", "Tokyo": "Asia/Tokyo", "Sydney": "Australia/Sydney",
    "London": "Europe/London", "Delhi": "Asia/Kolkata", "Lima": "America/Lima", "Nairobi": "Africa/Nairobi",
    "Toronto": "America/Toronto", "Dubai": "Asia/Dubai", "Oslo": "Europe/Oslo", "Honolulu": "Pacific/Honolulu",
    "Kathmandu": "Asia/Kathmandu", "Cairo": "Africa/Cairo", "Madrid": "Europe/Madrid", "Seoul": "Asia/Seoul",
}  # fmt: skip
Phrase = tuple[str, str | None]
"""A question, and what its answer has to hold; None: there is no answer, so that it is to be handed over or refused."""


def long(day: date) -> str:
    return f"{DAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1]} {day.year}"


def written(day: date, rng: random.Random) -> str:
    month, tail = (
        MONTHS[day.month - 1],
        {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10 if day.day // 10 != 1 else 0, "th"),
    )
    return rng.choice([
        day.isoformat(), f"{day.day} {month} {day.year}", f"{month} {day.day}, {day.year}", f"the {day.day}{tail} of {month} {day.year}",
        f"{month[:3]} {day.day} {day.year}",
    ])  # fmt: skip


def some_day(rng: random.Random) -> date:
    return date(1950, 1, 1) + timedelta(days=rng.randrange(40_000))


def offsets(rng: random.Random) -> Phrase:
    """So many days, weeks, months or years, and halves of them, from a day."""
    unit = rng.choice(["day", "week", "month", "year", "fortnight"])
    many = rng.randint(2, 12)
    half = unit in ("week", "year") and rng.random() < 0.4
    if half:
        said = rng.choice([f"{many}.5 {unit}s", f"{WORDS[many]} and a half {unit}s", f"{many} and a half {unit}s"])
    else:
        said = rng.choice([f"{many} {unit}s", f"{WORDS[many]} {unit}s"])
    count = many + half / 2
    step = {"day": timedelta(days=1), "week": timedelta(days=7), "fortnight": timedelta(days=14)}.get(unit)
    form = rng.randrange(6)
    base = TODAY if form < 4 else some_day(rng)
    sign = -1 if form in (2, 3, 5) else 1
    if step:
        day = base + sign * timedelta(days=int(step.days * count))
    else:
        day = base + relativedelta(months=sign * int(count * (12 if unit == "year" else 1)))
    question = [
        f"what's the date {said} from now", f"what date is it in {said}", f"what was the date {said} ago", f"{said} ago what date was it",
        f"what date is {said} after {written(base, rng)}", f"which date is {said} before {written(base, rng)}",
    ][form]  # fmt: skip
    return question, long(day)


def shifted_times(rng: random.Random) -> Phrase:
    """The time so many minutes or hours from now, here or in a city."""
    minutes = rng.choice([rng.randint(2, 59), 60 * rng.randint(2, 11), 60, 90, 150, 30])
    hours = minutes // 60
    said = f"{minutes} minutes"
    if minutes == 60:
        said = rng.choice(["an hour", "one hour", "60 minutes"])
    elif minutes == 30:
        said = rng.choice(["half an hour", "30 minutes", "thirty minutes"])
    elif minutes in (90, 150):
        said = rng.choice(
            [f"{hours} and a half hours", f"{hours}.5 hours", f"{minutes} minutes", f"{hours} hours and 30 minutes"]
        )
    elif minutes % 60 == 0:
        said = rng.choice([f"{hours} hours", f"{WORDS[hours]} hours"])
    city = rng.choice([None, *CITIES])
    where = f" in {city}" if city else ""
    past = rng.random() < 0.5
    moment = (NOW + timedelta(minutes=-minutes if past else minutes)).astimezone(
        ZoneInfo(CITIES[city]) if city else timezone.utc
    )
    question = rng.choice(
        [
            f"what time was it{where} {said} ago",
            f"what time was it {said} ago{where}",
            f"{said} ago what time was it{where}",
        ]
        if past
        else [
            f"what time will it be{where} in {said}",
            f"what time will it be {said} from now{where}",
            f"in {said} what time will it be{where}",
        ]
    )
    return question, f"{moment:%H:%M} on {long(moment.date())}"


def carried_times(rng: random.Random) -> Phrase:
    """A spoken time of one city in another."""
    hour, minute = rng.randrange(24), rng.choice([0, 5, 10, 15, 20, 30, 45, 50])
    twelve, next_hour = hour % 12 or 12, (hour + 1) % 12 or 12
    half = "am" if hour < 12 else "pm"
    later = "am" if (hour + 1) % 24 < 12 else "pm"
    ways = [f"{hour:02}:{minute:02}", f"{twelve}:{minute:02} {half}"]
    if minute == 0:
        ways += [
            f"{twelve} {half}",
            f"{twelve}{half}",
            *(["noon"] if hour == 12 else ["midnight"] if hour == 0 else [f"{WORDS[twelve]} {half}"]),
        ]
    if minute == 30:
        ways += [f"half past {twelve} {half}", f"half past {WORDS[twelve]} {half}"]
    if minute == 15:
        ways += [f"quarter past {twelve} {half}", f"a quarter past {twelve} {half}"]
    if minute == 45 and hour not in (11, 23):
        ways += [f"quarter to {next_hour} {later}", f"a quarter to {WORDS[next_hour]} {later}"]
    if minute == 10:
        ways += [f"ten past {twelve} {half}", f"10 minutes past {twelve} {half}"]
    if minute == 50 and hour not in (11, 23):
        ways += [f"ten to {next_hour} {later}", f"10 to {next_hour} {later}"]
    if minute == 0 and 13 <= hour < 17:
        ways += [f"{twelve} in the afternoon"]
    if minute == 0 and 18 <= hour < 23:
        ways += [f"{twelve} in the evening"]
    said = rng.choice(ways)
    here, there = rng.sample(sorted(CITIES), 2)
    start = datetime(2026, 11, 28, hour, minute, tzinfo=ZoneInfo(CITIES[here]))
    question = rng.choice([
        f"if it is {said} in {here}, what time is it in {there}", f"when it's {said} in {here} what time is it in {there}",
        f"what time is it in {there} when it is {said} in {here}", f"what time is {said} {here} time in {there}",
        f"{said} in {here} is what time in {there}",
    ])  # fmt: skip
    return question, f"= {start.astimezone(ZoneInfo(CITIES[there])):%H:%M} in {there}"


def weekdays(rng: random.Random) -> Phrase:
    """The weekday of a day that exists, or of one that does not."""
    form = rng.choice([
        "what day of the week is {}", "weekday of {}", "which day of the week was {}", "on which weekday did {} fall", "{} weekday",
    ])  # fmt: skip
    if rng.random() < 0.25:
        year = rng.randrange(1990, 2040)
        month, day = rng.choice(
            [(2, 30), (4, 31), (6, 31), (9, 31), (11, 31), (2, 31)] + ([] if calendar.isleap(year) else [(2, 29)] * 3)
        )
        return form.format(
            rng.choice(
                [f"{year}-{month:02}-{day}", f"{day} {MONTHS[month - 1]} {year}", f"{MONTHS[month - 1]} {day}, {year}"]
            )
        ), None
    day = some_day(rng)
    return form.format(written(day, rng)), f"= {DAYS[day.weekday()]}"


def nth_weekdays(rng: random.Random) -> Phrase:
    """The nth weekday of a month."""
    nth, weekday, month, year = rng.randrange(5), rng.randrange(7), rng.randint(1, 12), rng.randrange(2027, 2040)
    days = [day for week in calendar.monthcalendar(year, month) if (day := week[weekday])]
    name = ["first", "second", "third", "fourth", "last"][nth]
    day = date(year, month, days[-1] if nth == 4 else days[nth])
    question = rng.choice([
        "what's the date of the {} {} in {} {}", "when is the {} {} of {} {}", "{} {} of {} {}", "what date is the {} {} of {} {}",
        "which date is the {} {} in {} {}",
    ])  # fmt: skip
    return question.format(name, DAYS[weekday].lower(), MONTHS[month - 1], year), long(day)


def holidays(rng: random.Random) -> Phrase:
    """Days until the next or since the last of a holiday, or its date in a year."""
    fixed = {"christmas": (12, 25), "halloween": (10, 31), "new year's eve": (12, 31), "valentine's day": (2, 14)}
    name = rng.choice([*fixed, "easter"])

    def on(year: int) -> date:
        return easter(year) if name == "easter" else date(year, *fixed[name])

    upcoming = next(on(y) for y in (2026, 2027) if on(y) >= TODAY)
    past = next(on(y) for y in (2026, 2025) if on(y) < TODAY)
    year = rng.randrange(2027, 2040)
    last = rng.choice([None, "last ", ""])
    return rng.choice([
        (f"how many days until {rng.choice(['', 'next '])}{name}", f"= {(upcoming - TODAY).days:,} day"),
        (f"how long until {name}", f"= {(upcoming - TODAY).days:,} day"),
        (f"how many days since {last or ''}{name}", f"= {(TODAY - past).days:,} day"),
        (f"when was last {name}", long(past)),
        (f"when is {name} in {year}", long(on(year))),
        (f"when is {name} next year", long(on(2027))),
    ])  # fmt: skip


def changed(rng: random.Random) -> Phrase:
    """A word that changes what is asked: no tool gives the answer."""
    a, b = sorted((some_day(rng), some_day(rng)))
    weekday, holiday, city = (
        rng.choice(DAYS).lower(),
        rng.choice(["christmas", "easter", "halloween"]),
        rng.choice(sorted(CITIES)),
    )
    return rng.choice([
        f"how many {weekday}s are left this year", f"how many {rng.choice(['working', 'business'])} days until {holiday}",
        f"how many {weekday}s between {written(a, rng)} and {written(b, rng)}", f"how many full moons until {holiday}",
        f"what date is {rng.randint(2, 40)} {rng.choice(['working', 'business'])} days from today", f"how many weekends until {holiday}",
        f"how many hours until {holiday}", f"when does daylight saving time end in {city}", f"what time does the sun rise in {city}",
        "how many school days are left this year", f"what time does the last train leave {city}",
    ]), None  # fmt: skip


KINDS: dict[str, Callable[[random.Random], Phrase]] = {
    room.__name__: room for room in (offsets, shifted_times, carried_times, weekdays, nth_weekdays, holidays, changed)
}
