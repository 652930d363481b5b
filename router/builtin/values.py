"""The bare value in a tool's output, for a chain that hands it to the next tool.

Leaves out understanding: it knows the two shapes that the tools' outputs have, ``question = value (remark)`` and
``The fact of a thing is value. (source: ..., score ...)``, and the clock's ``place: time on date (zone)``.
"""

from __future__ import annotations

import re

_SOURCE = re.compile(r"\s*\(source: [^()]*(?:\([^()]*\)[^()]*)*\)\s*$")
_REMARK = re.compile(r"\s+\([^()]*(?:\([^()]*\)[^()]*)*\)$")
_FACT = re.compile(r"^(?:The\s.+?\s(?:is|are)|.+?\sis the capital of)\s+(?:the\s+)?(?P<value>.+?)\.?$", re.S)


def value_of(output: str) -> str:
    """The value that ``output`` gives: "483,530" of "The population of Malta is 483,530. (source: GeoNames, ...)",
    "Tokyo" of "The capital of Japan is Tokyo. ...", "42.1648 km" of "26.2 mi = 42.1648 km".

    Text of another shape (a paragraph of a document, an error) comes back whole.
    """
    text = _SOURCE.sub("", output.strip())
    if text != output.strip():
        match = _FACT.match(text.split(". The ")[0])
        return _REMARK.sub("", match["value"].rstrip(".")).strip() if match else text
    if " = " in text:
        return _REMARK.sub("", text.rsplit(" = ", 1)[1]).strip()
    clock = re.match(
        r"^(?:[^:\n]{1,80}): (?P<value>(?:\d\d:\d\d on )?(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day .+?)"
        r"(?: \(|$)",
        text,
    )
    return clock["value"].split(" on ")[0] if clock else text


def number_in(output: str) -> str | None:
    """The first number of ``value_of(output)`` as plain digits ("483530"), ready for a calculator or converter, or
    None where there is none."""
    match = re.search(r"-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?", value_of(output))
    return match[0].replace(",", "") if match else None
