// The page's own gatekeeper behind standard input and output: one JSON request a line, one JSON reply a line.
// Leaves out storage (memory only) and the clock (each request says when it is, in milliseconds since 1970).
import { createInterface } from "node:readline";
import gatekeeper from "../../assets/gatekeeper.js";

let time = 0;
const gate = gatekeeper.createGatekeeper({ storage: null, now: () => time });

for await (const line of createInterface({ input: process.stdin })) {
  const { op, at, text, previousTurn, lesson } = JSON.parse(line);
  time = at;
  let found = gate.stats();
  if (op === "ask") found = gate.ask(text, { previousTurn });
  if (op === "lesson") found = gate.learnLesson(lesson, { typed: text, previousTurn });
  process.stdout.write(`${JSON.stringify(found)}\n`);
}
gate.close();
