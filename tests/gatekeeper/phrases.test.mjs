// Claims about phrases: what is the same, what is not, and what never hits.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  asksSomething,
  createGatekeeper,
  lookupForms,
  normalise,
  pick,
  random,
  read,
  schooled,
  taught,
} from "./helpers.mjs";

const hits = read("hits.json");
const safety = read("safety.json").phrases;

test("the sets are as large as they claim", () => {
  assert.ok(safety.length >= 300, `${safety.length} safety phrases`);
  assert.equal(new Set(safety.map((s) => JSON.stringify([s.text, s.previousTurn]))).size, safety.length);
  assert.ok(hits.variants.length >= 150, `${hits.variants.length} variants`);
  assert.equal(new Set(hits.variants.map((v) => v.text)).size, hits.variants.length);
  const languages = new Map(hits.taught.map((t) => [t.phrase, t.language]));
  assert.ok(new Set(hits.variants.map((v) => languages.get(v.phrase))).size >= 12);
  for (const v of hits.variants) assert.notEqual(v.text, v.phrase, "a variant differs from its phrase");
});

test("every phrase of the hit set can be taught", () => {
  const gate = createGatekeeper({ storage: null });
  for (const { phrase, reply } of hits.taught)
    assert.deepEqual([phrase, gate.teach(phrase, reply).reason], [phrase, ""]);
});

test("at least 95 % of the surface variants hit, each with its own reply", () => {
  const gate = schooled();
  const replies = new Map(hits.taught.map((t) => [t.phrase, t.reply]));
  const missed = hits.variants.filter((v) => gate.ask(v.text).reply !== replies.get(v.phrase));
  assert.ok(missed.length <= 0.05 * hits.variants.length, JSON.stringify(missed));
});

test("no phrase of the safety set is answered", () => {
  const gate = schooled();
  for (const { text, previousTurn } of safety) {
    const answer = gate.ask(text, { previousTurn });
    assert.deepEqual([text, answer.hit, answer.reply], [text, false, null]);
  }
});

test("phrases have the normal forms that the fixture says", () => {
  for (const { text, form } of read("normal_forms.json").forms) assert.deepEqual([text, normalise(text)], [text, form]);
});

test("a turn asks what the fixture says", () => {
  for (const { turn, asks } of read("normal_forms.json").turns)
    assert.deepEqual([turn, asksSomething(turn)], [turn, asks]);
});

const LETTERS = [..."abcdefghijklmnopqrstuvwxyzäßéñçığßàōšжяспбоλςσωأشكرאבגדधन्यवादありがとう谢好감사ขอบคุณﬁǅᾳİＡ"];
const CLUTTER = [
  ..." .,!?;:'\"-_()<>/\\~…。！？、¿¡؟؛۔।·@#&*\t\n\u00a0\u200b\u200d\u200f\u202e\ufeff\ufe0f\u0301\u0307\u0327\u0640\u064b",
  "🙏",
  "👍",
  "👍🏽",
  "❤️",
  "😂",
  "🙄",
  ":)",
  ":(",
  "xD",
];

function babble(next, size) {
  let s = "";
  for (let i = 0; i < size; i++) {
    const c = pick(next, next() < 0.65 ? LETTERS : CLUTTER);
    s += c.repeat(next() < 0.1 ? 1 + Math.floor(next() * 6) : 1);
  }
  return next() < 0.3 ? s.toUpperCase() : s;
}

test("normalisation is idempotent", () => {
  const next = random(1);
  for (let i = 0; i < 20_000; i++) {
    const text = babble(next, 1 + Math.floor(next() * 24));
    const form = normalise(text);
    assert.equal(normalise(form), form, JSON.stringify(text));
  }
});

test("every code point alone has an idempotent form, lone surrogates too", () => {
  for (let c = 0; c < 0x11000; c++) {
    const form = normalise(String.fromCodePoint(c));
    assert.equal(normalise(form), form, c.toString(16));
  }
});

test("no text with a digit in any script ever hits", () => {
  const gate = schooled();
  const next = random(2);
  const digits = [..."0123456789٣५৭๔²½①７Ⅷ〇"];
  for (let i = 0; i < 5_000; i++) {
    const text = [...pick(next, hits.variants).text];
    text.splice(Math.floor(next() * (text.length + 1)), 0, pick(next, digits));
    assert.equal(gate.ask(text.join("")).hit, false, text.join(""));
  }
});

test("no text with a link ever hits", () => {
  const gate = schooled();
  const next = random(3);
  for (let i = 0; i < 2_000; i++) {
    const { text } = pick(next, hits.variants);
    const link =
      pick(next, ["http://", "https://", "www.", "ftp://", "mailto:"]) + pick(next, ["thx", "a.b", "hello", "x/y"]);
    for (const whole of [`${text} ${link}`, `${link} ${text}`, `${link}${text.trim()}`])
      assert.equal(gate.ask(whole).hit, false, whole);
  }
});

test("no text with a word that no rule holds ever hits", () => {
  const gate = schooled();
  const next = random(4);
  const seen = new Set(hits.taught.flatMap((t) => normalise(t.phrase).split(" ")));
  for (let i = 0; i < 5_000; i++) {
    let word = "";
    while (word.length < 2 + next() * 8) word += pick(next, [..."abcdefghijklmnopqrstuvwxyzжпсλюאבشनあ谢감"]);
    if (lookupForms(normalise(word)).some((form) => seen.has(form))) continue;
    const words = pick(next, hits.variants).text.trim().split(/\s+/);
    words.splice(Math.floor(next() * (words.length + 1)), 0, word);
    const text = words.join(" ");
    assert.equal(gate.ask(text).hit, false, text);
  }
});

test("a letter more, less or another is another phrase", () => {
  const gate = schooled();
  const next = random(5);
  const known = new Set(hits.taught.map((t) => normalise(t.phrase)));
  for (let i = 0; i < 5_000; i++) {
    const chars = [...normalise(pick(next, hits.taught).phrase)];
    const at = Math.floor(next() * chars.length);
    const change = Math.floor(next() * 3);
    if (change === 0) chars.splice(at, 1);
    else chars.splice(at, change === 1 ? 1 : 0, pick(next, [..."abcdefghijklmnopqrstuvwxyz"]));
    const form = normalise(chars.join(""));
    if (lookupForms(form).some((f) => known.has(f))) continue;
    assert.equal(gate.ask(chars.join("")).hit, false, chars.join(""));
  }
});

test("a stretched letter is read once or twice, a doubled one as it stands", () => {
  const gate = createGatekeeper({ storage: null });
  gate.teach("good", "Fine.");
  gate.teach("see", "I see.");
  for (const text of ["good", "goood", "goooooood", "GOOOOD!!"]) assert.equal(gate.ask(text).reply, "Fine.", text);
  for (const text of ["god", "goodd", "se", "gd"]) assert.equal(gate.ask(text).hit, false, text);
});

test("a stretched word that two rules could mean is not answered", () => {
  const gate = createGatekeeper({ storage: null });
  gate.teach("good", "Fine.");
  gate.teach("god", "Hm.");
  assert.equal(gate.ask("goood").hit, false);
  assert.equal(gate.ask("good").reply, "Fine.");
});

test("a word is never cut to a single letter", () => {
  const gate = createGatekeeper({ storage: null });
  gate.teach("k", "Great.");
  assert.equal(gate.ask("K.").hit, true);
  assert.equal(gate.ask("kkk").hit, false);
});

test("a megabyte is refused at once", () => {
  const gate = schooled();
  const started = performance.now();
  assert.equal(gate.ask("thx".repeat(350_000)).reason, "long");
  assert.equal(gate.ask(" ".repeat(1_000_000)).reason, "empty");
  assert.ok(performance.now() - started < 1_000);
});

test("a look-alike of another script is another phrase", () => {
  const gate = createGatekeeper({ storage: null });
  taught(gate, "ok", "Great.");
  assert.equal(gate.ask("о\u043a").hit, false); // Cyrillic
  assert.equal(gate.ask("o\u200bk\u200e").hit, true); // invisible characters are no letters
});
