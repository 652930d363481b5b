// Claims about the store: what survives, what is shared between tabs, and what a store that misbehaves costs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DAY, FakeStorage, createGatekeeper, taught } from "./helpers.mjs";

const STORE = "gatekeeper.v2";

test("rules, blocks, counters and refusals survive a reload", () => {
  const storage = new FakeStorage();
  const gate = createGatekeeper({ storage });
  taught(gate, "thx");
  gate.ask("thx");
  gate.ask("what");
  gate.block("hello");
  taught(gate, "who was napoleon");
  gate.close();
  const again = createGatekeeper({ storage });
  assert.equal(again.ask("THX 🙏").hit, true);
  assert.deepEqual(again.blocked(), ["hello"]);
  assert.equal(again.refused().length, 1);
  const { hits, misses, savedTokens, storage: kept } = again.stats();
  assert.deepEqual([hits, misses, savedTokens, kept.persistent], [2, 1, 424, true]);
  assert.equal(again.rules()[0].hits, 2);
});

test("a hit writes later, a lesson at once", () => {
  const storage = new FakeStorage();
  const gate = createGatekeeper({ storage });
  taught(gate, "thx");
  const writes = storage.writes;
  for (let i = 0; i < 50; i++) gate.ask("thx");
  assert.equal(storage.writes, writes);
  gate.flush();
  assert.equal(storage.writes, writes + 1);
  assert.equal(JSON.parse(storage.getItem(STORE)).rules[0].hits, 50);
});

test("two tabs keep each other's rules, hits and forgetting", () => {
  const storage = new FakeStorage();
  const one = createGatekeeper({ storage });
  const two = createGatekeeper({ storage });
  taught(one, "thx");
  taught(two, "hello", "Hello!"); // two has not heard of thx yet
  two.sync();
  one.sync();
  for (const gate of [one, two])
    assert.deepEqual(
      gate
        .rules()
        .map((r) => r.phrase)
        .sort(),
      ["hello", "thx"],
    );
  one.ask("thx");
  two.ask("thx");
  two.ask("thx");
  one.flush();
  two.flush();
  one.sync();
  assert.deepEqual([one.stats().hits, one.rules().find((r) => r.phrase === "thx").hits], [3, 3]);
  two.ask("hello"); // not written yet
  one.forget("hello");
  two.flush();
  two.sync();
  assert.deepEqual(
    two.rules().map((r) => r.phrase),
    ["thx"],
  );
  assert.equal(two.stats().hits, 4);
});

test("the storage event of another tab is heard", () => {
  const listeners = {};
  globalThis.addEventListener = (name, listener) => (listeners[name] = listener);
  try {
    const storage = new FakeStorage();
    const gate = createGatekeeper({ storage });
    taught(createGatekeeper({ storage }), "thx");
    assert.equal(gate.ask("thx").hit, false);
    const heard = createGatekeeper({ storage });
    heard.forget("thx");
    taught(heard, "hello", "Hello!");
    listeners.storage({ key: "another key" });
    listeners.storage({ key: STORE });
    assert.equal(heard.ask("hello").hit, true);
  } finally {
    delete globalThis.addEventListener;
  }
});

test("no storage: rules live in memory, and the gatekeeper says so", () => {
  const gate = createGatekeeper({ storage: null });
  taught(gate, "thx");
  assert.equal(gate.ask("thx").hit, true);
  const { persistent, reason } = gate.stats().storage;
  assert.equal(persistent, false);
  assert.match(reason, /until it is closed/);
});

test("storage that throws at every call is survived", () => {
  const storage = new FakeStorage();
  storage.fail = "all";
  const gate = createGatekeeper({ storage });
  taught(gate, "thx");
  assert.equal(gate.ask("thx").hit, true);
  assert.match(gate.stats().storage.reason, /QuotaExceededError/);
});

test("a full storage loses nothing in this tab and is written once there is room", () => {
  const storage = new FakeStorage();
  const gate = createGatekeeper({ storage });
  taught(gate, "thx");
  storage.fail = "setItem";
  taught(gate, "hello", "Hello!");
  gate.ask("hello");
  assert.equal(gate.stats().storage.persistent, false);
  storage.fail = "";
  gate.flush();
  assert.equal(gate.stats().storage.persistent, true);
  const again = createGatekeeper({ storage });
  assert.deepEqual([again.ask("hello").hit, again.ask("thx").hit], [true, true]);
});

for (const [name, broken] of [
  ["cut off", '{"version":2,"rules":[{"phr'],
  ["another type", '"hello"'],
  ["null", "null"],
  ["no rules", '{"version":2}'],
  ["another version", '{"version":99,"rules":[]}'],
  ["a rule that is none", '{"version":2,"rules":[{"phrase":"thx","response":"Hi"},{"phrase":7}]}'],
  [
    "a rule with markup",
    '{"version":2,"rules":[{"phrase":"thx","response":"Hi"},{"phrase":"hello","response":"<img src=x>"}]}',
  ],
]) {
  test(`a damaged store is set aside whole: ${name}`, () => {
    const storage = new FakeStorage({ [STORE]: broken });
    const gate = createGatekeeper({ storage, now: () => 1_000 });
    assert.equal(gate.ask("hello").hit, false);
    const { setAside } = gate.stats().storage;
    assert.equal(setAside, `${STORE}.damaged.1000`);
    taught(gate, "hello", "Hello!");
    assert.equal(storage.getItem(setAside), broken);
    assert.equal(createGatekeeper({ storage, now: () => 1_000 }).ask("hello").hit, true);
    if (name.startsWith("a rule")) assert.equal(gate.ask("thx").reply, "Hi", "rules that can be read are kept");
  });
}

test("a damaged store that cannot be set aside is not written over", () => {
  const storage = new FakeStorage({ [STORE]: "{" });
  storage.fail = "setItem";
  const gate = createGatekeeper({ storage });
  taught(gate, "thx");
  assert.equal(gate.ask("thx").hit, true);
  assert.equal(storage.getItem(STORE), "{");
});

test("the first format is read, its faults set aside", () => {
  const old = { thx: "You're welcome!", hello: { reply: "Hello!", uses: 3, at: Date.now() }, "7 up": "x" };
  const storage = new FakeStorage({ "gatekeeper.v1": JSON.stringify(old) });
  const gate = createGatekeeper({ storage });
  assert.equal(gate.ask("THX").reply, "You're welcome!");
  assert.equal(gate.rules().find((r) => r.phrase === "hello").hits, 3);
  assert.ok(gate.stats().storage.setAside.startsWith("gatekeeper.v1.damaged"));
  gate.flush();
  assert.equal(createGatekeeper({ storage }).ask("hello").hit, true);
});

test("a newer format under its own key is left alone", () => {
  const storage = new FakeStorage({ "gatekeeper.v3": "anything" });
  taught(createGatekeeper({ storage }), "thx");
  assert.equal(storage.getItem("gatekeeper.v3"), "anything");
});

test("beyond 2,000 rules the least recently used goes", () => {
  let now = 0;
  const gate = createGatekeeper({ storage: null, now: () => now });
  const word = (i) => "w" + [...String(i).padStart(4, "0")].map((d) => "bcdfghjklm"[d]).join("a");
  const rules = Array.from({ length: 2_000 }, (_, i) => ({
    phrase: word(i),
    response: "x",
    learnedAt: i,
    expiresAt: DAY,
  }));
  assert.equal(gate.importRules({ rules }).added, 2_000);
  now = 10_000;
  gate.ask(word(0));
  gate.teach("hello", "Hello!");
  assert.equal(gate.rules().length, 2_000);
  assert.equal(gate.ask(word(0)).hit, true);
  assert.equal(gate.ask(word(1)).hit, false);
  assert.equal(gate.ask("hello").hit, true);
});

test("an export comes back whole", () => {
  const gate = createGatekeeper({ storage: null });
  taught(gate, "thx");
  gate.teach("hello", "Hello!");
  gate.ask("thx");
  const json = gate.exportRules();
  const other = createGatekeeper({ storage: null });
  assert.deepEqual(other.importRules(json), { added: 2, updated: 0, refused: [], error: null });
  assert.deepEqual(other.rules(), gate.rules());
  assert.deepEqual(other.importRules(json), { added: 0, updated: 2, refused: [], error: null });
});

test("an import tells what it refuses and keeps the rest", () => {
  const gate = createGatekeeper({ storage: null });
  gate.block("bye");
  const expired = { phrase: "ok", response: "Great.", learnedAt: 0, expiresAt: 1 };
  const rules = [
    { phrase: "thx", response: "Hi" },
    { phrase: "x2", response: "Hi" },
    { phrase: "hello", response: "<b>" },
    { phrase: "bye", response: "Bye" },
    expired,
    7,
    null,
  ];
  const { added, refused, error } = gate.importRules(JSON.stringify({ rules }));
  assert.deepEqual([added, error, refused.length], [1, null, 6]);
  assert.match(refused.map((r) => r.reason).join("\n"), /number[^]*markup[^]*blocked[^]*expired/);
  for (const junk of ["", "{", "[]", "null", "{}", '{"rules": 7}', '{"__proto__": {"rules": []}}']) {
    assert.match(gate.importRules(junk).error, /exported here/, junk);
  }
  assert.match(gate.importRules(" ".repeat(5_000_001)).error, /more than 5000000/);
  assert.equal(gate.rules().length, 1);
});

test("forget all empties the rules and says how many", () => {
  const storage = new FakeStorage();
  const gate = createGatekeeper({ storage });
  taught(gate, "thx");
  taught(gate, "hello", "Hello!");
  assert.equal(gate.forgetAll(), 2);
  assert.equal(createGatekeeper({ storage }).rules().length, 0);
  assert.equal(gate.forget("thx"), false);
});
