/*
 * Your tools: the steps of a visitor's project, the tools themselves, and the talk with pages/workbench.py. All text
 * goes in by textContent. Leaves out examples (workbench_rows.js) and what comes after them (workbench_train.js).
 *
 * Switchyard.workbench(element, send, page)   take over the template; send(name, data) reaches Python
 * Switchyard.workbenchAnswer(message)         the answer to one question, by its number
 * Switchyard.workbenchNews(message)           how a training goes
 * Switchyard.bench                            what the tab's scripts share: find, ask, act, show, fault, parts, state
 */
(function () {
  "use strict";
  const Switchyard = (window.Switchyard = window.Switchyard || {});
  const { h, say, text } = Switchyard;
  const PATIENCE = 60000; // milliseconds without an answer
  const LINK = "tools"; // the name of a share link's id in the address
  const state = { root: null, send: null, page: null, project: null, asked: 0 };
  const waiting = new Map();
  let last = Promise.resolve();

  const find = (selector) => state.root.querySelector(selector);
  const step = (name) => find('[data-step="' + name + '"]');
  const announce = (words) => text(find("[role=status]"), words);
  const bench = (Switchyard.bench = { state, find, step, announce, parts: [] });

  /* ---- the talk with the server: one question at a time ---- */

  const letter = (data) => ({ text: JSON.stringify(data) });
  bench.follow = (id) => state.send("follow", letter({ id }));

  bench.ask = function (what, data) {
    const answer = last.then(() => post(what, data || {}));
    last = answer.catch(() => null);
    return answer;
  };

  function post(what, data) {
    const re = ++state.asked;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => answered({ re, fault: "The server has not answered for a minute. Check that it runs, and try again." }),
        PATIENCE,
      );
      waiting.set(re, { resolve, reject, timer });
      const id = state.project ? state.project.id : null;
      state.send("ask", letter({ id, ...data, do: what, re, visit: Switchyard.visit() }));
    });
  }

  function answered(answer) {
    const asked = waiting.get(answer.re);
    if (!asked) return;
    waiting.delete(answer.re);
    clearTimeout(asked.timer);
    if (answer.fault) asked.reject(new Error(answer.fault));
    else asked.resolve(answer);
  }

  const read = (message) => (message && message.text ? JSON.parse(message.text) : null);
  Switchyard.workbenchAnswer = (message) => {
    const answer = read(message);
    if (answer) answered(answer);
  };
  Switchyard.workbenchNews = (message) => {
    const news = read(message);
    if (news && state.root) bench.news(news);
  };

  /* Do what a step asks of the server: its buttons wait, a refusal is said in the step, new state is shown. */
  bench.act = async function (name, what, data) {
    bench.fault(name, "");
    bench.busy(name, true);
    try {
      const answer = await bench.ask(what, data);
      if (answer.project) show(answer.project);
      return answer;
    } catch (fault) {
      bench.fault(name, fault.message);
      return null;
    } finally {
      bench.busy(name, false);
    }
  };

  bench.busy = (name, on) => step(name).toggleAttribute("data-busy", on);

  bench.fault = function (name, words) {
    const box = step(name).querySelector(".wb-fault");
    box.hidden = !words;
    text(box, words);
  };

  /* ---- the project ---- */

  Switchyard.workbench = function (element, send, page) {
    Object.assign(state, { root: element.querySelector(".wb"), send, page });
    text(find(".wb-life"), ", and goes after " + (page.public ? "a day" : "30 days") + " without use");
    for (const button of state.root.querySelectorAll("[data-to]")) {
      button.addEventListener("click", () => to(button.dataset.to));
    }
    find(".wb-forget").addEventListener("click", forget);
    tools();
    for (const part of bench.parts) part.begin();
    show(null);
    for (const button of state.root.querySelectorAll(".wb-give button")) button.disabled = false; // they waited
    open();
  };

  function to(name) {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    step(name).scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
    const first = step(name).querySelector(":is(input, textarea, button):not([hidden], :disabled)");
    if (first) first.focus({ preventScroll: true });
  }

  /* The project of this browser, unless the address brings shared tools. */
  async function open() {
    const shared = new URLSearchParams(location.search).get(LINK);
    const own = Switchyard.own();
    if (shared && own) return offer(shared, own.id);
    if (shared) return take(shared);
    if (own) await load(own.id);
  }

  async function load(id) {
    if (!(await bench.act("tools", "open", { id }))) {
      Switchyard.own(null);
      show(null);
    }
  }

  function offer(shared, own) {
    const box = find(".wb-offer");
    box.hidden = false;
    const choose = (then) => () => {
      box.hidden = true;
      then();
    };
    box.querySelector("[name=take]").addEventListener(
      "click",
      choose(() => take(shared)),
    );
    box.querySelector("[name=leave]").addEventListener(
      "click",
      choose(() => {
        unlink();
        load(own);
      }),
    );
  }

  async function take(shared) {
    unlink();
    await bench.act("tools", "shared", { id: shared });
  }

  function unlink() {
    const address = new URL(location.href);
    address.searchParams.delete(LINK);
    history.replaceState(null, "", address);
  }

  async function forget() {
    if (!confirm("Delete these tools, their examples and the router from the server? Nothing can bring them back."))
      return;
    await bench.act("tools", "forget");
    Switchyard.own(null);
    state.project = null;
    for (const part of bench.parts) part.reset();
    show(null);
    announce("Deleted.");
    find(".wb-give textarea").focus();
  }

  function show(project) {
    const before = state.project;
    state.project = project;
    const has = Boolean(project);
    if (has) Switchyard.own({ id: project.id, tools: project.tools.length, trained: Boolean(project.report) });
    find(".wb-forget").hidden = !has;
    if (!before || !has || before.id !== project.id || changed(before.tools, project.tools)) cards();
    giving(!has);
    for (const part of bench.parts) part.show(project, before);
    const ready = { tools: true, rows: has, train: has, try: has && project.report, take: has && project.report };
    for (const [name, open] of Object.entries(ready)) {
      step(name).toggleAttribute("data-open", Boolean(open));
      find('[data-to="' + name + '"]').parentNode.toggleAttribute("data-done", done(name, project));
    }
  }
  bench.show = show;

  const bare = (tools) =>
    JSON.stringify(
      tools.map(({ name, description, effects, slots }) => [
        name,
        description,
        effects,
        slots.map((s) => [s.name, s.type]),
      ]),
    );
  const changed = (a, b) => bare(a) !== bare(b);

  function done(name, project) {
    if (!project) return false;
    return {
      tools: true,
      rows: project.rows > 0,
      train: Boolean(project.report) && !project.stale,
      try: false,
      take: false,
    }[name];
  }

  /* ---- step 1: tools ---- */

  function tools() {
    const form = find(".wb-give");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      give({ text: form.text.value });
    });
    form.example.addEventListener("click", () => give({ source: "example" }));
    form.connect.addEventListener("click", () => give({ source: "mcp", server: form.server.value }));
    form.keep.addEventListener("click", () => {
      bench.fault("tools", "");
      giving(false);
      find(".wb-change").focus();
    });
    form.file.addEventListener("change", async () => {
      const [file] = form.file.files;
      form.file.value = "";
      if (!file) return;
      form.text.value = await file.text();
      give({ text: form.text.value });
    });
    find(".wb-mcp").hidden = state.page.public;
    find(".wb-change").addEventListener("click", () => {
      giving(true);
      form.text.focus();
    });
  }

  async function give(what) {
    const answer = await bench.act("tools", "tools", what);
    if (!answer) return;
    announce(say.plural(answer.project.tools.length, "tool") + " read.");
    find(".wb-give textarea").value = "";
    to("tools");
    find(".wb-change").focus({ preventScroll: true });
  }

  function giving(on) {
    find(".wb-give").hidden = !on;
    find(".wb-give [name=keep]").hidden = !state.project;
    for (const selector of [".wb-cards", ".wb-change"]) find(selector).hidden = on;
    find(".wb-alike").hidden = on || !state.project.alike.length;
  }

  function cards() {
    const project = state.project;
    text(
      step("tools").querySelector(".wb-state"),
      project ? summary(project) : "Paste them, open a file, or look at an example.",
    );
    find(".wb-cards").replaceChildren(
      ...(project ? project.tools.map((tool) => card(tool, project.mocks[tool.name] || "")) : []),
    );
    if (!project) return;
    const pairs = project.alike.map((pair) => pair.join(" and "));
    text(
      find(".wb-alike"),
      "Easily taken for one another: " + pairs.join("; ") + ". Say in their descriptions what sets them apart.",
    );
  }

  function summary({ tools }) {
    const unclear = tools.filter((tool) => tool.remarks.length).length;
    return say.plural(tools.length, "tool") + (unclear ? ", " + unclear + " with something unclear" : ", all clear");
  }

  const EFFECTS = {
    "read-only": "read-only",
    destructive: "destructive: the router never calls it",
    unknown: "may change something",
  };

  function card(tool, mock) {
    const result = h("input", {
      value: mock,
      maxlength: 2000,
      autocomplete: "off",
      placeholder: "none: the call itself is the result",
    });
    const kept = h("span", { class: "wb-kept", role: "status" });
    result.addEventListener("change", async () => {
      const answer = await bench.act("tools", "mock", { tool: tool.name, text: result.value });
      if (answer) text(kept, "Kept.");
    });
    return h(
      "li",
      { class: "wb-tool" },
      h(
        "h4",
        null,
        tool.name,
        " ",
        h("span", { class: "wb-effects", "data-effects": tool.effects }, EFFECTS[tool.effects]),
      ),
      h("p", null, tool.description),
      tool.slots.length
        ? h("ul", { class: "wb-slots", "aria-label": "Slots of " + tool.name }, ...tool.slots.map(slot))
        : h("p", { class: "wb-note" }, "Takes no arguments."),
      ...tool.remarks.map((words) => h("p", { class: "wb-warn" }, words)),
      h("label", { class: "wb-mock" }, "Result in a race", result),
      kept,
    );
  }

  function slot({ name, type, required, description, choices }) {
    const shown = choices
      ? choices
          .slice(0, 6)
          .map((one) => (typeof one === "string" ? one : JSON.stringify(one)))
          .join(", ") + (choices.length > 6 ? ", …" : "")
      : type;
    return h(
      "li",
      null,
      h("code", null, name),
      h("span", null, shown),
      required ? "" : h("span", { class: "wb-optional" }, "optional"),
      description ? h("small", null, description) : "",
    );
  }
})();
