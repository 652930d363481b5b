/*
 * Composer: where a visitor asks. Every text passes the gatekeeper first; only what it cannot answer is sent.
 * Leaves out showing a race (board.js) and keeping rules (gatekeeper.js).
 *
 * Switchyard.composer(element, trigger, page)    take over the static template; page: {lm, priced_as, limit, note, browser}
 * Switchyard.send(name, data)                    send an event to Python with the visitor's settings
 * Switchyard.waiting()                           the race that is running, or null
 * Switchyard.lessonOf(message)                   what a finished race taught this browser, in words, or null
 */
(function () {
  "use strict";
  const Switchyard = (window.Switchyard = window.Switchyard || {});
  const KEPT = "switchyard.session.v1"; // sessionStorage: the tab's races, so that a reload loses nothing
  const DRAFT = "switchyard.draft.v1";
  const MAX_KEPT = 4e6; // characters; sessionStorage holds about 5 million
  const SILENCE = 20000; // ms without a word from the server
  const { h, say } = Switchyard;
  const state = {
    trigger: null,
    page: null,
    gate: null,
    element: null,
    race: null,
    question: "",
    heard: 0,
    turn: "",
    lessons: new Map(),
  };

  Switchyard.composer = function (element, trigger, page) {
    Object.assign(state, { element, trigger, page, gate: window.Gatekeeper.shared() });
    const box = find("textarea");
    find("form").addEventListener("submit", (event) => {
      event.preventDefault();
      ask(box.value);
    });
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        ask(box.value);
      }
    });
    box.addEventListener("input", () => {
      grow();
      keep(DRAFT, box.value.slice(0, page.limit));
      warn("");
    });
    find(".stop").addEventListener("click", stop);
    for (const chip of element.querySelectorAll(".chips button")) {
      chip.addEventListener("click", () => {
        put(chip.textContent);
        ask(box.value);
      });
    }
    document.addEventListener("keydown", keys);
    window.addEventListener("gatekeeper:change", pill);
    document.addEventListener("sy:message", (event) => heard(event.detail));
    find(".pill").addEventListener("click", () => {
      const tab = [...document.querySelectorAll('[role="tab"]')].find((t) => t.textContent.trim().startsWith("Rules"));
      if (tab) tab.click();
    });
    settings();
    pill();
    put(box.value || read(DRAFT) || ""); // a quick visitor has typed before this script was there
    busy(false); // the template's buttons wait for this script
    if (document.querySelector(".sy-board .card")) ready();
    else document.addEventListener("sy:board", ready, { once: true });
    setInterval(silence, 1000);
  };

  const find = (selector) => state.element.querySelector(selector);

  /* ---- asking ---- */

  function ask(text, { force = false } = {}) {
    const question = text.trim();
    if (!question) return warn("The question is empty. Type one, or choose an example.");
    if (state.race) return warn("A race is running. Wait for it, or press Esc to stop it.");
    warn("");
    if (!force) {
      const found = state.gate.ask(question, { previousTurn: state.turn });
      if (found.hit) return hit(question, found);
    }
    if (navigator.onLine === false) {
      return warn(
        "You are offline, and your browser has not learned to answer this. Your text is kept; send it when you are back.",
      );
    }
    hideHit();
    Object.assign(state, { race: id(), question, heard: Date.now() });
    busy(true);
    Switchyard.send("send", { question, race: state.race, previous_turn: state.turn });
  }

  Switchyard.send = function (name, data) {
    if (name !== "halt" && name !== "send" && state.race) return;
    const settings = chosen();
    if (name !== "send") delete settings.key; // only asking needs it
    state.trigger(name, { settings, ...data });
  };

  /* The race that is running, or null. */
  Switchyard.waiting = () => state.race;

  function stop() {
    if (!state.race) return;
    Switchyard.send("halt", { race: state.race });
    find(".stop").disabled = true;
  }

  function heard(message) {
    if (message.race && message.race === state.race) {
      state.heard = Date.now();
      inform(message.phase === "waiting" ? message.message : "");
      if (message.phase === "running" && find("textarea").value.trim() === state.question) put("");
      if (message.phase === "done") finish(message);
    }
    if (message.phase === "refused") {
      if (message.race === state.race || !message.race) {
        state.race = null;
        busy(false);
      }
      if (state.question && !find("textarea").value) put(state.question);
      warn(message.message);
      find("textarea").focus();
    }
  }

  function finish(message) {
    state.race = null;
    busy(false);
    const spoken = Object.values(message.paths)
      .map((p) => p.answer)
      .filter(Boolean);
    const asking = spoken.find((answer) => window.Gatekeeper.asksSomething(answer));
    const before = state.turn;
    state.turn = asking || (message.paths.router && message.paths.router.answer) || spoken[0] || "";
    const result = state.gate.learnLesson(message.lesson, { typed: message.question, previousTurn: before });
    if (message.lesson) state.lessons.set(message.race, result);
    if (message.keep) remember(message.keep);
    pill();
  }

  Switchyard.lessonOf = function (message) {
    if (!message.lesson) return null;
    const known = state.lessons.get(message.race);
    const accepted = known ? known.accepted : message.lesson.accepted;
    const phrase = (message.lesson.instruction && message.lesson.instruction.query) || message.question;
    const reason = (known && known.reason) || message.lesson.reason || "";
    const spent = message.lesson.usage || {};
    const tokens = (spent.input_tokens || 0) + (spent.output_tokens || 0);
    return accepted
      ? {
          accepted: true,
          text:
            "Your browser has learned this. The next “" +
            Switchyard.clip(phrase, 60) +
            "” is answered there: no request, no tokens.",
          how:
            "Taught by " +
            (message.lesson.taught_by || message.lm) +
            (message.lesson.method ? " (" + message.lesson.method + ")" : "") +
            (tokens ? ", for " + say.count(tokens) + " of its own tokens." : "."),
        }
      : { accepted: false, text: "Not taught to your browser: " + reason, how: "" };
  };

  /* A server that says nothing must not leave the page waiting for ever. */
  function silence() {
    if (!state.race || Date.now() - state.heard < SILENCE) return;
    const shown = Switchyard.current && Switchyard.current();
    if (shown && shown.race === state.race) return; // a slow model: its card says so
    state.race = null;
    busy(false);
    put(state.question);
    warn(
      "The server has not answered for 20 seconds. Your question is kept: " +
        "check that Switchyard is running, then send it again.",
    );
  }

  /* ---- answered in the browser ---- */

  function hit(question, found) {
    put("");
    state.turn = found.reply;
    const box = document.querySelector(".sy-board .hit");
    const rule = found.rule || {};
    const spent = found.microseconds < 1000 ? "< 1 ms" : (found.microseconds / 1000).toFixed(1) + " ms";
    const saved = rule.usage ? (rule.usage.input_tokens || 0) + (rule.usage.output_tokens || 0) : 0;
    const facts = ["answered in your browser", "0 requests", spent];
    if (saved) facts.push("saved " + say.count(saved) + " tokens");
    const note = h("p", { class: "note", role: "status" });
    const form = h(
      "form",
      { class: "teach", hidden: true },
      h(
        "label",
        null,
        "Always answer “" + Switchyard.clip(question, 60) + "” with",
        h("input", { type: "text", maxlength: 200, value: found.reply, autocomplete: "off" }),
      ),
      h("button", { class: "button", type: "submit" }, "Teach"),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const result = state.gate.teach(question, form.querySelector("input").value);
      note.textContent = result.accepted
        ? "Taught. Your browser answers with that from now on."
        : "Not taught: " + result.reason;
      if (result.accepted) {
        form.hidden = true;
        box.querySelector(".reply").textContent = result.rule.response;
      }
    });
    const actions = h(
      "div",
      { class: "actions" },
      h(
        "button",
        {
          type: "button",
          class: "quiet",
          onclick: () => {
            put(question);
            ask(question, { force: true });
          },
        },
        "Ask anyway",
      ),
      h(
        "button",
        {
          type: "button",
          class: "quiet",
          onclick: (event) => {
            state.gate.block(question);
            note.textContent =
              "Forgotten, and not to be learned again. The next one goes to the paths. The Rules tab can undo this.";
            event.target.disabled = true;
          },
        },
        "Wrong answer",
      ),
      h(
        "button",
        {
          type: "button",
          class: "quiet",
          onclick: () => {
            form.hidden = !form.hidden;
            if (!form.hidden) form.querySelector("input").select();
          },
        },
        "Always answer this with…",
      ),
    );
    box.replaceChildren(
      h("p", { class: "asked" }, "“" + Switchyard.clip(question, 120) + "”"),
      h("p", { class: "reply" }, found.reply),
      h("p", { class: "facts" }, facts.join(" · ")),
      actions,
      form,
      note,
    );
    box.hidden = false;
    pill();
  }

  function hideHit() {
    const box = document.querySelector(".sy-board .hit");
    if (box) box.hidden = true;
  }

  function pill() {
    const stats = state.gate.stats();
    find(".pill .count").textContent = "In your browser: " + say.plural(stats.rules, "rule") + " · " + say.plural(stats.hits, "hit");
    const plot = document.querySelector('[data-figure="browser"]');
    if (!plot) return;
    const history = stats.history || [];
    const figure = JSON.parse(JSON.stringify(state.page.browser));
    const x = [0, ...history.map((_, i) => i + 1)];
    ["hits", "misses", "savedTokens"].forEach((key, i) => {
      const trace = figure.data[i];
      Object.assign(trace, { x, y: [0, ...history.map((p) => p[key])] });
      const shown = document.querySelector(".sy-board .key ." + key);
      if (shown) shown.textContent = say.count(trace.y.at(-1)) + " " + trace.name;
    });
    const step = (values) => Math.max(1, Math.ceil(Math.max(...values) / 5));
    Object.assign(figure.layout.xaxis, { dtick: step(x) });
    Object.assign(figure.layout.yaxis, { dtick: step([...figure.data[0].y, ...figure.data[1].y]) });
    if (!stats.savedTokens) Object.assign(figure.layout.yaxis2, { dtick: 1, range: [0, 1] });
    figure.summary =
      say.plural(stats.hits, "message") +
      " answered in the browser, " +
      stats.misses +
      " sent to the paths, " +
      say.count(stats.savedTokens) +
      " tokens saved.";
    Switchyard.draw(plot, figure);
    const money = stats.savedUsd ? " · " + say.money(stats.savedUsd) + " saved" : "";
    document.querySelector(".note-browser").textContent =
      stats.hits || stats.rules
        ? say.count(stats.savedTokens) +
          " tokens saved" +
          money +
          " · teaching cost " +
          say.count(stats.teachingTokens) +
          " (the models' own counts)"
        : "Send “thx” twice: the second never leaves this page.";
  }

  /* ---- settings ---- */

  function settings() {
    const { page } = state;
    const select = find('[name="priced_as"]');
    for (const model of page.priced_as) select.append(h("option", { value: model }, model));
    select.append(h("option", { value: "" }, "the model's own price"));
    if (page.priced_as.includes("gpt-4o")) select.value = "gpt-4o";
    find('[name="lm"]').value = find('[name="lm"]').value || page.lm;
    find(".settings").addEventListener("change", (event) => {
      summary();
      if (["priced_as", "counts", "cached"].includes(event.target.name) && Switchyard.current()) {
        Switchyard.send("reprice", { race: Switchyard.current().race });
      }
    });
    summary();
  }

  function chosen() {
    const value = (name) => find('[name="' + name + '"]').value;
    const on = (name) => find('[name="' + name + '"]').checked;
    return {
      lm: value("lm").trim() || state.page.lm,
      key: value("key"),
      mode: value("mode"),
      priced_as: value("priced_as"),
      counts: value("counts"),
      cached: on("cached"),
      direct: on("direct"),
      paths: [...state.element.querySelectorAll('[name="paths"]:checked')].map((box) => box.value),
    };
  }

  function summary() {
    const now = chosen();
    const timing = { auto: "fair timing", sequential: "one after another", concurrent: "all at once" }[now.mode];
    const priced = now.priced_as ? "priced as " + now.priced_as + (now.cached ? " (cached)" : "") : "own price";
    find(".chosen").textContent = [say.model(now.lm), timing, priced].join(" · ");
  }

  /* ---- keeping over a reload ---- */

  function ready() {
    pill();
    const [claim, figures] = state.page.note;
    document.querySelector(".sy-board .notes .model").textContent = claim;
    document.querySelector(".sy-board .notes .trained").textContent = figures;
    let races = [];
    try {
      races = JSON.parse(read(KEPT) || "[]");
    } catch {
      races = [];
    }
    if (Array.isArray(races) && races.length) Switchyard.send("restore", { races });
  }

  function remember(race) {
    let races = [];
    try {
      races = JSON.parse(read(KEPT) || "[]");
    } catch {
      races = [];
    }
    races.push(race);
    let text = JSON.stringify(races);
    while (text.length > MAX_KEPT && races.length > 1) {
      races.shift();
      text = JSON.stringify(races);
    }
    keep(KEPT, text);
  }

  function keep(key, value) {
    try {
      sessionStorage.setItem(key, value);
    } catch {
      /* storage denied: this tab keeps nothing */
    }
  }
  function read(key) {
    try {
      return sessionStorage.getItem(key);
    } catch {
      return null;
    }
  }

  /* ---- small things ---- */

  function keys(event) {
    const typing =
      /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName) || document.activeElement.isContentEditable;
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && find("textarea").offsetParent) {
      event.preventDefault();
      find("textarea").focus();
    }
    if (event.key === "Escape") stop();
  }

  function busy(on) {
    inform("");
    find(".stop").hidden = !on;
    find(".stop").disabled = false;
    find(".send").hidden = on;
    find(".send").disabled = false;
    for (const chip of state.element.querySelectorAll(".chips button")) chip.disabled = on;
  }

  function put(text) {
    find("textarea").value = text;
    keep(DRAFT, text.slice(0, state.page.limit));
    grow();
  }

  function grow() {
    const box = find("textarea");
    box.style.height = "auto";
    if (box.value) box.style.height = Math.min(box.scrollHeight, 168) + "px";
  }

  function warn(message) {
    const box = find(".alert");
    box.textContent = message;
    box.hidden = !message;
  }

  function inform(message) {
    find(".waiting").textContent = message;
  }

  const id = () =>
    crypto.randomUUID ? crypto.randomUUID() : Date.now().toString(36) + Math.random().toString(36).slice(2);
})();
