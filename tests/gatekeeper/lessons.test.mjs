// Claims about lessons: what is learned, what is refused and why, and what hostile ones achieve.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DAY, FakeStorage, createGatekeeper, lesson, random, pick, taught } from "./helpers.mjs";

const fresh = () => createGatekeeper({ storage: null });

test("a lesson is learned and answers the phrase from then on", () => {
  const gate = fresh();
  assert.equal(gate.ask("thx").hit, false);
  const { accepted, rule } = taught(gate, "thx");
  assert.equal(accepted, true);
  assert.equal(rule.taughtBy, "a model");
  const answer = gate.ask(" THX!! ");
  assert.deepEqual([answer.hit, answer.reply, answer.rule.phrase, answer.reason], [true, "You're welcome!", "thx", ""]);
  assert.ok(answer.microseconds >= 0);
});

const REFUSED = [
  ["an unknown command", { command: "FORGET_ALL", query: "thx", response: "x" }, {}, /command "FORGET_ALL" is unknown/],
  ["no object", "LEARN_SIMPLE_PHRASE", {}, /no object/],
  ["null", null, {}, /no object/],
  ["an array", ["LEARN_SIMPLE_PHRASE", "thx", "x"], {}, /no object/],
  ["a missing phrase", { command: "LEARN_SIMPLE_PHRASE", response: "x" }, {}, /names no phrase/],
  [
    "a phrase that is no text",
    { command: "LEARN_SIMPLE_PHRASE", query: ["thx"], response: "x" },
    {},
    /names no phrase/,
  ],
  ["an unknown field", { ...lesson("thx"), expires: 1 }, {}, /unknown field "expires"/],
  [
    "a polluting key",
    JSON.parse('{"command":"LEARN_SIMPLE_PHRASE","query":"thx","response":"x","__proto__":{"hit":true}}'),
    {},
    /unknown field "__proto__"/,
  ],
  ["an inherited field", Object.create(lesson("thx")), {}, /is unknown/],
  ["a lesson for another phrase", lesson("hello"), { typed: "thx" }, /another phrase/],
  ["a lesson for nothing typed", lesson("thx"), { typed: undefined }, /another phrase/],
  ["an empty reply", lesson("thx", "  "), {}, /reply is empty/],
  ["a reply that is no text", lesson("thx", { html: "x" }), {}, /reply is empty/],
  ["a long reply", lesson("thx", "x".repeat(201)), {}, /201 characters, more than 200/],
  ["a megabyte of reply", lesson("thx", "x".repeat(1_000_000)), {}, /1000000 characters/],
  ["a script", lesson("thx", "<script>alert(1)</script>"), {}, /markup/],
  ["an image that runs code", lesson("thx", "<img src=x onerror=alert(1)>"), {}, /markup/],
  ["an entity", lesson("thx", "&lt;b&gt;"), {}, /markup/],
  ["a template", lesson("thx", "${document.cookie}"), {}, /markup/],
  ["another template", lesson("thx", "{{constructor}}"), {}, /markup/],
  ["a Markdown link", lesson("thx", "[here](x)"), {}, /markup/],
  ["a link", lesson("thx", "See https://example.org"), {}, /link/],
  ["a script link", lesson("thx", "JavaScript:alert(1)"), {}, /link/],
  ["text that runs backwards", lesson("thx", "Hi \u202egnp.exe"), {}, /control/],
  ["a number in the reply", lesson("thx", "It is 14:05."), {}, /number/],
  ["a digit", lesson("thx 2"), {}, /number/],
  ["a link as phrase", lesson("thanks.com"), {}, /links/],
  ["code as phrase", lesson("print(hello)"), {}, /code/],
  ["seven words", lesson("oh dear you are so very kind"), {}, /7 words, more than 6/],
  [
    "a long phrase",
    lesson("a".repeat(3) + "b".repeat(3) + " thank you exceedingly wonderful friends"),
    {},
    /characters, more than 40/,
  ],
  ["nothing but punctuation", lesson("?!"), {}, /empty/],
  ["a question that expects a fact", lesson("who was napoleon"), {}, /question/],
  ["a question mark", lesson("really?"), {}, /question/],
  ["a refusal", lesson("no thanks"), {}, /says no/],
  ["a command to the assistant", lesson("continue"), {}, /asks for something/],
  ["a tool's subject", lesson("nice weather"), {}, /subject \("weather"\)/],
  ["a word that leans on the turn before", lesson("again"), {}, /before/],
];

for (const [name, instruction, meta, reason] of REFUSED) {
  test(`refused with its reason: ${name}`, () => {
    const gate = fresh();
    const typed = instruction && typeof instruction.query === "string" ? instruction.query : "thx";
    const outcome = gate.learn(instruction, { taughtBy: "a model", typed, ...meta });
    assert.equal(outcome.accepted, false);
    assert.match(outcome.reason, reason);
    assert.equal(gate.rules().length, 0);
    assert.equal(gate.ask("thx").hit, false);
    const [refusal] = gate.refused();
    assert.equal(refusal.reason, outcome.reason);
    assert.ok(refusal.response.length <= 200 && refusal.query.length <= 80);
    assert.equal({}.hit, undefined);
  });
}

test("a social question is small talk", () => {
  const gate = fresh();
  for (const phrase of ["how are you?", "what's up", "wie geht's?", "¿qué tal?", "你好吗？", "お元気ですか？"]) {
    assert.deepEqual([phrase, taught(gate, phrase, "Fine, thank you!").reason], [phrase, ""]);
  }
});

test("an answer to the assistant is neither learned nor answered", () => {
  const gate = fresh();
  const previousTurn = "Would you like me to book it?";
  for (const phrase of ["ok", "thanks", "great"]) {
    assert.match(taught(gate, phrase, "Fine.", { previousTurn }).reason, /asked or offered/);
    assert.equal(taught(gate, phrase, "Fine.").accepted, true);
    assert.equal(gate.ask(phrase, { previousTurn }).reason, "answer");
    assert.equal(gate.ask(phrase, { previousTurn: "Paris is the capital of France." }).hit, true);
    assert.equal(gate.ask(phrase).hit, true);
  }
});

test("a greeting is no answer to an offer of help, thanks may be", () => {
  const gate = fresh();
  taught(gate, "hello", "Hello! How can I help you?");
  taught(gate, "thx");
  const { reply } = gate.ask("hello");
  assert.equal(gate.ask("hello", { previousTurn: reply }).hit, true);
  assert.equal(gate.ask("thx", { previousTurn: reply }).hit, false);
});

test("a lesson is taken once, also when it is replayed after forgetting", () => {
  const gate = fresh();
  const event = {
    instruction: lesson("thx"),
    accepted: true,
    reason: "",
    taught_by: "m",
    method: "x",
    usage: { input_tokens: 90, output_tokens: 10, cost_usd: null },
    id: "a1",
  };
  assert.equal(gate.learnLesson(event, { typed: "thx" }).accepted, true);
  assert.match(gate.learnLesson(event, { typed: "thx" }).reason, /twice/);
  gate.forget("thx");
  assert.match(gate.learnLesson(event, { typed: "thx" }).reason, /twice/);
  assert.equal(gate.ask("thx").hit, false);
  assert.equal(gate.stats().teachingTokens, 100, "its cost counts once");
  assert.equal(gate.learnLesson({ ...event, id: "a2" }, { typed: "thx" }).accepted, true);
});

test("a lesson that Python refused is listed with its reason and not learned", () => {
  const gate = fresh();
  const event = {
    instruction: lesson("thx"),
    accepted: false,
    reason: "The tool clock ran.",
    taught_by: "m",
    usage: null,
    id: "b1",
  };
  for (let i = 0; i < 3; i++) assert.equal(gate.learnLesson(event, { typed: "thx" }).accepted, false);
  assert.deepEqual(
    gate.refused().map((r) => [r.query, r.reason]),
    [["thx", "The tool clock ran."]],
  );
  assert.equal(gate.ask("thx").hit, false);
  gate.clearRefused();
  assert.equal(gate.refused().length, 0);
});

test("a lesson from outside cannot pass for the visitor's own", () => {
  const gate = fresh();
  const event = { instruction: lesson("no thanks"), accepted: true, reason: "", taught_by: "visitor", id: "c1" };
  assert.match(gate.learnLesson(event, { typed: "no thanks" }).reason, /says no/);
});

test("an answer event without a lesson changes nothing", () => {
  const gate = fresh();
  for (const nothing of [null, undefined, "x", 7, [], {}])
    assert.equal(gate.learnLesson(nothing, { typed: "thx" }).accepted, false);
  assert.equal(gate.refused().length, 0);
});

test("a known phrase is not taught again", () => {
  const gate = fresh();
  taught(gate, "thx", "First.");
  assert.match(taught(gate, "THX!", "Second.").reason, /known already/);
  assert.equal(gate.ask("thx").reply, "First.");
});

test("wrong answer: the rule goes and the phrase is not learned again, save by hand", () => {
  const gate = fresh();
  taught(gate, "thx");
  assert.equal(gate.block("THX!!"), true);
  assert.equal(gate.ask("thx").reason, "blocked");
  assert.equal(gate.ask("thxxxx").reason, "blocked");
  assert.match(taught(gate, "thx").reason, /wrong/);
  assert.deepEqual(gate.blocked(), ["thx"]);
  assert.equal(gate.teach("thx", "With pleasure.").accepted, true);
  assert.deepEqual([gate.ask("thx").reply, gate.blocked()], ["With pleasure.", []]);
  gate.block("thx");
  assert.equal(gate.unblock("thx"), true);
  assert.equal(taught(gate, "thx").accepted, true);
});

test("by hand a visitor may teach what a model may, and no more", () => {
  const gate = fresh();
  for (const [phrase, reply, why] of [
    ["what time is it", "Noon.", /question/],
    ["wie spät ist es", "Mittag.", /question/],
    ["really?", "Really.", /question/],
    ["weather", "Sunny.", /tool's subject/],
    ["no thanks", "All right.", /says no/],
    ["stop", "Stopped.", /asks for something/],
    ["office hours", "9 to 5.", /number/],
    ["thx 2", "x", /number/],
    ["thx", "<b>x</b>", /markup/],
  ]) {
    assert.match(gate.teach(phrase, reply).reason, why);
    assert.equal(gate.ask(phrase).hit, false, phrase);
  }
  for (const phrase of ["office hours", "how are you?", "thx"]) assert.equal(gate.teach(phrase, "Hm.").accepted, true);
  assert.equal(gate.rules()[0].taughtBy, "visitor");
});

test("a rule that may not be taught comes in by no file, and by no store", () => {
  const gate = fresh();
  const { added, refused } = gate.importRules({ rules: [{ phrase: "what time is it", response: "Noon." }] });
  assert.equal(added, 0);
  assert.match(refused[0].reason, /question/);
  const rules = [
    { phrase: "what time is it", response: "Noon." },
    { phrase: "thx", response: "Hm." },
  ];
  const storage = new FakeStorage({ "gatekeeper.v2": JSON.stringify({ version: 2, rules }) });
  const kept = createGatekeeper({ storage });
  assert.deepEqual([kept.ask("what time is it").hit, kept.ask("thx").hit], [false, true]);
  assert.match(storage.getItem(kept.stats().storage.setAside), /Noon/);
});

test("edit changes the reply and the expiry, within the limits", () => {
  let now = 1_000;
  const gate = createGatekeeper({ storage: null, now: () => now });
  taught(gate, "thx");
  assert.equal(gate.edit("thx", { response: "Any time!", expiresAt: 5_000 }).accepted, true);
  assert.equal(gate.ask("thx").reply, "Any time!");
  assert.match(gate.edit("thx", { response: "<i>" }).reason, /markup/);
  assert.match(gate.edit("thx", { expiresAt: 500 }).reason, /future/);
  assert.match(gate.edit("hello", { response: "x" }).reason, /no rule/);
  now = 5_000;
  assert.equal(gate.ask("thx").reason, "expired");
  assert.equal(gate.ask("thx").reason, "unknown");
});

test("a rule expires after 90 days and may then be taught again", () => {
  let now = 0;
  const gate = createGatekeeper({ storage: null, now: () => now });
  taught(gate, "thx");
  now = 90 * DAY - 1;
  assert.equal(gate.ask("thx").hit, true);
  now = 90 * DAY;
  assert.equal(gate.ask("thx").reason, "expired");
  assert.equal(gate.rules().length, 0);
  assert.equal(taught(gate, "thx").accepted, true);
});

test("savings are what the phrase cost when it was taught, and an unknown price is never zero", () => {
  const gate = fresh();
  taught(gate, "thx");
  taught(gate, "hello", "Hello!", { usage: { input_tokens: 50, output_tokens: 5, cost_usd: null } });
  gate.teach("bye", "Bye!");
  for (const text of ["thx", "thx!", "hello", "bye", "what"]) gate.ask(text);
  const { hits, misses, savedTokens, savedUsd, teachingTokens, teachingUsd, rules } = gate.stats();
  assert.deepEqual(
    { hits, misses, savedTokens, rules, teachingTokens },
    { hits: 4, misses: 1, savedTokens: 479, rules: 3, teachingTokens: 267 },
  );
  assert.ok(Math.abs(savedUsd - 0.002) < 1e-12 && Math.abs(teachingUsd - 0.001) < 1e-12);
  const rule = Object.fromEntries(gate.rules().map((r) => [r.phrase, r]));
  assert.deepEqual([rule.thx.hits, rule.thx.savedTokens, rule.hello.savedUsd, rule.bye.savedTokens], [2, 424, null, 0]);
  assert.equal(fresh().stats().savedUsd, null);
});

test("the history counts up and stays small", () => {
  const gate = fresh();
  taught(gate, "thx");
  for (let i = 0; i < 3_000; i++) gate.ask(i % 3 ? "thx" : "who knows");
  const { history, hits, misses } = gate.stats();
  assert.ok(history.length <= 400);
  for (let i = 1; i < history.length; i++) {
    assert.ok(history[i].hits + history[i].misses >= history[i - 1].hits + history[i - 1].misses);
  }
  assert.deepEqual([history.at(-1).hits, history.at(-1).misses], [hits, misses]);
});

test("every change is told with its kind", () => {
  const kinds = [];
  const gate = createGatekeeper({ storage: null, onChange: ({ kind }) => kinds.push(kind) });
  gate.ask("thx");
  taught(gate, "thx");
  gate.ask("thx");
  gate.edit("thx", { response: "x" });
  gate.forget("thx");
  gate.block("thx");
  gate.unblock("thx");
  gate.learn(null, { taughtBy: "m" });
  gate.importRules('{"rules": []}');
  assert.deepEqual(kinds, ["miss", "learn", "hit", "edit", "forget", "block", "unblock", "refuse", "import"]);
});

test("no lesson of random values is learned or throws", () => {
  const next = random(6);
  const values = [
    null,
    undefined,
    0,
    NaN,
    "",
    "thx",
    "LEARN_SIMPLE_PHRASE",
    [],
    {},
    { toString: null },
    () => 1,
    Symbol.iterator,
    1n,
    true,
    "\u0000",
    "x".repeat(999),
  ];
  const gate = fresh();
  for (let i = 0; i < 3_000; i++) {
    const instruction = { command: pick(next, values), query: pick(next, values), response: pick(next, values) };
    const outcome = gate.learn(instruction, {
      taughtBy: "m",
      typed: "nothing",
      usage: pick(next, values),
      id: pick(next, values),
    });
    assert.equal(outcome.accepted, false);
  }
  assert.equal(gate.rules().length, 0);
});
