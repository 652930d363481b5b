/*
 * Traffic: shows what pages/traffic.py says of the page's journal, and lets a person pause, promote, roll back and correct;
 * and draws the three bands of this visit's self-delegation from what this browser has counted. All text goes in by
 * textContent. Leaves out the journal (the server) and drawing (charts.js).
 *
 * Switchyard.traffic(element, send, page)   take over the template; send(name, data) reaches Python
 * Switchyard.trafficMessage(message)        show one message: traffic | why | refused
 */
(function () {
  "use strict";
  const Switchyard = (window.Switchyard = window.Switchyard || {});
  const { h, say, text } = Switchyard;
  const FEW = 10; // decisions shown before somebody asks for more
  const VERDICTS = {
    agree: "agree",
    tool: "same tool, other arguments",
    differ: "differ",
    doubt: "router in doubt",
    alone: "not compared",
  };
  const SOURCES = {
    race: "What the LLM called in the Race, on the path Tool calling, beside what the router would have called.",
    endpoint: "What an endpoint has noted. Its tools are not this page’s, so the Race is not noted in it.",
    public: "What the owner of this page has noted, to look at only. Its questions are not shown.",
  };
  const state = { root: null, send: null, page: null, view: null, history: [], shown: FEW, stale: true, open: null };

  Switchyard.traffic = function (element, send, page) {
    Object.assign(state, { root: element.querySelector(".tr"), send, page });
    const current = Switchyard.current && Switchyard.current();
    state.history = (current && current.history) || [];
    document.addEventListener("sy:message", ({ detail }) => {
      if (detail.phase !== "done") return;
      Object.assign(state, { history: detail.history, stale: state.stale || !detail.again });
      bands();
      refresh();
    });
    document.addEventListener("sy:counted", bands);
    new IntersectionObserver(refresh).observe(state.root);
    for (const input of state.root.querySelectorAll("[name=tr-unit]")) input.addEventListener("change", bands);
    find("[data-act=rollback]").addEventListener("click", () => act("rollback", {}));
    find(".tr-more").addEventListener("click", () => {
      state.shown = Infinity;
      decisions();
    });
    bands();
  };

  const find = (selector) => state.root.querySelector(selector);
  const unbroken = (words) => words.replaceAll(" %", "\u00a0%");

  /* Ask for the figures when they may be others and somebody can see them. */
  function refresh() {
    if (!state.stale || !state.root.offsetParent) return;
    state.stale = false;
    state.send("traffic", { visit: Switchyard.visit() });
  }

  function act(name, more) {
    fault("");
    state.send("traffic", { act: name, visit: Switchyard.visit(), ...more });
  }

  Switchyard.trafficMessage = function (message) {
    if (!message || !state.root || message.phase === "none") return;
    if (message.phase === "refused") return fault(message.message);
    if (message.phase === "why") {
      const box = find('[data-row="' + message.row + '"] .tr-words');
      if (box) text(box, message.words);
      return;
    }
    if (message.did) {
      fault("");
      state.open = null;
      text(find("[role=status]"), message.did);
    }
    if (message.view) view(message.view);
  };

  function fault(words) {
    const box = find(".ho-fault");
    box.hidden = !words;
    text(box, words);
  }

  /* Draw everything anew; what had the focus has it again. */
  function view(shown) {
    const focus = document.activeElement && document.activeElement.dataset.key;
    state.view = shown;
    find(".tr-shown").hidden = false;
    text(find(".tr-source"), SOURCES[shown.source] + (shown.latest ? " Counted are the latest " + say.count(shown.latest) + " requests." : ""));
    find(".ho-words").replaceChildren(...shown.words.map(([name, value, from]) =>
      h("div", null, h("dt", null, name), h("dd", null, unbroken(value)), h("dd", { class: "more" }, unbroken(from)))));
    for (const plot of state.root.querySelectorAll("[data-traffic]"))
      if (shown.figures[plot.dataset.traffic]) Switchyard.draw(plot, shown.figures[plot.dataset.traffic]);
    find(".tr-tools tbody").replaceChildren(...shown.tools.map(tool));
    find(".tr-tools").hidden = !shown.tools.length;
    find(".tr-model").hidden = !shown.changes || !shown.model.words;
    text(find(".tr-model span"), shown.model.words);
    find("[data-act=rollback]").hidden = !shown.model.back;
    decisions();
    const again = focus && find('[data-key="' + CSS.escape(focus) + '"]');
    if (again) again.focus();
  }

  function tool(one) {
    const button = (name, word) =>
      h("button", { type: "button", class: "quiet", "data-key": name + one.tool, disabled: !one.hand[name],
        "aria-label": word + " " + one.name, onclick: () => act(name, { tool: one.tool }) }, word);
    return h("tr", null,
      h("th", { scope: "row" }, one.name, h("span", { class: "ho-state", "data-state": one.state }, one.words)),
      h("td", { class: "ho-missing" }, one.missing),
      h("td", { class: "tr-hand" }, state.view.changes ? h("div", null, button("pause", "Pause"), button("promote", "Promote")) : "–"),
      h("td", null, one.compared), h("td", null, one.agreed, one.of ? h("small", null, one.of) : ""),
      h("td", null, one.threshold), h("td", null, one.alone), h("td", null, one.seen));
  }

  /* ---- decisions ---- */

  function decisions() {
    const all = state.view.decisions;
    find(".tr-latest").hidden = !all.length;
    find(".tr-decisions").replaceChildren(...all.slice(0, state.shown).map(decision));
    const more = all.length - state.shown;
    find(".tr-more").hidden = !(more > 0);
    text(find(".tr-more"), "Show " + say.count(Math.max(0, more)) + " more");
  }

  function decision(one) {
    const call = (who, words) => h("div", null, h("dt", null, who), h("dd", null, h("code", null, words)));
    const box = h("details", { open: state.open === one.row, ontoggle: (event) => opened(event.target, one) },
      h("summary", { "data-key": "why" + one.row }, "Why, and is it right?"),
      ...one.why.map((words) => h("p", null, words)),
      h("p", { class: "tr-words" }),
      state.view.changes ? wrong(one) : "");
    return h("li", { "data-row": one.row },
      h("p", { class: "tr-asked" }, "“" + Switchyard.clip(one.question, 200) + "”"),
      h("dl", { class: "tr-calls" },
        call("LLM", one.llm || "was not asked"), call("Router", one.router || "no whole call")),
      h("p", { class: "tr-verdict", "data-verdict": one.verdict }, VERDICTS[one.verdict] + (one.mode === "act" ? " · handled by the router" : "")),
      one.right ? h("p", { class: "tr-right" }, "You said: ", h("code", null, one.right), " is right.") : "",
      box);
  }

  function opened(details, one) {
    if (!details.open || state.open === one.row) return;
    state.open = one.row;
    if (state.view.changes) act("why", { row: one.row });
  }

  /* The form that says what would have been right. */
  function wrong(one) {
    const choices = [["llm", "the LLM’s call", one.llm], ["router", "the router’s call", one.router], ["none", "no tool", ""]]
      .filter(([name]) => name === "none" || one.may.includes(name));
    const pick = h("select", { name: "right", "aria-label": "What is right" },
      h("option", { value: "" }, "choose…"), ...choices.map(([name, words]) => h("option", { value: name }, words)), h("option", { value: "other" }, "another call"));
    const other = h("div", { class: "tr-other", hidden: true },
      h("label", null, "Tool", h("select", { name: "tool" }, ...state.view.offered.map((name) => h("option", null, name)))),
      h("label", null, "Arguments, as JSON", h("input", { type: "text", name: "arguments", value: "{}", maxlength: 4000, autocomplete: "off", spellcheck: "false" })));
    const form = h("form", { class: "tr-wrong" },
      h("label", null, "This was wrong. Right is", pick), other,
      h("button", { type: "submit", class: "quiet", disabled: true, "data-key": "teach" + one.row }, "Teach"));
    pick.addEventListener("change", () => {
      other.hidden = pick.value !== "other";
      form.querySelector("[type=submit]").disabled = !pick.value;
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      act("wrong", { row: one.row, right: pick.value, tool: form.elements.tool.value, arguments: form.elements.arguments.value });
    });
    return form;
  }

  /* ---- the three bands ---- */

  function bands() {
    const messages = Switchyard.kept("messages") || [];
    const raced = new Map(state.history.map((race) => [race.id, race.paths]));
    const unit = find("[name=tr-unit]:checked").value;
    const size = (path) => (unit === "calls" ? path.calls : path.own[0] + path.own[1]);
    const sums = [0, 0, 0], lines = [[0], [0], [0]];
    let alone = 0, asked = 0;
    for (const { hit, race } of messages) {
      if (hit !== undefined) sums[2] += unit === "calls" ? 1 : hit;
      else {
        const { router, tool_calling: whole } = raced.get(race) || {};
        if (!router || router.state !== "done") continue;
        asked += 1;
        sums[0] += size(router);
        if (whole && whole.state === "done") sums[1] += Math.max(0, size(whole) - size(router));
        else alone += 1;
      }
      sums.forEach((sum, i) => lines[i].push(sum));
    }
    const plot = find('[data-traffic="bands"]');
    const some = lines[0].length > 1;
    plot.hidden = !some;
    find(".tr-bands .switch").hidden = !some;
    if (!some) return;
    const figure = JSON.parse(JSON.stringify(state.page.bands));
    lines.forEach((y, i) => Object.assign(figure.data[i], { x: y.map((_, n) => n), y }));
    const of = unit === "calls" ? "LLM calls" : "tokens";
    const total = sums[0] + sums[1] + sums[2];
    figure.summary = "Of " + say.count(total) + " " + of + ", " + say.count(sums[2]) + " fell to phrases answered in your browser, " +
      say.count(sums[1]) + " to calls made by the router, and " + say.count(sums[0]) + " were left to the LLM.";
    text(find(".tr-basis"), figure.summary + " Counted on the router’s path, beside what Tool calling took for the same question" +
      (alone ? "; in " + say.plural(alone, "race") + " that path did not run, so what the router saved there is not known" : "") +
      "; a phrase counts what its reply had cost when the LLM gave it." + (unit === "tokens" ? " Tokens are the models’ own counts." : ""));
    const { xaxis, yaxis } = figure.layout;
    if (lines[0].length <= 7) xaxis.dtick = 1; // no ticks between two whole numbers
    if (total <= 6) yaxis.dtick = 1;
    Switchyard.draw(plot, figure);
  }
})();
