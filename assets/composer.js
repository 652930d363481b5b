/*
 * Composer: where a visitor asks. Every text passes the gatekeeper first; only what it cannot answer is sent.
 * Leaves out showing a race (board.js), the settings (settings.js) and keeping rules (gatekeeper.js).
 *
 * Switchyard.composer(element, trigger, page)    take over the static template; page: {lm, priced_as, limit, note, online, browser}
 * Switchyard.send(name, data)                    send an event to Python with the visitor's settings
 * Switchyard.raceOwn(question)                   race it with the visitor's own tools
 * Switchyard.waiting()                           the race that is running, or null
 * Switchyard.lessonOf(message)                   what a finished race taught this browser, in words, or null
 */
(function () {
  "use strict";
  const Switchyard = (window.Switchyard = window.Switchyard || {});
  const SILENCE = 20; // seconds without a word from the server
  const { h, say } = Switchyard;
  const state = {
    trigger: null,
    page: null,
    gate: null,
    element: null,
    race: null,
    lost: null,
    question: "",
    silent: 0,
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
      Switchyard.keep("draft", box.value.slice(0, page.limit));
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
    find(".pill").addEventListener("click", () => (location.hash = "rules"));
    Switchyard.settings(element, page, (name) => {
      const shown = Switchyard.current();
      if (["priced_as", "counts", "cached"].includes(name) && shown) Switchyard.send("reprice", { race: shown.race });
    });
    document.addEventListener("sy:own", own);
    for (const choice of choices()) choice.addEventListener("change", own);
    own();
    explain();
    pill();
    put(box.value || Switchyard.kept("draft") || ""); // a quick visitor has typed before this script was there
    busy(false); // the template's buttons wait for this script
    interrupted();
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
    if (!Switchyard.chosen().paths.length) return Switchyard.openSettings("paths"); // what is missing is said there
    if (navigator.onLine === false) {
      return warn(
        "You are offline, and your browser has not learned to answer this. Your text is kept; send it when you are back.",
      );
    }
    hideHit();
    begin(Switchyard.id(), question);
    const project = withOwn() ? Switchyard.own().id : "";
    Switchyard.send("send", { question, race: state.race, previous_turn: state.turn, visit: Switchyard.visit(), project });
  }

  function begin(race, question) {
    Object.assign(state, { race, question, lost: null, silent: 0 });
    Switchyard.keep("asked", question);
    busy(true);
  }

  Switchyard.send = function (name, data) {
    if (name !== "halt" && name !== "send" && state.race) return;
    const settings = Switchyard.chosen();
    if (name !== "send") {
      delete settings.key; // only asking needs it, and paths to run
      delete settings.paths;
    }
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
    if (!state.race && message.race && message.race === state.lost) {
      warn(""); // the server was only slow
      begin(message.race, state.question);
    }
    if (message.race && message.race === state.race) {
      state.silent = 0;
      inform(message.phase === "waiting" ? message.message : "");
      if (message.phase === "running" && find("textarea").value.trim() === state.question) put("");
      if (message.phase === "done") finish(message);
    }
    if (message.paths) trouble(message.fault || "");
    if (message.phase === "refused") {
      if (message.race === state.race || !message.race) over();
      if (state.question && !find("textarea").value) put(state.question);
      warn(message.message);
      find("textarea").focus();
    }
  }

  function finish(message) {
    over();
    const spoken = Object.values(message.paths)
      .map((p) => p.answer)
      .filter(Boolean);
    const asking = spoken.find((answer) => window.Gatekeeper.asksSomething(answer));
    const before = state.turn;
    state.turn = asking || (message.paths.router && message.paths.router.answer) || spoken[0] || "";
    const result = state.gate.learnLesson(message.lesson, { typed: message.question, previousTurn: before });
    if (message.lesson) state.lessons.set(message.race, result);
    if (message.keep) Switchyard.remember(message.keep);
    Switchyard.counted({ race: message.race });
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

  /* The race has ended, or nobody will say any more how it ends. */
  function over() {
    state.race = null;
    Switchyard.keep("asked", null);
    warn("");
    busy(false);
  }

  /* What made every path fail is said once, above the cards, with the way to where it is mended. */
  function trouble(fault) {
    const box = document.querySelector(".sy-board .trouble");
    box.hidden = !fault;
    if (box.firstChild && box.firstChild.textContent === fault) return;
    const mend = () => Switchyard.openSettings("lm");
    box.replaceChildren(fault, h("button", { type: "button", class: "quiet", onclick: mend }, "Open the settings"));
  }

  /* A server that says nothing must not leave the page waiting for ever: while it races it speaks twice a second. */
  function silence() {
    if (!state.race || ++state.silent < SILENCE) return;
    state.lost = state.race;
    over();
    putBack(state.question);
    warn(
      "The server has not answered for 20 seconds. Your question is kept: " +
        "check that Switchyard is running, then send it again.",
    );
  }

  /* A reload in the middle of a race has stopped it, and the server with it: say so, and lose no text. */
  function interrupted() {
    const question = Switchyard.kept("asked");
    if (!question) return;
    Switchyard.keep("asked", null);
    const back = putBack(question);
    warn(
      "The page was reloaded while “" +
        Switchyard.clip(question, 80) +
        "” was running, which stopped its race. " +
        (back ? "The question is back in the box." : "What you typed since is in the box."),
    );
  }

  /* Put a question back into the box, unless something else has been typed there meanwhile. */
  function putBack(question) {
    const typed = find("textarea").value.trim();
    if (!typed) put(question);
    return !typed || typed === question;
  }

  /* ---- the visitor's own tools ---- */

  const choices = () => [...state.element.querySelectorAll('[name="sy-tools"]')];
  const withOwn = () => !find(".own").hidden && choices()[1].checked;

  /* The switch is there once a router is trained for them; the examples below are for the built-in tools. */
  function own() {
    const mine = Switchyard.own();
    find(".own").hidden = !(mine && mine.trained);
    find(".own .yours").textContent = mine ? "Yours (" + mine.tools + ")" : "Yours";
    find(".under").hidden = find(".hints > p").hidden = withOwn();
  }

  Switchyard.raceOwn = function (question) {
    choices()[1].checked = true;
    own();
    location.hash = "race";
    put(question);
    if (question.trim()) ask(question, { force: true });
    find("textarea").focus();
  };

  /* ---- answered in the browser ---- */

  function hit(question, found) {
    put("");
    state.turn = found.reply;
    const box = document.querySelector(".sy-board .hit");
    const rule = found.rule || {};
    const spent = found.microseconds < 1000 ? "< 1 ms" : (found.microseconds / 1000).toFixed(1) + " ms";
    const saved = rule.usage ? (rule.usage.input_tokens || 0) + (rule.usage.output_tokens || 0) : 0;
    Switchyard.counted({ hit: saved });
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

  /* ---- what a visitor should know ---- */

  function explain() {
    const [claim, figures] = state.page.note;
    find(".offline").hidden = state.page.online;
    find(".stand-in").hidden = !figures;
    find(".stand-in p").textContent = claim + " " + figures;
  }

  function ready() {
    pill();
    const races = Switchyard.kept("races");
    if (Array.isArray(races) && races.length) Switchyard.send("restore", { races });
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
    Switchyard.keep("draft", text.slice(0, state.page.limit));
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
})();
