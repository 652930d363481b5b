/*
 * Board: shows what Python says of a race: verdict, cards (cards.js), charts (charts.js), projection, history, downloads.
 * Leaves out asking (composer.js).
 *
 * Switchyard.board(element)    take over the board's static template
 * Switchyard.show(message)     show one message of pages/board.py: phase idle | running | done | refused | file
 * Events on document: "sy:board" once it is ready, "sy:message" (detail: the message) before each is shown.
 */
(function () {
  "use strict";
  const Switchyard = (window.Switchyard = window.Switchyard || {});
  const { NAMES, h, say, text, clip } = Switchyard;
  const COUNTED = { own: "counted by the model's own tokenizer", o200k: "counted with o200k_base" };
  const state = { root: null, message: null, history: [], view: "one", figures: null, cards: {} };

  Switchyard.board = function (element) {
    const root = (state.root = element.querySelector(".sy"));
    const cards = root.querySelector(".cards");
    for (const path of Object.keys(NAMES)) cards.append((state.cards[path] = Switchyard.ghost(path)));
    for (const input of root.querySelectorAll(".switch input")) {
      input.addEventListener("change", () => {
        state.view = input.value;
        charts();
      });
    }
    root.querySelector(".projection input").addEventListener("input", projection);
    for (const button of root.querySelectorAll(".unfold")) Switchyard.unfold(button, button.parentElement);
    for (const button of root.querySelectorAll("[data-export]")) {
      button.addEventListener("click", () => Switchyard.send("export", { kind: button.dataset.export }));
    }
    setInterval(() => {
      const { phase, race } = state.message || {};
      if (phase === "running" && race === Switchyard.waiting()) Switchyard.tick(state.root);
    }, 100);
    document.dispatchEvent(new CustomEvent("sy:board"));
  };

  Switchyard.show = function (message) {
    if (!message || !state.root) return;
    if (message.phase === "file") return save(message.file);
    const awaited = Switchyard.waiting && Switchyard.waiting();
    if (awaited && awaited !== message.race) return; // the last word of an earlier race
    document.dispatchEvent(new CustomEvent("sy:message", { detail: message }));
    if (message.phase === "running" || message.phase === "done") {
      for (const [path, view] of Object.entries(message.paths)) {
        Switchyard.card(state.cards[path], path, view, message);
      }
      for (const path of Object.keys(NAMES)) state.cards[path].hidden = !(path in message.paths);
      if (message.figures) {
        state.figures = { ...state.figures, ...message.figures };
        charts(message);
      }
      state.message = message;
      verdict(message);
      root(".figures").hidden = false;
      document.body.classList.add("sy-raced");
      if (message.phase === "running" && state.begun !== message.race) {
        state.begun = message.race;
        reveal();
      }
    }
    if (message.phase === "refused") root(".trouble").hidden = true; // it spoke of the race before
    if (message.phase === "done") {
      state.history = message.history;
      history(message);
      projection();
    }
  };

  const root = (selector) => state.root.querySelector(selector);

  /* ---- verdict ---- */

  function verdict(message) {
    const box = root(".verdict");
    const done = message.phase === "done" && message.verdict;
    const found = done ? message.verdict : { headline: progress(message), cost: "", lines: [], label: "", good: false };
    box.dataset.good = String(found.good);
    box.dataset.phase = message.phase;
    text(root(".verdict .asked"), "“" + clip(message.question, 160) + "”");
    text(root(".outcome"), found.label);
    text(root(".headline"), found.headline);
    text(root(".cost"), found.cost);
    fill(root(".lines"), found.lines, (line) => h("li", null, line));
    text(root(".verdict .mode"), mode(message));
  }

  function progress(message) {
    const names = (test) =>
      Object.keys(message.paths)
        .filter((p) => test(message.paths[p].state))
        .map((p) => NAMES[p]);
    const ready = names((s) => s === "done" || s === "error"),
      going = names((s) => s === "running"),
      next = names((s) => s === "queued");
    const parts = [];
    const list = (all) => all.join(", ").replace(/, ([^,]*)$/, " and $1");
    if (ready.length) parts.push(list(ready) + (ready.length > 1 ? " are done" : " is done"));
    if (going.length) parts.push(list(going) + (going.length > 1 ? " are running" : " is running"));
    if (next.length && !ready.length) parts.push(list(next) + (next.length > 1 ? " come next" : " comes next"));
    return parts.length ? parts.join("; ") + "." : "Starting…";
  }

  function mode(message) {
    const how = message.shared
      ? "The machine was shared: paths waited for the model, and times are compared without these waits."
      : message.mode === "sequential"
        ? "One path after another, so that none slows the others: the seconds are each path's own."
        : "All paths at once: the seconds include each other's load.";
    return how + " Model: " + say.model(message.lm) + ".";
  }

  /* ---- charts ---- */

  function charts(message) {
    const shown = message || state.message;
    const figures = state.figures;
    if (!figures || !shown) return;
    const plot = (name) => root('[data-figure="' + name + '"]');
    plot("timeline").style.height = 52 + 46 * Object.keys(shown.paths).length + "px";
    Switchyard.draw(plot("timeline"), figures.timeline);
    for (const name of ["tokens", "cost", "latency"]) Switchyard.draw(plot(name), figures[name][state.view]);
    text(
      root(".note-tokens"),
      COUNTED[shown.counts],
    );
    text(root(".note-cost"), shown.price.note);
    text(
      root(".note-latency"),
      (shown.mode === "sequential" ? "measured one path after another" : "measured with all paths at once") +
        (shown.shared ? ", without the waits for the model" : ""),
    );
    root(".legend").dataset.view = state.view;
  }

  /* ---- projection ---- */

  function projection() {
    const found = state.message && state.message.medians;
    const box = root(".projection");
    const paths = Object.keys(found || {});
    box.hidden = !paths.length;
    if (!paths.length) return;
    const input = box.querySelector("input");
    const n = nice(10 ** (input.value / 10));
    const asked = Math.max(...paths.map((p) => found[p].questions));
    input.setAttribute("aria-valuetext", say.count(n) + " questions");
    text(box.querySelector(".number"), n === 1 ? "1 question" : say.count(n) + " questions");
    text(
      box.querySelector(".basis"),
      "Computed, not measured: the medians of this session's " +
        say.plural(asked, "question") +
        ", at the price of " +
        state.message.price.label +
        ", times the number. Tokens " +
        COUNTED[state.message.counts] +
        ".",
    );
    const least = Math.min(...paths.map((p) => found[p].tokens));
    fill(box.querySelector("tbody"), paths, (path) =>
      h(
        "tr",
        { "data-path": path, class: found[path].tokens === least ? "best" : null },
        h("th", { scope: "row" }, NAMES[path]),
        h("td", null, found[path].cost === null ? "no known price" : say.money(found[path].cost * n)),
        h("td", null, say.count(found[path].tokens * n)),
        h("td", null, say.duration(found[path].seconds * n)),
      ),
    );
  }

  const nice = (n) => {
    const unit = 10 ** Math.max(0, Math.floor(Math.log10(n)) - 1);
    return Math.round(n / unit) * unit;
  };

  /* ---- history ---- */

  function history(message) {
    const box = root(".history");
    box.hidden = !state.history.length;
    const paths = Object.keys(NAMES).filter((p) => state.history.some((row) => p in row.paths));
    box
      .querySelector("thead")
      .replaceChildren(
        h(
          "tr",
          null,
          h("th", { scope: "col", rowspan: 2 }, "#"),
          h("th", { scope: "col", rowspan: 2 }, "Question"),
          ...paths.map((p) => h("th", { scope: "colgroup", colspan: 3, "data-path": p }, NAMES[p])),
        ),
        h("tr", null, ...paths.flatMap(() => ["tokens", "time", "cost"].map((c) => h("th", { scope: "col" }, c)))),
      );
    const rows = state.history.map((row, index) =>
      h(
        "tr",
        { "aria-current": row.id === message.race ? "true" : null },
        h("td", null, String(index + 1)),
        h(
          "td",
          null,
          h(
            "button",
            {
              type: "button",
              class: "link",
              title: "Show this question again",
              onclick: () => Switchyard.send("show", { race: row.id }),
            },
            clip(row.question, 90),
          ),
        ),
        ...paths.flatMap((p) => cells(row.paths[p])),
      ),
    );
    box.querySelector("tbody").replaceChildren(...rows.reverse());
  }

  const CUT = { error: "failed", not_run: "not run" };

  function cells(run) {
    if (!run) return [h("td", { colspan: 3, class: "none" }, "not run")];
    if (run.state !== "done")
      return [h("td", { colspan: 3, class: "none" }, CUT[run.state] || run.state)];
    return [
      say.count(run.tokens[0] + run.tokens[1]),
      say.seconds(run.seconds),
      run.cost === null ? "–" : say.money(run.cost),
    ].map((value) => h("td", null, value));
  }

  function save(file) {
    const link = h("a", { href: URL.createObjectURL(new Blob([file.text], { type: file.type })), download: file.name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  /* Bring a new race into view where it begins below the fold. */
  function reveal() {
    const box = root(".verdict");
    if (box.getBoundingClientRect().top < innerHeight * 0.6) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    box.scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
  }

  /* ---- small things ---- */

  function fill(element, values, make) {
    const key = JSON.stringify([
      values,
      state.message && state.message.medians,
      element.tagName === "TBODY" && root(".projection input").value,
    ]);
    if (element.key === key) return;
    element.key = key;
    element.replaceChildren(...values.map(make));
  }

  Switchyard.current = () => state.message;
})();
