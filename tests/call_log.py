"""A toy log of three tools and small talk: spans, classes, constants, numbers, a slot that is there only sometimes."""

from __future__ import annotations

import random
from functools import lru_cache

from router.calls.tagger import CallModel
from router.learning.call_log import Drawing
from router.learning.tagging import CallTrainingConfig, fit_calls
from router.network.module import NetworkConfig
from router.types import Example

SMALL = CallTrainingConfig(
    network=NetworkConfig(48, 48, dropout=0.1, word_dropout=0.1),
    members=2,
    drawing=Drawing(batch_size=32, swapped=0.9, swap=0.8),
    epochs=10,
    least_steps=250,
)
ROOMS = "kitchen, hall, cellar, attic, bath room, garden shed, guest room, garage".split(", ")
PEOPLE = "Ada, Grace, Linus, Barbara Liskov, José Núñez, Edsger, Tony Hoare, 李雷".split(", ")


def _lamp(pick: random.Random) -> Example:
    state, room = pick.choice([("on", True), ("off", False)]), pick.choice(ROOMS)
    text = pick.choice(["switch {} the light in the {}", "turn {} the {} lamp", "please turn {} the lights in the {}"])
    return Example(text.format(state[0], room), "lamp", {"room": room, "lit": state[1], "source": "voice"})


def _parcel(pick: random.Random) -> Example:
    person, weight = pick.choice(PEOPLE), pick.randrange(1, 400)
    text, speed = pick.choice(
        [("send a parcel of {} kg to {}", None), ("send {} kg to {} quickly", "express"),
         ("rush a parcel of {} kg to {}", "express"), ("post {} kg to {} when you can", "slow")]
    )  # fmt: skip
    arguments = {"weight": weight, "to": person} | ({"speed": speed} if speed else {})
    return Example(text.format(weight, person), "parcel", arguments)


def _invite(pick: random.Random) -> Example:
    people = pick.sample(PEOPLE, pick.choice([1, 2]))
    text = pick.choice(["invite {} to dinner", "ask {} for dinner", "have {} over"])
    return Example(text.format(" and ".join(people)), "invite", {"guest": people if len(people) > 1 else people[0]})


def _none(pick: random.Random) -> Example:
    return Example(pick.choice(["hello", "thank you", "how are you", "who are you", "good night"]), "none", {})


def log(rows: int, seed: int = 0) -> list[Example]:
    pick = random.Random(seed)
    return [pick.choice([_lamp, _parcel, _invite, _none])(pick) for _ in range(rows)]


@lru_cache(1)
def small_model() -> CallModel:
    return fit_calls(log(500), SMALL)
