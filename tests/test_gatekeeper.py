"""The browser's half of self-delegation, under Node.js, and its agreement with the Python half."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.delegation import phrases

ROOT = Path(__file__).parents[1]
GATEKEEPER = ROOT / "assets" / "gatekeeper.js"
FIXTURES = ROOT / "tests" / "gatekeeper"
TWIN = """
const { normalise, lookupForms, asksSomething, faultOfForm, faultOfMeaning, faultOfResponse } = require(process.argv[1]);
const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(texts.map((t) => {
  const form = normalise(t);
  return [form, lookupForms(form), asksSomething(t), faultOfForm(form, t), faultOfMeaning(form), faultOfResponse(t)];
})));
"""


def read(name: str) -> dict:
    return json.loads((FIXTURES / name).read_text(encoding="utf-8"))


def in_javascript(node: str, texts: list[str]) -> list[list]:
    done = subprocess.run(
        [node, "-e", TWIN, str(GATEKEEPER)],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def in_python(text: str) -> list:
    form = phrases.normalise(text)
    return [
        form,
        phrases.lookup_forms(form),
        phrases.asks_something(text),
        phrases.fault_of_form(form, text),
        phrases.fault_of_meaning(form),
        phrases.fault_of_response(text),
    ]


def test_the_gatekeepers_own_tests_pass(node: str) -> None:
    tests = sorted(map(str, FIXTURES.glob("*.test.mjs")))
    assert tests
    done = subprocess.run([node, "--test", *tests], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-8_000:]


def test_the_comparison_of_rules_is_the_committed_one(node: str) -> None:
    done = subprocess.run(
        [node, str(FIXTURES / "compare.mjs")], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout.splitlines()[-1])
    measured.pop("latency_us")
    committed = json.loads((ROOT / "assets" / "results" / "gatekeeper_rules.json").read_text(encoding="utf-8"))
    assert committed == measured, "Run node tests/gatekeeper/compare.mjs --write"


def test_the_script_is_a_module_too(node: str, tmp_path: Path) -> None:
    module = tmp_path / "gatekeeper.mjs"
    module.write_text(GATEKEEPER.read_text(encoding="utf-8"), encoding="utf-8")
    use = f"import {{ createGatekeeper, normalise }} from {json.dumps(module.as_uri())}; console.log(normalise('THX!'), typeof createGatekeeper)"
    done = subprocess.run(
        [node, "--input-type=module", "-e", use], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split() == ["thx", "function"], done.stderr


def test_the_script_leaves_one_global(node: str) -> None:
    use = (
        "const vm = require('vm'), c = vm.createContext({});"
        "vm.runInContext(require('fs').readFileSync(process.argv[1], 'utf8'), c); console.log(Object.keys(c).join())"
    )
    done = subprocess.run([node, "-e", use, str(GATEKEEPER)], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "Gatekeeper", done.stderr


def test_both_halves_read_the_same_lexicon() -> None:
    text = GATEKEEPER.read_text(encoding="utf-8")
    found = re.search(r"/\* lexicon \*/ (.*?) /\* end of lexicon \*/", text, re.DOTALL)
    assert found
    without_commas = re.sub(
        r",(\s*[\]}])", r"\1", re.sub(r"^    (\w+):", r'    "\1":', found.group(1), flags=re.MULTILINE)
    )
    assert json.loads(without_commas) == json.loads(phrases.LEXICON.read_text(encoding="utf-8"))


def test_the_lexicon_holds_normal_forms_once() -> None:
    for name, entries in json.loads(phrases.LEXICON.read_text(encoding="utf-8")).items():
        assert len(entries) == len(set(entries)), name
        if name not in ("friendlyEmoji", "asks", "asksAnywhere", "help"):
            assert [e for e in entries if phrases.normalise(e) != e] == [], name


@pytest.mark.parametrize("case", read("normal_forms.json")["forms"], ids=lambda c: repr(c["text"]))
def test_a_phrase_has_the_normal_form_of_the_fixture(case: dict) -> None:
    assert phrases.normalise(case["text"]) == case["form"]


@pytest.mark.parametrize("case", read("normal_forms.json")["turns"], ids=lambda c: repr(c["turn"]))
def test_a_turn_asks_what_the_fixture_says(case: dict) -> None:
    assert phrases.asks_something(case["turn"]) == case["asks"]


def test_javascript_and_python_agree_on_every_phrase_of_the_sets(node: str) -> None:
    texts = [v["text"] for v in read("hits.json")["variants"]] + [t["phrase"] for t in read("hits.json")["taught"]]
    texts += [t["reply"] for t in read("hits.json")["taught"]] + [p["text"] for p in read("safety.json")["phrases"]]
    for text, theirs in zip(texts, in_javascript(node, texts), strict=True):
        assert [text, *in_python(text)] == [text, *theirs]


ALPHABET = st.one_of(
    st.sampled_from("aehiknostxß ςσΣİıéñçжяспשאشكअनधあ谢好감ขǅﬁＡ"),
    st.sampled_from(" .,!?;:'\"-_()<>/~…。！？、¿¡؟؛۔।\u0301\u0307\u200b\u200d\u202e\ufe0f\u0640\u064b\t\n"),
    st.sampled_from(
        ["🙏", "👍🏽", "❤️", "🙄", ":)", " xD", "haha", "ok", "thanks", "how are you", "aaaa", "www.", "no", "5"]
    ),
    st.characters(codec="utf-8", max_codepoint=0xFFFF, exclude_categories=("Cn", "Co", "Cs")),
)
TEXTS = st.lists(ALPHABET, max_size=24).map("".join)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(TEXTS, min_size=20, max_size=60))
def test_javascript_and_python_agree_on_any_text(node: str, texts: list[str]) -> None:
    for text, theirs in zip(texts, in_javascript(node, texts), strict=True):
        assert [text, *in_python(text)] == [text, *theirs]


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_normalisation_is_idempotent(text: str) -> None:
    form = phrases.normalise(text)
    assert phrases.normalise(form) == form


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.characters(categories=("Nd", "Nl", "No")), TEXTS)
def test_a_text_with_a_number_is_never_a_phrase(before: str, number: str, after: str) -> None:
    text = before + number + after
    form = phrases.normalise(text)
    assert phrases.fault_of_form(form, text)
