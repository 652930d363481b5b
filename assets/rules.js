/*
 * Rules: shows what the gatekeeper has learned and refused, and lets the visitor change it. All text goes in by
 * textContent. Leaves out learning and answering (gatekeeper.js); nothing here reaches the server.
 *
 * Switchyard.rules(element)    take over the template of the Rules tab
 */
(function () {
  "use strict";
  const Switchyard = (window.Switchyard = window.Switchyard || {});
  const { h, say } = Switchyard;
  const PAGE = 100; // rows drawn at once
  const DAY = 86_400_000;
  const MAX_FILE = 5_000_000; // characters, as in gatekeeper.js
  const COLUMNS = ["You write", "Your browser answers", "Taught by", "Learned", "Hits", "Saved", "Expires", ""];
  const state = { root: null, gate: null, filter: "", shown: PAGE, editing: null, sure: 0, drawing: false };

  Switchyard.rules = function (element) {
    Object.assign(state, { root: element.querySelector(".ru"), gate: window.Gatekeeper.shared() });
    const acts = {
      export: save,
      import: () => find('[name="file"]').click(),
      "forget-all": forgetAll,
      "clear-refused": () => state.gate.clearRefused(),
    };
    for (const [name, act] of Object.entries(acts)) find(`[data-act="${name}"]`).addEventListener("click", act);
    find('[name="file"]').addEventListener("change", load);
    find('[name="filter"]').addEventListener("input", (event) => {
      Object.assign(state, { filter: event.target.value, shown: PAGE });
      drawRules();
    });
    find(".ru-teach").addEventListener("submit", teach);
    find(".ru-teach").addEventListener("input", () => (find(".ru-teach .ru-fault").textContent = ""));
    window.addEventListener("gatekeeper:change", later);
    draw();
  };

  const find = (selector) => state.root.querySelector(selector);
  const day = (at) => new Date(at).toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" });
  const isoDay = (at) => new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
  const moment = (at) => new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  const quoted = (phrase) => "“" + phrase + "”";

  /** Many changes in one go (an import, a burst of hits) are drawn once. */
  function later() {
    if (state.drawing) return;
    state.drawing = true;
    requestAnimationFrame(() => {
      state.drawing = false;
      draw();
    });
  }

  function draw() {
    drawStorage();
    drawPayback();
    if (!state.editing) drawRules();
    drawBlocked();
    drawRefused();
  }

  function drawStorage() {
    const { reason, setAside } = state.gate.stats().storage;
    const said = [
      reason,
      setAside &&
        `Some stored rules cannot be used: damaged, or not for a browser to answer. All are kept under “${setAside}” in this browser's local storage.`,
    ];
    const text = said.filter(Boolean).join(" ");
    find(".ru-storage").textContent = text;
    find(".ru-storage").hidden = !text;
  }

  /* ---- payback ---- */

  function drawPayback() {
    const stats = state.gate.stats();
    find(".ru-verdict").textContent = verdict(stats);
    const most = Math.max(stats.savedTokens, stats.teachingTokens, 1);
    const bar = (name, tokens, usd, kind) => [
      h("dt", null, name),
      h(
        "dd",
        { class: kind, style: `--share: ${tokens / most}` },
        h("i", { "aria-hidden": "true" }),
        h("span", null, say.count(tokens) + " tokens" + (usd === null ? "" : " · " + say.money(usd))),
      ),
    ];
    find(".ru-bars").replaceChildren(
      ...bar("Teaching cost", stats.teachingTokens, stats.teachingUsd, "cost"),
      ...bar("Hits saved", stats.savedTokens, stats.savedUsd, "saved"),
    );
  }

  function verdict({ hits, misses, savedTokens, teachingTokens, rules }) {
    const answered =
      hits + misses ? ` ${say.count(hits)} of ${say.plural(hits + misses, "message")} answered here.` : "";
    if (!teachingTokens && !hits && !rules) return "Nothing taught yet. Send “thx” twice in the Race tab.";
    if (!teachingTokens) return "Taught at no cost." + (answered || " Nothing answered here yet.");
    if (savedTokens === teachingTokens) return "Teaching has just paid for itself." + answered;
    if (savedTokens > teachingTokens)
      return `Teaching has paid back ${(savedTokens / teachingTokens).toFixed(1)} times over.` + answered;
    const left = teachingTokens - savedTokens;
    const each = rules ? meanTokens() : 0;
    const more = each ? `, about ${say.plural(Math.ceil(left / each), "hit")} more` : "";
    return `Not paid back yet: ${say.count(left)} tokens to go${more}.` + answered;
  }

  function meanTokens() {
    const costs = state.gate
      .rules()
      .map((r) => (r.usage ? r.usage.input_tokens + r.usage.output_tokens : 0))
      .filter(Boolean);
    return costs.length ? costs.reduce((a, b) => a + b, 0) / costs.length : 0;
  }

  /* ---- rules ---- */

  function drawRules() {
    const all = state.gate.rules();
    const wanted = state.filter.trim().toLowerCase();
    const rules = wanted
      ? all.filter((r) => `${r.phrase}\n${r.response}\n${r.taughtBy}`.toLowerCase().includes(wanted))
      : all;
    find(".ru-count").textContent = all.length ? say.count(all.length) : "";
    find('[data-act="export"]').disabled = find('[data-act="forget-all"]').disabled = !all.length;
    const list = find(".ru-list");
    if (!rules.length) {
      list.replaceChildren(
        h("p", { class: "ru-empty" }, all.length ? `No rule holds ${quoted(state.filter)}.` : "No rules yet."),
      );
      return;
    }
    const rows = rules.slice(0, state.shown).map(row);
    const table = h(
      "table",
      null,
      h("caption", { class: "sr" }, "Rules"),
      h(
        "thead",
        null,
        h("tr", null, ...COLUMNS.map((c) => h("th", { scope: "col" }, c || h("span", { class: "sr" }, "Actions")))),
      ),
      h("tbody", null, ...rows),
    );
    const rest = rules.length - rows.length;
    const more = h(
      "button",
      {
        type: "button",
        class: "quiet",
        onclick: () => {
          state.shown += PAGE;
          drawRules();
        },
      },
      `Show ${say.count(Math.min(rest, PAGE))} more of ${say.count(rest)}`,
    );
    list.replaceChildren(table, ...(rest > 0 ? [more] : []));
  }

  function row(rule) {
    const whole = (text) => h("span", { class: "ru-number" }, text);
    const saved = rule.usage
      ? [
          whole(say.count(rule.savedTokens) + " tokens"),
          ...(rule.savedUsd === null ? [] : [" · ", whole(say.money(rule.savedUsd))]),
        ]
      : [whole("not known")];
    const cell = (label, ...content) => h("td", { "data-label": label }, ...content);
    const line = h(
      "tr",
      { "data-phrase": rule.phrase },
      h("th", { scope: "row", class: "ru-phrase" }, rule.phrase),
      cell(COLUMNS[1], rule.response),
      cell(
        COLUMNS[2],
        rule.taughtBy === "visitor" ? "you" : rule.taughtBy,
        rule.method ? h("small", null, rule.method) : null,
      ),
      cell(
        COLUMNS[3],
        h(
          "time",
          { title: moment(rule.learnedAt), datetime: new Date(rule.learnedAt).toISOString() },
          day(rule.learnedAt),
        ),
      ),
      cell(COLUMNS[4], h("span", { class: "ru-number" }, say.count(rule.hits))),
      cell(COLUMNS[5], h("span", null, ...saved)),
      cell(COLUMNS[6], h("time", { datetime: new Date(rule.expiresAt).toISOString() }, day(rule.expiresAt))),
      h(
        "td",
        null,
        h(
          "div",
          { class: "ru-acts" },
          h(
            "button",
            {
              type: "button",
              class: "quiet",
              "aria-label": "Edit " + quoted(rule.phrase),
              onclick: () => edit(line, rule),
            },
            "Edit",
          ),
          h(
            "button",
            {
              type: "button",
              class: "quiet",
              "aria-label": "Forget " + quoted(rule.phrase),
              onclick: () => forget(rule),
            },
            "Forget",
          ),
        ),
      ),
    );
    return line;
  }

  function edit(line, rule) {
    if (state.editing) return;
    state.editing = rule.phrase;
    const reply = h("input", {
      name: "reply",
      maxlength: 200,
      value: rule.response,
      autocomplete: "off",
      required: true,
    });
    const expiry = h("input", {
      name: "expiry",
      type: "date",
      value: isoDay(rule.expiresAt),
      min: isoDay(Date.now() + DAY),
      required: true,
    });
    const fault = h("p", { class: "ru-fault", role: "alert" });
    const close = () => {
      state.editing = null;
      drawRules();
      const again = [...find(".ru-list").querySelectorAll("tr")].find((r) => r.dataset.phrase === rule.phrase);
      if (again) again.querySelector("button").focus();
    };
    const form = h(
      "form",
      { class: "ru-edit", novalidate: true, "aria-label": "Edit " + quoted(rule.phrase) },
      h("label", null, `Answer ${quoted(rule.phrase)} with`, reply),
      h("label", null, "until", expiry),
      h(
        "div",
        { class: "ru-acts" },
        h("button", { type: "submit", class: "quiet strong" }, "Save"),
        h("button", { type: "button", class: "quiet", onclick: close }, "Cancel"),
      ),
      fault,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const day =
        expiry.value === isoDay(rule.expiresAt) ? rule.expiresAt : new Date(expiry.value + "T23:59:59").getTime();
      const { accepted, reason } = state.gate.edit(rule.phrase, { response: reply.value, expiresAt: day });
      fault.textContent = reason;
      if (!accepted) return unsay();
      note(`Saved: your browser answers ${quoted(rule.phrase)} with that from now on.`);
      close();
    });
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      close();
    });
    line.replaceChildren(h("td", { colspan: COLUMNS.length }, form));
    reply.focus();
  }

  function forget(rule) {
    state.gate.forget(rule.phrase);
    note(`Forgotten: ${quoted(rule.phrase)} goes to the paths again.`, () => restore({ rules: [rule] }));
    find(".ru-note button").focus();
  }

  /** Two clicks within ten seconds; what was forgotten can be brought back. */
  function forgetAll(event) {
    const button = event.currentTarget;
    clearTimeout(state.sure);
    if (button.dataset.sure) {
      const kept = state.gate.exportRules();
      reset();
      state.editing = null;
      note(`${say.plural(state.gate.forgetAll(), "rule")} forgotten.`, () => restore(kept));
      return;
    }
    button.dataset.sure = "yes";
    button.textContent = "Really forget all?";
    state.sure = setTimeout(reset, 10_000);
    function reset() {
      delete button.dataset.sure;
      button.textContent = "Forget all";
    }
  }

  function restore(rules) {
    const { added, updated } = state.gate.importRules(rules);
    note(say.plural(added + updated, "rule") + " brought back.");
  }

  function teach(event) {
    event.preventDefault();
    const form = event.target;
    const phrase = form.elements.phrase.value;
    const { accepted, reason } = state.gate.teach(phrase, form.elements.response.value);
    form.querySelector(".ru-fault").textContent = accepted ? "" : "Not taught: " + reason;
    if (!accepted) return unsay();
    note(`Taught: your browser answers ${quoted(phrase.trim())} from now on.`);
    form.reset();
    form.elements.phrase.focus();
  }

  function note(text, undo) {
    const box = find(".ru-note");
    box.replaceChildren(text);
    if (undo) box.append(" ", h("button", { type: "button", class: "quiet", onclick: undo }, "Undo"));
    problems([]);
  }

  /** A refusal takes the success before it off the screen, but no Undo. */
  function unsay() {
    if (!find(".ru-note button")) note("");
  }

  function problems(refused) {
    const list = find(".ru-problems");
    list.hidden = !refused.length;
    list.replaceChildren(
      ...refused
        .slice(0, 20)
        .map((r) => h("li", null, `${r.query ? quoted(r.query) : "A rule without a phrase"}: ${r.reason}`)),
      ...(refused.length > 20 ? [h("li", null, `and ${say.count(refused.length - 20)} more.`)] : []),
    );
  }

  /* ---- files ---- */

  function save() {
    const url = URL.createObjectURL(new Blob([state.gate.exportRules()], { type: "application/json" }));
    h("a", { href: url, download: "gatekeeper-rules.json" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
    note(say.plural(state.gate.stats().rules, "rule") + " exported to gatekeeper-rules.json.");
  }

  async function load(event) {
    const [file] = event.target.files;
    event.target.value = "";
    if (!file) return;
    if (file.size > 4 * MAX_FILE)
      return note(
        `Not imported: the file has ${say.count(file.size)} bytes, more than ${say.count(4 * MAX_FILE)}. Import it in parts.`,
      );
    const { added, updated, refused, error } = state.gate.importRules(await file.text());
    note(
      error
        ? "Not imported: " + error
        : `${say.plural(added, "rule")} added, ${updated} replaced, ${refused.length} refused.`,
    );
    problems(refused);
  }

  /* ---- blocked and refused ---- */

  function drawBlocked() {
    const phrases = state.gate.blocked();
    find(".ru-blocked").hidden = !phrases.length;
    find(".ru-blocked ul").replaceChildren(
      ...phrases.map((phrase) =>
        h(
          "li",
          null,
          h("span", null, phrase),
          h(
            "button",
            {
              type: "button",
              class: "quiet",
              "aria-label": "Allow " + quoted(phrase) + " again",
              onclick: () => state.gate.unblock(phrase),
            },
            "Allow again",
          ),
        ),
      ),
    );
  }

  function drawRefused() {
    const refused = state.gate.refused();
    find(".ru-refused .ru-count").textContent = refused.length ? say.count(refused.length) : "";
    find('[data-act="clear-refused"]').hidden = !refused.length;
    const box = find(".ru-refusals");
    if (!refused.length) return box.replaceChildren(h("p", { class: "ru-empty" }, "None."));
    box.replaceChildren(
      h(
        "ul",
        null,
        ...refused.map((r) =>
          h(
            "li",
            null,
            h(
              "p",
              { class: "ru-said" },
              h("strong", null, r.query || "(no phrase)"),
              r.response ? h("span", null, " → " + r.response) : null,
            ),
            h("p", null, r.reason),
            h("small", null, (r.taughtBy === "visitor" ? "taught by you" : r.taughtBy) + " · " + moment(r.at)),
          ),
        ),
      ),
    );
  }
})();
