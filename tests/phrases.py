"""Phrases of numbers, units and money whose value is known: five forms or more of each kind.

A phrase is (question, value). The value is that of the answer, or None where only handing over is right. Money is asked
for in EUR at rates that the caller gives, so that a value can be checked without a converter.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from router.builtin.numbers import NUMBER, clean, number, plain

Phrase = tuple[str, float | None]
PER_EURO = {"USD": 1.25, "GBP": 0.8, "JPY": 160.0, "INR": 100.0, "CHF": 0.95, "CAD": 1.5}
"""Units of a currency for one euro, as the tests of these phrases set them."""
METRES = {
    "km": 1000,
    "miles": 1609.344,
    "m": 1,
    "metres": 1,
    "feet": 0.3048,
    "yards": 0.9144,
    "inches": 0.0254,
    "cm": 0.01,
}
GRAMS = {"kg": 1000, "grams": 1, "pounds": 453.59237, "ounces": 28.349523125, "lbs": 453.59237, "mg": 0.001}
MILLILITRES = {
    "ml": 1,
    "litres": 1000,
    "cups": 236.5882365,
    "gallons": 3785.411784,
    "pints": 473.176473,
    "teaspoons": 4.92892159375,
}
SECONDS = {"hours": 3600, "minutes": 60, "seconds": 1, "days": 86400, "weeks": 604800}
FAMILIES = (METRES, GRAMS, MILLILITRES, SECONDS)
ONE = {"miles": "mile", "metres": "metre", "feet": "foot", "yards": "yard", "inches": "inch", "pounds": "pound", "ounces": "ounce",
       "litres": "litre", "cups": "cup", "gallons": "gallon", "pints": "pint", "hours": "hour", "minutes": "minute", "days": "day",
       "weeks": "week", "kg": "kg", "km": "km", "m": "metre", "cm": "cm", "grams": "gram", "lbs": "lb", "mg": "mg", "ml": "ml",
       "teaspoons": "teaspoon", "seconds": "second"}  # fmt: skip
SMALL = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "x x twenty thirty forty fifty sixty seventy eighty ninety".split()
PARTS = {
    2: ("half", "halves"),
    3: ("third", "thirds"),
    4: ("quarter", "quarters"),
    5: ("fifth", "fifths"),
    8: ("eighth", "eighths"),
}
GLYPHS = {"½": 1 / 2, "¼": 1 / 4, "¾": 3 / 4, "⅓": 1 / 3, "⅔": 2 / 3, "⅛": 1 / 8, "⅜": 3 / 8, "⅕": 1 / 5, "⅚": 5 / 6}


def to_number(text: str) -> float | int | None:
    """The one number that ``text`` says, or None."""
    text = plain(clean(text)).strip()
    return number(text) if re.fullmatch(NUMBER, text) else None


def words(n: int) -> str:
    """``n`` below a million in English."""
    if n < 20:
        return SMALL[n]
    if n < 100:
        return TENS[n // 10] + (f"-{SMALL[n % 10]}" if n % 10 else "")
    if n < 1000:
        return f"{SMALL[n // 100]} hundred" + (f" and {words(n % 100)}" if n % 100 else "")
    return f"{words(n // 1000)} thousand" + (f" {words(n % 1000)}" if n % 1000 else "")


def _units(rng: random.Random) -> tuple[str, str, float]:
    """Two units and how many of the second make one of the first."""
    family = rng.choice(FAMILIES)
    one, other = rng.sample(sorted(family), 2)
    while family[one] == family[other]:
        one, other = rng.sample(sorted(family), 2)
    return one, other, family[one] / family[other]


def _converted(rng: random.Random, said: str, value: float, glued: bool = False) -> Phrase:
    """A conversion of the quantity that ``said`` says."""
    one, other, factor = _units(rng)
    form = rng.choice(CONVERSIONS)
    return form.format(n=said, one=one, other=other), value * factor


CONVERSIONS = (
    "{n} {one} in {other}", "convert {n} {one} to {other}", "how many {other} is {n} {one}", "what is {n} {one} in {other}?",
    "in {other}, how much is {n} {one}", "how many {other} are there in {n} {one}?", "{n} {one} to {other} please",
)  # fmt: skip
CODES = {"USD": ("dollars", "$", "US dollars"), "GBP": ("pounds sterling", "£", "british pounds"), "JPY": ("yen", "¥", "japanese yen"),
         "INR": ("rupees", "₹", "indian rupees"), "CHF": ("swiss francs", None, "francs"), "CAD": ("canadian dollars", "CA$", "CAD"),
         "EUR": ("euros", "€", "euro")}  # fmt: skip
RATES = {**PER_EURO, "EUR": 1.0}


def _money(rng: random.Random, said: str, value: float, glue: str = "") -> Phrase:
    """Money of the amount that ``said`` says, by sign, code or word, in every order."""
    one, other = rng.sample(sorted(CODES), 2)
    (name, sign, long), (to_name, to_sign, to_long) = CODES[one], CODES[other]
    amounts = [
        f"{said}{glue} {name}",
        f"{said}{glue} {one}",
        f"{one} {said}{glue}",
        f"{said}{glue} {long}",
        f"{said}{glue} {one.lower()}",
    ]
    amounts += [f"{sign}{said}{glue}"] * 2 if sign else []
    targets = [to_name, other, to_long, other.lower()] + ([to_sign] if to_sign else [])
    amount, target = rng.choice(amounts), rng.choice(targets)
    form = rng.choice(MONEY)
    if target == to_sign and not form.endswith("{to}"):
        target = to_name
    return form.format(a=amount, to=target), value / RATES[one] * RATES[other]


MONEY = (
    "{a} in {to}", "convert {a} to {to}", "how many {to} is {a}", "what is {a} in {to}", "in {to} {a}", "{to} for {a}",
    "how much is {a} in {to}", "exchange {a} for {to}", "how many {to} do i get for {a}?",
)  # fmt: skip


def points(rng: random.Random) -> Phrase:
    """Leading points and commas, separators, decimal commas."""
    n, d = rng.randint(1, 999), rng.randint(1, 99)
    said, value = rng.choice([
        (f".{d:02d}", d / 100), (f"0.{d:02d}", d / 100), (f"{n}.{d:02d}", n + d / 100), (f"{n},{d:02d}", n + d / 100),
        (f"{n},{d:03d}.5", n * 1000 + d + 0.5), (f"{n},{d:03d}", n * 1000 + d), (f",{d:02d}", d / 100),
        (f"{n}.{d:03d},50", n * 1000 + d + 0.5), (f"{n} {d:03d}", n * 1000 + d), (f"{n}'{d:03d}", n * 1000 + d),
    ])  # fmt: skip
    return rng.choice([_converted, _money])(rng, said, value)


def ambiguous(rng: random.Random) -> Phrase:
    """One point before three digits, beside money or measures: a decimal point here and a separator there."""
    said = f"{rng.randint(1, 99)}.{rng.randint(1, 9)}00"
    return _money(rng, said, 0)[0], None


SUFFIXES = {"k": 1e3, "K": 1e3, "m": 1e6, "mn": 1e6, "bn": 1e9, "tn": 1e12, "M": 1e6, "mio": 1e6}
SCALES = {
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
    "trillion": 1e12,
    "lakh": 1e5,
    "crore": 1e7,
    "hundred": 100,
    "dozen": 12,
    "hundred thousand": 1e5,
}


def scales(rng: random.Random) -> Phrase:
    """Scale words and suffixes."""
    n = rng.choice([rng.randint(1, 40), rng.randint(11, 99) / 10])
    if rng.random() < 0.5:
        suffix = rng.choice(sorted(SUFFIXES))
        return _money(rng, f"{n:g}", n * SUFFIXES[suffix], suffix)
    scale = rng.choice(sorted(SCALES))
    said = rng.choice([f"{n:g} {scale}", f"{n:g} {scale}"] + ([f"{words(int(n))} {scale}"] if n == int(n) else []))
    if rng.random() < 0.2:
        said, n = f"a {scale}", 1
    if rng.random() < 0.1:
        said, n = f"half a {scale}", 0.5
    return rng.choice([_converted, _money, _product])(rng, said, n * SCALES[scale])


def _product(rng: random.Random, said: str, value: float) -> Phrase:
    b = rng.randint(2, 30)
    return rng.choice([
        (f"{said} times {b}", value * b), (f"{said} divided by {b}", value / b), (f"what is {said} plus {b}?", value + b),
        (f"{said} minus {b}", value - b), (f"what's {b}% of {said}", value * b / 100), (f"multiply {said} by {b}", value * b),
    ])  # fmt: skip


def fractions(rng: random.Random) -> Phrase:
    """Fractions in words and with a slash, of units and of numbers."""
    bottom = rng.choice(sorted(PARTS))
    top = rng.choice([1, 1, *range(1, bottom)])
    part = PARTS[bottom][top > 1]
    name = rng.choice([words(top), str(top)] if top > 1 else ["a", "one"])
    if bottom == 2:
        name = rng.choice(["", "one"])
    value, said = top / bottom, f"{name} {part}".strip()
    form = rng.randrange(6)
    one, other, factor = _units(rng)
    single, many = ONE[one], other
    if form == 0:
        return f"{said} of {rng.choice(['a', 'one'])} {single} in {many}".replace("a ounce", "an ounce"), value * factor
    if form == 1 and (bottom == 2 or top > 1):
        return (
            f"how many {many} is {said.removeprefix('one ')} a {single}"
            if bottom == 2
            else f"{said} of a {single} to {many}",
            value * factor,
        )
    if form == 2:
        whole = rng.randint(1, 19)
        extra = "a half" if bottom == 2 else said
        return f"{rng.choice([words(whole), str(whole)])} and {extra} {one} in {many}", (whole + value) * factor
    if form == 3:
        whole, t, b = rng.randint(1, 30), *rng.choice([(1, 2), (3, 4), (1, 4), (2, 3), (5, 8)])
        sep = rng.choice([" ", "-", " and "])
        return f"{whole}{sep}{t}/{b} {one} in {many}", (whole + t / b) * factor
    if form == 4:
        n = rng.randint(2, 400)
        lead = rng.choice(["", "what is ", "what's ", "how much is "])
        return f"{lead}{said} of {n}", value * n
    t, b = rng.choice([(1, 2), (3, 4), (1, 4), (2, 3), (5, 8)])
    return rng.choice([f"{t}/{b} {single} in {many}", f"convert {t}/{b} of a {single} to {many}"]), t / b * factor


def signs(rng: random.Random) -> Phrase:
    """Fraction signs, alone and behind a whole number."""
    sign = rng.choice(sorted(GLYPHS))
    whole = rng.choice([0, 0, *range(1, 20)])
    said = sign if not whole else rng.choice([f"{whole}{sign}", f"{whole} {sign}"])
    value = whole + GLYPHS[sign]
    form = rng.randrange(4)
    if form == 0 and not whole:
        n = rng.randint(2, 300)
        return f"{sign} of {n}", value * n
    one, other, factor = _units(rng)
    if form == 1:
        return f"{said} {ONE[one]} in {other}", value * factor
    return _converted(rng, said, value) if form < 3 else _product(rng, said, value)


def scientific(rng: random.Random) -> Phrase:
    m, e = rng.choice([1, 2, 5, 1.5, 6.02, 3.4]), rng.randint(2, 9)
    value = m * 10**e
    said, value = rng.choice([
        (f"{m}e{e}", value), (f"{m}E{e}", value), (f"{m} x 10^{e}", value), (f"{m}e-{e}", m / 10**e), (f"{m} × 10^{e}", value),
        (f"{m}*10^{e}", value), (f"{m} times ten to the {e}", None), (f"10^{e}", 10.0**e),
    ])  # fmt: skip
    if value is None:
        said, value = f"{m}e+{e}", m * 10**e
    return rng.choice([_converted, _product])(rng, said, value)


def negatives(rng: random.Random) -> Phrase:
    a, b = rng.randint(2, 99), rng.randint(2, 40)
    return rng.choice([
        (f"{a} modulo -{b}", float(a % -b)), (f"-{a} mod {b}", float(-a % b)), (f"{a} times -{b}", -a * b), (f"what is -{a} plus {b}", b - a),
        (f"{a} minus -{b}", a + b), (f"{a} - -{b}", a + b), (f"{a} divided by -{b}", -a / b), (f"negative {a} times {b}", -a * b),
        (f"minus {a} plus minus {b}", -a - b), (f"-{a} * -{b}", a * b), (f"{a} + (-{b})", a - b), (f"add -{a} and {b}", b - a),
        (f"the product of -{a} and {b}", -a * b), (f"−{a} + {b}", b - a), (f"{a} % -{b}", float(a % -b)), (f"subtract -{a} from {b}", a + b),
        (f"average of -{a}, {b} and 7", (7 + b - a) / 3), (f"what is the remainder of {a} divided by -{b}", float(a % -b)),
        (f"{a}*-{b}", -a * b),
    ])  # fmt: skip


def percents(rng: random.Random) -> Phrase:
    p, n = rng.choice([rng.randint(1, 99), rng.randint(1, 99) / 10, 0.5]), rng.randint(10, 900)
    said = rng.choice([f"{p}%", f"{p} %", f"{p} percent", f"{p} per cent", f"{p}%"])
    if p == 0.5:
        said = rng.choice([".5%", "0.5%", "half a percent", "½%", "0,5%", ".5 percent"])
    return rng.choice([
        (f"what's {said} of {n}", n * p / 100), (f"{said} of {n}", n * p / 100), (f"{said} off {n}", n * (1 - p / 100)),
        (f"{n} plus {said}", n * (1 + p / 100)), (f"{n} minus {said}", n * (1 - p / 100)), (f"{said} tip on ${n}", n * p / 100),
        (f"increase {n} by {said}", n * (1 + p / 100)), (f"decrease {n} by {said}", n * (1 - p / 100)), (f"{n} + {said}", n * (1 + p / 100)),
        (f"add {said} to {n}", n * (1 + p / 100)), (f"take {said} off {n}", n * (1 - p / 100)), (f"what is {said} of {n}?", n * p / 100),
        (f"${n} with {said} off", n * (1 - p / 100)),
    ])  # fmt: skip


def ranges(rng: random.Random) -> Phrase:
    a = rng.randint(2, 50)
    b = a + rng.randint(1, 30)
    said = rng.choice(
        [f"{a}-{b}", f"{a} to {b}", f"between {a} and {b}", f"{a}–{b}", f"from {a} to {b}", f"{a} or {b}"]
    )
    one, other, _ = _units(rng)
    cur, to = rng.sample(["dollars", "euros", "pounds", "yen"], 2)
    return rng.choice(
        [
            f"{said} {one} in {other}",
            f"convert {said} {one} to {other}",
            f"how many {other} is {said} {one}",
            f"{said} {cur} in {to}",
        ]
    ), None


BITS = {"Mb": 1e6, "MB": 8e6, "Mbit": 1e6, "MiB": 8 * 2**20, "Gb": 1e9, "GB": 8e9, "Gbit": 1e9, "GiB": 8 * 2**30, "kB": 8e3, "KB": 8e3, "kbit": 1e3, "KiB": 8 * 2**10,
        "TB": 8e12, "megabits": 1e6, "megabytes": 8e6, "gigabytes": 8e9, "gigabits": 1e9, "bytes": 8, "bits": 1, "kilobytes": 8e3, "mebibytes": 8 * 2**20, "Kb": 1e3, "Tb": 1e12}  # fmt: skip
SPEEDS = {"Mbps": 1e6, "MB/s": 8e6, "Gbps": 1e9, "kbps": 1e3, "GB/s": 8e9, "Mbit/s": 1e6, "Mb/s": 1e6, "kB/s": 8e3, "megabits per second": 1e6, "MBps": 8e6, "megabytes per second": 8e6}  # fmt: skip


def bits(rng: random.Random) -> Phrase:
    family = rng.choice([BITS, BITS, SPEEDS])
    one, other = rng.sample(sorted(family), 2)
    while family[one] == family[other]:
        one, other = rng.sample(sorted(family), 2)
    n = rng.randint(2, 900)
    glue = rng.choice(["", " "]) if one[:1].isupper() else " "
    form = rng.choice(
        [
            "{n}{g}{one} in {other}",
            "convert {n}{g}{one} to {other}",
            "how many {other} is {n}{g}{one}",
            "{n}{g}{one} to {other}",
            "what is {n}{g}{one} in {other}?",
        ]
    )
    return form.format(n=n, g=glue, one=one, other=other), n * family[one] / family[other]


def compounds(rng: random.Random) -> Phrase:
    h, m, s = rng.randint(1, 23), rng.randint(1, 59), rng.randint(1, 59)
    ft, inch, st, lb, oz = (
        rng.randint(3, 7),
        rng.randint(1, 11),
        rng.randint(5, 19),
        rng.randint(1, 13),
        rng.randint(1, 15),
    )
    time = [
        (f"{h}h{m}m", h * 60 + m), (f"{h}h {m}m", h * 60 + m), (f"{h} hours and {m} minutes", h * 60 + m), (f"{h} hours {m} minutes", h * 60 + m),
        (f"{h}h{m:02d}", h * 60 + m), (f"{h} h {m} min", h * 60 + m), (f"{h}hr {m}min", h * 60 + m), (f"{h}h{m}m{s}s", h * 60 + m + s / 60),
        (f"{m}m{s}s", m + s / 60), (f"{m} min {s} sec", m + s / 60), (f"{lb} days and {h} hours", lb * 1440 + h * 60), (f"{h} hrs, {m} mins", h * 60 + m),
        (f"{m} minutes and {s} seconds", m + s / 60),
    ]  # fmt: skip
    height = [(f"{ft}ft{inch}", ft * 12 + inch), (f"{ft}'{inch}\"", ft * 12 + inch), (f"{ft} feet {inch} inches", ft * 12 + inch), (f"{ft}'{inch}", ft * 12 + inch),
              (f"{ft} ft {inch} in", ft * 12 + inch), (f"{ft} foot {inch}", ft * 12 + inch), (f"{ft}ft {inch}in", ft * 12 + inch), (f"{ft}’{inch}”", ft * 12 + inch)]  # fmt: skip
    weight = [(f"{lb}lb {oz}oz", lb * 16 + oz), (f"{lb} pounds {oz} ounces", lb * 16 + oz), (f"{lb} lbs {oz} oz", lb * 16 + oz), (f"{st} stone {lb}", st * 224 + lb * 16),
              (f"{st}st {lb}lb", st * 224 + lb * 16), (f"{st} st {lb} lbs", st * 224 + lb * 16), (f"{lb} lb and {oz} oz", lb * 16 + oz)]  # fmt: skip
    said, value, targets = rng.choice([
        (*rng.choice(time), {"minutes": 1, "seconds": 60, "hours": 1 / 60}),
        (*rng.choice(height), {"cm": 2.54, "metres": 0.0254, "m": 0.0254, "inches": 1}),
        (*rng.choice(weight), {"kg": 0.028349523125, "grams": 28.349523125, "kilos": 0.028349523125}),
    ])  # fmt: skip
    to = rng.choice(sorted(targets))
    form = rng.choice(
        [
            "{n} in {to}",
            "convert {n} to {to}",
            "how many {to} is {n}",
            "what is {n} in {to}",
            "{n} to {to}",
            "how many {to} are in {n}?",
        ]
    )
    return form.format(n=said, to=to), value * targets[to]


def temperatures(rng: random.Random) -> Phrase:
    n = rng.randint(-60, 300)
    said = str(n) if n >= 0 else rng.choice([f"-{-n}", f"minus {-n}", f"−{-n}", f"negative {-n}"])
    f, c = (
        rng.choice(["°F", " F", "F", " degrees fahrenheit", " fahrenheit", " degrees F", "° F", " deg F"]),
        rng.choice(["°C", " C", "C", " degrees celsius", " celsius", " degrees C", " centigrade"]),
    )
    to_f, to_c = (
        rng.choice(["F", "fahrenheit", "°F", "degrees fahrenheit"]),
        rng.choice(["C", "celsius", "°C", "degrees celsius"]),
    )
    one, to, value = rng.choice([(f, to_c, (n - 32) / 1.8), (c, to_f, n * 1.8 + 32), (c, "kelvin", n + 273.15)])
    form = rng.choice(
        [
            "{n}{one} in {to}",
            "convert {n}{one} to {to}",
            "what is {n}{one} in {to}?",
            "{n}{one} to {to}",
            "how much is {n}{one} in {to}",
        ]
    )
    return form.format(n=said, one=one, to=to), value


def directions(rng: random.Random) -> Phrase:
    n = rng.choice([rng.randint(2, 9000), rng.randint(200, 9999) / 100])
    return _money(rng, f"{n:g}", n)


UNQUOTED = [
    "bitcoin",
    "BTC",
    "ethereum",
    "galleons",
    "Zimbabwe dollars",
    "dogecoin",
    "venezuelan bolivars",
    "iranian rials",
    "quatloos",
]


def misfits(rng: random.Random) -> Phrase:
    """Currencies without a rate, units that do not fit, numbers with nothing to do."""
    n = rng.randint(2, 900)
    a, b = rng.sample(
        (
            {unit: 1 for unit in METRES if unit != "m"},
            {unit: 1 for unit in GRAMS if unit != "ounces"},
            MILLILITRES,
            SECONDS,
        ),
        2,
    )
    one, other, currency = rng.choice(sorted(a)), rng.choice(sorted(b)), rng.choice(UNQUOTED)
    return rng.choice([
        f"{n} {one} in {other}", f"convert {n} {one} to {other}", f"how many {other} in {n} {one}", f"{n} {currency} in euros", f"{n} dollars in {currency}",
        f"how many {currency} is {n} euros", f"what is {n}", f"{n}", f"what is {words(n)}?", f"how much is {n} {currency} in dollars", f"calculate {n}",
    ]), None  # fmt: skip


KINDS: dict[str, Callable[[random.Random], Phrase]] = {
    kind.__name__: kind
    for kind in (points, ambiguous, scales, fractions, signs, scientific, negatives, percents, ranges, bits, compounds, temperatures, directions, misfits)
}  # fmt: skip
