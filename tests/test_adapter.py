"""The adapter: traces, forward, training, export, judgement. The forward and the loop run on a tiny random model."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

torch = pytest.importorskip("torch")
gguf = pytest.importorskip("gguf")

import numpy as np

from baselines.adapter import evaluate, talk
from baselines.adapter.cases import Case, Source, cases
from baselines.adapter.export import write_adapter
from baselines.adapter.model import LINEARS, Branch, Group, LoraConfig, LoraLlama, Shape, read_gguf
from baselines.adapter.results import altered, broken
from baselines.adapter.sentences import NOTHING, sentence
from baselines.adapter.traces import data_hash, lesson, still_tools, traces
from baselines.adapter.train import TrainConfig, encode, train
from router.lms import prompts
from router.types import ToolCall, ToolResult

SHAPE = Shape(layers=3, width=48, heads=3, kv_heads=1, rope_base=10_000.0, norm_eps=1e-5)
VOCABULARY = 300


@pytest.fixture(scope="module")
def tools():
    return still_tools()


@pytest.fixture(scope="module")
def made(tools):
    return traces(tools, 240, seed=3)


def tiny_weights() -> dict[str, torch.Tensor]:
    dice = torch.Generator().manual_seed(1)
    kv, inner = SHAPE.kv_heads * SHAPE.head, 96
    sizes = {"attn_q": (48, 48), "attn_k": (kv, 48), "attn_v": (kv, 48), "attn_output": (48, 48)}
    sizes |= {"ffn_gate": (inner, 48), "ffn_up": (inner, 48), "ffn_down": (48, inner)}
    weights = {"token_embd.weight": torch.randn(VOCABULARY, 48, generator=dice), "output_norm.weight": torch.ones(48)}
    for layer in range(SHAPE.layers):
        weights |= {f"blk.{layer}.{norm}.weight": torch.ones(48) for norm in ("attn_norm", "ffn_norm")}
        weights |= {f"blk.{layer}.{n}.weight": torch.randn(*sizes[n], generator=dice) / 7 for n in LINEARS}
    return weights


def tiny_model(rank: int = 4) -> LoraLlama:
    model = LoraLlama(SHAPE, tiny_weights(), LoraConfig(rank=rank, alpha=8.0, first_layer=1))
    dice = torch.Generator().manual_seed(2)
    for name, pair in model.lora.items():
        if name.endswith(":b"):
            pair.data = torch.randn(pair.shape, generator=dice) / 20
    return model


def branch(*ids: int) -> Branch:
    return Branch(ids, tuple(place >= 2 for place in range(len(ids))))


BRANCHES = (branch(5, 6, 7, 8), branch(9, 10, 11), branch(12, 13, 14, 15, 16, 17))
PREFIX = (1, 2, 3, 4, 250)


def test_packed_branches_give_what_separate_sequences_give():
    model = tiny_model()
    packed, wanted = model([Group(PREFIX, BRANCHES)])
    alone = [model([Group((), (Branch(PREFIX + b.ids, (False,) * len(PREFIX) + b.targets),))]) for b in BRANCHES]
    assert wanted.tolist() == [number for _, ids in alone for number in ids.tolist()]
    torch.testing.assert_close(packed, torch.cat([hidden for hidden, _ in alone]), atol=1e-5, rtol=1e-4)


def test_groups_with_different_prefixes_do_not_see_each_other():
    model = tiny_model()
    both, _ = model([Group(PREFIX, BRANCHES[:1]), Group((7, 7), BRANCHES[1:])])
    first, _ = model([Group(PREFIX, BRANCHES[:1])])
    second, _ = model([Group((7, 7), BRANCHES[1:])])
    torch.testing.assert_close(both, torch.cat((first, second)), atol=1e-5, rtol=1e-4)


def test_only_pairs_of_the_upper_layers_learn():
    model = tiny_model()
    hidden, wanted = model([Group(PREFIX, BRANCHES)])
    torch.nn.functional.cross_entropy(model.logits(hidden), wanted).backward()
    assert {name.split(":")[0] for name, pair in model.lora.items() if pair.grad is not None} == {"1", "2"}
    assert not any(weight.requires_grad for weight in tiny_weights().values())


def test_changed_pairs_change_a_prefix_only_after_it_is_forgotten():
    model = tiny_model()
    model([Group(PREFIX, BRANCHES)])
    kept = model._prefix(PREFIX)
    for pair in model.lora.values():
        pair.data *= 1.5
    assert model._prefix(PREFIX) is kept
    model.forget_prefixes()
    assert not torch.equal(model._prefix(PREFIX)[2][0], kept[2][0])


def write_tiny_gguf(path) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(SHAPE.layers)
    writer.add_embedding_length(SHAPE.width)
    writer.add_head_count(SHAPE.heads)
    writer.add_head_count_kv(SHAPE.kv_heads)
    writer.add_rope_freq_base(SHAPE.rope_base)
    writer.add_layer_norm_rms_eps(SHAPE.norm_eps)
    letters = [chr(code) for code in range(33, 127)] + ["Ġ", "Ċ"]
    tokens = ["<|im_start|>", "<|im_end|>", *letters, "hi", "Ġh"]
    writer.add_token_list([*tokens, *(f"unused{i}" for i in range(VOCABULARY - len(tokens)))])
    writer.add_token_merges(["h i", "Ġ h"])
    for name, weight in tiny_weights().items():
        writer.add_tensor(name, weight.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_gguf_file_of_another_architecture_is_refused(tmp_path):
    path = tmp_path / "other.gguf"
    writer = gguf.GGUFWriter(path, "gpt2")
    writer.add_block_count(1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ValueError, match="'gpt2'"):
        read_gguf(path)


def test_training_lowers_the_loss_and_resumes_to_the_same_pairs(tmp_path, tools):
    base = tmp_path / "tiny.gguf"
    write_tiny_gguf(base)
    _, _, tokenizer = read_gguf(base)
    samples = [s for s in encode(traces(tools, 60, seed=1), tokenizer) if len(s.branch.ids) < 260][:16]
    assert samples
    lora = LoraConfig(rank=4, alpha=8.0, first_layer=1)
    settings = {"decay": 4, "traces_per_step": 4, "rate": 5e-3, "warm_up": 2, "processes": 1, "distractors": 20}
    whole = train(base, samples, tmp_path / "whole" / "run.pt", TrainConfig(steps=20, **settings), lora)
    assert whole.losses[-1] < whole.losses[0] - 0.2
    path = tmp_path / "parts" / "run.pt"
    train(base, samples, path, TrainConfig(steps=20, **settings), lora)
    state = torch.load(path, weights_only=True)
    assert state["losses"] == pytest.approx(list(whole.losses), abs=1e-4)
    with pytest.raises(ValueError, match="another run"):
        train(base, samples[1:], path, TrainConfig(steps=30, **settings), lora)


def test_an_interrupted_run_goes_on_where_it_was(tmp_path, tools, monkeypatch):
    from baselines.adapter import train as module

    base = tmp_path / "tiny.gguf"
    write_tiny_gguf(base)
    _, _, tokenizer = read_gguf(base)
    samples = [s for s in encode(traces(tools, 60, seed=1), tokenizer) if len(s.branch.ids) < 260][:12]
    lora = LoraConfig(rank=4, alpha=8.0, first_layer=1)
    config = TrainConfig(steps=14, decay=2, traces_per_step=3, processes=1, distractors=20, prefix_every=1)
    whole = train(base, samples, tmp_path / "whole.pt", config, lora)
    real, steps = module._gradient, []

    def fails_at_the_thirteenth(*arguments):
        steps.append(1)
        if len(steps) == 13:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(module, "_gradient", fails_at_the_thirteenth)
    with pytest.raises(KeyboardInterrupt):
        train(base, samples, tmp_path / "cut.pt", config, lora)
    monkeypatch.setattr(module, "_gradient", real)
    resumed = train(base, samples, tmp_path / "cut.pt", config, lora)
    assert resumed.steps == whole.steps == 14
    assert resumed.losses == pytest.approx(whole.losses, abs=1e-4)


def test_a_finished_run_goes_on_when_more_steps_are_asked_for(tmp_path, tools):
    base = tmp_path / "tiny.gguf"
    write_tiny_gguf(base)
    _, _, tokenizer = read_gguf(base)
    samples = [s for s in encode(traces(tools, 60, seed=1), tokenizer) if len(s.branch.ids) < 260][:6]
    lora = LoraConfig(rank=4, alpha=8.0, first_layer=1)
    settings = {"decay": 1, "traces_per_step": 3, "processes": 1, "distractors": 20}
    first = train(base, samples, tmp_path / "run.pt", TrainConfig(steps=3, **settings), lora)
    more = train(base, samples, tmp_path / "run.pt", TrainConfig(steps=5, **settings), lora)
    assert (first.steps, more.steps, more.decay_from) == (3, 5, 4)
    assert more.losses[:3] == first.losses
    assert (first.phases, more.phases) == ((), ((2, 3),))


def test_the_exported_adapter_holds_the_trained_pairs(tmp_path):
    model = tiny_model()
    size = write_adapter(model, tmp_path / "adapter.gguf")
    reader = gguf.GGUFReader(tmp_path / "adapter.gguf")
    found = {tensor.name: tensor.data for tensor in reader.tensors}
    assert size == (tmp_path / "adapter.gguf").stat().st_size
    assert len(found) == len(model.lora)
    assert reader.fields["adapter.lora.alpha"].contents() == 8.0
    np.testing.assert_allclose(
        found["blk.2.attn_q.weight.lora_b"], model.lora["2:attn_q:b"].detach().numpy(), atol=1e-3
    )


def test_the_same_seed_makes_the_same_traces(tools):
    first, second, other = (traces(tools, 60, seed=seed) for seed in (5, 5, 6))
    assert data_hash(first) == data_hash(second) != data_hash(other)


def test_every_role_is_trained(made):
    roles = Counter(trace.role for trace in made)
    assert set(roles) == {"plan", "chain", "call", "write", "teach", "verdict", "fill", "chat"}
    assert all(trace.messages[-1]["role"] == "assistant" for trace in made)


def test_prompts_of_a_chain_trace_are_those_that_the_chain_sends(made, tools):
    trace = next(t for t in made if t.role == "chain" and t.replies == 3)
    _, asked, planned, result, found, _, _ = trace.messages
    question, plan, finding = (
        asked["content"].removesuffix("\nPlan."),
        json.loads(planned["content"]),
        json.loads(found["content"]),
    )
    output = result["content"].removeprefix("Result: ").removesuffix("\nInterpret.")
    step = prompts.ChainStep(plan["tool"], plan["input"], output)
    assert prompts.plan(question, tools).messages == trace.messages[:2]
    assert prompts.interpret(question, tools, [step]).messages == trace.messages[:4]
    done = prompts.ChainStep(plan["tool"], plan["input"], output, finding["finding"], finding["done"])
    assert prompts.conclude(question, tools, [done]).messages == trace.messages[:6]


def test_calls_in_traces_fit_their_tools(made, tools):
    calls = [
        json.loads(m["content"])
        for t in made
        if t.role == "call"
        for m in t.messages
        if m["content"].startswith('{"name"')
    ]
    assert len(calls) > 20
    for request in calls:
        tools[request["name"]].check(request["arguments"])


def test_calls_in_traces_name_arguments_in_the_order_that_a_grammar_allows(made, tools):
    """A model that writes "place" first cannot write it any more after a grammar made it begin with "ask"."""
    for trace in made:
        for message in trace.messages:
            if message["role"] == "assistant" and message["content"].startswith('{"name"'):
                request = json.loads(message["content"])
                slots = list(tools[request["name"]].parameters["properties"])
                assert list(request["arguments"]) == [slot for slot in slots if slot in request["arguments"]]


def found(tools, label: str, count: int = 400, words: tuple[str, ...] = ()) -> list[Case]:
    return list(cases(tools, label, count, Source(2, False, words)))


def test_percentages_and_remainders_are_among_the_calls(tools):
    written = [case.result.call.arguments["expression"] for case in found(tools, "calculator", 900)]
    assert sum("% of " in expression for expression in written) > 10
    assert sum(" mod " in expression for expression in written) > 5


def test_a_time_is_copied_as_the_question_writes_it(tools):
    timed = [case for case in found(tools, "clock") if "time" in case.result.call.arguments]
    assert len(timed) > 10
    assert all(case.result.call.arguments["time"] in case.question for case in timed if case.fit_for_call)


def test_names_are_copied_as_the_question_writes_them(tools):
    for label, slots in (("clock", ("place", "other_place")), ("search", ("query",))):
        for case in found(tools, label):
            names = [str(case.result.call.arguments.get(slot, "")) for slot in slots]
            for name in (name for text in names for name in re.findall(r"\b[A-Z]\w{3,}", text)):
                assert name in case.question


def test_dates_in_digits_are_read_as_the_day_that_they_name(tools):
    dated = [c for c in found(tools, "currency", 900) if re.search(r"\b\d\d?[./]\d\d?[./]\d{4}\b", c.question)]
    assert len(dated) > 5
    for case in dated:
        day, month, year = map(int, re.search(r"(\d+)[./](\d+)[./](\d{4})", case.question).groups())
        assert case.result.call.arguments["date"] == f"{year}-{month:02}-{day:02}"


def test_text_to_work_on_comes_from_the_given_words_too(tools):
    words = ("zyzzyva", "quokka")
    assert any(
        set(words) & set(str(c.result.call.arguments["text"]).lower().split()) for c in found(tools, "text", 80, words)
    )


def test_answers_in_traces_hold_no_number_that_nobody_said(made):
    for trace in made:
        if trace.role == "write":
            said = evaluate.numbers(trace.messages[1]["content"])
            assert evaluate.numbers(trace.messages[2]["content"]) <= said, trace.messages[1:]


def test_held_out_templates_are_not_trained(tools, made):
    kept = traces(tools, 120, seed=4, held_out=True)
    trained = {t.source for t in made if t.source.startswith("synthetic:")}
    assert not trained & {t.source for t in kept if t.source.startswith("synthetic:")}


def test_fresh_phrases_are_not_trained():
    def bare(phrase: str) -> str:
        return re.sub(r"[\W_]+", " ", phrase.lower()).strip()

    fresh = {bare(phrase) for phrase, _ in evaluate.fresh_phrases()} - {""}
    assert [len(evaluate.fresh_phrases(file)) for file in ("fresh.txt", "unseen.txt")] == [150, 80]
    alike = talk.look_alikes(["what time is it"], 3_000, Source(7, False))
    made = {bare(one.phrase) for one in [*talk.small_talk(3_000, 7, False), *alike]}
    assert len(made) > 2_000 and not fresh & made


def test_small_talk_and_its_look_alikes_are_never_the_same_phrase():
    alike = {one.phrase.lower() for one in talk.look_alikes(["what time is it"], 3_000, Source(7, False))}
    assert all("{" not in phrase and "[" not in phrase for phrase in alike)
    simple = {one.phrase.lower() for one in talk.small_talk(3_000, 7, False) if one.simple}
    assert len(simple & alike) <= 3, simple & alike


def test_a_verdict_alone_is_the_beginning_of_a_teachers_reply(made):
    begun = Counter(trace.messages[-1]["content"] for trace in made if trace.role == "verdict")
    assert set(begun) == {'{"learningInstruction', '{"userResponse'}
    assert not any(trace.whole for trace in made if trace.role == "verdict")


def test_a_lesson_stands_before_the_reply_so_that_the_verdict_is_a_choice_of_its_own():
    reply = json.loads(lesson(talk.Talk("thx", "You're welcome!", True)))
    schema = prompts.teach("thx").schema["properties"]
    assert list(reply) == list(schema) == ["learningInstruction", "userResponse"]


def test_only_simple_phrases_come_with_a_lesson(made):
    for trace in made:
        if trace.role == "teach":
            reply = json.loads(trace.messages[-1]["content"])
            instruction = reply.get("learningInstruction")
            if instruction:
                assert instruction["query"] == trace.messages[1]["content"]
                assert instruction["response"] == reply["userResponse"]
    assert "learningInstruction" not in json.loads(lesson(talk.Talk("no", "All right.", False)))


@pytest.mark.parametrize(
    ("tool", "output", "wanted"),
    [
        ("calculator", "2 * 3 = 6", "2 * 3 is 6."),
        ("unit_converter", "26.2 mi = 42.165 km", "26.2 mi is 42.165 km."),
        (
            "clock",
            "Paris: 14:05 on Sunday 22 November 2026 (CET, UTC+1)",
            "It is 14:05 on Sunday 22 November 2026 in Paris.",
        ),
        ("clock", "Now: Sunday 22 November 2026 (14:05, UTC)", "It is Sunday 22 November 2026."),
        ("clock", "time difference between Rome and Lima = 6 hours (Rome is ahead)", "Rome is 6 hours ahead of Lima."),
        ("calendar", "weekday of 14 July 1789 = Tuesday", "14 July 1789 falls on a Tuesday."),
        ("calendar", "is 2027 a leap year? = no (2027 has 365 days)", "No, 2027 is not a leap year: it has 365 days."),
        ("text", 'letter "r" in "strawberry" = 3', 'The letter "r" appears 3 times in "strawberry".'),
        ("search", "The capital of Peru is Lima. (source: GeoNames, score 1.00)", "The capital of Peru is Lima."),
        ("search", "Nothing found for 'x' in 16,974 passages.", NOTHING),
    ],
)
def test_sentences_say_what_results_say(tool, output, wanted):
    assert sentence("what is it", ToolResult(ToolCall(tool, {}), output, None, 0.0)) == wanted


def test_errors_are_reported_and_not_answered():
    result = ToolResult(ToolCall("clock", {}), None, "The place 'Xyz' is not known; cities are. Give a city.", 0.0)
    assert sentence("time in Xyz", result) == "Sorry, that did not work: the place 'Xyz' is not known."


def test_altered_results_keep_their_form_and_change_their_value(tools):
    import random

    found = list(cases(tools, "unit_converter", 12, Source(0, False)))
    changed = [altered(case, random.Random(i)) for i, case in enumerate(found)]
    assert sum(a.result.output != b.result.output for a, b in zip(found, changed)) > len(found) / 2
    for before, after in zip(found, changed):
        assert after.result.output.partition(" = ")[0] == before.result.output.partition(" = ")[0]
    assert broken(found[0], random.Random(1)).result.error


def test_judgement_wants_the_result_and_no_other_number(tools):
    messages = prompts.write(
        "26.2 miles to km", [ToolResult(ToolCall("unit_converter", {}), "26.2 mi = 42.165 km", None, 0.0)]
    ).messages
    asked = evaluate.Asked("write", messages, "26.2 mi is 42.165 km.")
    assert evaluate.judge(asked, "That is 42.165 km (26.2 mi).", tools).right
    assert not evaluate.judge(asked, "26.2 mi is 42.156 km.", tools).right
    assert not evaluate.judge(asked, "26.2 mi is 42.165 km, or 40 leagues.", tools).right


def test_a_summary_counts_a_reply_that_is_no_json_against_every_claim(tools):
    asked = evaluate.Asked("plan", prompts.plan("2 + 2", tools).messages, '{"tool": "calculator", "input": "2+2"}')
    judged = [evaluate.judge(asked, reply, tools) for reply in ('{"tool": "calculator", "input": "2+2"}', "four")]
    teacher = [
        evaluate.Verdict("hi", True, '{"userResponse": "Hi!", "learningInstruction": {}}'),
        evaluate.Verdict("no", False, '{"userResponse": "No.", "learningInstruction": {}}'),
        evaluate.Verdict("thx", True, '{"userResponse": "Welcome!"}'),
    ]
    found = evaluate.summary(judged, teacher, teacher[:1])
    assert found["roles"]["plan"] == {"asked": 2, "right": 0.5, "arguments": 0.5, "tool": 0.5, "valid": 0.5}
    assert found["teacher"] == {"phrases": 3, "valid": 1.0, "taught": 2, "precision": 0.5, "recall": 0.5}
    assert found["teacher_unseen"]["taught"] == 1


def test_judgement_reads_other_words_for_the_same_call(tools):
    asked = evaluate.Asked(
        "plan", prompts.plan("2 miles in km", tools).messages, '{"tool": "unit_converter", "input": "2 mi to km"}'
    )
    assert evaluate.judge(asked, '{"tool": "unit_converter", "input": "2 miles to kilometers"}', tools).right
    assert not evaluate.judge(asked, '{"tool": "unit_converter", "input": "3 mi to km"}', tools).right
    assert not evaluate.judge(asked, '{"tool": "calculator", "input": "2 mi to km"}', tools).right
    assert not evaluate.judge(asked, "unit_converter", tools).right
