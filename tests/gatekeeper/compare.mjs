// The gatekeeper's rule against the rule of the idea's first public implementation, on the same phrases.
//
//   node tests/gatekeeper/compare.mjs [--write]     --write: to assets/results/gatekeeper_rules.json
//
// The other rule answers "Okay!" to every text whose words are all known and whose neighbouring words have all been
// seen side by side in a taught phrase. It is given both its own reading of words (lower case, runs of letters and
// digits) and, in its favour, our normal form. Both learn the same phrases. The last line is one JSON document.
import { writeFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { createGatekeeper, normalise, read } from "./helpers.mjs";

const hits = read("hits.json");
const safety = read("safety.json").phrases;

function pairRule(wordsOf) {
  const words = new Set();
  const pairs = new Set();
  for (const { phrase } of hits.taught) {
    const list = wordsOf(phrase);
    list.forEach((word, i) => {
      words.add(word);
      if (i) pairs.add(`${list[i - 1]} ${word}`);
    });
  }
  return (text) => {
    const list = wordsOf(text);
    const known =
      list.length > 0 && list.every((word, i) => words.has(word) && (i === 0 || pairs.has(`${list[i - 1]} ${word}`)));
    return known ? "Okay!" : null;
  };
}

const gate = createGatekeeper({ storage: null });
for (const { phrase, reply } of hits.taught) gate.teach(phrase, reply);
const replies = new Map(hits.taught.map((t) => [t.phrase, t.reply]));

const RULES = {
  "exact normal form (gatekeeper.js)": (text, previousTurn) => gate.ask(text, { previousTurn }).reply,
  "known words and pairs": pairRule((text) => text.toLowerCase().match(/[\p{L}\p{M}\p{N}']+/gu) || []),
  "known words and pairs, our normal form": pairRule((text) => normalise(text).split(" ").filter(Boolean)),
};

const rows = Object.entries(RULES).map(([rule, answer]) => {
  const answered = hits.variants.map((v) => [answer(v.text), replies.get(v.phrase)]);
  const wrong = safety.filter((s) => answer(s.text, s.previousTurn) !== null);
  return {
    rule,
    variants: answered.length,
    hits: answered.filter(([reply]) => reply !== null).length,
    hits_with_the_taught_reply: answered.filter(([reply, wanted]) => reply === wanted).length,
    traps: safety.length,
    false_answers: wrong.length,
    false_answers_without_context: wrong.filter((s) => !s.previousTurn).length,
    examples: wrong
      .filter((_, i) => i % Math.max(1, Math.floor(wrong.length / 8)) === 0)
      .slice(0, 8)
      .map((s) => s.text),
  };
});
const result = { taught: hits.taught.length, rows };

const column = (value, width) => String(value).padEnd(width);
console.log(column("rule", 42) + column("hits", 12) + column("right reply", 14) + "false answers");
for (const r of rows) {
  console.log(
    column(r.rule, 42) +
      column(`${r.hits} / ${r.variants}`, 12) +
      column(`${r.hits_with_the_taught_reply} / ${r.variants}`, 14) +
      `${r.false_answers} / ${r.traps}`,
  );
}

// Latency with a full store: normalise, look up, judge the previous turn, count, copy the rule.
const full = createGatekeeper({ storage: null });
const syllables = ["ba", "ke", "mi", "lo", "tu", "ra", "se", "ni", "po", "du"];
const word = (i) => [...String(i).padStart(4, "0")].map((d) => syllables[d]).join("");
full.importRules({ rules: Array.from({ length: 2_000 }, (_, i) => ({ phrase: word(i), response: "Hello." })) });
const every = [];
const fastest = []; // of ten calls with the same text: what the code takes when no other program holds the processor
for (let i = 0; i < 2_000; i++) {
  const text = ` ${word(i).toUpperCase()}!! 🙏`;
  let best = Infinity;
  for (let again = 0; again < 10; again++) {
    const started = performance.now();
    const { hit } = full.ask(text, { previousTurn: "Paris is the capital of France." });
    const spent = (performance.now() - started) * 1_000;
    if (!hit) throw new Error(`${text} should hit`);
    every.push(spent);
    best = Math.min(best, spent);
  }
  fastest.push(best);
}
const at = (list, share) => Math.round(list.sort((a, b) => a - b)[Math.floor(list.length * share)]);
const latency = {
  rules: full.stats().rules,
  p50: at(every, 0.5),
  p99: at(every, 0.99),
  p99_undisturbed: at(fastest, 0.99),
};
console.log(
  `ask() with ${latency.rules} rules: p50 ${latency.p50} µs, p99 ${latency.p99} µs, p99 of the fastest of ten ${latency.p99_undisturbed} µs`,
);

if (process.argv.includes("--write")) {
  writeFileSync(
    new URL("../../assets/results/gatekeeper_rules.json", import.meta.url),
    JSON.stringify(result, null, 2) + "\n",
  );
}
console.log(JSON.stringify({ ...result, latency_us: latency }));
