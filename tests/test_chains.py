"""Chains of tools without a language model: right steps, no steps too many, silence where one is unsure."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from router.builtin import ToolConfig, default_tools
from router.builtin.chains import MAX_STEPS
from router.learning.shipped import check_chains
from router.learning.synthetic import generate
from router.network import Router
from router.plans import plan
from router.types import NON_TOOLS, Decision, Step, ToolResult

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
TOOLS = default_tools(ToolConfig(now=lambda: NOW))
ROUTER = Router.from_pretrained()
CHAINS = Path(__file__).parent.parent / "assets" / "chains.jsonl"


@pytest.mark.parametrize(
    ("question", "tools", "result"),
    [
        ("20 % of the population of Malta", ["search", "calculator"], "20% of "),
        ("area of France in square miles", ["search", "unit_converter"], "mi²"),
        ("time now in the capital of Japan", ["search", "clock"], "Tokyo: 23:00"),
        ("what is the population of the capital of France", ["search", "search"], "Paris"),
        ("how many letters are in the capital of Peru", ["search", "text"], '"Lima" = 4'),
        ("spell the capital of Norway backwards", ["search", "text"], "olsO"),
        ("15% of 200 dollars in euros", ["calculator", "currency"], "30 USD"),
        ("convert 3 times 12 miles to km", ["calculator", "unit_converter"], "57.936"),
        ("how many days until christmas times 24", ["calendar", "calculator"], "= 792"),
        ("how many days until christmas in hours", ["calendar", "unit_converter"], "792 h"),
        ("square root of the atomic number of gold", ["search", "calculator"], "8.888"),
        ("100 dollars in the currency of Japan", ["search", "currency"], "JPY"),
        ("add 20% vat to 349 dollars and tell me the price in yen", ["calculator", "currency"], "418.80 USD"),
        ("26.2 miles in km divided by 4", ["unit_converter", "calculator"], "10.54"),
        ("population of Malta divided by area of Malta", ["search", "search", "calculator"], " / 316 "),
        ("what is half of the area of Spain in acres", ["search", "calculator", "unit_converter"], "acre"),
    ],
)
def test_a_question_of_several_tools_is_resolved_step_by_step(question: str, tools: list[str], result: str) -> None:
    made = plan(question, ROUTER, TOOLS)
    assert [step.call.tool for step in made.steps] == tools
    assert result in made.steps[-1].result.text
    assert all(step.span and step.sources for step in made.steps)


def test_the_hand_written_questions_end_right_four_times_in_five() -> None:
    report = check_chains(ROUTER, TOOLS, CHAINS)
    assert report["questions"] == 60
    assert report["right"] >= 0.8, report["wrong"]


def result_of(step: Step) -> ToolResult:
    return step.result or TOOLS[step.call.tool].call(step.call.arguments)


class Counting:
    """A router that counts its decisions."""

    def __init__(self) -> None:
        self.decisions = 0

    def decide(self, question: str) -> Decision:
        self.decisions += 1
        return ROUTER.decide(question)


@pytest.mark.parametrize(
    "question", ["what is 20% of 45", "time in Tokyo", "how many letters in banana", "thanks!", "why is the sky blue"]
)
def test_a_question_of_one_tool_costs_one_decision(question: str) -> None:
    router = Counting()
    plan(question, router, TOOLS)
    assert router.decisions == 1


def test_questions_of_one_tool_are_not_taken_apart() -> None:
    apart = []
    for label in ("calculator", "unit_converter", "clock", "calendar", "currency", "search", "text", "weather"):
        for example in generate(label, 40, seed=31):
            if len(plan(example.question, ROUTER, TOOLS).steps) > 1:
                apart.append(example.question)
    assert len(apart) <= 6, apart  # of 320; some do hold two steps ("what's half of 90 USD in yen")


def test_an_unsure_step_leaves_the_question_to_the_language_model() -> None:
    made = plan("20% of the population of Atlantis", ROUTER, TOOLS)
    assert made.abstained and made.steps == () and "not sure" in made.reason


def test_a_router_that_abstains_is_obeyed() -> None:
    unsure = Decision("calculator", {"calculator": 0.4}, 0.1, True)
    made = plan("what is 2 + 2", SimpleNamespace(decide=lambda question: unsure, threshold=0.5), TOOLS)
    assert made.outcome == "abstain" and made.steps == ()


def test_small_talk_and_questions_without_a_tool_run_nothing() -> None:
    for question in ("thank you so much!", "write a poem about autumn"):
        made = plan(question, ROUTER, TOOLS)
        assert made.decision.tool in NON_TOOLS and not made.abstained and made.steps == ()


def test_open_slots_are_handed_on_and_nothing_runs() -> None:
    made = plan("will it rain tomorrow", ROUTER, TOOLS)
    assert made.outcome == "partial" and made.missing == ("place",)
    assert [step.call.arguments for step in made.steps] == [{"day": "tomorrow"}]


def test_quoted_text_is_data_and_no_question() -> None:
    made = plan('how many words are in "the capital of Peru in euros"', ROUTER, TOOLS)
    assert [step.call.tool for step in made.steps] == ["text"]


def test_a_tool_that_is_not_on_offer_is_said_so() -> None:
    few = {name: TOOLS[name] for name in ("calculator", "clock")}
    made = plan("capital of Peru", ROUTER, few)
    assert made.abstained and "'search'" in made.reason


def test_the_number_of_steps_is_limited() -> None:
    question = " plus ".join(f"population of {name}" for name in ("Malta", "Norway", "Peru", "Chile", "Cuba"))
    assert len(plan(question, ROUTER, TOOLS).steps) <= MAX_STEPS


@pytest.mark.parametrize(
    "question", ["", "   ", "?" * 200, "the capital of " * 60, "% of in to " * 20, "a" * 5_000, "\x00"]
)
def test_odd_questions_end_quietly(question: str) -> None:
    made = plan(question, ROUTER, TOOLS)
    assert len(made.steps) <= MAX_STEPS


# Each batch was written before the rules of english.py and leftovers.py were tried on it; misses then led to the rules,
# so these figures guard and do not estimate.
WITH_SURPLUS = """
I'm 34 and would like to know the capital of Peru
my son is 7 and asks how many km are 10 miles
what is 12 * 12 please, I have to hand it in by 5pm
ok so I need 250 grams in ounces, thanks a lot
convert 6 feet 2 inches to cm
how heavy is 11 stone 3 in kg
what's fifteen percent of two hundred and forty
split 120 dollars between 4 people
how many days are there between 3 may 2021 and 9 june 2021
what date is 45 days after 1 march 2024
100 euros in yen on 5 may 2015
if it's 3pm in Lisbon what time is it in Tokyo
time difference between Rome and Oslo
how many letters are in the word bookkeeper
count the words in salt and pepper are what we need
average of 3, 4 and 5
how many people live in Bosnia and Herzegovina
what was the weekday of the 4th of july 1976
spell the word rhythm and blues
is 2024 a leap year
hi there, I turned 41 last week, which currency does Thailand use?
count the letters in route 66 motel
how many vowels are in catch 22
I'm 5 foot 7, what is that in centimetres?
my dog weighs 4 stone 9 pounds, how many kilos is he
if it is 7:30 pm in Madrid, what's the time in Sydney
what is twenty-two percent of one thousand five hundred
1,250,000 divided by 48 pls
how much were 2,500 swiss francs in dollars on 14 february 2018
quick one for my 8 year old: what is the capital of Mongolia
how many ounces are in one pound
give me a rough number, what is 19 times 21
what day of the week will the 25th of december 2030 be
split a bill of 186.40 three ways
was 1900 a leap year or not
plz tell me 2day the time in Cairo, need 2 call my mum
what's the atomic number of gold, it costs 60 dollars a gram!
mean of 12, 15, 18 and 21
is it raining in Bergen tomorrow? we are 2 adults and 3 kids
reverse the phrase 99 red balloons
we are 6 people in the office and nobody knows the capital of Kazakhstan
since I was 12 I wondered: what is the chemical symbol of tungsten?
spell the word hippopotamus for my 9 year old
how many letters are there in number 10 downing street
it's 9 am in Boston, so what's the time in Mumbai?
convert 3,500 kilograms to pounds, it's for a truck
my oven only shows celsius, what is 375 fahrenheit in celsius
he is 6 feet 4 inches tall, how many centimetres is that?
three quarters of 840
what's 12.5% of 1,960, roughly?
if a dinner costs 96 dollars and we leave a 20% tip, how much is the tip
what weekday was my birthday, 12 may 1987?
how many days until new year's eve
what date was it 100 days before 1 january 2000
in 2019, on the 7th of june, how much were 80 euros in pounds?
got two thousand yen left from my trip, what's that in dollars
do i need an umbrella in Seattle today, walking the dog at 6
time in Lagos pls, 1 min before a call
square root of 2025, and make it quick
how many minutes are there in 2.5 hours
i have 3 kids and need to know how many grams are 8 ounces
my grandma is 92, how long until easter
what is 240 divided by 16, my homework has 5 of these
we land at 6 pm in Dubai, what time is that in Paris
how much is 75 swiss francs in euros, for 1 dinner
what language do people speak in Brazil, flying there in 2 weeks
the room is 12 feet wide, how many metres is it
is the year 2000 a leap year, it was 26 years ago
i get 20 percent off a 65 dollar shirt, what do i pay
weekday of 29 february 2024, my 2nd wedding anniversary
my flat has 4 rooms, what are 85 square metres in square feet
hello, 2 quick things to say thanks for, now what time is it in Hanoi
we pay 45 euros for the hotel, how much is that in swedish krona
how many days are left until 1 may 2027, we marry then
she is 5 ft 3 and asks what 58 kg are in pounds
what's 7% of 12,400 euros
name the 1 capital of Finland
how many letters does the password abc12345 have
what's the weather like in Nice, we arrive with 3 bags
if i was born on 12 march 1985, how old am i
"""
SEVERAL_REQUESTS = """
what's 18% of 64.50 and what day of the week was 9 november 1989
what is the capital of Peru and what time is it in Tokyo
how many km are 5 miles? and what is 12 * 12?
what is the population of Malta, and how many days are there until christmas
convert 10 kg to pounds and tell me what 15% of 80 is
spell accommodation; also how many letters are in bookkeeper
what's the time in Lima and what is 100 usd in eur
how many cups are 2 litres and what's the square root of 144
what is the currency of Japan? then convert 3 stone to kg
when is easter 2027 and what weekday is 1 may 2027
population of Norway and time in Oslo
what's 7 times 8 and how do you spell rhythm backwards?
12 stone in kg; 6 feet in cm
what is the capital of Chile? also, how many euros are 50 pounds sterling?
which day was 14 july 1789 and how many letters does bastille have
convert 100 fahrenheit to celsius, then tell me 30% of 250
weather in Rome and time in Rome
how many days until christmas and what's the square root of 169
hey, can you tell me the currency of Brazil and how many grams are 3 ounces
what time is it in Nairobi, and how many vowels are in onomatopoeia, please
capital of Ghana and currency of Ghana
square root of 81, and the time in Seoul
20 miles in km, 70 kg in pounds
is 2100 a leap year? and what's 17 * 23?
reverse the word stressed and tell me what 40 usd are in euros
how far is 10 km in miles and how hot is 86 fahrenheit in celsius
what's the population of Chile; what's the population of Peru
whats the weather in Lima and whats the time there
please give me 15% of 320 and also the weekday of 1 january 2000
how many vowels in queue, how many days until halloween?
time in Cairo, Egypt and weather in Oslo
16 squared and 144 divided by 9
atomic number of iron and boiling point of water in fahrenheit
area of Portugal and how many days until easter
what's 60 kg in stone and 170 cm in feet
density of iron and melting point of copper
100 usd in gbp and 100 usd in jpy
tell me the time in Madrid and then 25% of 640
how old is someone born on 2 may 1970 and what day of the week was that
12 inches in cm? 30 cm in inches?
is it raining in Bergen and what time is it in Bergen
currency of Sweden; 17 * 6; days until easter
what is the population of Kenya plus what is 5 miles in km
"""
ONE_TOOL_IS_NOT_ENOUGH = """
i drive 40 miles a day, how many km is that in 30 days
what were 200 dollars in euros on 3 march 2020 plus 7 % fee
how much larger is the population of Spain than that of Portugal
5 kg of apples cost 3 dollars a pound, what is that in euros
how many days from 1 may to 9 june 2024 and how many hours is that
take 12 percent of 900 grams and give it in ounces, then multiply by 3
a run of 26.2 miles at 9 minutes a mile takes how many hours
if 3 tickets cost 12 dollars each what is the total in pounds sterling
is the area of France more than twice that of Italy
the meeting is at 4pm in Berlin and lasts 90 minutes, when does it end in Tokyo
i swim 1500 metres each morning, how many miles is that in 4 weeks
a 750 euro laptop with 21% vat, what would it be in dollars
from 3 june to 30 august 2024, at 6 hours a day, how many hours do i work
my flight leaves Lisbon at 3pm and takes 11 hours, what time do i land in Tokyo
how many people per square mile live in Iceland
petrol is 1.75 euros a litre, what does a gallon cost in dollars
two pizzas at 11 dollars and a 4 dollar coke, how much is that in yen
what share of Spain's population lives in Madrid, as a percentage
how many times does the area of Malta fit into the area of Italy
if i save 5 dollars every day until christmas, how many euros do i end up with
i earn 2300 euros a month, what is that in dollars per year
a marathon is 26.2 miles, how many km are three of them
the train covers 180 km in 2 hours, what's that in miles per hour
i was born on 4 march 1990, how many hours old am i
is Nigeria's population bigger than that of Germany and France together
it is 10 pm in New York, what time will it be in London in 5 hours
a recipe for 4 needs 300 g of flour, how many ounces for 10 people
convert 250 dollars to pounds and take off 10 percent
how many days until christmas, and how many hours is it
what is 5 feet 8 in cm minus 10
my car does 35 miles per gallon, how far do i get in km on 10 gallons
how many weeks is it until christmas, times two
a tank holds 60 litres and fuel is 1.80 euros, what does a full tank cost in dollars
how many seconds are in the month of february 2024
average population of Norway, Sweden and Denmark
we meet at noon in London, 45 minutes later what time is it in Sydney
what is the weight in kg of 12 bags of 25 pounds
if i read 30 pages a day from 1 june to 15 july 2024, how many pages is that
how many letters do the capitals of Peru and Chile have together
what is the difference between the population of India and China
i slept 7 hours for 20 days, how many days is that
100 euros in dollars minus a 3 percent fee
what percent of the area of Russia is the area of Germany
five kilos of rice at 2 dollars a pound in euros
how old in weeks is a child born on 3 may 2024
a pool of 50 metres, how many yards is 30 lengths
how much do 12 bottles at 3.50 dollars each come to in euros
what time is it in Tokyo 3 hours after noon in Berlin
is the population of Japan over 100 million more than that of Canada
the bill was 80 dollars plus 15 percent tip, what's that in pounds
how many full weeks and minutes are there until christmas
i drink 2 litres of water daily, how many gallons do i drink in june
what would 500 swedish krona buy in dollars if fees are 4 percent
spell the capital of Kenya and double its number of letters
what is the total area of Spain and Portugal in square miles
from 9 am in Rome to 5 pm in New York, how many hours pass
how many eggs do i need for 18 people if 4 people need 6 eggs
"""


ONE_REQUEST = """
how many words are in to be or not to be and that is the question
what is the capital of Antigua and Barbuda
days between 3 march 2021 and 5 june 2021
what's the sum of 12 and 30
time difference between Lima, Peru and Berlin, Germany
how many cups are in 2 litres and a half
multiply 14 and 6, then add 2
how many letters are in the phrase peace and love
uppercase what is love and what is war
subtract 7 and 9 from 40
"""


def test_harmless_surplus_does_not_keep_one_tool_from_answering() -> None:
    found = {q: plan(q, ROUTER, TOOLS) for q in WITH_SURPLUS.strip().splitlines()}
    kept = [q for q, r in found.items() if r.outcome == "call" and len(r.steps) == 1]
    assert len(kept) >= 67, set(found) - set(kept)  # of 80


def test_several_requests_in_one_question_are_all_served_or_handed_over() -> None:
    found = {q: plan(q, ROUTER, TOOLS) for q in SEVERAL_REQUESTS.strip().splitlines()}
    assert not [q for q, r in found.items() if len(r.steps) == 1]
    served = [q for q, r in found.items() if len(r.steps) >= 2]
    assert len(served) >= 38, set(found) - set(served)  # of 43


def test_a_question_that_one_tool_cannot_answer_is_not_answered_by_one() -> None:
    found = {q: plan(q, ROUTER, TOOLS) for q in ONE_TOOL_IS_NOT_ENOUGH.strip().splitlines()}
    answered = {q: r.steps for q, r in found.items() if len(r.steps) == 1}
    assert len(found) == 57 and len(answered) <= 2, answered


READ_BY_NOBODY = ("multiply 14 and 6, then add 2", "subtract 7 and 9 from 40")
"""Handed over whole: no reading takes all three numbers."""


def test_what_belongs_together_is_not_split() -> None:
    for question in ONE_REQUEST.strip().splitlines():
        made = plan(question, ROUTER, TOOLS)
        assert len(made.steps) == 1 or question in READ_BY_NOBODY, (question, made.reason)


@pytest.mark.parametrize(
    ("question", "tools"),
    [
        ("if it is 7:30 pm in Madrid, what's the time in Sydney", ["clock"]),
        ("my exam is on 2027-04-25, how many days left", ["calendar"]),
        ("time in Tokyo and capital of Japan?", ["clock", "search"]),
        ("100 usd in gbp and 100 usd in jpy", ["currency", "currency"]),
        ("capital of Peru, currency of Japan and area of Spain", ["search", "search", "search"]),
        ("20% of the population of Malta and time in Oslo", ["search", "calculator", "clock"]),
        ("how many letters in banana and time in Tokyo", ["text", "clock"]),
        ("count the words in salt and pepper", ["text"]),
        ("days between 2020-01-01 and 2020-12-31 divided by 7", ["calendar", "calculator"]),
    ],
)
def test_requests_are_told_apart_by_what_each_is_alone(question: str, tools: list[str]) -> None:
    assert [step.call.tool for step in plan(question, ROUTER, TOOLS).steps] == tools


@pytest.mark.parametrize(
    ("question", "left"),
    [
        ("i run 3.1 miles every day, how many kilometres is that in a year of 365 days?", "every"),
        ("my flight leaves Lisbon at 3pm and takes 11 hours, what time do i land in Tokyo", "11"),
        ("petrol is 1.75 euros a litre, what does a gallon cost in dollars", "a gallon"),
        ("i was born on 4 march 1990, how many hours old am i", "how many hours"),
        ("convert 10 kg to pounds or ounces", "ounces"),
        ("what is 75 kg in pounds if i lose 10 percent", "in pounds"),
        ("convert 5 miles to km and double it", "double"),
        ("what is the total area of Spain and Portugal in square miles", "Portugal"),
        ("from 3 june to 30 august 2024, at 6 hours a day, how many days do i work", "6"),
    ],
)
def test_what_no_call_takes_in_is_named(question: str, left: str) -> None:
    made = plan(question, ROUTER, TOOLS)
    assert made.abstained and repr(left) in made.reason


def test_a_preamble_is_dropped_where_the_request_alone_is_the_same() -> None:
    for question in (
        "my flat has 4 rooms, what are 85 square metres in square feet",
        "i have 3 kids and need to know how many grams are 8 ounces",
        "I'm 30 and want to know the capital of Peru",
    ):
        (step,) = plan(question, ROUTER, TOOLS).steps
        assert TOOLS[step.call.tool].call(step.call.arguments).output is not None, question
    assert plan("a marathon is 26.2 miles, how many km are three of them", ROUTER, TOOLS).abstained


def test_no_growth_question_is_answered_in_part_only() -> None:
    rows = [json.loads(line) for line in CHAINS.with_name("growth.jsonl").read_text("utf-8").splitlines()]
    for row in rows:
        found, needed = plan(row["question"], ROUTER, TOOLS), [step["tool"] for step in row["steps"]]
        if found.abstained:
            continue
        whole = sorted(s.call.tool for s in found.steps) == sorted(needed) or "weeks" in result_of(found.steps[0]).text
        assert whole, (row["question"], found.reason)
