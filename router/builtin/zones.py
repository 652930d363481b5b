"""Time zones by the names that people use, besides places: "EST", "pacific time", "UTC+5:30"."""

from __future__ import annotations

import re
from datetime import timedelta, timezone

ZONES = {
    "utc": "UTC", "gmt": "UTC", "z": "UTC", "zulu": "UTC", "est": "America/New_York", "edt": "America/New_York",
    "et": "America/New_York",
    "eastern": "America/New_York", "cst": "America/Chicago", "cdt": "America/Chicago", "ct": "America/Chicago",
    "central": "America/Chicago", "mst": "America/Denver",
    "mdt": "America/Denver", "mountain": "America/Denver", "pst": "America/Los_Angeles", "pdt": "America/Los_Angeles",
    "pt": "America/Los_Angeles", "pacific": "America/Los_Angeles",
    "cet": "Europe/Paris", "cest": "Europe/Paris", "eet": "Europe/Athens", "bst": "Europe/London",
    "wet": "Europe/Lisbon",
    "ist": "Asia/Kolkata", "jst": "Asia/Tokyo", "kst": "Asia/Seoul", "sgt": "Asia/Singapore", "hkt": "Asia/Hong_Kong",
    "msk": "Europe/Moscow",
    "aest": "Australia/Sydney", "aedt": "Australia/Sydney", "awst": "Australia/Perth", "nzst": "Pacific/Auckland",
    "nzdt": "Pacific/Auckland",
    "akst": "America/Anchorage", "hst": "Pacific/Honolulu", "eastern time": "America/New_York",
    "pacific time": "America/Los_Angeles",
    "central time": "America/Chicago", "mountain time": "America/Denver", "antarctica": "Antarctica/McMurdo",
    "south pole": "Antarctica/McMurdo",
    "east coast": "America/New_York", "west coast": "America/Los_Angeles", "greenwich": "UTC",
}  # fmt: skip
_OFFSET = re.compile(r"(?:utc|gmt)\s*([+-])\s*(\d{1,2})(?::?(\d\d))?", re.IGNORECASE)


def is_offset(name: str) -> bool:
    """Whether ``name`` is an offset from UTC."""
    return offset(name) is not None


def offset(name: str) -> timezone | None:
    """The zone that "UTC+5:30" is; None where ``name`` is no offset, or one of more than 14 hours."""
    match = _OFFSET.fullmatch(name.strip())
    if match is None or int(match[2]) > 14 or int(match[3] or 0) > 59:
        return None
    gap = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return timezone(gap if match[1] == "+" else -gap)
