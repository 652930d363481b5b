/*
 * Your tools, step 2: examples, a few at a time, and the form in which one is typed, which "wrong" in step 4 uses too.
 *
 * Switchyard.bench.form(tools, row, words, save)   a form for one row; save(row) -> whether it was taken
 * Switchyard.bench.call(tool, arguments)           a call as people read it
 * Switchyard.bench.download(name, content)         hand the visitor a file
 */
(function () {
  "use strict";
  const Switchyard = window.Switchyard;
  const { bench, h, say, text } = Switchyard;
  const NO_TOOL = [
    ["none", "no tool"],
    ["smalltalk", "small talk"],
  ];
  let size = 1;
  const view = { from: 0, tool: "", text: "", odd: false };
  const find = (selector) => bench.step("rows").querySelector(selector);

  /* ---- one row ---- */

  bench.call = (tool, given) => {
    const known = NO_TOOL.find(([name]) => name === tool);
    if (known) return h("code", { class: "call" }, known[1]);
    const parts = Object.entries(given || {}).flatMap(([name, value], i) => [
      i ? ", " : "",
      h("span", { class: "slot" }, name),
      "=",
      h("span", { class: "value" }, JSON.stringify(value)),
    ]);
    return h("code", { class: "call" }, h("b", null, tool), "(", ...parts, given === null ? "…" : "", ")");
  };

  bench.form = function (tools, row, words, save) {
    const names = [...tools.map((tool) => [tool.name, tool.name]), ...NO_TOOL];
    const question = h("input", {
      name: "question",
      value: row.question || "",
      maxlength: 2000,
      required: true,
      autocomplete: "off",
    });
    const select = h(
      "select",
      { name: "tool" },
      ...names.map(([name, shown]) => h("option", { value: name, selected: name === row.tool }, shown)),
    );
    const slots = h("div", { class: "wb-fields" });
    const draw = () => {
      const tool = tools.find((one) => one.name === select.value);
      const given = select.value === row.tool ? row.arguments || {} : {};
      slots.replaceChildren(...(tool ? tool.slots.map((slot) => field(slot, given[slot.name])) : []));
    };
    select.addEventListener("change", draw);
    draw();
    const form = h(
      "form",
      { class: "wb-row", method: "dialog" },
      h("label", { class: "wide" }, "What somebody asks", question),
      h("label", null, "The right tool", select),
      slots,
      h(
        "div",
        { class: "wb-buttons" },
        h("button", { type: "submit", class: "button" }, words.save),
        words.cancel ? h("button", { type: "button", class: "quiet", onclick: words.cancel }, "Cancel") : "",
      ),
    );
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const fields = [...slots.querySelectorAll("[data-slot]")].filter((one) => one.value !== "");
      const done = await save({
        question: question.value,
        tool: select.value,
        arguments: Object.fromEntries(fields.map((one) => [one.dataset.slot, value(one)])),
      });
      if (!done || words.cancel) return;
      question.value = "";
      draw();
      question.focus();
    });
    return form;
  };

  function field(slot, given) {
    const label = slot.name + (slot.required ? "" : " (optional)");
    const data = { "data-slot": slot.name, "data-type": slot.type };
    const choices = slot.choices || (slot.type === "boolean" ? [true, false] : null);
    if (choices) {
      const options = choices.map((one) =>
        h(
          "option",
          { value: JSON.stringify(one), selected: JSON.stringify(one) === JSON.stringify(given) },
          String(one),
        ),
      );
      return h(
        "label",
        null,
        label,
        h("select", { ...data, "data-json": true }, h("option", { value: "" }, "–"), ...options),
      );
    }
    const shown = given === undefined ? "" : typeof given === "string" ? given : JSON.stringify(given);
    const hint =
      { array: '["a", "b"]', object: '{"a": 1}', integer: "a whole number", number: "a number" }[slot.type] ||
      slot.description;
    return h("label", null, label, h("input", { ...data, value: shown, autocomplete: "off", placeholder: hint }));
  }

  /* What was typed, as JSON where the slot is no text; what is none goes as text, and the server says what is wrong. */
  function value(input) {
    if (input.dataset.type === "string" && input.dataset.json === undefined) return input.value.trim();
    try {
      return JSON.parse(input.value);
    } catch {
      return input.value.trim();
    }
  }

  /* ---- the list ---- */

  async function refresh() {
    try {
      list((await bench.ask("rows", view)).rows);
    } catch (fault) {
      bench.fault("rows", fault.message);
    }
  }

  function list({ shown, from, of, page }) {
    view.from = from;
    size = page;
    find(".wb-list").replaceChildren(...shown.map(item));
    find(".wb-pages").hidden = of <= page;
    text(
      find(".wb-pages span"),
      say.count(from + 1) + " to " + say.count(from + shown.length) + " of " + say.count(of),
    );
    find("[name=newer]").disabled = from === 0;
    find("[name=older]").disabled = from + page >= of;
  }

  function item(row) {
    const box = h("li", { class: row.notes.length ? "odd" : null });
    const edit = () => {
      const save = async (changed) => Boolean(await change("put", { ...changed, at: row.at, was: row.question }));
      box.replaceChildren(
        bench.form(bench.state.project.tools, row, { save: "Save", cancel: () => box.replaceWith(item(row)) }, save),
      );
      box.querySelector("input").focus();
    };
    box.append(
      h("span", { class: "wb-number" }, say.count(row.at + 1)),
      h(
        "div",
        { class: "wb-said" },
        h("p", null, row.question),
        bench.call(row.tool, row.arguments),
        ...row.notes.map((words) => h("p", { class: "wb-warn" }, words)),
      ),
      h(
        "div",
        { class: "wb-buttons" },
        h(
          "button",
          { type: "button", class: "quiet", "aria-label": "Edit row " + (row.at + 1), onclick: edit },
          "Edit",
        ),
        h(
          "button",
          {
            type: "button",
            class: "quiet",
            "aria-label": "Delete row " + (row.at + 1),
            onclick: () => change("drop", { at: row.at, was: row.question }),
          },
          "Delete",
        ),
      ),
    );
    return box;
  }

  async function change(what, data) {
    const answer = await bench.act("rows", what, data);
    if (answer)
      bench.announce(
        { put: "Kept.", drop: "Deleted." }[what] + " " + say.plural(answer.project.rows, "example") + " now.",
      );
    return answer;
  }

  /* ---- files ---- */

  async function upload(input) {
    const [file] = input.files;
    input.value = "";
    if (!file) return;
    const most = bench.state.page.characters;
    if (file.size > 4 * most)
      return bench.fault(
        "rows",
        "The file has " +
          say.count(file.size) +
          " bytes; the limit is " +
          say.count(most) +
          " characters. Give fewer rows.",
      );
    const answer = await bench.act("rows", "add", { name: file.name, text: await file.text() });
    if (!answer) return;
    bench.announce(say.plural(answer.added, "example") + " added.");
    const { problems, unread } = answer;
    const box = find(".wb-unread");
    box.hidden = answer.added > 0 && !unread;
    const more =
      unread > problems.length ? [h("li", null, "and " + say.count(unread - problems.length) + " more")] : [];
    box.replaceChildren(
      h(
        "p",
        { role: "alert" },
        unread
          ? file.name + ": " + say.plural(answer.added, "row") + " read, and " + say.plural(unread, "problem") + ":"
          : file.name + " holds no row. Give a log with one row a line or more, each with a question and its tool.",
      ),
      h(
        "ul",
        null,
        ...problems.map(({ line, message }) => h("li", null, (line ? "Line " + say.count(line) + ": " : "") + message)),
        ...more,
      ),
    );
  }

  bench.download = function (name, content) {
    const address = URL.createObjectURL(new Blob([content]));
    const link = h("a", { href: address, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  };

  async function save() {
    const answer = await bench.act("rows", "saved");
    if (answer) bench.download("examples.jsonl", answer.saved);
  }

  /* ---- what the examples show ---- */

  function coverage({ tools, labels, strangers, rows }) {
    const most = Math.max(1, ...tools.map((tool) => tool.rows));
    const own = tools.map((tool) =>
      h(
        "li",
        { class: tool.rows ? null : "odd" },
        h(
          "div",
          null,
          h("b", null, tool.name),
          " ",
          h("span", null, tool.rows ? say.plural(tool.rows, "example") : "no example yet"),
        ),
        h("i", { "aria-hidden": "true", style: "--p:" + tool.rows / most }),
        h(
          "small",
          null,
          tool.slots
            .map(
              (slot) =>
                slot.name +
                ": " +
                (slot.rows ? say.plural(slot.different, "value") : "never given") +
                (slot.missing.length && rows ? ", not " + slot.missing.slice(0, 4).join(", ") : ""),
            )
            .join(" · "),
        ),
      ),
    );
    const none = NO_TOOL.filter(([name]) => labels[name]).map(([name, shown]) =>
      h("li", null, h("div", null, h("b", null, shown), " ", h("span", null, say.plural(labels[name], "example")))),
    );
    const odd = Object.entries(strangers).map(([name, n]) =>
      h(
        "li",
        { class: "odd" },
        h(
          "div",
          null,
          h("b", null, name),
          " ",
          h("span", null, say.plural(n, "example") + " of a tool that is not in your list"),
        ),
      ),
    );
    find(".wb-coverage").replaceChildren(...(rows ? [...own, ...none, ...odd] : []));
  }

  function told({ rows, counts, strangers }) {
    if (!rows)
      return "Type some below, or add a log. None is needed: schemas alone can choose a tool, but read no arguments.";
    const strange = Object.values(strangers).reduce((sum, n) => sum + n, 0);
    const wrong = [
      [counts.contradictions, "contradiction", ""],
      [counts.near_duplicates, "near-duplicate", ""],
      [counts.misfits, "call", counts.misfits === 1 ? " that does not fit" : " that do not fit"],
      [strange, "call", " of a tool that is not in your list"],
    ].flatMap(([n, what, which]) => (n ? [say.plural(n, what) + which] : []));
    return say.plural(rows, "example") + (wrong.length ? "; " + wrong.join(", ") : ", none looks wrong");
  }

  bench.parts.push({
    begin() {
      find("[name=log]").addEventListener("change", (event) => upload(event.target));
      find("[name=save]").addEventListener("click", save);
      find("[name=find]").addEventListener("input", (event) => {
        Object.assign(view, { text: event.target.value, from: 0 });
        refresh();
      });
      find("[name=of]").addEventListener("change", (event) => {
        Object.assign(view, { tool: event.target.value, from: 0 });
        refresh();
      });
      find("[name=odd]").addEventListener("change", (event) => {
        Object.assign(view, { odd: event.target.checked, from: 0 });
        refresh();
      });
      const page = (by) => () => {
        view.from += by * size;
        refresh();
      };
      find("[name=newer]").addEventListener("click", page(-1));
      find("[name=older]").addEventListener("click", page(1));
    },
    reset() {
      Object.assign(view, { from: 0, tool: "", text: "", odd: false });
      find("[name=find]").value = "";
      find("[name=odd]").checked = false;
      find(".wb-unread").hidden = true;
    },
    show(project, before) {
      text(find(".wb-state"), project ? told(project) : "After the tools.");
      if (!project) return find(".wb-list").replaceChildren();
      const names = JSON.stringify(
        project.tools.map((tool) => [tool.name, tool.slots.map((slot) => [slot.name, slot.type, slot.choices])]),
      );
      if (!before || before.id !== project.id || find(".wb-add").dataset.of !== names) {
        find(".wb-add").dataset.of = names;
        const save = async (row) => Boolean(await change("put", row));
        find(".wb-add").replaceChildren(
          bench.form(project.tools, { tool: project.tools[0].name }, { save: "Add" }, save),
        );
        find("[name=of]").replaceChildren(
          h("option", { value: "" }, "all"),
          ...[...project.tools.map((tool) => [tool.name, tool.name]), ...NO_TOOL].map(([name, shown]) =>
            h("option", { value: name }, shown),
          ),
        );
      }
      find(".wb-filter").hidden = find("[name=save]").hidden = !project.rows;
      coverage(project);
      if (!before || before.id !== project.id || before.stamp !== project.stamp) refresh();
    },
  });
})();
