"""Names that people give to units of measure, and pint's names for them.

Leaves out conversion, which is pint's work; this file is a vocabulary with a tolerant look-up.
"""

from __future__ import annotations

import re
from functools import cache

from rapidfuzz import process
from rapidfuzz.distance import OSA

# symbol shown | pint's name | what people write
_TABLE = """
mm|millimeter|millimeter millimetre millimeters millimetres mms
cm|centimeter|centimeter centimetre centimeters centimetres cms
m|meter|meter metre meters metres mtr mtrs
km|kilometer|kilometer kilometre kilometers kilometres kms k
µm|micrometer|um micron microns micrometer micrometers micrometre
nm|nanometer|nanometer nanometers nanometre
in|inch|inch inches "
ft|foot|foot feet ft. '
yd|yard|yard yards yds
mi|mile|mile miles
nmi|nautical_mile|nautical_mile nautical_miles
ly|light_year|light_year light_years lightyear lightyears
au|astronomical_unit|astronomical_unit astronomical_units
pc|parsec|parsec parsecs
furlong|furlong|furlongs
fathom|fathom|fathoms
mg|milligram|milligram milligrams milligramme milligrammes mgs
g|gram|gram grams gramme grammes gm gms gr
kg|kilogram|kilogram kilograms kilogramme kilogrammes kilo kilos kgs
t|metric_ton|tonne tonnes metric_ton metric_tons metric_tonne metric_tonnes
short ton|short_ton|ton tons short_ton short_tons us_ton us_tons
long ton|long_ton|long_tons imperial_ton imperial_tons
lb|pound|lbs pound pounds lbm pound_mass
oz|ounce|ounce ounces ozs
st|stone|stone stones
ct|carat|carat carats
grain|grain|grains
troy oz|troy_ounce|troy_ounce troy_ounces
ml|milliliter|milliliter millilitre milliliters millilitres mls cc ccs
cl|centiliter|centiliter centilitre centiliters centilitres
dl|deciliter|deciliter decilitre deciliters decilitres
L|liter|l liter litre liters litres ltr ltrs lt
m³|meter**3|m3 m^3 cbm
cm³|centimeter**3|cm3 cm^3
ft³|foot**3|ft3 ft^3
in³|inch**3|in3 in^3
cup|cup|cups us_cup us_cups
tbsp|tablespoon|tablespoon tablespoons tbsps tbs
tsp|teaspoon|teaspoon teaspoons tsps
fl oz|fluid_ounce|fluid_ounce fluid_ounces floz fl_oz fl._oz. us_fluid_ounce us_fluid_ounces
pt|pint|pint pints us_pint us_pints
qt|quart|quart quarts qts us_quart us_quarts
gal|gallon|gallon gallons gals us_gallon us_gallons us_gal
imp gal|imperial_gallon|imperial_gallon imperial_gallons uk_gallon uk_gallons british_gallon british_gallons
imp pt|imperial_pint|imperial_pint imperial_pints uk_pint uk_pints british_pint british_pints
imp fl oz|imperial_fluid_ounce|imperial_fluid_ounce imperial_fluid_ounces
bbl|oil_barrel|barrel barrels oil_barrel oil_barrels barrel_of_oil barrels_of_oil
mm²|millimeter**2|mm2 mm^2
cm²|centimeter**2|cm2 cm^2
m²|meter**2|m2 m^2 sqm
km²|kilometer**2|km2 km^2
ft²|foot**2|ft2 ft^2 sqft
in²|inch**2|in2 in^2
yd²|yard**2|yd2
mi²|mile**2|mi2
ha|hectare|hectare hectares
acre|acre|acres
°C|degC|c celsius celcius centigrade degrees_celsius degree_celsius degrees_c degree_c deg_c degc degrees_centigrade °c
°F|degF|f fahrenheit farenheit fahrenheight degrees_fahrenheit degree_fahrenheit degrees_f degree_f deg_f degf °f
K|kelvin|k kelvin kelvins degrees_kelvin degrees_k
°R|degR|rankine degrees_rankine
µs|microsecond|us microsecond microseconds
ms|millisecond|millisecond milliseconds msec msecs
s|second|sec secs second seconds
min|minute|mins minute minutes
h|hour|hr hrs hour hours
day|day|d days
week|week|weeks wk wks
fortnight|fortnight|fortnights
month|month|months
year|year|years yr yrs
decade|decayear|decades
century|century|centuries
km/h|kilometer/hour|kph kmh kmph km/hr km/hour kilometers_per_hour kilometres_per_hour kilometer_per_hour km_per_hour km_an_hour
mph|mile/hour|mi/h mi/hr miles_per_hour miles_an_hour mile_per_hour mp/h
m/s|meter/second|mps m/sec meters_per_second metres_per_second meter_per_second metre_per_second
ft/s|foot/second|fps ft/sec feet_per_second foot_per_second
kn|knot|kt kts knot knots
bit|bit|bits
kbit|kilobit|Kb kilobit kilobits kbits
Mbit|megabit|Mb megabit megabits mbits
Gbit|gigabit|Gb gigabit gigabits gbits
Tbit|terabit|Tb terabit terabits
byte|byte|bytes b
kB|kilobyte|kb kilobyte kilobytes kbs
MB|megabyte|megabyte megabytes mbs meg megs
GB|gigabyte|gigabyte gigabytes gbs gig gigs
TB|terabyte|terabyte terabytes tbs
PB|petabyte|petabyte petabytes
KiB|kibibyte|kibibyte kibibytes
MiB|mebibyte|mebibyte mebibytes
GiB|gibibyte|gibibyte gibibytes
TiB|tebibyte|tebibyte tebibytes
kbit/s|kilobit/second|kbps Kbps kilobits_per_second Kb/s
Mbit/s|megabit/second|Mbps mbps megabits_per_second megabits_a_second Mb/s
Gbit/s|gigabit/second|Gbps gbps gigabits_per_second Gb/s
kB/s|kilobyte/second|kBps KBps KB/s kilobytes_per_second
MB/s|megabyte/second|MBps megabytes_per_second megabytes_a_second
GB/s|gigabyte/second|GBps gigabytes_per_second
J|joule|joule joules
kJ|kilojoule|kilojoule kilojoules
cal|calorie|calorie small_calorie
kcal|kilocalorie|kilocalorie kilocalories calories kcals food_calorie food_calories
Wh|watt_hour|watt_hour watt_hours
kWh|kilowatt_hour|kilowatt_hour kilowatt_hours kilowatthours
BTU|british_thermal_unit|btu btus
eV|electron_volt|electronvolt electronvolts electron_volts
W|watt|watt watts
kW|kilowatt|kilowatt kilowatts
MW|megawatt|megawatt megawatts
hp|horsepower|horsepower bhp horse_power
N|newton|newton newtons
lbf|pound_force|pound_force
Pa|pascal|pascal pascals
hPa|hectopascal|hectopascal hectopascals
kPa|kilopascal|kilopascal kilopascals
bar|bar|bars
mbar|millibar|millibar millibars
psi|psi|pounds_per_square_inch
atm|standard_atmosphere|atmosphere atmospheres
mmHg|mmHg|mm_hg torr millimeters_of_mercury
Hz|hertz|hertz
kHz|kilohertz|kilohertz
MHz|megahertz|megahertz
GHz|gigahertz|gigahertz
rpm|revolutions_per_minute|revolutions_per_minute
rad|radian|radian radians rads
deg|degree|degree degrees °
V|volt|volt volts
A|ampere|amp amps ampere amperes
Nm|newton*meter|newton_meter newton_meters newton_metre newton_metres
mpg|mile/gallon|miles_per_gallon
km/L|kilometer/liter|kilometers_per_liter kilometres_per_litre kpl
L/100km|liter/kilometer|l/100km liters_per_100km litres_per_100km l/100_km
g/cm³|gram/centimeter**3|g/cm3
kg/m³|kilogram/meter**3|kg/m3
"""

@cache
def vocabulary() -> tuple[dict[str, str], dict[str, str]]:
    """(what people write → symbol, symbol → pint's name). Names are lower case with single spaces, but the symbols
    themselves keep their case."""
    names: dict[str, str] = {}
    pint_names: dict[str, str] = {}
    for line in _TABLE.strip().splitlines():
        symbol, pint_name, words = line.split("|")
        pint_names[symbol] = pint_name
        for word in (
            symbol,
            symbol.lower(),
            pint_name.replace("_", " "),
            *(w.replace("_", " ") for w in words.split()),
        ):
            names.setdefault(word, symbol)
    return names, pint_names


def symbol_of(name: str, fuzzy: bool = True) -> str | None:
    """The symbol of the unit that ``name`` means, forgiving case, plurals and (``fuzzy``) one or two typos."""
    names, _ = vocabulary()
    name = " ".join(name.replace("_", " ").split()).strip(" .,?!") if name not in names else name
    for form in (name, name.lower()):
        if form in names:
            return names[form] if not _other_prefix(name, names[form]) else None
    form = name.lower().replace("²", "2").replace("³", "3")
    form = form.removeprefix("u.s. ").removeprefix("us ").removeprefix("american ")
    if form in names:
        return names[form]
    if power := _POWER.fullmatch(form):
        base = symbol_of(power["of"] or power["base"], fuzzy=fuzzy)
        sign = "²" if (power["first"] or power["last"]).startswith("sq") else "³"
        return f"{base}{sign}" if f"{base}{sign}" in vocabulary()[1] else None
    if not fuzzy or len(form) < 4:
        return None
    found = process.extractOne(form, _long_names(), scorer=OSA.distance, score_cutoff=1 + (len(form) > 7))
    return names[found[0]] if found and found[0][0] == form[0] else None


def _other_prefix(name: str, symbol: str) -> bool:
    """Whether ``name`` is ``symbol`` but for milli in the place of mega, or the reverse: "mW" is no megawatt."""
    prefixed = vocabulary()[1][symbol].startswith(("milli", "mega"))
    return prefixed and name[0] != symbol[0] and name[1:] == symbol[1:] and not name.isupper()


_POWER = re.compile(r"(?P<first>sq(?:uare)?\.?|cu(?:bic)?\.?) (?P<of>\S+)|(?P<base>\S+) (?P<last>squared|cubed)")


@cache
def _long_names() -> tuple[str, ...]:
    return tuple(name for name in vocabulary()[0] if len(name) > 3)
