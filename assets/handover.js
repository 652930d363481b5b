/*
 * Hand-over: starts and stops a play of the recorded stream and shows what pages/handover.py says of it. All text goes in by
 * textContent. What was shown is kept over a reload. Leaves out playing (the server) and drawing (charts.js).
 *
 * Switchyard.handover(element, send, page)   take over the template; send(name, data) reaches Python
 * Switchyard.handoverMessage(message)        show one message: waiting | running | done | refused
 */
(function () {
  "use strict";
  const Switchyard = (window.Switchyard = window.Switchyard || {});
  const { h, say, text } = Switchyard;
  const ANNOUNCED = 1000; // requests between two announcements to a screen reader
  const state = { root: null, form: null, send: null, run: "", shown: null, running: false, leaving: false, announced: 0, live: "" };

  const find = (selector) => state.root.querySelector(selector);
  const unbroken = (words) => words.replaceAll(" %", "\u00a0%");
  const announce = (words) => text(find("[role=status]"), words);

  Switchyard.handover = function (element, send, page) {
    state.root = element.querySelector(".ho");
    state.form = find(".ho-setup");
    state.send = send;
    const { form } = state;
    text(find(".ho-of"), say.count(page.of));
    state.own = page.own;
    text(find(".ho-limits"), "From " + page.own.least + " to " + say.count(page.own.rows) + " rows, " + page.own.bytes / 1e6 + " MB at most.");
    if (page.counts) find(".ho-setup .ho-note").append(" A play counts as one of your questions.");
    for (const input of form.elements.source) input.addEventListener("change", source);
    form.addEventListener("submit", (event) => { event.preventDefault(); start(); });
    form.halt.addEventListener("click", () => { state.send("halt", { run: state.run }); form.halt.disabled = true; });
    form.target.addEventListener("input", target);
    restore();
    source(); // a browser may have kept the choice over a reload
    target();
    busy(false); // the template's button waits for this script
  };

  function target() {
    const words = state.form.target.value + "\u00a0%";
    text(find(".ho-target output"), words);
    state.form.target.setAttribute("aria-valuetext", words);
  }

  function source() {
    find(".ho-own").hidden = state.form.elements.source.value !== "own";
  }

  /* The visitor's own log, or null where the sample is played. Throws a sentence where there is none, or too much of it. */
  async function ownLog() {
    const { source, file, pasted } = state.form.elements;
    if (source.value !== "own") return null;
    const chosen = pasted.value.trim() ? new File([pasted.value], "") : file.files[0];
    if (!chosen) throw new Error("No log is chosen. Choose a file, or paste rows of question, tool and arguments.");
    if (chosen.size > state.own.bytes) {
      throw new Error("The log has " + say.count(chosen.size) + " bytes; the limit here is " + say.count(state.own.bytes) +
        ". Play a part of it, or all of it with python -m router replay.");
    }
    return { name: chosen.name, text: await chosen.text() };
  }

  async function start() {
    if (state.running) return;
    fault("");
    left("");
    let log = null;
    try {
      log = await ownLog();
    } catch (error) {
      return fault(error.message);
    }
    state.run = Switchyard.id();
    Object.assign(state, { shown: null, announced: 0, live: "" });
    find(".ho-result").hidden = true;
    const order = { target: Number(state.form.target.value) / 100, pace: Number(state.form.pace.value) };
    busy(true);
    progress("Starting.", 0, 1);
    announce("Started.");
    state.send("handover", { ...order, log, run: state.run, visit: Switchyard.visit() });
  }

  Switchyard.handoverMessage = function (message) {
    if (!message || !state.form || message.phase === "none") return;
    if (message.phase === "refused") { busy(false); find(".ho-progress").hidden = !state.shown; return fault(message.message); }
    if (message.phase === "log") return left(message.words);
    if (message.phase === "waiting") {
      progress(say.plural(message.ahead, "play") + " before yours on this server. It starts by itself.", 0, 1);
      return announce("Waiting: " + message.ahead + " before yours.");
    }
    if (message.panel) {
      state.shown = message;
      panel(message.panel);
    }
    const on = message.phase === "running";
    const words = on ? doing(message.progress) : ended(message);
    if (message.progress) progress(words, message.progress.seen, message.progress.of);
    else progress(words, 0, 1);
    busy(on);
    keep();
    if (on) hear(message);
    else announce(words);
  };

  function doing({ seen, of, doing, words }) {
    if (doing === "starting") return "Starting: the libraries that train are loaded.";
    const so_far = say.count(seen) + " of " + say.count(of) + " requests";
    return so_far + (doing === "learning" ? ", the stream waits: " + words : "");
  }

  function ended({ stopped, progress, limit }) {
    if (!progress || !progress.of) return "Stopped before the first request.";
    const percent = Math.round(100 * progress.target) + "\u00a0%";
    return stopped
      ? "Stopped after " + say.count(progress.seen) + " of " + say.count(progress.of) + " requests, at a target of " + percent + ". " + (limit ? limit + " " : "") + "What was played is below."
      : "All " + say.count(progress.seen) + " requests played, at a target of " + percent + ".";
  }

  /* For a screen reader: that it learns, which tools went live, and now and then how far it is. */
  function hear({ progress, panel }) {
    if (!panel) return;
    const live = panel.tools.filter((tool) => tool.state === "live").map((tool) => tool.name).join(", ");
    const [[, handled]] = panel.words;
    if (live !== state.live) announce(live ? "Live now: " + live + "." : "No tool is live any more.");
    else if (progress.seen >= state.announced + ANNOUNCED) announce(say.count(progress.seen) + " requests, " + handled + " handled by the router.");
    else return;
    Object.assign(state, { live, announced: progress.seen });
  }

  function panel({ words, figures, held, tools }) {
    find(".ho-result").hidden = false;
    find(".ho-words").replaceChildren(...words.map(([name, value, from]) =>
      h("div", null, h("dt", null, name), h("dd", null, unbroken(value)), h("dd", { class: "more" }, unbroken(from)))));
    for (const plot of state.root.querySelectorAll("[data-figure]")) Switchyard.draw(plot, figures[plot.dataset.figure]);
    find(".ho-held").replaceChildren(...held.map((words) => h("li", null, words)));
    find(".ho-table tbody").replaceChildren(...tools.map((tool) => h("tr", null,
      h("th", { scope: "row" }, tool.name, h("span", { class: "ho-state", "data-state": tool.state }, tool.words)),
      h("td", { class: "ho-missing" }, tool.missing), h("td", null, tool.compared),
      h("td", null, tool.agreed, tool.of ? h("small", null, tool.of) : ""), h("td", null, tool.threshold),
      h("td", null, tool.alone), h("td", null, tool.seen))));
  }

  function progress(words, seen, of) {
    const box = find(".ho-progress");
    box.hidden = false;
    box.querySelector("progress").max = Math.max(1, of);
    box.querySelector("progress").value = seen;
    text(box.querySelector("p"), words);
  }

  function busy(on) {
    state.running = on;
    state.form.start.disabled = on;
    state.form.halt.disabled = !on;
    const { source, file, pasted } = state.form.elements;
    for (const input of [state.form.target, state.form.pace, file, pasted, ...source]) input.disabled = on;
    if (state.root.isConnected) keep();
  }

  function fault(words) {
    const box = find(".ho-fault");
    box.hidden = !words;
    text(box, words);
  }

  /* Rows of an own log that could not be read. */
  function left(words) {
    const box = find(".ho-left");
    box.hidden = !words;
    text(box, words);
  }

  function keep() {
    if (state.leaving) return; // what breaks off because the page is left must not look like the end of the play
    const { target, pace } = state.form;
    Switchyard.keep("handover", { target: target.value, pace: pace.value, running: state.running, shown: state.shown });
  }

  function restore() {
    const kept = Switchyard.kept("handover");
    if (!kept) return;
    state.form.target.value = kept.target;
    state.form.pace.value = kept.pace;
    state.shown = kept.shown;
    if (kept.shown) {
      const at = kept.shown.progress;
      panel(kept.shown.panel);
      progress(kept.running ? lost(at) : ended(kept.shown), at.seen, at.of);
    } else if (kept.running) progress("The page was reloaded before the first request, which ended the play. Press Start to begin again.", 0, 1);
  }

  const lost = ({ seen, of }) => "The page was reloaded after " + say.count(seen) + " of " + say.count(of) +
    " requests, which ended the play. What was played is below; Start begins again.";

  addEventListener("beforeunload", () => { state.leaving = true; });
  addEventListener("pageshow", () => { state.leaving = false; });
})();
