/*
 * Cards: one a path: what it will do, its steps with their times, the tool's raw result, the answer, its figures; the
 * router's also shows how sure it was and why. Leaves out what compares the paths (board.js).
 *
 * Switchyard.NAMES                   the paths' names on screen
 * Switchyard.ghost(path) -> element  the card of a path before its first race
 * Switchyard.card(element, path, view, message)   show pages/trace_view.py's view of a run
 * Switchyard.tick(root)              let the clocks of what runs go on; what has ended shows the server's figure
 * Switchyard.reasons(why, question)  which words decided
 * Switchyard.unfold(button, box)     a button that opens and closes box where the screen is narrow (style.css)
 */
(function () {
  "use strict";
  const Switchyard = (window.Switchyard = window.Switchyard || {});
  const { h, say, text, clip } = Switchyard;
  const NAMES = { llm_chain: "LLM chain", tool_calling: "Tool calling", router: "Router" };
  const NOT_TOOLS = { none: "no tool", smalltalk: "small talk" };
  const label = (tool) => NOT_TOOLS[tool] || tool;
  const GHOSTS = {
    llm_chain: {
      line: "The model plans, reads the result, then answers.",
      calls: "3 LLM calls for one tool",
      stops: ["Plan", "Tool", "Interpret", "Answer"],
    },
    tool_calling: {
      line: "The model emits a tool call, then answers.",
      calls: "2 LLM calls for one tool",
      stops: ["Call", "Tool", "Answer"],
    },
    router: {
      line: "A small network picks the tool; the model only answers.",
      calls: "1 LLM call for one tool",
      stops: ["Route", "Tool", "Answer"],
    },
  };

  function frame(path) {
    return h(
      "article",
      { class: "card", "data-path": path, "aria-label": NAMES[path] },
      h(
        "header",
        null,
        h("h3", null, NAMES[path]),
        h("span", { class: "mark" }),
        h("span", { class: "status" }),
        h("button", { type: "button", class: "unfold" }, h("span", { class: "sr" }, "Steps and figures of " + NAMES[path])),
      ),
      h("div", { class: "body" }),
    );
  }

  function ghost(path) {
    const { line, calls, stops } = GHOSTS[path];
    const element = frame(path);
    element.dataset.state = "ghost";
    unfold(element.querySelector(".unfold"), element, () => element.parts && scrollable(element.parts.answer));
    text(element.querySelector(".status"), calls);
    element
      .querySelector(".body")
      .append(
        h("p", { class: "lead" }, line),
        h(
          "ol",
          { class: "line", "aria-label": "Steps" },
          ...stops.map((s) => h("li", { class: s === "Tool" || s === "Route" ? "local" : null }, s)),
        ),
      );
    return element;
  }

  function build(element) {
    const body = element.querySelector(".body");
    const parts = {
      route: h("div", { class: "decision", hidden: true }),
      steps: h("ol", { class: "steps", "aria-label": "Steps" }),
      answer: h("p", { class: "answer", "aria-live": "polite", "aria-atomic": "true" }),
      fault: h("p", { class: "fault", role: "alert" }),
      lesson: h("div", { class: "lesson", hidden: true }),
      figures: h("dl", { class: "kpi" }),
    };
    body.replaceChildren(...Object.values(parts));
    for (const [key, label] of [
      ["calls", "LLM calls"],
      ["tokens", "tokens"],
      ["seconds", "seconds"],
      ["cost", "cost"],
    ]) {
      parts.figures.append(
        h("div", { "data-key": key }, h("dt", null, label), h("dd", null, "–"), h("dd", { class: "more" })),
      );
    }
    return (element.parts = parts);
  }

  function card(element, path, view, message) {
    const parts = element.dataset.race === message.race && element.parts ? element.parts : build(element);
    element.dataset.race = message.race;
    element.dataset.state = view.state;
    text(element.querySelector(".status"), status(view));
    mark(element.querySelector(".mark"), view.right);
    steps(parts.steps, view.steps);
    route(parts.route, view, message.question);
    const streaming = view.state === "running" && view.answer;
    parts.answer.toggleAttribute("data-streaming", Boolean(streaming));
    parts.answer.setAttribute("aria-busy", streaming ? "true" : "false");
    text(parts.answer, view.answer);
    scrollable(parts.answer);
    text(
      parts.fault,
      view.state === "error" ? view.message : view.state === "stopped" ? "Stopped. What was finished stays." : "",
    );
    if (path === "router") lesson(parts.lesson, message);
    kpi(parts.figures, view, message);
  }

  /* An answer that is longer than its box takes the focus, so that keys can scroll it. */
  function scrollable(answer) {
    const long = answer.scrollHeight > answer.clientHeight + 1 && getComputedStyle(answer).overflowY !== "hidden";
    if (long) answer.setAttribute("tabindex", "0");
    else answer.removeAttribute("tabindex");
  }

  function unfold(button, box, then) {
    const show = (open) => {
      box.toggleAttribute("data-open", open);
      button.setAttribute("aria-expanded", String(open));
      if (then) then();
    };
    show(box.hasAttribute("data-open"));
    button.addEventListener("click", () => show(!box.hasAttribute("data-open")));
  }

  /* Only where a reference is known; the sign stands for those who do not see the colour. */
  function mark(element, right) {
    const known = right !== undefined;
    element.dataset.right = known ? String(right) : "";
    element.title = known ? "By the reference for this question" : "";
    text(element, known ? (right ? "✓ right" : "✗ wrong") : "");
  }

  function status(view) {
    const names = {
      queued: "waits for its turn",
      running: "running",
      error: "failed",
      stopped: "stopped",
      not_run: "not run",
    };
    return names[view.state] || say.plural(view.calls, "LLM call");
  }

  function kpi(list, view, message) {
    const put = (key, value, more, title) => {
      const cell = list.querySelector('[data-key="' + key + '"]');
      const [number, small] = cell.querySelectorAll("dd");
      text(number, value);
      text(small, more || "");
      cell.title = title || "";
    };
    const tokenizer = message.counts === "own" ? "the model's own tokenizer" : "o200k_base";
    const nothing = view.state !== "done" && !view.calls; // no call has ended: a zero would look like a victory
    put("calls", String(view.calls));
    put(
      "tokens",
      nothing ? "–" : say.count(view.tokens[0] + view.tokens[1]),
      nothing
        ? ""
        : say.count(view.tokens[0]) + " in · " + say.count(view.tokens[1]) + " out" + (view.counted ? " · counted here" : ""),
      "Counted by " +
        tokenizer +
        (view.counted
          ? "; for " + view.counted + " of " + view.calls + " calls the provider sent no full count, so o200k_base's stands"
          : "") +
        (view.cached ? "; " + say.count(view.cached) + " input tokens came from the model's prompt cache" : ""),
    );
    const seconds = list.querySelector('[data-key="seconds"]');
    if (view.state === "running") {
      const begun = performance.now() - view.seconds * 1000; // the last event's time: the path is at least as old
      seconds.dataset.live = String(Math.min(begun, Number(seconds.dataset.live || begun)));
    } else seconds.dataset.live = "";
    const idle = view.state === "queued" || view.state === "not_run";
    put(
      "seconds",
      idle ? "–" : say.seconds(view.state === "running" ? since(seconds) : view.seconds),
      [
        view.first_token_s === undefined ? "" : "first word " + say.seconds(view.first_token_s),
        view.waited > 0.05 ? "waited " + say.seconds(view.waited) + " for the model" : "",
      ]
        .filter(Boolean)
        .join(" · "),
      view.waited > 0.05 ? "Without the time in the model's queue" : "",
    );
    put(
      "cost",
      nothing || view.cost === null ? "–" : say.money(view.cost),
      nothing ? "" : view.cost === null ? "no known price" : say.money(view.cost * 1e6) + " per million questions",
      message.price.note,
    );
  }

  function steps(list, views) {
    views.forEach((view, index) => {
      const item =
        list.children[index] ||
        list.appendChild(
          h(
            "li",
            null,
            h("div", { class: "what" }, h("span", { class: "title" }), h("time", null)),
            h("div", { class: "detail" }),
          ),
        );
      item.className = view.kind;
      item.dataset.state = view.state;
      text(item.querySelector(".title"), view.title + (view.error && view.error !== "Stopped." ? " – failed" : ""));
      const clock = item.querySelector("time");
      if (view.seconds === null) clock.dataset.live = clock.dataset.live || String(performance.now());
      else {
        delete clock.dataset.live;
        text(clock, say.seconds(view.seconds));
      }
      const key = JSON.stringify(view);
      if (item.key !== key) {
        item.key = key;
        detail(item.querySelector(".detail"), view);
      }
    });
    while (list.children.length > views.length) list.lastChild.remove();
  }

  function detail(box, view) {
    const rows = [];
    if (view.kind === "tool") {
      const given = Object.entries(view.arguments).map(([slot, value], i) => [
        i ? ", " : "",
        h("span", { class: "slot" }, slot),
        "=",
        h(
          "span",
          {
            class: view.sources[slot] === "llm" ? "value llm" : "value",
            title:
              view.sources[slot] === "llm"
                ? "filled by the LLM"
                : view.sources[slot] === "question"
                  ? "read from the question"
                  : null,
          },
          JSON.stringify(value),
        ),
      ]);
      rows.push(h("code", { class: "call" }, view.title, "(", ...given.flat(), ")"));
      if (view.output) rows.push(h("code", { class: "result" }, view.output));
    }
    if (view.error && view.error !== "Stopped.") rows.push(h("code", { class: "result wrong" }, view.error));
    const facts = [];
    if (view.tokens) facts.push(say.count(view.tokens[0]) + " in · " + say.count(view.tokens[1]) + " out");
    if (view.wait > 0.05) facts.push("waited " + say.seconds(view.wait) + " for the model");
    if (facts.length) rows.push(h("small", null, facts.join(" · ")));
    if (view.thoughts) rows.push(folded("what it thought", view.thoughts));
    if (view.reply && !view.answers) rows.push(folded("what it said", view.reply));
    box.replaceChildren(...rows);
  }

  function folded(summary, said) {
    return h("details", { class: "reply" }, h("summary", null, summary), h("code", null, clip(said, 1200)));
  }

  /* ---- the router's decision ---- */

  function route(box, view, question) {
    const found = view.route;
    box.hidden = !found;
    if (!found) return;
    const key = JSON.stringify([found, view.why]);
    if (box.key === key) return;
    box.key = key;
    const percent = (p) => (100 * p).toFixed(p > 0.9995 || p < 0.1 ? 1 : 0) + " %";
    const sure = found.confidence < found.threshold ? "unsure" : "sure";
    const told = percent(found.confidence) + " sure" + (found.abstained ? ", handed over" : "");
    const top = Object.entries(found.probabilities)
      .sort((a, b) => b[1] - a[1])
      .slice(0, 3);
    box.replaceChildren(
      h("div", { class: "choice" }, h("strong", null, label(found.tool)), h("span", null, told)),
      found.abstained && found.reason ? h("p", { class: "reason" }, found.reason) : "",
      h(
        "div",
        {
          class: "meter " + sure,
          role: "img",
          "aria-label": "Confidence " + percent(found.confidence) + ", threshold " + percent(found.threshold),
        },
        h("i", { style: "width:" + 100 * found.confidence + "%" }),
        h("b", { style: "left:" + 100 * found.threshold + "%" }),
      ),
      h("small", { class: "scale" }, "below " + percent(found.threshold) + " the LLM chooses"),
      h(
        "ul",
        { class: "odds", "aria-label": "Probabilities" },
        ...top.map(([name, p]) =>
          h(
            "li",
            null,
            h("span", null, label(name)),
            h("i", { style: "--p:" + p, "aria-hidden": "true" }),
            h("em", null, percent(p)),
          ),
        ),
      ),
      view.why ? reasons(view.why, question) : "",
    );
  }

  /* Words as they stand in the question: "64.50" is five of the router's words, and is read as one. */
  function reasons(why, question) {
    const reach = Math.max(...why.words.map(([, weight]) => Math.abs(weight)), 1e-9);
    let at = 0;
    const words = why.words.flatMap(([word, weight], i) => {
      const found = question.toLowerCase().indexOf(word.toLowerCase(), at);
      const joined = i && found === at;
      if (found >= 0) at = found + word.length;
      return [
        joined ? "" : " ",
        h(
          "span",
          {
            class: weight >= 0 ? "for" : "against",
            style: "--w:" + Math.min(1, Math.abs(weight) / reach).toFixed(2),
            title: (weight >= 0 ? "+" : "−") + Math.abs(weight).toFixed(2),
          },
          word,
        ),
      ];
    });
    const names = label(why.tool) + (why.runner_up ? " and not " + label(why.runner_up) : "");
    const strongest = why.words
      .filter(([, w]) => w > 0)
      .sort((a, b) => b[1] - a[1])
      .slice(0, 3)
      .map(([w]) => w);
    return h(
      "div",
      { class: "why" },
      h("span", { class: "label" }, "Why " + names),
      h(
        "p",
        { "aria-label": "Words that spoke for it most: " + (strongest.join(", ") || "none"), role: "img" },
        ...words,
      ),
      why.nearest && why.nearest.length
        ? h("small", null, "Nearest question it was trained on: “" + clip(why.nearest[0][0], 80) + "”")
        : "",
    );
  }

  /* ---- lesson ---- */

  function lesson(box, message) {
    const found = message.phase === "done" && Switchyard.lessonOf ? Switchyard.lessonOf(message) : null;
    box.hidden = !found;
    if (!found || box.key === message.race + found.text) return;
    box.key = message.race + found.text;
    box.dataset.accepted = String(found.accepted);
    box.replaceChildren(h("p", null, found.text), found.how ? h("small", null, found.how) : "");
  }

  /* Clocks of what runs; what has ended shows the server's figure. */
  function tick(root) {
    for (const clock of root.querySelectorAll("time[data-live]")) {
      text(clock, say.seconds(Math.max(0.1, since(clock))));
    }
    for (const cell of root.querySelectorAll('.kpi [data-live]:not([data-live=""])')) {
      text(cell.querySelector("dd"), say.seconds(since(cell)));
    }
  }

  const since = (element) => (performance.now() - Number(element.dataset.live)) / 1000;

  Object.assign(Switchyard, { NAMES, ghost, card, tick, unfold, reasons });
})();
