"""Holidays by the names that people use, with their dates from the ``holidays`` package, dateutil and fixed rules.

Leaves out what only a locality keeps. A holiday that several countries keep on different days (Thanksgiving, Labor
Day) is the United States' unless a country is named.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import cache

from dateutil.easter import easter

_FIXED = {
    "Christmas": (12, 25), "Christmas Eve": (12, 24), "New Year's Day": (1, 1), "New Year's Eve": (12, 31),
    "Halloween": (10, 31),
    "Valentine's Day": (2, 14), "St. Patrick's Day": (3, 17), "April Fools' Day": (4, 1), "Boxing Day": (12, 26),
    "Epiphany": (1, 6),
    "Earth Day": (4, 22), "International Women's Day": (3, 8), "May Day": (5, 1), "Pi Day": (3, 14),
    "Groundhog Day": (2, 2), "All Saints' Day": (11, 1),
    "Guy Fawkes Night": (11, 5), "Bastille Day": (7, 14), "Cinco de Mayo": (5, 5), "Canada Day": (7, 1),
    "Australia Day": (1, 26), "ANZAC Day": (4, 25),
    "Remembrance Day": (11, 11), "Veterans Day": (11, 11), "St. Nicholas Day": (12, 6), "Burns Night": (1, 25),
    "Star Wars Day": (5, 4),
    "Juneteenth": (6, 19), "Independence Day": (7, 4), "Day of the Dead": (11, 2), "German Unity Day": (10, 3),
    "St. George's Day": (4, 23), "Leap Day": (2, 29),
}  # fmt: skip
_FROM_EASTER = {
    "Easter": 0, "Good Friday": -2, "Easter Monday": 1, "Palm Sunday": -7, "Ash Wednesday": -46, "Mardi Gras": -47,
    "Shrove Tuesday": -47,
    "Ascension Day": 39, "Pentecost": 49, "Whit Monday": 50, "Corpus Christi": 60, "Maundy Thursday": -3,
    "Holy Saturday": -1,
}  # fmt: skip
# name → (country in ``holidays``, words of its name there)
_NATIONAL = {
    "Thanksgiving": ("US", "Thanksgiving"), "Labor Day": ("US", "Labor Day"), "Memorial Day": ("US", "Memorial Day"),
    "Martin Luther King Day": ("US", "Martin Luther King"), "Presidents' Day": ("US", "Washington's Birthday"),
    "Columbus Day": ("US", "Columbus Day"), "Chinese New Year": ("SG", "Chinese New Year"),
    "Diwali": ("SG", "Deepavali"), "Vesak": ("SG", "Vesak"),
    "Eid al-Fitr": ("SG", "Hari Raya Puasa"), "Eid al-Adha": ("SG", "Hari Raya Haji"), "Holi": ("IN", "Holi"),
    "Rosh Hashanah": ("IL", "Rosh Hashanah"), "Yom Kippur": ("IL", "Yom Kippur"), "Passover": ("IL", "Pesach"),
    "Hanukkah": ("IL", "Hanukkah"), "King's Day": ("NL", "King's Day"), "Midsummer": ("SE", "Midsummer Day"),
}  # fmt: skip
_ALIASES = {
    "xmas": "Christmas", "christmas day": "Christmas", "x-mas": "Christmas", "chrismas": "Christmas",
    "cristmas": "Christmas", "christmass": "Christmas", "xmas day": "Christmas",
    "christmas eve": "Christmas Eve", "xmas eve": "Christmas Eve", "new year": "New Year's Day",
    "new years": "New Year's Day", "new year's": "New Year's Day",
    "new years day": "New Year's Day", "new year is day": "New Year's Day", "new year is": "New Year's Day",
    "new year's day": "New Year's Day", "new years eve": "New Year's Eve", "new year's eve": "New Year's Eve",
    "new year is eve": "New Year's Eve", "new year eve": "New Year's Eve", "nye": "New Year's Eve",
    "hallowe'en": "Halloween", "haloween": "Halloween", "halloween": "Halloween",
    "valentines": "Valentine's Day", "valentine's day": "Valentine's Day", "valentines day": "Valentine's Day",
    "valentine is day": "Valentine's Day", "valentine": "Valentine's Day",
    "st patricks day": "St. Patrick's Day", "st patrick's day": "St. Patrick's Day",
    "st. patrick's day": "St. Patrick's Day", "st patrick is day": "St. Patrick's Day",
    "st. patrick is day": "St. Patrick's Day",
    "saint patrick's day": "St. Patrick's Day", "saint patrick is day": "St. Patrick's Day",
    "saint patricks day": "St. Patrick's Day", "paddys day": "St. Patrick's Day", "april fools": "April Fools' Day",
    "april fools day": "April Fools' Day", "april fool is day": "April Fools' Day",
    "april fool's day": "April Fools' Day",
    "boxing day": "Boxing Day", "earth day": "Earth Day", "women's day": "International Women's Day",
    "women is day": "International Women's Day", "womens day": "International Women's Day",
    "international women's day": "International Women's Day", "may day": "May Day", "pi day": "Pi Day",
    "groundhog day": "Groundhog Day",
    "all saints day": "All Saints' Day", "all saints": "All Saints' Day", "all saints' day": "All Saints' Day",
    "bonfire night": "Guy Fawkes Night", "guy fawkes night": "Guy Fawkes Night", "guy fawkes": "Guy Fawkes Night",
    "bastille day": "Bastille Day", "cinco de mayo": "Cinco de Mayo",
    "canada day": "Canada Day", "australia day": "Australia Day", "anzac day": "ANZAC Day",
    "remembrance day": "Remembrance Day", "armistice day": "Remembrance Day", "veterans day": "Veterans Day",
    "veteran's day": "Veterans Day", "veteran is day": "Veterans Day", "st nicholas day": "St. Nicholas Day",
    "burns night": "Burns Night",
    "star wars day": "Star Wars Day", "juneteenth": "Juneteenth", "independence day": "Independence Day",
    "4th of july": "Independence Day", "fourth of july": "Independence Day", "day of the dead": "Day of the Dead",
    "german unity day": "German Unity Day",
    "epiphany": "Epiphany", "three kings day": "Epiphany", "leap day": "Leap Day", "christmas": "Christmas",
    "easter": "Easter", "easter sunday": "Easter", "easter day": "Easter", "good friday": "Good Friday",
    "easter monday": "Easter Monday", "palm sunday": "Palm Sunday", "ash wednesday": "Ash Wednesday",
    "mardi gras": "Mardi Gras", "shrove tuesday": "Shrove Tuesday", "pancake day": "Shrove Tuesday",
    "fat tuesday": "Mardi Gras",
    "ascension day": "Ascension Day", "ascension": "Ascension Day", "pentecost": "Pentecost",
    "whit monday": "Whit Monday", "whitsun": "Pentecost", "corpus christi": "Corpus Christi",
    "maundy thursday": "Maundy Thursday", "lent": "Ash Wednesday",
    "thanksgiving": "Thanksgiving", "thanksgiving day": "Thanksgiving", "thanks giving": "Thanksgiving",
    "turkey day": "Thanksgiving", "labor day": "Labor Day", "labour day": "Labor Day", "memorial day": "Memorial Day",
    "mlk day": "Martin Luther King Day", "martin luther king day": "Martin Luther King Day",
    "martin luther king jr day": "Martin Luther King Day",
    "presidents day": "Presidents' Day", "president's day": "Presidents' Day", "president is day": "Presidents' Day",
    "presidents' day": "Presidents' Day", "columbus day": "Columbus Day", "indigenous peoples day": "Columbus Day",
    "chinese new year": "Chinese New Year", "lunar new year": "Chinese New Year", "diwali": "Diwali",
    "deepavali": "Diwali", "divali": "Diwali", "vesak": "Vesak",
    "eid": "Eid al-Fitr", "eid al-fitr": "Eid al-Fitr", "eid al fitr": "Eid al-Fitr", "end of ramadan": "Eid al-Fitr",
    "eid al-adha": "Eid al-Adha", "eid al adha": "Eid al-Adha", "holi": "Holi", "rosh hashanah": "Rosh Hashanah",
    "yom kippur": "Yom Kippur", "passover": "Passover", "pesach": "Passover", "hanukkah": "Hanukkah",
    "chanukah": "Hanukkah", "hannukah": "Hanukkah", "hanukah": "Hanukkah",
    "king's day": "King's Day", "kings day": "King's Day", "king is day": "King's Day", "midsummer": "Midsummer",
    "black friday": "Black Friday", "mother's day": "Mother's Day", "mothers day": "Mother's Day",
    "mother is day": "Mother's Day", "father's day": "Father's Day", "fathers day": "Father's Day",
    "father is day": "Father's Day", "super bowl": "", "first day of spring": "", "cyber monday": "Cyber Monday",
    "advent": "First Advent", "first advent": "First Advent",
}  # fmt: skip
HOLIDAY = "|".join(re.escape(n) for n in sorted((n for n, v in _ALIASES.items() if v), key=len, reverse=True))
"""A pattern of the names that people use, in lower case."""
_NAMES = re.compile(rf"(?<![\w])({HOLIDAY})(?![\w])")
_COUNTRIES = {
    "us": "US", "usa": "US", "american": "US", "america": "US", "uk": "GB", "british": "GB", "england": "GB",
    "canadian": "CA", "mexican": "MX", "indian": "IN",
    "irish": "IE", "scottish": "GB", "french": "FR", "german": "DE", "australian": "AU",
}  # fmt: skip


def known() -> tuple[str, ...]:
    """The canonical names of the holidays."""
    return tuple(dict.fromkeys(name for name in _ALIASES.values() if name))


@cache
def country_code(name: str) -> str | None:
    """ISO code of a country that ``holidays`` covers, or None."""
    import holidays

    from router.builtin.places import country_names, fold

    code = _COUNTRIES.get(name.lower()) or country_names().get(fold(name)) or (name.upper() if len(name) == 2 else None)
    return code if code in holidays.list_supported_countries() else None


def holiday_named(name: str) -> str | None:
    """The canonical name of a holiday that is called ``name``, in lower case; None where none is."""
    return _ALIASES.get(name) or None


def holiday_in(text: str) -> tuple[str | None, str | None, int | None]:
    """(canonical holiday, country as written, year) that a lower-case ``text`` names; None for what it does not."""
    match = _NAMES.search(text)
    if not match:
        return None, None, None
    year = re.search(r"(?<![\d$.,])([12]\d{3})(?!\d)", text)
    before = re.search(r"(\w+)\s+$", text[: match.start()])
    country = _COUNTRIES.get(before[1]) if before else None
    where = re.search(r"\bin\s+(?:the\s+)?([a-z][a-z ]+?)(?:\s+(?:in|this|next|\d{4}).*)?$", text[match.end() :])
    if where and country_code(where[1]):
        country = country_code(where[1])
    return _ALIASES[match[1]], country, int(year[1]) if year else None


def holiday_date(name: str, year: int, country: str | None = None) -> tuple[str, date] | None:
    """(canonical name, date) of a holiday in ``year``; None if it is not known or not kept that year.

    ``country`` is an ISO code; without it the holiday's own country is taken.
    """
    canonical = _ALIASES.get(" ".join(name.lower().split())) or next(
        (k for k in known() if k.lower() == name.lower().strip()), None
    )
    try:
        if canonical == "Independence Day" and country not in (None, "US"):
            return _listed(name, year, country, ("Independence Day", "National Day"))
        if canonical in _FIXED and not (country and canonical == "Labor Day"):
            return canonical, date(year, *_FIXED[canonical])
        if canonical in _FROM_EASTER:
            return canonical, easter(year) + timedelta(days=_FROM_EASTER[canonical])
        if canonical in _RULES:
            return canonical, _RULES[canonical](year)
    except ValueError:  # 29 February, or a year before 1583 for Easter
        return None
    if canonical in _NATIONAL:
        home, words = _NATIONAL[canonical]
        found = _listed(
            canonical, year, country or home, (words, canonical, "Labour Day" if canonical == "Labor Day" else words)
        )
        return found and (canonical, found[1])
    return _listed(name, year, country or "US", (name,))


def _listed(name: str, year: int, country: str, words: tuple[str, ...]) -> tuple[str, date] | None:
    days = _days(country, year)
    for word in words:
        found = [
            (label, day) for label, day in days if word.lower() in label.lower() and "observed" not in label.lower()
        ]
        if found:
            return min(found, key=lambda item: item[1])
    return None


@cache
def _days(country: str, year: int) -> tuple[tuple[str, date], ...]:
    import holidays

    categories = set(getattr(holidays, country)(years=year).supported_categories) & {
        "public",
        "optional",
        "government",
        "school",
    }
    for language in ("en_US", "en_GB", None):
        try:
            found = holidays.country_holidays(
                country, years=year, language=language, categories=tuple(sorted(categories))
            )
        except (NotImplementedError, ValueError, KeyError):
            continue
        if found:
            return tuple((label, day) for day, labels in found.items() for label in labels.split("; "))
    return ()


def _nth(year: int, month: int, weekday: int, n: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


_RULES = {
    "Mother's Day": lambda year: _nth(year, 5, 6, 2),
    "Father's Day": lambda year: _nth(year, 6, 6, 3),
    "Black Friday": lambda year: _nth(year, 11, 3, 4) + timedelta(days=1),
    "Cyber Monday": lambda year: _nth(year, 11, 3, 4) + timedelta(days=4),
    "First Advent": lambda year: date(year, 12, 24) - timedelta(days=date(year, 12, 24).isoweekday() % 7 + 21),
}
