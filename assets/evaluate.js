/*
 * Evaluate: shows what pages/evaluate.py (or a report) says of a question set: summary, figures, threshold, disagreements.
 * All text goes in by textContent. Leaves out running (the server) and drawing (charts.js).
 *
 * Switchyard.evaluation(element)           take over the results' template
 * Switchyard.evaluated(panel)              show one panel (baselines/figures/panel.py), or its growth figures
 * Switchyard.evaluate(element, send, page) take over the form; send(name, data) reaches Python
 * Switchyard.evaluateMessage(message)      show one message of the page: estimate | running | done | refused | file
 */
(function () {
  "use strict";
  const Switchyard = (window.Switchyard = window.Switchyard || {});
  const { h, say } = Switchyard;
  const state = { root: null, panel: null, form: null, send: null, running: false, timer: 0, asked: 0, early: [], lost: null, leaving: false };

  const percent = (share) => (share === null || share === undefined ? "–" : (100 * share).toFixed(0) + " %");
  const number = (value) => (value === null || value === undefined ? "–" : say.count(value));
  const text = (element, value) => { if (element.textContent !== value) element.textContent = value || ""; };

  const LEAD = [
    ["cost_quality", "Cost against quality", "Up and to the left is better. The line is the router at other thresholds."],
    ["accuracy", "Right tool, right result, right answer", "Bars: share of questions. Whiskers: 95 % bootstrap intervals."],
  ];
  const MORE = [
    ["tokens", "Tokens a question", "Input and output of all calls, retries included, in o200k tokens."],
    ["latency", "Time to the whole answer", "How many questions were answered within a time."],
    ["stability", "Asked again", "How often a path called other tools, or answered in other words."],
    ["payback", "When it pays back", "What was spent once on the router (its training's CPU time, at $0.05 a core-hour by default), against what each query saves."],
  ];
  const STAND_IN = "The embedded model is a 135M stand-in, which writes wrong tool inputs where a capable model would not. " +
    "Calls, tokens and time are the paths' own";
  const GAP = "; the gap in right answers is mostly the model's";
  const GROWTH = [
    ["tokens", "Tokens a question", "By tools on offer, for questions that need one tool and for those that need the most."],
    ["cost", "Cost", "Questions that need two tools, at full input prices and with prompt caching: the best counter-argument."],
    ["calls", "LLM calls", "By tools that the question needs."],
  ];

  /* ---- results ---- */

  Switchyard.evaluation = function (element) {
    state.root = element.querySelector(".ev");
    const slider = find(".ev-threshold input");
    slider.addEventListener("input", () => frame(Number(slider.value)));
    for (const button of state.root.querySelectorAll("[data-file]")) {
      button.addEventListener("click", () => state.send && state.send("save", { kind: button.dataset.file }));
    }
    state.early.splice(0).forEach(Switchyard.evaluated);
  };

  Switchyard.evaluated = function (panel) {
    if (!panel) return;
    if (!state.root) return void state.early.push(panel); // the form was ready before the results' template
    if (panel.growth) growth(panel.growth);
    if (!panel.summary || !Object.keys(panel.summary).length) return;
    state.panel = panel;
    find(".ev-result").hidden = false;
    const meta = panel.meta[panel.meta.length - 1] || {};
    text(find(".ev-result h2"), say.plural(panel.questions, "question") + (meta.lm ? " with " + meta.lm : ""));
    text(find(".ev-result .ev-source"), [panel.shipped && "measured before, shipped with Switchyard", meta.date && meta.date.slice(0, 10), meta.commit && "commit " + meta.commit,
      "costs " + (panel.priced_as ? "priced as " + panel.priced_as : "by the model's own price"),
      counted(panel.summary)].filter(Boolean).join(" · "));
    const frames = panel.frames || [];
    const box = find(".ev-threshold");
    box.hidden = frames.length < 2 || !panel.summary.router; // stopped before the router had its turn
    if (!box.hidden) {
      const slider = box.querySelector("input");
      slider.max = frames.length - 1;
      slider.value = frames.findIndex((f) => f.threshold === panel.own_threshold);
    }
    box.hidden ? show(panel, null) : frame(Number(box.querySelector("input").value));
    disagreements(panel.disagreements);
    provenance(panel.meta);
  };

  function frame(index) {
    const chosen = state.panel.frames[index];
    const own = chosen.threshold === state.panel.own_threshold;
    const router = chosen.summary.router || {};
    text(find(".ev-threshold output"), chosen.threshold.toFixed(2) + (own ? " (as it was run)" : ""));
    find(".ev-threshold input").setAttribute("aria-valuetext", "threshold " + chosen.threshold.toFixed(2));
    text(find(".ev-threshold .ev-note"), "The LLM chooses the tool on " + percent(router.abstained) + " of the questions. " +
      (chosen.missing.length
        ? say.plural(chosen.missing.length, "question") + " cannot be replayed, because that branch was not run; the router's figures leave them out."
        : "Replayed from what was run; nothing is asked again."));
    show(own ? { ...state.panel } : { ...state.panel, ...chosen, figures: { ...state.panel.figures, ...chosen.figures } }, chosen);
  }

  function show(panel) {
    const { lm } = panel.meta[panel.meta.length - 1] || {};
    text(find(".ev-caveat"), (lm || "").startsWith("embedded") ? STAND_IN + (ahead(panel.summary) ? GAP : "") + "." : "");
    find(".ev-sentences").replaceChildren(...panel.sentences.map((s) => h("li", null, s)));
    table(panel);
    grid(find(".ev-lead"), LEAD, panel.figures);
    grid(find(".ev-more .ev-grid"), MORE, panel.figures);
  }

  /* Whether the router has more right answers than another path, as far as right answers are known. */
  const ahead = ({ router, ...others }) => Boolean(router) && router.answer_accuracy !== null &&
    Object.values(others).some((s) => s.answer_accuracy !== null && s.answer_accuracy < router.answer_accuracy);

  function grid(box, kinds, figures) {
    for (const [key, title, note] of kinds) {
      let card = box.querySelector('[data-figure="' + key + '"]');
      if (!figures[key]) { if (card) card.closest("figure").remove(); continue; }
      if (!card) {
        card = h("div", { class: "plot", "data-figure": key });
        box.append(h("figure", { class: "panel" }, h("figcaption", null, h("h3", null, title), h("p", null, note)), card));
      }
      Switchyard.draw(card, figures[key]);
    }
  }

  function table(panel) {
    const money = (v) => (v === null || v === undefined ? "no known price" : say.money(v));
    const within = (s, key, make) => { const i = s.intervals[key]; return i ? make(i[0]) + " – " + make(i[1]) : ""; };
    const columns = [
      ["Runs", (s) => [number(s.runs), s.errors ? say.plural(s.errors, "error") : ""]],
      ["LLM calls", (s) => [s.calls_per_question.toFixed(2), "a question"]],
      ["Tokens", (s) => [number(s.tokens_per_question), within(s, "tokens_per_question", number)]],
      ["In · out", (s) => [number(s.input_tokens / s.runs) + " · " + number(s.output_tokens / s.runs), "model's count"]],
      ["Cost", (s) => [money(s.cost_usd_per_question), s.cost_usd_per_question === null ? "" : "a question"]],
      ["Per right answer", (s) => s.answer_accuracy === null ? ["–", "right answers not known"]
        : [s.answer_accuracy === 0 ? "none right" : money(s.cost_per_right_answer), within(s, "cost_per_right_answer", say.money)]],
      ["Half within", (s) => [say.seconds(s.seconds.p50), "95 % within " + say.seconds(s.seconds.p95)]],
      ["First word", (s) => [say.seconds(s.first_token.p50) || "–", ""]],
      ["Right tool", (s) => [percent(s.tool_accuracy), within(s, "tool_accuracy", percent)]],
      ["Right result", (s) => [percent(s.result_accuracy), within(s, "result_accuracy", percent)]],
      ["Right answer", (s) => [percent(s.answer_accuracy), within(s, "answer_accuracy", percent)]],
    ];
    if (Object.values(panel.summary).some((s) => s.judged_accuracy !== null)) {
      columns.push(["Judged right", (s) => [percent(s.judged_accuracy), within(s, "judged_accuracy", percent)]]);
    }
    const box = find(".ev-table");
    box.querySelector("thead").replaceChildren(h("tr", null, h("th", { scope: "col" }, "Path"),
      ...columns.map(([title]) => h("th", { scope: "col" }, title))));
    box.querySelector("tbody").replaceChildren(...Object.entries(panel.summary).map(([path, s]) =>
      h("tr", { "data-path": path }, h("th", { scope: "row" }, panel.names[path] || path),
        ...columns.map(([, make]) => { const [value, more] = make(s); return h("td", null, value, more ? h("small", null, more) : ""); }))));
    versus(panel);
    const judges = Object.entries(panel.summary).filter(([, s]) => s.judge).map(([path, s]) =>
      (panel.names[path] || path) + " " + say.plural(s.judge.calls, "call") + ", " + money(s.judge.cost_usd));
    text(box.querySelector(".ev-note"), judges.length ? "The judge is paid apart: " + judges.join("; ") + "." : "");
  }

  /* What the router's advantage is on the questions that both paths answered, and between which values it lies. */
  function versus(panel) {
    const times = (v) => v.toFixed(1) + "×";
    const points = (v) => (v > 0 ? "+" : v < 0 ? "−" : "") + Math.abs(100 * v).toFixed(0);
    const cell = (found, make, unit) => found && found.value !== null && found.value !== undefined
      ? h("td", null, make(found.value) + unit, found.interval ? h("small", null, make(found.interval[0]) + " to " + make(found.interval[1])) : "")
      : h("td", null, "–");
    const others = Object.entries((panel.summary.router || {}).versus || {});
    const box = find(".ev-versus");
    box.hidden = !others.length;
    box.querySelector("tbody").replaceChildren(...others.map(([path, found]) => h("tr", { "data-path": path },
      h("th", { scope: "row" }, panel.names[path] || path),
      ...["calls", "tokens", "cost", "seconds"].map((key) => cell(found.ratios[key], times, "")),
      cell(found.differences.answer_accuracy, points, " points"))));
  }

  function disagreements(found) {
    const box = find(".ev-disagree");
    box.hidden = !found;
    if (!found) return;
    text(box.querySelector("summary span"), found.length
      ? "on " + say.plural(found.length, "question") + ": other tools were called, or not all were right"
      : "on no question: they called the same tools and were right or wrong together");
    box.querySelector("div").replaceChildren(...found.map((item) => h("details", null,
      h("summary", null, Switchyard.clip(item.question, 140),
        h("span", { class: "ev-marks" }, ...Object.entries(item.paths).map(([path, view]) => h("span", { class: "ev-mark", "data-path": path,
          title: (state.panel.names[path] || path) + ": " + verdict(view) }, mark(view))))),
      h("p", { class: "ev-wanted" }, wanted(item)),
      h("div", { class: "ev-sides" }, ...Object.entries(item.paths).map(([path, view]) => h("div", { "data-path": path },
        h("h4", null, (state.panel.names[path] || path) + ": " + verdict(view)),
        ...view.tools.map(([tool, result]) => h("code", null, tool + " → " + result)),
        h("p", null, view.answer === null ? view.error : view.answer)))))));
  }

  const right = (view) => (view.error !== null ? false : view.answer_right === null ? view.tool_right : view.answer_right);
  const mark = (view) => (right(view) === null ? "?" : right(view) ? "✓" : "✗");
  const verdict = (view) => view.error !== null ? "failed" : view.answer_right !== null
    ? (view.answer_right ? "right" : "wrong") : view.tool_right === null ? "not known" : view.tool_right ? "right tool" : "wrong tool";
  const wanted = (item) => [item.tools && ("Needs " + (item.tools.length ? item.tools.join(", ") : "no tool")),
    item.reference.length && ("a right answer contains " + item.reference.join(" or "))].filter(Boolean).join("; ") + ".";

  function counted(summary) {
    const sum = (key) => Object.values(summary).reduce((total, found) => total + (found[key] || 0), 0);
    const calls = sum("counted_calls");
    return calls && "tokens of " + say.count(calls) + " of " + say.count(sum("calls")) + " calls counted here: the provider did not say them";
  }

  function provenance(metas) {
    const rows = [];
    const put = (name, value) => {
      if (value === null || value === undefined) return;
      if (typeof value === "object" && !Array.isArray(value)) {
        for (const [key, part] of Object.entries(value)) put(name + " " + key, part);
      } else rows.push(h("dt", null, name), h("dd", null, Array.isArray(value) ? value.join(", ") : String(value)));
    };
    metas.forEach((meta, i) => Object.entries(meta).forEach(([k, v]) => put(metas.length > 1 ? "session " + (i + 1) + " " + k : k, v)));
    find(".ev-meta").hidden = !rows.length;
    find(".ev-meta dl").replaceChildren(...rows);
  }

  function growth(panel) {
    find(".ev-growth").hidden = false;
    text(find(".ev-growth .ev-source"), panel.note);
    grid(find(".ev-growth .ev-grid"), GROWTH, panel.figures);
  }

  /* ---- the form ---- */

  Switchyard.evaluate = function (element, send, page) {
    const form = (state.form = element.querySelector("form"));
    state.send = (name, data) => send(name, data || {});
    form.priced_as.replaceChildren(h("option", { value: "" }, "the model itself"),
      ...page.priced_as.map((name) => h("option", { value: name, selected: name === page.priced }, name)));
    form.querySelector(".ev-paths").append(...Object.entries(page.paths).map(([path, name]) =>
      h("label", { class: "ev-check", "data-path": path }, h("input", { type: "checkbox", name: "path", value: path, checked: true }), h("span", null, name))));
    restore(Switchyard.kept("evaluation") || {});
    form.lm.value = form.lm.value || page.lm;
    form.spent_once.value = form.spent_once.value || page.spent_once;
    if (page.most) {
      form.limit.max = page.most;
      form.limit.value = Math.min(form.limit.value, page.most);
    }
    const changed = () => { for (const part of form.querySelectorAll(".ev-file, .ev-format")) part.hidden = form.set.value !== "own"; later(); };
    form.addEventListener("input", () => { keep(page); changed(); });
    form.addEventListener("submit", (event) => { event.preventDefault(); start(); });
    form.halt.addEventListener("click", () => { state.send("halt", { run: state.run }); form.halt.disabled = true; });
    form.load.addEventListener("click", () => form.saved.click());
    form.saved.addEventListener("change", open);
    for (const field of [form.priced_as, form.cached, form.spent_once]) field.addEventListener("change", () => state.panel && !state.running && state.send("reprice", priced()));
    state.lost = Switchyard.kept("evaluating") || state.lost; // the form may be built twice
    busy(false); // the template's button waits for this script; method="dialog" keeps a key out of the address bar
    if (state.lost) fault("The page was reloaded during a run, which stopped it; its results are lost. The form is as it was, without the key. Press Run to begin again.");
    state.send("greet");
    changed();
    if (form.saved.files.length) open(); // what a visitor chose before this script was there
  };

  /* The form over a reload. The key is not kept, and a file cannot be. */
  const FIELDS = ["set", "limit", "repeats", "lm", "priced_as", "spent_once", "judge", "branches", "cached"];

  function keep(page) {
    const { form } = state;
    const kept = { paths: paths() };
    for (const name of FIELDS) {
      const value = form[name].type === "checkbox" ? form[name].checked : form[name].value;
      if (value !== String(page[name])) kept[name] = value; // the page's own model and sum may be others next time
    }
    Switchyard.keep("evaluation", kept);
  }

  function restore(kept) {
    for (const name of FIELDS.filter((field) => field in kept)) {
      const field = state.form[name];
      if (field.type === "checkbox") field.checked = kept[name] === true;
      else if (field.options ? [...field.options].some((option) => option.value === kept[name])
        : field.value === field.defaultValue) field.value = kept[name]; // else a quick visitor has typed already
    }
    for (const box of state.form.querySelectorAll("[name=path]")) box.checked = !kept.paths || kept.paths.includes(box.value);
  }

  const paths = () => [...state.form.querySelectorAll("[name=path]:checked")].map((box) => box.value);

  async function open() {
    const { saved } = state.form;
    const file = await read(saved.files[0]);
    saved.value = "";
    if (file) { fault(""); state.send("open", { file, ...priced() }); }
  }

  const priced = () => ({ priced_as: state.form.priced_as.value, cached: state.form.cached.checked,
    spent_once: state.form.spent_once.value });

  async function order() {
    const form = state.form;
    const own = form.set.value === "own";
    const file = own ? await read(form.file.files[0]) : null;
    return {
      own, file, ...priced(), limit: Number(form.limit.value), repeats: Number(form.repeats.value), lm: form.lm.value.trim(),
      judge: form.judge.value.trim(), branches: form.branches.checked,
      paths: paths(),
    };
  }

  async function start() {
    if (state.running) return;
    fault("");
    const data = await order();
    if (data.own && !data.file) return fault("Choose a JSONL or CSV file first.");
    state.run = Switchyard.id();
    state.lost = null;
    Switchyard.keep("evaluating", true);
    busy(true);
    state.send("start", { ...data, key: state.form.key.value, run: state.run, visit: Switchyard.visit() });
  }

  function later() {
    clearTimeout(state.timer);
    state.timer = setTimeout(async () => {
      if (state.running) return;
      const data = await order();
      if (!data.own || data.file) state.send("estimate", { ...data, asked: ++state.asked });
    }, 350);
  }

  const MOST = 5e6;
  const readings = new WeakMap();
  async function read(file) {
    if (!file) return null;
    if (file.size > MOST * 10) { fault(file.name + " has " + say.count(file.size) + " bytes; at most " + say.count(MOST * 10) + " can be read here. Use the command line."); return null; }
    if (!readings.has(file)) readings.set(file, file.text());
    return { name: file.name, text: await readings.get(file) };
  }

  Switchyard.evaluateMessage = function (message) {
    if (!message || !state.form || message.phase === "none") return;
    if (message.phase === "file") return download(message.file);
    if (message.phase === "refused") { busy(false); return fault(message.message); }
    if (message.phase === "estimate") return message.asked === state.asked ? estimate(message) : undefined;
    if (message.phase === "idle") return greeted(message.panel);
    const box = state.form.querySelector(".ev-progress");
    if (message.progress) {
      const { done, total, left } = message.progress;
      box.hidden = false;
      box.querySelector("progress").max = Math.max(1, total);
      box.querySelector("progress").value = done;
      text(box.querySelector("p"), message.phase === "running"
        ? done + " of " + say.plural(total, "run") + (left === null ? "" : ", about " + say.duration(left) + " left")
        : message.stopped ? "Stopped after " + done + " of " + say.plural(total, "run") + ". " + (message.reason ? message.reason + " " : "") + "What was finished is below." : say.plural(done, "run") + " done.");
    } else box.hidden = true;
    busy(message.phase === "running");
    Switchyard.evaluated(message.panel);
  };

  /* What ships, unless the visitor was quicker and a run of their own is shown already. */
  function greeted(panel) {
    const own = state.panel !== null || state.running;
    Switchyard.evaluated(own && panel ? { growth: panel.growth } : panel);
  }

  function estimate(message) {
    const list = state.form.querySelector(".ev-estimate");
    list.replaceChildren(...message.items.map(([name, value, more]) =>
      h("div", null, h("dt", null, name), h("dd", null, value), more ? h("dd", { class: "more" }, more) : "")));
    text(state.form.querySelector(".ev-basis"), message.basis);
    const listed = (title, lines) => lines.length ? [h("strong", null, title),
      h("ul", null, ...lines.slice(0, 50).map((line) => h("li", null, line))),
      lines.length > 50 ? "and " + (lines.length - 50) + " more" : ""] : [];
    const problems = state.form.querySelector(".ev-problems");
    problems.hidden = !message.problems.length && !message.notes.length;
    problems.replaceChildren(...listed(say.plural(message.problems.length, "row") + " left out", message.problems),
      ...listed("Kept, but", message.notes));
  }

  function busy(on) {
    state.running = on;
    if (!on && !state.leaving) Switchyard.keep("evaluating", null);
    state.form.start.disabled = on;
    state.form.halt.disabled = !on;
    state.form.load.disabled = on;
  }

  function fault(words) {
    const box = state.form.querySelector(".ev-fault");
    box.hidden = !words;
    text(box, words);
  }

  function download(file) {
    const link = h("a", { href: URL.createObjectURL(new Blob([file.text], { type: file.type })), download: file.name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  const find = (selector) => state.root.querySelector(selector);

  // What breaks off because the page is left must not look like the end of the run.
  addEventListener("beforeunload", () => { state.leaving = true; });
  addEventListener("pageshow", () => { state.leaving = false; });
})();
