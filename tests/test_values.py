"""Words become values: numbers, dates, times, durations and codes are read as the log writes them, or not at all."""

from __future__ import annotations

import random
import subprocess
import sys
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from babel.dates import format_date, format_time
from hypothesis import given, settings
from hypothesis import strategies as st
from typed_log import SHOPS, WRITTEN, typed_log, typed_model

from router.calls.alignment import is_amid
from router.calls.confidence import is_right
from router.calls.moments import FUTURE, PAST, duration
from router.calls.numbers import number
from router.calls.slots import Slot, asked_on, dated, learn_slots, placed, read_row
from router.calls.tagger import CallModel
from router.calls.values import NOTATIONS, Form, Reader, currency
from router.learning.call_log import CallLog
from router.learning.data import read_examples, write_examples
from router.network.artifact import ArtifactError
from router.types import Example

NOW = datetime(2026, 11, 28, 9, 30)  # a Saturday
DAY = Reader("date", "yyyy-MM-dd")


class TestNumbers:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("5", 5), ("1,200.50", 1200.5), ("-3", -3), ("2.0", 2), ("5k", 5_000), ("2.5K", 2_500),
            ("twenty five", 25), ("Twenty-Five", 25), ("two hundred and five", 205), ("zero", 0),
            ("three point five", 3.5), ("2 million", 2_000_000), ("2.5 million", 2_500_000),
            ("1,20", None), ("20 30", None), ("five six", None), ("half", None), ("and", None), ("", None), ("k", None),
            ("5m", None), ("1.2.3", None), ("first", None), (".", None), (". .", None),
        ],
    )  # fmt: skip
    def test_digits_and_words_are_one_number_or_none(self, text: str, value: float | None) -> None:
        assert number(text) == value and type(number(text)) is type(value)

    @given(st.integers(-(10**12), 10**12))
    def test_any_integer_is_read_with_and_without_separators(self, value: int) -> None:
        assert number(str(value)) == number(f"{value:,}") == value

    @given(st.integers(0, 10**6), st.integers(0, 99))
    def test_any_amount_is_read(self, whole: int, cents: int) -> None:
        assert number(f"{whole:,}.{cents:02}") == pytest.approx(whole + cents / 100)

    @given(st.text(max_size=30))
    def test_no_text_breaks_a_reading(self, text: str) -> None:
        for reader in (Reader("number", "integer"), Reader("currency code", "code")):
            reader.read(text, NOW)

    @pytest.mark.parametrize(
        ("notation", "text", "value"),
        [("integer", "5", 5), ("integer", "5.5", None), ("float", "5", 5.0), ("digits", "twenty five", "25"),
         ("number", "5.5", 5.5)],
    )  # fmt: skip
    def test_a_number_has_the_type_of_the_log(self, notation: str, text: str, value: Any) -> None:
        read = Reader("number", notation).read(text, NOW)
        assert read == value and type(read) is type(value)


class TestMoments:
    @pytest.mark.parametrize(
        ("text", "day"),
        [
            ("tomorrow", "2026-11-29"), ("today", "2026-11-28"), ("the day after tomorrow", "2026-11-30"),
            ("friday", "2026-12-04"), ("in 3 weeks", "2026-12-19"), ("two days from now", "2026-11-30"),
            ("29 November", "2026-11-29"), ("twenty ninth november", "2026-11-29"), ("march 3", "2027-03-03"),
            ("3rd March 2028", "2028-03-03"), ("2026-12-24", "2026-12-24"), ("tomorrow at 7 pm", "2026-11-29"),
            ("7 pm", None), ("12", None), ("in 2 hours", None), ("december", None),
            ("call mum", None), ("half past seven", None),
            ("friday 11 december", "2026-12-11"), ("monday the 7th", "2026-12-07"), ("10 days from now", "2026-12-08"),
            ("a month from now", "2026-12-28"), ("the 12th", "2026-12-12"), ("29 february", "2028-02-29"),
        ],
    )  # fmt: skip
    def test_words_are_a_day_or_none(self, text: str, day: str | None) -> None:
        assert DAY.read(text, NOW) == day

    @pytest.mark.parametrize(
        "text",
        ["3 days from today", "two weeks from today", "5 days after tomorrow", "friday 3 december", "today tomorrow",
         "30 february", "2027-02-30", "32/01/2027", "9-5", "12-24", "at 5", "twelve thirty"],
    )  # fmt: skip
    def test_what_could_be_another_day_is_none(self, text: str) -> None:
        assert all(Reader("date", "yyyy-MM-dd", order=order, prefer=prefer).read(text, NOW) is None
                   for order in ("MDY", "DMY") for prefer in (FUTURE, PAST))  # fmt: skip

    def test_the_order_of_a_numeric_date_and_the_side_of_a_day_are_the_readers(self) -> None:
        read = {(order, prefer): Reader("date", "yyyy-MM-dd", order=order, prefer=prefer).read
                for order in ("MDY", "DMY") for prefer in (FUTURE, PAST)}  # fmt: skip
        assert read["MDY", FUTURE]("05/12/2026", NOW) == "2026-05-12"
        assert read["DMY", FUTURE]("05/12/2026", NOW) == "2026-12-05"
        assert read["MDY", PAST]("friday", NOW) == "2026-11-27"
        assert read["DMY", FUTURE]("the 12th", NOW) == "2026-12-12"
        assert read["DMY", PAST]("the 12th", NOW) == "2026-11-12"

    @pytest.mark.parametrize(
        ("notation", "text", "value"),
        [
            ("HH:mm", "7 pm", "19:00"), ("HH:mm", "7.30 pm", "19:30"), ("HH:mm", "noon", "12:00"),
            ("HH:mm", "8 in the morning", "08:00"), ("HH:mm", "seven pm", "19:00"), ("HH:mm", "19:05", "19:05"),
            ("HH:mm", "tomorrow", None), ("HH:mm", "7", None), ("HH:mm", "7-8 pm", None),
            ("HH:mm", "half past seven", None),
            ("ha lower", "19:00", "7pm"), ("ha lower", "19:30", None), ("h:mm a", "19:30", "7:30 PM"),
        ],
    )  # fmt: skip
    def test_words_are_a_time_or_none(self, notation: str, text: str, value: str | None) -> None:
        assert Reader("time", notation).read(text, NOW) == value

    def test_a_moment_has_a_day_and_a_time(self) -> None:
        reader = Reader("datetime", "yyyy-MM-dd'T'HH:mm:ss")
        assert reader.read("tomorrow at 7 pm", NOW) == "2026-11-29T19:00:00"
        assert reader.read("in 2 hours", NOW) == "2026-11-28T11:30:00"
        assert reader.read("tomorrow", NOW) is None

    @settings(max_examples=40, deadline=None)
    @given(st.dates(date(2000, 1, 1), date(2049, 12, 31)), st.sampled_from(["d MMMM yyyy", "MMMM d, yyyy", "y-MM-dd"]))
    def test_any_date_in_words_is_that_date(self, day: date, pattern: str) -> None:
        assert DAY.read(format_date(day, pattern, locale="en"), NOW) == day.isoformat()

    @settings(max_examples=40, deadline=None)
    @given(st.dates(date(2020, 1, 1), date(2039, 12, 31)), st.integers(1, 400))
    def test_so_many_days_ahead_are_counted_from_the_day_of_the_question(self, day: date, ahead: int) -> None:
        now = datetime(day.year, day.month, day.day, 23, 59)
        assert DAY.read(f"in {ahead} days", now) == (day + timedelta(ahead)).isoformat()

    @settings(max_examples=40, deadline=None)
    @given(st.times(), st.sampled_from(["HH:mm", "h:mm a", "h:mma"]))
    def test_any_time_is_that_time(self, time: Any, pattern: str) -> None:
        assert Reader("time", "HH:mm").read(format_time(time, pattern, locale="en"), NOW) == f"{time:%H:%M}"

    @settings(max_examples=60, deadline=None)
    @given(st.datetimes(datetime(2000, 1, 1), datetime(2049, 12, 31)), st.sampled_from(sorted(NOTATIONS)))
    def test_what_a_notation_writes_it_reads_back(self, moment: datetime, name: str) -> None:
        notation = NOTATIONS[name]
        text = notation.write(moment)
        assert notation.moment(text) is not None and notation.write(notation.moment(text)) == text or "EEEE" in name

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("2 hours", 7_200), ("90 min", 5_400), ("an hour and 10 minutes", 4_200), ("ten minutes", 600),
         ("7 pm", None), ("friday", None), ("tomorrow", None), ("half an hour", None),
         ("2026-11-29", None), ("5", None)],
    )  # fmt: skip
    def test_words_are_a_duration_or_none(self, text: str, seconds: float | None) -> None:
        assert duration(text) == seconds

    @pytest.mark.parametrize(
        ("text", "code"),
        [("€", "EUR"), ("euros", "EUR"), ("US dollars", "USD"), ("yen", "JPY"), ("gbp", "GBP"), ("dollars", None),
         ("francs", None), ("apples", None)],
    )  # fmt: skip
    def test_words_are_one_currency_or_none(self, text: str, code: str | None) -> None:
        assert currency(text) == code


class TestForms:
    """What is learned of a slot from rows of (question, value)."""

    def slot(self, rows: list[tuple[str, Any]]) -> Slot:
        return self.slots([(question, {"x": value}) for question, value in rows])["x"]

    def slots(self, rows: list[tuple[str, dict[str, Any]]]) -> dict[str, Slot]:
        log = CallLog.read([Example(question, "t", arguments) for question, arguments in rows])
        assert all(tags is not None for tags in log.tags) or any(slot.kind != "span" for slot in log.slots["t"])
        return {slot.name: slot for slot in log.slots["t"]}

    def test_a_date_is_a_reading_and_no_class(self) -> None:
        slot = self.slot([("meet tomorrow", "2026-11-29"), ("meet today", "2026-11-28")] * 6)
        assert slot.kind == "span" and slot.form.kind == "date"
        assert slot.form.value("tomorrow", datetime(2027, 3, 1)) == "2027-03-02"

    def test_what_the_log_does_not_tell_apart_is_not_read(self) -> None:
        days = [("meet tomorrow", "2026-11-29"), ("meet in 3 days", "2026-12-01")]
        slot = self.slot(days * 5)
        assert slot.form.value("friday", NOW) is None and slot.form.value("05/12/2026", NOW) is None
        assert slot.form.value("13/12/2026", NOW) == "2026-12-13"
        slot = self.slot([*days, ("meet friday", "2026-12-04"), ("meet 03/12/2026", "2026-12-03")] * 5)
        assert slot.form.value("friday", NOW) == "2026-12-04" and slot.form.value("05/12/2026", NOW) == "2026-12-05"

    @pytest.mark.parametrize("written", ["29/11/2026", "29.11.2026", "11/29/2026", "29 November 2026", "Sunday"])
    def test_dates_are_written_as_the_log_does(self, written: str) -> None:
        reader = Reader("date", next(n.name for n in NOTATIONS.values() if n.write(datetime(2026, 11, 29)) == written))
        said = ("tomorrow", "in 3 days", "today", "friday")
        slot = self.slot([(f"meet {words}", reader.read(words, NOW)) for words in said] * 4)
        if written != "Sunday":  # which day a log was written on is not to be seen from weekdays
            assert slot.form.value("tomorrow", NOW) == written

    def test_a_log_with_times_may_be_of_many_days(self) -> None:
        rows = [Example("meet tomorrow", "t", {"x": f"2026-11-{n + 1:02}"}, at=f"2026-11-{n:02}T08:00:00+01:00")
                for n in range(1, 20)]  # fmt: skip
        log = CallLog.read(rows)
        assert log.slots["t"][0].form.value("tomorrow", NOW) == "2026-11-29"
        assert all(log.tags)

    def test_a_date_that_no_words_explain_is_open_and_no_class(self) -> None:
        slot = self.slot([("meet ada", "2026-11-29"), ("meet grace", "2026-12-24")] * 6)
        assert slot.kind == "open"
        assert self.slot([("meet ada", "2026-11-28")] * 9).kind == "open"

    def test_the_words_are_all_that_say_it_and_no_more(self) -> None:
        days = {"tomorrow": "2026-11-29", "on december 6 2026": "2026-12-06", "in 3 days": "2026-12-01"}
        rows = [read_row(Example(f"meet {said} at 7 pm", "t", {"day": day, "time": "19:00"}))
                for said, day in days.items()] * 4  # fmt: skip
        rows = dated(rows, asked_on(rows))
        slots = learn_slots(rows)["t"]
        said = {name: {row.text.of(*place) for row in rows for place in placed(row, slots).places[name]}
                for name in ("day", "time")}  # fmt: skip
        assert said["time"] == {"7 pm"}
        assert {text.removeprefix("on ") for text in said["day"]} == {"tomorrow", "december 6 2026", "in 3 days"}

    def test_a_number_of_another_slot_is_no_part_of_a_date(self) -> None:
        days = {"29 october": "2026-10-29", "today": "2026-11-28", "november 2": "2026-11-02"}
        rows = [(f"{said} {minutes} minutes", {"day": day, "minutes": minutes})
                for said, day in days.items() for minutes in (15, 20, 90)]  # fmt: skip
        read = [read_row(Example(text, "t", arguments, at=NOW.isoformat())) for text, arguments in rows]
        (day, minutes) = learn_slots(read)["t"]
        assert day.form.kind == "date" and minutes.form.kind == "number"
        found = placed(read[0], (day, minutes))
        (place,) = found.places["day"]
        assert found.text.of(*place) == "29 october"
        assert is_amid(found.text, place, day.form) and not is_amid(found.text_for("day"), place, day.form)

    def test_a_number_in_a_longer_one_is_not_found(self) -> None:
        slot = self.slot([("take twenty five", 5), ("take 15", 5), ("take 5k", 5)] * 3)
        assert slot.kind == "constant"

    def test_durations_come_in_the_unit_of_the_log(self) -> None:
        slot = self.slot([("wait 2 hours", 7_200), ("wait 10 minutes", 600), ("wait an hour", 3_600)] * 3)
        assert slot.form.value("3 minutes", NOW) == 180

    def test_words_stand_for_values_where_they_go_with_no_other(self) -> None:
        towns = {"oslo": "OSL", "paris": "CDG", "new york": "JFK", "rome": "FCO", "lima": "LIM", "bonn": "CGN"}
        slot = self.slot([(f"please fly to {town}", code) for town, code in towns.items() for _ in range(5)])
        assert slot.kind == "known" and slot.form.value("Oslo", NOW) == "OSL" and slot.form.value("york", NOW) is None
        assert slot.form.value("new  york", NOW) == "JFK" and slot.form.value("tokyo", NOW) is None

    def test_words_that_stand_for_values_are_told_apart_by_the_words_before_them(self) -> None:
        towns, pick = {"oslo": "OSL", "paris": "CDG", "rome": "FCO", "lima": "LIM"}, random.Random(0)
        pairs = [pick.sample(sorted(towns), 2) for _ in range(60)]
        slots = self.slots([(f"fly from {a} to {b}", {"from": towns[a], "to": towns[b]}) for a, b in pairs])
        assert slots["from"].form.known == {f"from {town}": code for town, code in towns.items()}
        assert slots["to"].form.known == {f"to {town}": code for town, code in towns.items()}

    def test_words_beside_a_reading_are_learned_where_it_cannot_read_them(self) -> None:
        counts = [(f"take {n}", n) for n in range(2, 9)] * 2 + [("take a dozen", 12)] * 4
        slot = self.slot(counts)
        assert slot.form.value("a dozen", NOW) == 12 and slot.form.value("31", NOW) == 31

    def test_what_is_meant_where_nothing_is_said_is_learned(self) -> None:
        slot = self.slot([(f"a table for {n}", n) for n in range(3, 9)] * 2 + [("a table", 2)] * 6)
        assert slot.kind == "span" and slot.values == (2,) and slot.form.value("11", NOW) == 11

    def test_a_number_that_is_mostly_said_is_no_class(self) -> None:
        slot = self.slot([(f"a table for {n}", n) for n in (3, 4, 5)] * 8 + [("a table", 2), ("a table", 6)] * 4)
        assert slot.kind == "open"

    def test_texts_have_the_case_of_the_log(self) -> None:
        slot = self.slot([("go to oslo", "Oslo"), ("go to new york", "New York")] * 3)
        assert slot.form.value("san juan", NOW) == "San Juan"
        slot = self.slot([("go to oslo", "oslo"), ("go to Rome", "Rome")] * 3)
        assert slot.form.value("san juan", NOW) == "san juan"

    @pytest.mark.parametrize(
        ("rows", "said", "value"),
        [
            ([("bis morgen", "2026-11-29"), ("bis übermorgen", "2026-11-30"), ("bis heute", "2026-11-28")],
             "in 3 tagen", "2026-12-01"),
            ([("nimm zwölf", 12), ("nimm einundzwanzig", 21), ("nimm 3", 3)], "fünfundzwanzig", 25),
            ([("attends deux heures", 7_200), ("attends 10 minutes", 600)], "trois minutes", 180),
        ],
    )  # fmt: skip
    def test_the_language_is_that_of_the_log(self, rows: list[tuple[str, Any]], said: str, value: Any) -> None:
        assert self.slot(rows * 4).form.value(said, NOW) == value

    def test_lists_of_numbers_are_read_one_by_one(self) -> None:
        slot = self.slot([("add two and 3", [2, 3]), ("add 7 and nine", [7, 9])] * 4)
        assert slot.listed and slot.form.kind == "number"

    def test_readings_are_of_a_closed_set(self) -> None:
        with pytest.raises(ValueError, match="notation"):
            Reader("date", "yyyy")

    def test_two_readers_that_differ_say_nothing(self) -> None:
        form = Form((Reader("date", "yyyy-MM-dd", order="MDY"), Reader("date", "yyyy-MM-dd", order="DMY")))
        assert form.value("05/12/2026", NOW) is None and form.value("13/12/2026", NOW) == "2026-12-13"


class TestCalls:
    """A log of numbers, dates, times, durations and codes, learned whole."""

    @pytest.mark.parametrize("day", [WRITTEN, date(2027, 5, 6), date(2028, 2, 28)])
    def test_any_day_has_its_own_tomorrow(self, day: date) -> None:
        now = datetime(day.year, day.month, day.day, 10)
        read = typed_model().read("remind me tomorrow at 7 pm to buy milk", "remind", now)
        assert read.arguments == {"date": str(day + timedelta(1)), "time": "19:00", "text": "buy milk", "by": "push"}

    def test_unseen_numbers_are_read(self) -> None:
        for said, value in (("thirty one", 31), ("4,500", 4_500), ("64", 64)):
            read = typed_model().read(f"order {said} boxes from the castle to arrive within 20 minutes", "order", NOW)
            assert read.arguments == {"boxes": value, "minutes": 20, "shop": "S-3"}

    def test_codes_and_what_is_not_said_come_from_the_log(self) -> None:
        read = typed_model().read("book a flight to oslo", "fly", NOW)
        assert read.arguments == {"to": "OSL", "seats": 2, "home": "Oslo"} and not read.missing

    def test_most_of_a_log_of_another_day_is_read_right(self) -> None:
        day = date(2027, 8, 17)
        rows = typed_log(90, seed=1, day=day)
        right = [is_right(typed_model().call(row.question, datetime(2027, 8, 17, 8)), row) for row in rows]
        assert sum(right) >= 86

    def test_words_for_two_values_or_none_leave_the_slot_open(self) -> None:
        slots = typed_model().parts.slots["order"]
        known = next(slot for slot in slots if slot.name == "shop")
        assert known.kind == "known" and len(known.form.aliases) > 0.8 * len(SHOPS)
        for shops in ("the harbour or the castle", "the moon"):
            read = typed_model().read(f"order 3 boxes from {shops} to arrive within an hour", "order", NOW)
            assert "shop" not in read.arguments and "shop" in read.missing

    def test_words_that_cannot_be_read_leave_the_slot_open(self) -> None:
        call = typed_model().call("order umpteen boxes from the castle to arrive within ages", NOW)
        assert "minutes" not in call.read.arguments and "boxes" not in call.read.arguments
        assert {"minutes", "boxes"} <= set(call.read.missing) and not call.sure

    @settings(max_examples=60, deadline=None)
    @given(st.text("0123456789.,k -:/ap", max_size=14), st.sampled_from(["order", "remind", "fly"]))
    def test_a_value_has_the_type_of_the_log_or_is_not_there(self, text: str, tool: str) -> None:
        types = {"boxes": int, "minutes": int, "seats": int}
        order, remind = "order {0} boxes from the castle to arrive within {0}", "remind me {0} at {0} to call mum"
        for question in (order.format(text), remind.format(text)):
            for name, value in typed_model().read(question, tool, NOW).arguments.items():
                values = value if isinstance(value, list) else [value]
                assert all(isinstance(one, types.get(name, str)) for one in values)

    def test_a_loaded_model_reads_what_the_saved_one_does(self, tmp_path) -> None:
        typed_model().save(tmp_path)
        loaded = CallModel.load(tmp_path)
        questions = [row.question for row in typed_log(30, seed=2)]
        assert [loaded.call(q, NOW) for q in questions] == [typed_model().call(q, NOW) for q in questions]
        assert loaded.parts.slots == typed_model().parts.slots and loaded.parts.asked_on == "2026-11-28T00:00:00"

    def test_an_unknown_reading_in_a_file_is_refused(self, tmp_path) -> None:
        typed_model().save(tmp_path)
        file = tmp_path / "calls.json"
        file.write_text(file.read_text().replace("yyyy-MM-dd", "yyyy-__class__"))
        with pytest.raises(ArtifactError, match="notation"):
            CallModel.load(tmp_path)


def test_when_a_row_was_asked_is_read_from_a_log_and_written_back(tmp_path) -> None:
    log, copy = tmp_path / "log.jsonl", tmp_path / "copy.jsonl"
    log.write_text('{"question": "a", "tool": "t", "at": "2026-11-01T10:00:00+02:00"}\n'
                   '{"question": "b", "tool": "t", "timestamp": 86400}\n'
                   '{"question": "c", "tool": "t", "at": "noon"}\n')  # fmt: skip
    examples, problems = read_examples(log)
    assert [e.at for e in examples] == ["2026-11-01T10:00:00+02:00", "1970-01-02T00:00:00+00:00", ""] and not problems
    write_examples(examples, copy)
    assert [e.at for e in read_examples(copy)[0]] == [e.at for e in examples]


def test_libraries_are_imported_only_where_a_slot_needs_them() -> None:
    code = "import sys, router.calls.tagger; print({'dateparser', 'text_to_num', 'babel'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
