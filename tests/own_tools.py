"""Three tools that no room of the library knows, each with four examples, beside the eight that ship."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from router.network import Router
from router.tools import Tool

Body = Callable[..., str]
SCHEMAS: Mapping[str, tuple[str, dict[str, Any], list[str]]] = {
    "lights": (
        "Turns the lights of a room on or off.",
        {
            "room": {"type": "string", "enum": ["kitchen", "bedroom", "hall", "office"]},
            "state": {"type": "string", "enum": ["on", "off"]},
            "brightness": {"type": "integer", "minimum": 1, "maximum": 100},
        },
        ["room", "state"],
    ),
    "parcel": ("Where a parcel is, by its tracking number.", {"number": {"type": "string"}}, ["number"]),
    "ticket": (
        "Opens a support ticket.",
        {"title": {"type": "string"}, "priority": {"type": "string", "enum": ["low", "normal", "high"]}},
        ["title", "priority"],
    ),
}
EXAMPLES = {
    "lights": [
        "turn on the kitchen lights",
        "switch the bedroom lights off",
        "lights on in the hall please",
        "set the office lights to brightness 40 and on",
    ],
    "parcel": ["where is my parcel RR123456789", "track my package", "has my order shipped", "track parcel AB12"],
    "ticket": [
        "open a ticket: the printer is broken",
        "file a high priority ticket about the vpn",
        "create a support ticket",
        "my laptop is dead, open a ticket",
    ],
}


def own_tools(body: Body = lambda tool, **arguments: f"{tool} done") -> dict[str, Tool]:
    """The three by name; ``body`` is called with the tool's name and the arguments."""
    return {
        name: Tool(
            name,
            description,
            {"type": "object", "properties": slots, "required": required},
            partial(body, name),
        )
        for name, (description, slots, required) in SCHEMAS.items()
    }


@cache
def grown_router() -> Router:
    """The router that ships, with the three added by their descriptions and examples."""
    router = Router.from_pretrained()
    for name, (description, _, _) in SCHEMAS.items():
        router = router.add_tool(name, description, EXAMPLES[name]).router
    return router
