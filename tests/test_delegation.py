"""What a lesson must pass before the browser may learn it, and what reaches the user when it does not."""

from __future__ import annotations

import json

import dspy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_lm import field, scripted_lm

from router.delegation import (
    COMMAND,
    LessonContext,
    Refusal,
    Said,
    lesson_for_event,
    parse_instruction,
    parse_reply,
    review,
    teacher,
)
from router.delegation.phrases import normalise
from router.lms import make_lm
from router.lms.prompts import Prompt
from router.pipeline import RouterPipeline
from router.trace import Trace
from router.types import Decision, Rule, ToolCall, ToolResult, Usage

SURE = Decision("smalltalk", {"smalltalk": 0.99, "none": 0.01}, 0.99, False)
LESSON = {"command": COMMAND, "query": "thx", "response": "You're welcome!"}


def context(question: str = "thx", **changes) -> LessonContext:
    return LessonContext(
        question=question,
        **{"decision": SURE, "threshold": 0.8, "taught_by": "a model", "clock_ms": lambda: 1_000, **changes},
    )


def lesson(query: str, response: str = "You're welcome!") -> dict:
    return {"command": COMMAND, "query": query, "response": response}


def reason(instruction: object, **changes) -> str:
    typed = instruction.get("query") if isinstance(instruction, dict) else None
    outcome = review(instruction, context(**{"question": typed if isinstance(typed, str) else "thx", **changes}))
    assert isinstance(outcome, Refusal)
    return outcome.reason


# ---- reading replies


def test_a_reply_in_the_wire_format_is_read() -> None:
    text = json.dumps({"userResponse": "You're welcome!", "learningInstruction": LESSON})
    assert parse_reply(text) == Said("You're welcome!", LESSON, None)
    assert parse_reply(f"```json\n{text}\n```") == Said("You're welcome!", LESSON, None)


def test_a_reply_without_a_lesson_is_just_an_answer() -> None:
    for nothing in (
        "",
        ', "learningInstruction": null',
        ', "learningInstruction": {}',
        ', "learningInstruction": "none"',
    ):
        assert parse_reply('{"userResponse": "Hello."' + nothing + "}") == Said("Hello.", None, None)


@pytest.mark.parametrize(
    ("text", "answer", "note"),
    [
        ("Hello there.", "Hello there.", "plain text"),
        ('{"userResponse": "Hello', "Hello", "malformed"),
        ('{"userResponse": "Say \\"hi\\"", "learningInstruction": {"comm', 'Say "hi"', "malformed"),
        ('{"userResponse": "Hello" "x"}', "Hello", "malformed"),
        ('{"userResponse": "a\\', "a", "malformed"),
        ('{"learningInstruction": {"command": "L", "query": "hi", "response": "Hello', "Hello", "malformed"),
        ("{", "{", "malformed"),
        ("[1, 2]", "[1, 2]", "no JSON object"),
        ("42", "42", "no JSON object"),
        ('{"answer": "x"}', '{"answer": "x"}', "no userResponse"),
        ('{"userResponse": 7}', '{"userResponse": 7}', "no userResponse"),
        ('{"userResponse": "x", "learningInstruction": "teach it"}', "x", "malformed"),
        ('{"userResponse": "x", "learningInstruction": [1]}', "x", "is a list"),
        ("[" * 100_000, "[" * 100_000, "plain text"),
        ('{"a":' * 100_000, '{"a":' * 100_000, "malformed"),
    ],
)
def test_whatever_the_model_wrote_an_answer_reaches_the_user(text: str, answer: str, note: str) -> None:
    said = parse_reply(text)
    assert said.answer == answer
    assert said.instruction is None
    assert note in (said.note or "")


def test_a_lesson_without_an_answer_lends_its_response() -> None:
    said = parse_reply(json.dumps({"learningInstruction": LESSON}))
    assert (said.answer, said.instruction) == ("You're welcome!", LESSON)


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda s: st.lists(s) | st.dictionaries(st.text(), s),
        max_leaves=8,
    ).map(json.dumps)
)
def test_reading_never_raises_and_loses_no_text(text: str) -> None:
    said = parse_reply(text)
    assert isinstance(said.answer, str)
    assert bool(said.answer) or not text.strip()


def test_a_signatures_field_may_hold_the_instruction_as_json() -> None:
    assert parse_instruction(json.dumps(LESSON)) == (LESSON, None)
    assert parse_instruction("None") == parse_instruction("") == (None, None)
    assert parse_instruction("{")[1]


# ---- the checks


def test_a_lesson_with_both_keys_becomes_a_rule() -> None:
    rule = review(LESSON, context(" THX!! 🙏"))
    assert rule == Rule("thx", "You're welcome!", "a model", 1_000, 1_000 + 90 * 86_400_000)


def test_the_router_holds_the_second_key() -> None:
    other = Decision("calculator", {"calculator": 0.99}, 0.99, False)
    weak = Decision("smalltalk", {"smalltalk": 0.6}, 0.6, False)
    gave_up = Decision("smalltalk", {"smalltalk": 0.9}, 0.9, True)
    assert "'calculator', not small talk" in reason(LESSON, decision=other)
    assert "0.60, below 0.80" in reason(LESSON, decision=weak)
    assert "not sure" in reason(LESSON, decision=gave_up)
    assert "not small talk" in reason(LESSON, decision=None)


def test_no_lesson_where_a_tool_ran() -> None:
    ran = ToolResult(ToolCall("clock", {}), "14:05", None, 0.1)
    assert "clock ran" in reason(LESSON, tool_results=(ran,))


@pytest.mark.parametrize("phrase", ["yes", "ok", "thanks", "great", "好的", "vale", "d'accord"])
@pytest.mark.parametrize(
    "turn",
    [
        "Would you like me to book it?",
        "Shall I go on?",
        "I can book it for you.",
        "Soll ich weitermachen?",
        "要不要我继续",
        "Please confirm.",
    ],
)
def test_an_answer_to_the_assistant_is_not_learned(phrase: str, turn: str) -> None:
    assert "asked or offered" in reason(lesson(phrase), previous_turn=turn)


def test_thanks_after_an_answer_is_learned() -> None:
    assert isinstance(review(LESSON, context(previous_turn="Paris is the capital of France.")), Rule)


def test_a_greeting_after_an_offer_of_help_is_learned() -> None:
    turn = "Hello! How can I help you today?"
    assert isinstance(review(lesson("hello", "Hello!"), context("hello", previous_turn=turn)), Rule)
    assert "asked or offered" in reason(lesson("ok"), previous_turn=turn)


@pytest.mark.parametrize(
    ("instruction", "why"),
    [
        (None, "no object"),
        ("LEARN", "no object"),
        ([LESSON], "no object"),
        ({**LESSON, "command": "FORGET_ALL"}, "'FORGET_ALL' is unknown"),
        ({**LESSON, "command": None}, "None is unknown"),
        ({"command": COMMAND, "response": "x"}, "names no phrase"),
        ({**LESSON, "query": ["thx"]}, "names no phrase"),
        (
            json.loads(json.dumps({**LESSON, "__proto__": {"hit": True}})),
            "unknown field '__proto__'",
        ),
        ({**LESSON, "constructor": 1}, "unknown field"),
        ({**LESSON, "response": None}, "reply is empty"),
        (lesson("thx", " "), "reply is empty"),
        (lesson("thx", "x" * 201), "201 characters, more than 200"),
        (lesson("thx", "x" * 1_000_000), "1000000 characters"),
        (lesson("thx", "<script>alert(1)</script>"), "markup"),
        (lesson("thx", "<IMG SRC=x onerror=alert(1)>"), "markup"),
        (lesson("thx", "{{x}}"), "markup"),
        (lesson("thx", "[a](b)"), "markup"),
        (lesson("thx", "javascript:alert"), "link"),
        (lesson("thx", "go to www.example.org"), "link"),
        (lesson("thx", "a\u202eb"), "control"),
        (lesson("thx", "It is 14:05."), "number"),
        (lesson(""), "empty"),
        (lesson("?!"), "empty"),
        (lesson("thx" * 100), "300 characters"),
        (lesson("you are so very kind to me"), "7 words"),
        (lesson("thanks thanks thanks extraordinarily much"), "41 characters"),
        (lesson("gr8"), "number"),
        (lesson("٣ thanks"), "number"),
        (lesson("thanks.com"), "links, code"),
        (lesson("`thx`"), "code"),
        (lesson("<b>thx</b>"), "code"),
        (lesson("who was napoleon"), "question"),
        (lesson("is it far"), "question"),
        (lesson("ok?"), "question"),
        (lesson("wie weit"), "question"),
        (lesson("谁是他"), "question"),
        (lesson("no thanks"), 'says no ("no")'),
        (lesson("not good"), "says no"),
        (lesson("nein danke"), "says no"),
        (lesson("不谢谢"), "says no"),
        (lesson("stop"), 'asks for something ("stop")'),
        (lesson("ok but"), 'asks for something ("but")'),
        (lesson("again"), "said before"),
        (lesson("nice weather"), 'subject ("weather")'),
        (lesson("天气真好"), "subject"),
    ],
)
def test_a_lesson_is_refused_with_a_reason_for_a_person(instruction: object, why: str) -> None:
    assert why in reason(instruction)


def test_a_lesson_for_another_phrase_is_refused() -> None:
    for typed in ("hello", "thx 2", "no thx", "thx but why", "x" * 1_000_000):
        assert "another phrase" in reason(LESSON, question=typed)


def test_a_stretched_phrase_may_teach_its_plain_form() -> None:
    assert isinstance(review(lesson("thanks"), context("thaaanks!!")), Rule)


def test_a_users_own_tools_are_subjects_too() -> None:
    assert isinstance(review(lesson("pizza party"), context("pizza party")), Rule)
    assert 'subject ("pizza")' in reason(lesson("pizza party"), subjects=frozenset({"pizza"}))


@pytest.mark.parametrize(
    "phrase",
    [
        "how are you?",
        "What’s up?",
        "wie geht's?",
        "¿qué tal?",
        "你好吗？",
        "元気ですか？",
        "no problem",
        "不客气",
        "de nada",
    ],
)
def test_small_talk_that_looks_like_a_question_or_a_refusal_is_learned(phrase: str) -> None:
    assert isinstance(review(lesson(phrase, "Fine, thank you!"), context(phrase)), Rule)


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda s: (
            st.lists(s) | st.dictionaries(st.sampled_from(["command", "query", "response", "__proto__"]) | st.text(), s)
        ),
        max_leaves=6,
    ),
    st.text(max_size=60),
)
def test_review_never_raises(instruction: object, typed: str) -> None:
    outcome = review(instruction, context(typed))
    assert isinstance(outcome, Rule) or outcome.reason


# ---- the event


def test_the_event_carries_what_the_gatekeeper_takes() -> None:
    event = lesson_for_event(Said("You're welcome!", LESSON), context(), Usage(1, 119, 12))
    assert event is not None
    assert json.loads(json.dumps(event)) == event
    assert (event["instruction"], event["accepted"], event["reason"], event["taught_by"]) == (
        LESSON,
        True,
        "",
        "a model",
    )
    assert (event["usage"]["input_tokens"], event["usage"]["cost_usd"], event["method"]) == (
        119,
        None,
        "written by the model",
    )
    again = lesson_for_event(Said("You're welcome!", LESSON), context(), Usage(1, 119, 12))
    assert again is not None and again["id"] != event["id"]


def test_nothing_taught_means_no_lesson() -> None:
    assert lesson_for_event(Said("Hello."), context(), Usage()) is None


def test_a_note_and_a_refusal_reach_the_page() -> None:
    noted = lesson_for_event(Said("Hello.", None, "It was malformed."), context(), Usage())
    assert noted and (noted["accepted"], noted["reason"], noted["instruction"]) == (False, "It was malformed.", None)
    hostile = {**LESSON, "response": "x" * 1_000_000, "__proto__": {"a": "y" * 1_000_000}}
    refused = lesson_for_event(Said("Hello.", hostile), context(), Usage())
    assert refused and not refused["accepted"]
    assert len(json.dumps(refused)) < 5_000


# ---- down the router path, with models of each kind


class SmallTalk:
    """A router that calls everything small talk."""

    threshold = 0.5

    def decide(self, question: str) -> Decision:
        return SURE


def down_the_path(lm: dspy.LM, question: str, **extra: object) -> dict:
    trace = Trace("router", question)
    with dspy.context(lm=lm):
        RouterPipeline(SmallTalk(), {})(question=question, trace=trace, **extra)
    last = trace.events[-1]
    assert last.kind == "answer"
    return dict(last.data)


def test_a_capable_model_teaches_through_a_signature_in_one_call() -> None:
    lm = scripted_lm(field(userResponse="You're welcome!", learningInstruction=json.dumps(LESSON)))
    answer = down_the_path(lm, "thx")
    assert (answer["answer"], answer["usage"]["calls"]) == ("You're welcome!", 1)
    assert (answer["lesson"]["accepted"], answer["lesson"]["instruction"]) == (True, LESSON)
    assert answer["lesson"]["usage"]["calls"] == 1


@pytest.mark.parametrize("written", ["{broken", '{"command": "RUN"}', json.dumps({**LESSON, "query": "hello"}), "[]"])
def test_a_capable_models_bad_lesson_leaves_its_answer_and_a_reason(written: str) -> None:
    answer = down_the_path(scripted_lm(field(userResponse="You're welcome!", learningInstruction=written)), "thx")
    assert answer["answer"] == "You're welcome!"
    assert not answer["lesson"]["accepted"] and answer["lesson"]["reason"]


def test_a_local_model_teaches_in_the_wire_format() -> None:
    lm = scripted_lm(json.dumps({"userResponse": "You're welcome!", "learningInstruction": LESSON}), local=True)
    assert down_the_path(lm, "thx")["lesson"]["accepted"]


def test_the_turn_before_reaches_the_checks() -> None:
    lm = scripted_lm(json.dumps({"userResponse": "Great.", "learningInstruction": lesson("ok")}), local=True)
    assert "asked or offered" in down_the_path(lm, "ok", previous_turn="Shall I book it?")["lesson"]["reason"]


@pytest.mark.embedded
def test_the_embedded_model_answers_and_any_lesson_of_its_is_checked(embedded_lm: dspy.LM) -> None:
    for phrase in ("thx", "good morning"):
        answer = down_the_path(embedded_lm, phrase)
        assert answer["answer"].strip() and answer["usage"]["calls"] >= 1
        taught = answer["lesson"]
        assert taught is None or taught["accepted"] or taught["reason"]
        if taught and taught["accepted"]:
            assert normalise(taught["instruction"]["query"]) == normalise(phrase)


# ---- the teacher by log-probability


class Likelihoods:
    """Scores texts as it is told: the first text of each pair in turn is the likeliest."""

    def __init__(self, *favourites: str) -> None:
        self.favourites = list(favourites)
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, lm: object, prompt: Prompt, texts: tuple[str, ...], trace: Trace) -> dict[str, float]:
        with trace.step("lm", role=prompt.role):
            self.asked.append(texts)
        if prompt.messages[-1]["content"] == teacher.NEUTRAL:
            return dict.fromkeys(texts, -2.0)
        favourite = self.favourites.pop(0)
        assert favourite in texts
        return {text: -1.0 if text == favourite else -5.0 for text in texts}


@pytest.mark.parametrize(
    ("phrase", "favourites", "reply"),
    [
        ("thx", ["yes"], "You're welcome!"),
        ("Merci beaucoup !", ["yes"], "Je vous en prie !"),
        ("thank you very much", ["yes"], "You're welcome!"),
        ("good", ["yes", "Great."], "Great."),
        ("good", ["yes", "Good night!"], "Good night!"),
        ("谢谢！", ["yes"], "不客气！"),
        ("buenas tardes", ["yes"], "¡Hola!"),
        ("buenas", ["yes", "Hello!"], "¡Hola!"),
        ("👍", ["yes"], "👍"),
    ],
)
def test_the_teacher_replies_in_the_phrases_language(
    monkeypatch: pytest.MonkeyPatch, phrase: str, favourites: list[str], reply: str
) -> None:
    monkeypatch.setattr(teacher, "score", Likelihoods(*favourites))
    said = teacher.Teacher(scripted_lm(local=True)).say(phrase, Trace("t", phrase))
    assert said == Said(reply, lesson(phrase, reply), None, teacher.METHOD)
    assert isinstance(review(said.instruction, context(phrase)), Rule)


@pytest.mark.parametrize(
    ("phrase", "favourites"),
    [
        ("thx for what", ["no"]),
        ("qwerty asdf", []),
        ("mazel tov", []),
        ("hey siri", []),
        ("good restaurants", []),
        ("see you in spanish", []),
    ],
)
def test_the_teacher_lets_the_model_speak_where_it_is_not_sure(
    monkeypatch: pytest.MonkeyPatch, phrase: str, favourites: list[str]
) -> None:
    monkeypatch.setattr(teacher, "score", Likelihoods(*favourites))
    monkeypatch.setattr(teacher, "ask", lambda *_: "Well.")
    assert teacher.Teacher(scripted_lm(local=True)).say(phrase, Trace("t", phrase)) == Said("Well.")


def test_every_reply_of_the_teacher_may_be_learned_for_every_example() -> None:
    for language, entry in json.loads(teacher.REPLIES.read_text(encoding="utf-8")).items():
        for kind, said in entry["kinds"].items():
            for phrase in said["after"]:
                outcome = review(lesson(phrase, said["reply"]), context(phrase))
                assert isinstance(outcome, Rule), (language, kind, phrase, outcome)
                assert teacher.detect(normalise(phrase)), (language, phrase)


def test_a_model_that_was_not_trained_for_it_is_spoken_for_by_the_teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = scripted_lm(local=True)
    lm.engine.teaches = False
    monkeypatch.setattr(teacher, "score", Likelihoods("yes"))
    answer = down_the_path(lm, "thx")
    assert (answer["answer"], answer["lesson"]["accepted"], answer["lesson"]["method"]) == (
        "You're welcome!",
        True,
        teacher.METHOD,
    )


@pytest.mark.embedded
def test_the_base_models_likelihoods_tell_small_talk_from_questions() -> None:
    base = teacher.Teacher(make_lm("embedded:base"))
    trace = Trace("t", "q")
    simple = [base.verdict(phrase, trace) for phrase in ("thank u", "hey hey", "haha", "cheers mate")]
    asking = [
        base.verdict(phrase, trace) for phrase in ("square root of 81", "why", "speed of light", "hi what is 2+2")
    ]
    assert min(simple) > teacher.SIMPLE_ABOVE > max(asking)
    assert len([e for e in trace.events if e.data.get("phase") == "end"]) == 8
