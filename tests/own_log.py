"""A log of six tools that nobody ships, as messy as logs are: in many wordings, and in others that are held out."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from own_tools import SCHEMAS as THREE

from router.types import NONE, Example

SCHEMAS: Mapping[str, tuple[str, dict[str, Any], list[str]]] = {
    **{name: THREE[name] for name in ("lights", "parcel", "ticket")},
    "booking": (
        "Books a meeting room.",
        {
            "room": {"type": "string"},
            "date": {"type": "string", "description": "the day as it was said"},
            "people": {"type": "integer", "minimum": 1},
        },
        ["room", "date"],
    ),
    "expense": (
        "Records an expense.",
        {
            "amount": {"type": "number"},
            "currency": {"type": "string", "enum": ["EUR", "USD", "GBP"]},
            "what": {"type": "string"},
        },
        ["amount", "currency", "what"],
    ),
    "leave": (
        "Asks for days off.",
        {
            "kind": {"type": "string", "enum": ["holiday", "sick"]},
            "days": {"type": "integer"},
            "first": {"type": "string"},
        },
        ["kind"],
    ),
}
ROOMS = ("kitchen", "bedroom", "hall", "office")
DATES = (
    "tomorrow", "friday", "next monday", "2026-12-03", "the 5th of january", "12 dec", "wednesday", "next week tuesday",
    "24/12", "march 3rd", "today", "this thursday", "9 february", "2027-01-15", "jan 20",
)  # fmt: skip
MEETING = ("Aquarium", "blue room", "Turing", "room 4", "the attic", "Oslo", "boardroom", "room 12", "Hopper", "lounge")
FAULTS = (
    "the printer is broken", "vpn drops every hour", "cannot log in to the portal", "my laptop is dead",
    "no sound in the big meeting room", "the export fails with error 500", "coffee machine leaks",
    "badge does not work",
    "screen flickers since the update", "outlook keeps asking for my password", "the wifi is slow on floor 3",
    "a key of my keyboard is stuck", "the projector shows only green", "mails to the customer come back",
    "the build server is full", "my mouse is gone",
)  # fmt: skip
GOODS = (
    "taxi to the airport", "lunch with the client", "train ticket", "two keyboards", "hotel in Lyon", "parking",
    "stamps", "team dinner", "software licence", "paper for the printer", "flight to Oslo", "a book about sql",
    "coffee", "museum tickets", "batteries", "toll",
)  # fmt: skip
MONEY = {"EUR": ("euros", "eur", "euro", "€"), "USD": ("dollars", "usd", "bucks"), "GBP": ("pounds", "gbp", "quid")}
Wordings = Sequence[tuple[str, dict[str, Any]]]
WORDINGS: Mapping[str, tuple[Wordings, Wordings]] = {
    "lights": (
        [
            ("turn on the {room} lights", {"state": "on"}), ("switch the {room} lights off", {"state": "off"}),
            ("lights on in the {room}", {"state": "on"}), ("{room} lights off", {"state": "off"}),
            ("turn the light in the {room} on", {"state": "on"}), ("kill the lights in the {room}", {"state": "off"}),
            ("set the {room} lights to {brightness} percent", {"state": "on"}),
            ("its dark in the {room}, lights on", {"state": "on"}),
            ("{room} lamp on at {brightness}", {"state": "on"}), ("turn off the {room} lamp", {"state": "off"}),
            ("switch on the light in the {room}", {"state": "on"}), ("make it dark in the {room}", {"state": "off"}),
            ("dim the {room} to {brightness} %", {"state": "on"}), ("lights out in the {room}", {"state": "off"}),
            ("some light in the {room}", {"state": "on"}), ("{room} off", {"state": "off"}),
        ],
        [
            ("put the {room} lights on", {"state": "on"}), ("the {room} lights should go off", {"state": "off"}),
            ("turn the {room} lights off", {"state": "off"}), ("switch the lamp in the {room} on", {"state": "on"}),
            ("{room} light to {brightness} percent", {"state": "on"}), ("light on in the {room}", {"state": "on"}),
            ("turn off the lights in the {room}", {"state": "off"}),
            ("set {room} brightness to {brightness}", {"state": "on"}),
        ],
    ),
    "parcel": (
        [
            ("where is my parcel {number}", {}), ("track {number}", {}), ("has {number} shipped", {}),
            ("where is package {number} now", {}), ("status of parcel {number}", {}), ("parcel {number}?", {}),
            ("when does {number} arrive", {}), ("i am waiting for {number}, where is it", {}),
            ("order {number} has not come yet", {}), ("track my package {number}", {}), ("is {number} on its way", {}),
            ("look up parcel {number}", {}), ("wheres my stuff, number is {number}", {}),
            ("did {number} leave the depot", {}),
        ],
        [
            ("where is {number}", {}), ("track parcel {number}", {}), ("any news of parcel {number}", {}),
            ("when will package {number} arrive", {}), ("has my order {number} shipped yet", {}),
            ("can you track order {number}", {}), ("my parcel is {number}, where is it", {}), ("status {number}", {}),
        ],
    ),
    "ticket": (
        [
            ("open a ticket: {title}", {"priority": "normal"}),
            ("open a high priority ticket: {title}", {"priority": "high"}),
            ("ticket please, {title}", {"priority": "normal"}), ("low priority ticket: {title}", {"priority": "low"}),
            ("{title}, open a ticket", {"priority": "normal"}), ("urgent ticket: {title}", {"priority": "high"}),
            ("file a ticket that {title}", {"priority": "normal"}),
            ("report to support: {title}", {"priority": "normal"}),
            ("{title} - this is urgent, open a ticket", {"priority": "high"}),
            ("tell support that {title}", {"priority": "normal"}),
            ("new ticket, not urgent: {title}", {"priority": "low"}),
            ("support ticket high: {title}", {"priority": "high"}), ("create ticket {title}", {"priority": "normal"}),
            ("log a ticket, low priority: {title}", {"priority": "low"}),
        ],
        [
            ("create a ticket: {title}", {"priority": "normal"}),
            ("file a high priority ticket: {title}", {"priority": "high"}),
            ("open an urgent ticket: {title}", {"priority": "high"}), ("new ticket: {title}", {"priority": "normal"}),
            ("low prio ticket, {title}", {"priority": "low"}), ("report that {title}", {"priority": "normal"}),
            ("open a low priority ticket: {title}", {"priority": "low"}),
            ("{title}, please file a ticket", {"priority": "normal"}),
        ],
    ),
    "booking": (
        [
            ("book {meeting} for {date}", {}), ("reserve {meeting} on {date} for {people} people", {}),
            ("is {meeting} free {date}? then book it", {}), ("i need {meeting} {date}", {}),
            ("{meeting} {date}, {people} people", {}), ("book {meeting} {date} for {people}", {}),
            ("can i have {meeting} on {date}", {}), ("meeting in {meeting} {date}, we are {people}", {}),
            ("get me {meeting} for {date}", {}), ("{date} we need {meeting}", {}), ("reserve {meeting} {date}", {}),
            ("room booking: {meeting}, {date}, {people} persons", {}), ("block {meeting} on {date}", {}),
            ("we are {people} on {date}, book {meeting}", {}),
        ],
        [
            ("reserve {meeting} for {date}", {}), ("book {meeting} on {date} for {people} people", {}),
            ("i want {meeting} on {date}", {}), ("book {meeting}, {date}, {people} people", {}),
            ("please get {meeting} {date}", {}), ("on {date} we need {meeting} for {people}", {}),
            ("could we have {meeting} {date}", {}), ("make a booking of {meeting} for {date}", {}),
        ],
    ),
    "expense": (
        [
            ("expense {amount} {money} for {what}", {}), ("i paid {amount} {money} for {what}", {}),
            ("{what} {amount} {money}", {}), ("add {amount} {money}, {what}", {}),
            ("spent {amount} {money} on {what}", {}),
            ("put {what} on my expenses, {amount} {money}", {}), ("claim {amount} {money} for {what}", {}),
            ("{amount} {money} {what}", {}), ("book an expense: {what}, {amount} {money}", {}),
            ("{what} cost me {amount} {money}", {}), ("i want {amount} {money} back for {what}", {}),
            ("record {what} at {amount} {money}", {}), ("new expense {what} {amount} {money}", {}),
        ],
        [
            ("i spent {amount} {money} on {what}", {}), ("add an expense of {amount} {money} for {what}", {}),
            ("expense: {what}, {amount} {money}", {}), ("paid {amount} {money} for {what}", {}),
            ("record {amount} {money} for {what}", {}), ("{what} was {amount} {money}", {}),
            ("please claim {what}, {amount} {money}", {}), ("put {amount} {money} for {what} on my expenses", {}),
        ],
    ),
    "leave": (
        [
            ("i want {days} days of holiday from {first}", {"kind": "holiday"}), ("i am sick", {"kind": "sick"}),
            ("sick today, back in {days} days", {"kind": "sick"}),
            ("holiday from {first} for {days} days", {"kind": "holiday"}),
            ("request {days} days off starting {first}", {"kind": "holiday"}), ("calling in sick", {"kind": "sick"}),
            ("day off please, {first}", {"kind": "holiday"}), ("i have the flu, {days} days", {"kind": "sick"}),
            ("vacation {first}, {days} days", {"kind": "holiday"}),
            ("not feeling well, staying home {days} days", {"kind": "sick"}),
            ("can i take {days} days off from {first}", {"kind": "holiday"}),
            ("sick leave from {first}", {"kind": "sick"}),
            ("leave: holiday, {days} days, first day {first}", {"kind": "holiday"}),
        ],
        [
            ("i would like {days} days of holiday from {first}", {"kind": "holiday"}),
            ("i feel sick", {"kind": "sick"}),
            ("{days} days off from {first} please", {"kind": "holiday"}), ("sick for {days} days", {"kind": "sick"}),
            ("holiday starting {first}, {days} days", {"kind": "holiday"}),
            ("sick leave for {days} days", {"kind": "sick"}),
            ("i need vacation from {first}", {"kind": "holiday"}),
            ("take {days} days of vacation from {first}", {"kind": "holiday"}),
        ],
    ),
}  # fmt: skip
OTHERS = (
    "whats for lunch in the canteen", "who is our contact at the bank", "write a mail to the landlord",
    "sum up the minutes",
    "how many people work here", "translate this into french", "is the canteen open on sundays", "draft a job ad",
    "why is the sky blue", "what did the ceo say yesterday", "give me three names for a puppy", "who won the match",
    "explain the travel policy", "how do i fold a shirt", "make this text shorter", "what is the wifi password",
    "which lights are the most efficient", "how long do parcels take on average", "what counts as an expense",
    "how many days of holiday do people get in france", "best way to word a support request",
    "do rooms have projectors",
)  # fmt: skip
BEFORE = ("", "", "", "", "", "hi, ", "hey ", "please ", "pls ", "ok ", "hello, ", "can you ", "so ")
BEHIND = ("", "", "", "", "", "", " please", " thanks", " pls", ".", "!", " thx", " asap")


def _drawn(pick: random.Random) -> dict[str, tuple[str, dict[str, Any]]]:
    """For each place in a wording what is said there, and the arguments that it means."""
    currency = pick.choice(list(MONEY))
    amount = pick.choice([pick.randrange(2, 900), round(pick.uniform(1, 300), 2)])
    plain: dict[str, Any] = {
        "room": pick.choice(ROOMS),
        "number": pick.choice("RR CP LX".split()) + str(pick.randrange(10_000, 10**9)),
        "title": pick.choice(FAULTS),
        "date": pick.choice(DATES),
        "first": pick.choice(DATES),
        "people": pick.randrange(2, 30),
        "days": pick.randrange(2, 21),
        "brightness": pick.randrange(5, 101),
        "amount": amount,
        "what": pick.choice(GOODS),
    }
    said = {name: (str(value), {name: value}) for name, value in plain.items()}
    meeting = pick.choice(MEETING)
    return said | {
        "money": (pick.choice(MONEY[currency]), {"currency": currency}),
        "meeting": (meeting, {"room": meeting}),
    }


def _asked(wording: tuple[str, dict[str, Any]], tool: str, pick: random.Random) -> Example:
    text, fixed = wording
    drawn = {name: found for name, found in _drawn(pick).items() if f"{{{name}}}" in text}
    arguments = fixed | {slot: value for _, meant in drawn.values() for slot, value in meant.items()}
    question = text.format(**{name: said for name, (said, _) in drawn.items()})
    question = pick.choice(BEFORE) + question + pick.choice(BEHIND)
    manner: Callable[[str], str] = pick.choice([str, str, str, str.capitalize])
    return Example(manner(question) if question[0].islower() else question, tool, arguments)


def log(rows: int, seed: int = 0, held_out: bool = False) -> list[Example]:
    """``rows`` different rows, a fifteenth of them ``none``; ``held_out``: in wordings that the others never have."""
    pick, found = random.Random(f"{seed}/{held_out}"), {}
    while len(found) < rows:
        tool = pick.choice(list(WORDINGS))
        row = _asked(pick.choice(WORDINGS[tool][held_out]), tool, pick)
        if pick.random() < 1 / 15:
            row = Example(pick.choice(OTHERS[held_out::2]), NONE, {})
        found.setdefault(row.question, row)
    return list(found.values())
