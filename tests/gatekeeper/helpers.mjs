// What the gatekeeper's tests share: a storage that can fail, a seeded random generator, and lessons.
import { readFileSync } from "node:fs";
import gatekeeper from "../../assets/gatekeeper.js";

export const { createGatekeeper, normalise, lookupForms, asksSomething } = gatekeeper;
export const read = (name) => JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));
export const DAY = 86_400_000;

/** localStorage as an object; `fail` names a method that throws from now on. */
export class FakeStorage {
  constructor(entries = {}) {
    this.map = new Map(Object.entries(entries));
    this.fail = "";
    this.writes = 0;
  }
  #guard(method) {
    if (this.fail === method || this.fail === "all")
      throw Object.assign(new Error("denied"), { name: "QuotaExceededError" });
  }
  getItem(key) {
    this.#guard("getItem");
    return this.map.has(key) ? this.map.get(key) : null;
  }
  setItem(key, value) {
    this.#guard("setItem");
    this.writes += 1;
    this.map.set(key, String(value));
  }
  removeItem(key) {
    this.#guard("removeItem");
    this.map.delete(key);
  }
}

/** mulberry32: a random number in [0, 1) at each call, the same ones for the same seed. */
export function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export const pick = (next, list) => list[Math.floor(next() * list.length)];

export const lesson = (query, response = "You're welcome!") => ({ command: "LEARN_SIMPLE_PHRASE", query, response });

/** Teach as a language model does: the lesson is for what was typed. */
export function taught(gate, query, response, meta = {}) {
  const usage = { input_tokens: 200, output_tokens: 12, cost_usd: 0.001 };
  return gate.learn(lesson(query, response), { taughtBy: "a model", typed: query, usage, ...meta });
}

/** A gatekeeper in memory that knows the taught phrases of hits.json. */
export function schooled() {
  const gate = createGatekeeper({ storage: null });
  for (const { phrase, reply } of read("hits.json").taught) gate.teach(phrase, reply);
  return gate;
}
