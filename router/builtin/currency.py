"""Currency: the European Central Bank's reference rates, which the package ``currencyconverter`` carries.

Leaves out live rates and currencies that the ECB does not quote. Every answer names the day of its rate.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Sequence
from datetime import date as Date
from datetime import datetime
from functools import cache, lru_cache, partial
from typing import Any

from rapidfuzz import fuzz, process

from router.builtin import ToolConfig
from router.builtin.conversions import SIGNS, begins, conversion
from router.builtin.dates import find_dates, read_date, shift
from router.builtin.numbers import MAX_SHORT, clean, digits, plain, portions
from router.tools import Tool, ToolError, shorten

MAX_AMOUNT = 1e15
_NAME = {"type": "string", "minLength": 1, "maxLength": 40}
PARAMETERS = {
    "type": "object",
    "properties": {
        "amount": {"type": "number", "minimum": 0, "maximum": MAX_AMOUNT},
        "from_currency": {**_NAME, "description": "ISO code such as USD"},
        "to_currency": {**_NAME, "description": "ISO code such as EUR"},
        "date": {
            "type": "string",
            "maxLength": 40,
            "description": "Day of the rate, YYYY-MM-DD; left out it is the latest",
        },
    },
    "required": ["amount", "from_currency", "to_currency"],
    "additionalProperties": False,
}
_TABLE = """
EUR € euro euros eur europe european_money
USD $ dollar dollars usd buck bucks us$ us_dollar us_dollars american_dollar american_dollars greenback greenbacks
    u.s._dollars u.s._dollar united_states_dollar american_money us_currency
GBP £ pound pounds gbp quid sterling british_pound british_pounds pound_sterling pounds_sterling uk_pound uk_pounds
    english_pounds british_money
JPY ¥ yen jpy yens japanese_yen
CHF chf franc francs swiss_franc swiss_francs swissies
CAD cad c$ ca$ canadian_dollar canadian_dollars loonie loonies canadian canadian_bucks
AUD aud a$ au$ australian_dollar australian_dollars aussie_dollar aussie_dollars aussie_bucks
NZD nzd nz$ new_zealand_dollar new_zealand_dollars kiwi_dollar kiwi_dollars nz_dollars
INR ₹ inr rupee rupees indian_rupee indian_rupees rs
CNY cny rmb yuan renminbi chinese_yuan yuans
KRW ₩ krw won korean_won south_korean_won
MXN mxn peso pesos mexican_peso mexican_pesos mex$
BRL brl r$ real reais reals brazilian_real brazilian_reais brazilian_reals
SEK sek swedish_krona swedish_kronor kronor krona swedish_crowns swedish_kronas
NOK nok norwegian_krone norwegian_kroner norwegian_crowns kroner krone
DKK dkk danish_krone danish_kroner danish_crowns
PLN pln zloty zlotys zł zloties polish_zloty polish_zlotys
CZK czk czech_koruna koruna korunas czech_crowns czech_korunas kč
HUF huf forint forints hungarian_forint hungarian_forints
RON ron romanian_leu leu lei romanian_lei
TRY ₺ try lira liras turkish_lira turkish_liras turkish_lire
ILS ₪ ils shekel shekels israeli_shekel israeli_shekels new_shekel sheqel
ZAR zar rand rands south_african_rand south_african_rands
SGD sgd s$ singapore_dollar singapore_dollars
HKD hkd hk$ hong_kong_dollar hong_kong_dollars
THB ฿ thb baht bahts thai_baht
IDR idr rupiah rupiahs indonesian_rupiah
MYR myr ringgit ringgits malaysian_ringgit
PHP ₱ php philippine_peso philippine_pesos filipino_pesos
ISK isk icelandic_krona icelandic_kronur icelandic_króna
RUB ₽ rub ruble rubles rouble roubles russian_ruble russian_rubles
BGN bgn lev leva bulgarian_lev bulgarian_leva
HRK hrk kuna kunas croatian_kuna
"""
"""ISO codes, each followed by what people write for it (underscores are spaces)."""


def build(config: ToolConfig) -> Tool:
    """The currency converter; dates such as "yesterday" are read from ``config.now``."""
    description = "Converts money between currencies, e.g. 100 USD to EUR, today or on a past date."
    return Tool(
        "currency", description, PARAMETERS, partial(run, config.now), partial(parse, config.now), effects=False
    )


def run(
    now: Callable[[], datetime], amount: float, from_currency: str, to_currency: str, date: str | None = None
) -> str:
    """``100 USD = 87.31 EUR (ECB rate of 30 October 2026)``. Raises ToolError for unknown currencies and dates."""
    source, target = _code(from_currency), _code(to_currency)
    if not 0 <= amount <= MAX_AMOUNT or not math.isfinite(amount):
        raise ToolError(f"amount {amount} is not between 0 and {MAX_AMOUNT:,.0f}. Give an amount in that range.")
    converter = _converter()
    last = min(converter.bounds[code].last_date for code in (source, target))
    first = max(converter.bounds[code].first_date for code in (source, target))
    day = last
    if date is not None:
        today = now().date()
        asked = read_date(plain(clean(date)), today)
        if asked is None:
            raise ToolError(f"{shorten(date, 40)!r} is not a date. Write it as YYYY-MM-DD, between {first} and {last}.")
        if asked < first or asked > max(last, today):
            raise ToolError(
                f"No rate of {source} to {target} on {asked}: they reach from {first} to {last}. Give a date between."
            )
        day = min(asked, last)
    with _lock:
        rates = {code: _rate(converter, code, day) for code in (source, target)}
    rated = min(rates[code][1] for code in rates if code != "EUR") if set(rates) != {"EUR"} else day
    if source != "EUR" and target != "EUR" and rates[source][1] != rates[target][1]:
        rates = {code: _rate(converter, code, rated) for code in rates}
    converted = amount / rates[source][0] * rates[target][0]
    shown = _money(converted, target) if amount != 1 or converted >= 1000 else f"{converted:.4f}"
    return f"{_money(amount, source)} {source} = {shown} {target} (ECB rate of {rated.day} {rated:%B} {rated.year})"


def _rate(converter: Any, code: str, day: Date) -> tuple[float, Date]:
    """(units of ``code`` for one euro, the day of that rate): that of ``day`` or of the last banking day before."""
    if code == "EUR":
        return 1.0, day
    rates = converter._rates[code]  # the package's public ``convert`` does not tell which day it fell back to
    for back in range(15):
        try_day = Date.fromordinal(day.toordinal() - back)
        if rates.get(try_day) is not None:
            return float(rates[try_day]), try_day
    raise ToolError(f"The ECB has no rate of {code} within 14 days before {day}. Give another date.")


def _money(value: float, code: str) -> str:
    if value and value < 0.01:
        return f"{value:.4g}"
    if code in ("JPY", "KRW", "IDR", "HUF", "ISK") and value >= 100 or float(value).is_integer():
        return f"{round(value):,}"
    return f"{value:,.2f}"


_lock = threading.Lock()


@cache
def _converter() -> Any:
    """The rates since 1999. Half a second to read, so it waits for the first conversion."""
    from currency_converter import CurrencyConverter

    return CurrencyConverter()


_REGIONAL = frozenset(("XAF", "XCD", "XCG", "XOF", "XPF"))
"""Codes that begin with an X and are money that people pay with."""


@cache
def _names() -> dict[str, str]:
    """What people write (lower case) → ISO code, of the currencies that the ECB quotes and of those it does not."""
    from babel import Locale

    english = Locale("en")
    names: dict[str, str] = {}
    for code, name in english.currencies.items():
        if code[0] == "X" and code not in _REGIONAL:
            continue  # metals, baskets and tests
        names.setdefault(name.lower(), code)
        names.setdefault(code.lower(), code)
        names.setdefault(name.lower() + "s", code)
    for code, words in _words().items():
        names |= dict.fromkeys(words, code)
    for word in "all try top mop pen lak sos amd bam ern mad cup std the and mro ang gel bond".split():
        names.pop(word, None)
    return names | {"try": "TRY"}


@cache
def _long_names() -> tuple[str, ...]:
    return tuple(word for words in _words().values() for word in words if len(word) > 3)


def _words() -> dict[str, list[str]]:
    """ISO code → what people write for it."""
    words: dict[str, list[str]] = {}
    for word in _TABLE.split():
        if re.fullmatch("[A-Z]{3}", word):
            words[word] = []
        else:
            words[next(reversed(words))].append(word.replace("_", " "))
    return words


def lookup(name: str) -> str | None:
    """ISO code of the currency that ``name`` means, or None."""
    name = re.sub(r"\s+", " ", name.lower()).strip(" .,?!")
    for form in (
        name,
        name.removeprefix("the "),
        name.removesuffix("s"),
        name.removeprefix("in "),
        name.removesuffix(" currency"),
    ):
        if form in _names():
            return _names()[form]
    if name.upper() in _names().values() and len(name) == 3:
        return name.upper()
    if len(name) > 3:
        found = process.extractOne(name, _long_names(), scorer=fuzz.ratio, score_cutoff=84)
        if found and found[0][0] == name[0]:
            return _names()[found[0]]
    return _of_country(name)


def _of_country(name: str) -> str | None:
    """The currency of "egyptian pounds" is babel's; that of "kenya" is GeoNames'."""
    from router.builtin.places import countries, country_names, fold

    code = country_names().get(fold(name.removesuffix(" money").removesuffix(" currency")))
    return countries()[code]["currencycode"] or None if code else None


def _code(name: str) -> str:
    code = lookup(name)
    quoted = _quoted()
    if code not in quoted:
        raise ToolError(
            f"The European Central Bank quotes no rate of {shorten(name, 40)!r}; it quotes {len(_current())} "
            f"currencies. "
            f"Give one of: {', '.join(_current())}."
        )
    return code


@cache
def _quoted() -> frozenset[str]:
    return frozenset(_converter().currencies)


@cache
def _current() -> tuple[str, ...]:
    """The currencies with a rate on the latest day."""
    bounds = _converter().bounds
    return tuple(sorted(code for code in bounds if bounds[code].last_date == bounds["USD"].last_date))


def parse(now: Callable[[], datetime], question: str) -> dict[str, Any] | None:
    """Amount, currencies and perhaps the day of the conversion that ``question`` asks for, or None."""
    text, day = _take_date(prepared(clean(question, MAX_SHORT)), now().date())
    found = conversion(text, senses, prefixed=True)
    if not found or len(found.quantity) > 1:
        return None
    (amount, source), target = found.quantity[0], found.target[0]
    if not 0 <= amount <= MAX_AMOUNT or source[0] == target:
        return None
    return {"amount": amount, "from_currency": source[0], "to_currency": target} | ({"date": day} if day else {})


def prepared(text: str) -> str:
    """``text`` with its amounts as numbers; "" where one of them can be read in two ways."""
    if _AMBIGUOUS.search(text):
        return ""
    return _SUFFIX.sub(lambda m: digits(f"${m[1]}")[1:], portions(digits(text), partial(begins, senses=senses)))


_AMBIGUOUS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}\.\d{3}(?![\d.,]*\d)")
"""As ``numbers.AMBIGUOUS``, and money has no third decimal."""
_SUFFIX = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?(?:[kmbt]n?|mln|mio|trn))\b", re.IGNORECASE)


def senses(name: str, alone: bool) -> Sequence[str]:
    """The currency that ``name`` means; a word that stands alone may be misspelt."""
    if len(name) == 3 and name.isupper() and name in _names().values():
        return (name,)
    code = _named(name.lower(), alone)
    return (code,) if code else ()


@lru_cache(4096)
def _named(name: str, alone: bool) -> str | None:
    if name in _NO_CURRENCIES or (len(name) < 3 and not set(name) & set(SIGNS)) or name.endswith("'s"):
        return None
    return lookup(name) if alone else _names().get(name)


_NO_CURRENCIES = frozenset(
    "all and any are bob can cup did end for get has how its lot mad new off one our out per top try was way who why "
    "you".split()
)


def _take_date(text: str, today: Date) -> tuple[str, str | None]:
    """``text`` without its date, and the date as ISO."""
    found = [item for item in find_dates(text, today) if not re.search(r"\b(?:today|now)\b", text[item[0] : item[1]])]
    if found:
        start, end, moment, said = found[0]
        if not said and moment > today:
            moment = moment.replace(year=moment.year - 1) if (moment.month, moment.day) != (2, 29) else moment
        rest = (
            re.sub(r"\s+(?:on|at|as\s+of|of|back\s+on|in|from|for)(?:\s+(?:the|date))*\s*$", "", text[:start])
            + " "
            + text[end:]
        )
        return " ".join(rest.split()), moment.isoformat()
    ago = re.search(r"\s+(?:last|(?:a|1|one)\s+)\s*(year|month|week)(?:\s+ago)?$", text.rstrip(" ?.!"))
    if ago:
        moment = shift(today, days=-7 if ago[1] == "week" else 0, months={"year": -12, "month": -1}.get(ago[1], 0))
        return text[: ago.start()], moment.isoformat()
    month = re.search(r"\s+(?:in|during|back\s+in)\s+(?:the\s+year\s+)?((?:19|20)\d\d)\b(?=\s*[?.!]*$)", text)
    if month:
        return text[: month.start()] + text[month.end() :], f"{month[1]}-07-01"
    return text, None
