/*
 * Your tools, the report of a training: what held-out examples say of the router. Leaves out the figures (charts.js).
 *
 * Switchyard.benchReport(element, report)   show pages/workbench_view.py's view of a report
 */
(function () {
  "use strict";
  const Switchyard = window.Switchyard;
  const { h, say } = Switchyard;
  const NO_TOOL = { none: "no tool", smalltalk: "small talk" };
  const name = (label) => NO_TOOL[label] || label;
  const percent = (part, of) => (of ? ((100 * part) / of).toFixed(0) + "\u00a0%" : "–");
  const sum = (tools, column) => tools.reduce((total, tool) => total + tool[column], 0);
  let shown = "";

  Switchyard.benchReport = function (element, report) {
    const key = JSON.stringify(report);
    if (key === shown && element.firstChild) return;
    shown = key;
    const warnings = report.warnings.map((words) => h("p", { class: "wb-warn" }, words));
    const from = h("p", { class: "wb-note" }, report.measured_on);
    element.replaceChildren(
      ...(report.kind === "schemas"
        ? [from, ...warnings]
        : [
            headline(report),
            ...warnings,
            table(report),
            matrix(report.confusion),
            figures(report.figures),
            from,
            outside(report.outside),
          ]),
    );
  };

  /* ---- three figures in words ---- */

  function headline({ tools, threshold }) {
    const own = Object.entries(tools)
      .filter(([label]) => !NO_TOOL[label])
      .map(([, tool]) => tool);
    const [held, known, called] = ["held_out", "known", "called"].map((column) => sum(own, column));
    const proven =
      threshold.threshold === null
        ? "no call is sure enough: " +
          percent(threshold.target, 1) +
          " right is not proven on so few examples, so the LLM makes every call"
        : "sure of at least " +
          percent(threshold.threshold, 1) +
          "; " +
          percent(threshold.target, 1) +
          " right is what you asked for";
    return h(
      "dl",
      { class: "wb-three" },
      three(
        "Right tool",
        percent(sum(own, "right_tool"), held),
        sum(own, "right_tool") + " of " + say.count(held) + " held-out examples",
      ),
      three(
        "Right call, arguments and all",
        percent(sum(own, "right_call"), known),
        sum(own, "right_call") + " of " + say.count(known),
      ),
      three("Calls it makes by itself", percent(called, held), proven),
      called
        ? three(
            "of these right",
            percent(sum(own, "called_right"), called),
            sum(own, "called_right") +
              " of " +
              say.count(called) +
              "; at least " +
              percent(threshold.lower_bound, 1) +
              " with 95\u00a0% confidence",
          )
        : "",
    );
  }

  const three = (title, value, more) =>
    h("div", null, h("dt", null, title), h("dd", null, value), h("dd", { class: "more" }, more));

  /* ---- tool by tool ---- */

  function table({ tools }) {
    const rows = Object.entries(tools).map(([label, tool]) =>
      h(
        "tr",
        null,
        h("th", { scope: "row" }, name(label)),
        h("td", null, say.count(tool.rows)),
        h("td", null, percent(tool.right_tool, tool.held_out)),
        h("td", null, NO_TOOL[label] ? "–" : percent(tool.right_call, tool.known)),
        h("td", null, NO_TOOL[label] ? "–" : percent(tool.called, tool.held_out)),
      ),
    );
    return scroll(
      "Tool by tool",
      h(
        "table",
        null,
        h("caption", null, "Tool by tool, on held-out examples"),
        h(
          "thead",
          null,
          h(
            "tr",
            null,
            ...["Tool", "Examples", "Right tool", "Right call", "Made by itself"].map((words) =>
              h("th", { scope: "col" }, words),
            ),
          ),
        ),
        h("tbody", null, ...rows),
      ),
    );
  }

  const scroll = (label, ...children) =>
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, ...children);

  /* ---- what is taken for what: a click shows the questions ---- */

  function matrix({ labels, counts, questions }) {
    const used = labels.filter((_, i) => counts[i].some(Boolean) || counts.some((row) => row[i]));
    const at = (label) => labels.indexOf(label);
    const box = h("div", { class: "wb-cell", role: "status" });
    const cell = (wanted, read) => {
      const n = counts[at(wanted)][at(read)];
      if (!n) return h("td", null, "·");
      const most = Math.max(...counts[at(wanted)]);
      const words =
        n +
        (n === 1 ? " example of " : " examples of ") +
        name(wanted) +
        (wanted === read ? ", read right" : ", read as " + name(read));
      const show = () =>
        box.replaceChildren(
          h("p", null, words + ":"),
          h(
            "ul",
            null,
            ...((questions[wanted] || {})[read] || []).map((question) => h("li", null, "“" + question + "”")),
          ),
        );
      return h(
        "td",
        null,
        h(
          "button",
          {
            type: "button",
            "aria-label": words,
            class: wanted === read ? "right" : "wrong",
            style: "--p:" + n / most,
            onclick: show,
          },
          String(n),
        ),
      );
    };
    const rows = used.map((wanted) =>
      h("tr", null, h("th", { scope: "row" }, name(wanted)), ...used.map((read) => cell(wanted, read))),
    );
    return h(
      "div",
      { class: "wb-matrix" },
      scroll(
        "What is taken for what",
        h(
          "table",
          null,
          h("caption", null, "What is taken for what: click a number to see the questions"),
          h(
            "thead",
            null,
            h(
              "tr",
              null,
              h("th", { scope: "col" }, "right ↓ read →"),
              ...used.map((label) => h("th", { scope: "col" }, h("span", null, name(label)))),
            ),
          ),
          h("tbody", null, ...rows),
        ),
      ),
      box,
    );
  }

  /* ---- can its confidence be believed? ---- */

  function figures({ calibration, trade }) {
    const figure = (title, words, figure) => {
      if (!figure) return "";
      const plot = h("div", { class: "plot" });
      Switchyard.draw(plot, figure);
      return h("figure", null, h("figcaption", null, h("h4", null, title), h("p", { class: "wb-note" }, words)), plot);
    };
    return h(
      "div",
      { class: "wb-figures" },
      figure("How sure, how right", "On the dotted line, “80 % sure” is right 80 times in 100.", calibration),
      figure("What a threshold buys", "To the right it makes more calls by itself, and errs more often.", trade),
    );
  }

  function outside({ rows, taken, called, questions }) {
    if (!rows) return "";
    return h(
      "details",
      { class: "wb-outside" },
      h(
        "summary",
        null,
        "Of " +
          say.count(rows) +
          " questions that none of your tools serves, " +
          (called ? say.count(called) + " would be called" : "none would be called") +
          "; " +
          say.count(taken) +
          " looked like one of your tools",
      ),
      h("ul", null, ...questions.map((question) => h("li", null, "“" + question + "”"))),
    );
  }
})();
