/*
 * Your tools, steps 3 to 5: training and its report, a question tried and corrected, the router taken home.
 * Leaves out racing: the Race tab does it, with these tools.
 */
(function () {
  "use strict";
  const Switchyard = window.Switchyard;
  const { bench, h, say, text } = Switchyard;
  const SILENCE = 20000; // milliseconds without news of a training that runs
  const ENDED = ["done", "stopped", "failed"];
  const STOPPING = "Stopping: the best so far is kept.";
  let stopping = false;
  const run = { id: "", heard: 0, phase: "" };
  const find = (name, selector) => bench.step(name).querySelector(selector);
  const percent = (share) => (100 * share).toFixed(share > 0.9995 || share < 0.1 ? 1 : 0) + "\u00a0%";

  /* ---- step 3: train ---- */

  async function train() {
    const answer = await bench.act("train", "train", { target: Number(find("train", "[name=target]").value) / 100 });
    if (answer) bench.announce("Training has begun.");
  }

  function follow(id) {
    Object.assign(run, { id, heard: Date.now() });
    bench.follow(id);
  }

  bench.news = async function (news) {
    if (news.id && news.id !== run.id) return;
    run.heard = Date.now();
    training(news);
    if (!ENDED.includes(news.phase)) return;
    run.id = "";
    bench.announce(words(news));
    await bench.act("train", "open");
    if (news.phase === "failed") bench.fault("train", news.message);
    else if (news.message) text(find("train", ".wb-state"), news.message);
  };

  const left = (seconds) =>
    seconds < 90 ? Math.max(1, Math.round(seconds)) + " s" : Math.round(seconds / 60) + " minutes";

  function words(news) {
    if (stopping && !ENDED.includes(news.phase)) return STOPPING;
    if (news.phase === "waiting")
      return news.ahead
        ? say.plural(news.ahead, "training") + " before yours on this server. It starts by itself."
        : "Waiting for its turn.";
    if (news.phase === "starting") return "Starting: the libraries that train are loaded.";
    if (news.phase === "training")
      return (
        "Training " +
        news.part +
        " of " +
        news.parts +
        (news.left === null || news.left === undefined ? "" : ", about " + left(news.left) + " left") +
        ". You may close this page: it goes on."
      );
    return {
      done: "Trained.",
      stopped: news.message || "Stopped; the best so far is kept.",
      failed: "The training failed.",
    }[news.phase];
  }

  function training(news) {
    const on = Boolean(news) && !ENDED.includes(news.phase);
    find("train", "[name=start]").disabled = find("train", "[name=target]").disabled = on;
    if (!on) stopping = false;
    find("train", "[name=stop]").disabled = !on || stopping;
    const box = find("train", ".wb-progress");
    box.hidden = !news;
    if (!news) return;
    const bar = box.querySelector("progress");
    bar.value = news.phase === "done" ? 1 : news.parts ? (news.part - 1 + news.epoch / news.epochs) / news.parts : 0;
    text(box.querySelector("p"), words(news));
    box.querySelector("figure").hidden = !news.figure.data.length;
    if (news.figure.data.length) Switchyard.draw(box.querySelector(".plot"), news.figure);
  }

  /* A server that says nothing of a training any more: ask how things stand. */
  function silence() {
    if (!run.id || Date.now() - run.heard < SILENCE) return;
    run.id = "";
    bench.act("train", "open");
  }

  function worth(project) {
    const few = project.rows && project.rows < 5 * project.tools.length;
    if (!project.rows)
      return (
        "Without examples the router has the schemas alone: it narrows the choice of tools, and the LLM makes every " +
        "call. Five examples a tool are a start, twenty are better."
      );
    return few ? "Fewer than five examples a tool: expect it to hand most questions over." : "";
  }

  /* ---- step 4: try and correct ---- */

  async function attempt(question) {
    const asked = question.trim();
    find("try", ".wb-correct").hidden = true;
    const answer = await bench.act("try", "try", { question: asked });
    if (answer) tried(answer.tried);
  }

  const HEADS = {
    call: "It makes this call",
    partial: "It picks the tool, the LLM fills the rest",
    abstain: "It leaves this to the LLM",
    none: "No tool is needed, it says",
  };
  const FROM = {
    question: "words of the question",
    learned: "learned from the examples",
    default: "always so in the examples",
  };

  function tried(found) {
    const box = find("try", ".wb-tried");
    const acts = found.outcome === "call" || found.outcome === "partial";
    const shown = acts || !found.read ? found : found.read;
    box.hidden = false;
    box.dataset.outcome = found.outcome;
    box.replaceChildren(
      h("h4", null, HEADS[found.outcome]),
      found.reason ? h("p", { class: "wb-reason" }, found.reason) : "",
      shown.tool
        ? h(
            "p",
            null,
            acts ? "" : "What it reads: ",
            ...(found.steps.length > 1 && acts
              ? found.steps.map((one) => bench.call(one.tool, one.arguments))
              : [bench.call(shown.tool, shown.arguments)]),
          )
        : "",
      h(
        "p",
        { class: "wb-words", "aria-label": "The question, with the words that became values" },
        ...marked(found.question, shown.places || {}),
      ),
      h(
        "ul",
        { class: "wb-slots" },
        ...Object.entries(shown.arguments || {}).map(([slot, value]) =>
          h("li", null, h("code", null, slot + " = " + JSON.stringify(value)), h("span", null, source(slot, shown))),
        ),
        ...shown.missing.map((slot) =>
          h(
            "li",
            null,
            h("code", null, slot),
            h("span", null, acts ? "open: the LLM fills it" : "open: not found in the question"),
          ),
        ),
      ),
      meter(acts || !found.read ? found : found.read, found.threshold, found.learned),
      found.why ? Switchyard.reasons(found.why, found.question) : "",
      h(
        "div",
        { class: "wb-buttons" },
        h(
          "button",
          { type: "button", class: "quiet", onclick: () => correct(found.question, shown) },
          found.outcome === "call" ? "Wrong? Correct it" : "Teach the right call",
        ),
      ),
    );
  }

  const source = (slot, shown) =>
    shown.sources
      ? FROM[shown.sources[slot]] || shown.sources[slot]
      : shown.places[slot]
        ? FROM.question
        : FROM.learned;

  /* The question with the words that became values marked, and the slot of each in its title. */
  function marked(question, places) {
    const spans = Object.entries(places)
      .flatMap(([slot, found]) => found.map(([start, end]) => ({ slot, start, end })))
      .sort((a, b) => a.start - b.start);
    const parts = [];
    let at = 0;
    for (const { slot, start, end } of spans) {
      if (start < at) continue;
      parts.push(question.slice(at, start), h("mark", null, question.slice(start, end), h("small", null, slot)));
      at = end;
    }
    return [...parts, question.slice(at)];
  }

  function meter({ confidence }, threshold, learned) {
    const sure = threshold !== null && confidence >= threshold;
    const least =
      threshold === null
        ? "no confidence is enough: too few held-out examples prove the share that you asked for"
        : "from " + percent(threshold) + " on the router " + (learned ? "calls by itself" : "names the tool");
    return h(
      "div",
      { class: "wb-meter", "data-path": "router" },
      h("p", null, percent(confidence) + " sure; " + least + "."),
      h(
        "div",
        {
          class: "meter " + (sure ? "sure" : "unsure"),
          role: "img",
          "aria-label": "Confidence " + percent(confidence),
        },
        h("i", { style: "width:" + 100 * confidence + "%" }),
        threshold === null ? "" : h("b", { style: "left:" + 100 * threshold + "%" }),
      ),
    );
  }

  function correct(question, { tool, arguments: given }) {
    const box = find("try", ".wb-correct");
    const save = async (row) => {
      const answer = await bench.act("try", "put", row);
      if (!answer) return false;
      box.replaceChildren(
        h("p", null, "Added to the examples. The router knows it once it is trained again."),
        h(
          "button",
          {
            type: "button",
            class: "button",
            onclick: () => {
              box.hidden = true;
              train();
            },
          },
          "Train again",
        ),
      );
      box.querySelector("button").focus();
      return true;
    };
    const cancel = () => {
      box.hidden = true;
    };
    box.hidden = false;
    box.replaceChildren(
      h("h4", null, "The right call"),
      bench.form(
        bench.state.project.tools,
        { question, tool, arguments: given },
        { save: "Add it to the examples", cancel },
        save,
      ),
    );
    box.querySelector("select").focus();
  }

  /* ---- step 5: take home ---- */

  const CODES = [
    [
      "With DSPy",
      [
        "import dspy",
        "from router.calls.tagger import load_router",
        "from router.lms import make_lm",
        "from router.pipeline import RouterPipeline",
        "from router.tools import ToolSet",
        "",
        'agent = RouterPipeline(load_router("router"), ToolSet.read("tools.json"))',
        'with dspy.context(lm=make_lm("openai/gpt-4o-mini")):',
        '    print(agent(question="...").answer)',
      ].join("\n"),
    ],
    [
      "Between an agent and its LLM",
      "python -m router serve --upstream https://api.openai.com/v1 --router router --mode live",
    ],
    ["One question a line", "python -m router route --router router --tools tools.json questions.txt"],
  ];

  function codes() {
    find("take", ".wb-codes").replaceChildren(
      ...CODES.map(([name, code]) => {
        const button = h("button", { type: "button", class: "quiet", "aria-label": "Copy: " + name }, "Copy");
        button.addEventListener("click", () => copy(code, button));
        return h(
          "figure",
          null,
          h("figcaption", null, h("span", null, name), button),
          h("pre", { tabindex: "0" }, h("code", null, code)),
        );
      }),
    );
  }

  async function copy(words, button) {
    try {
      await navigator.clipboard.writeText(words);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select it and copy";
    }
  }

  async function zip() {
    const answer = await bench.act("take", "zip");
    if (!answer) return;
    bench.download(
      answer.file.name,
      Uint8Array.from(atob(answer.file.base64), (sign) => sign.charCodeAt(0)),
    );
    bench.announce("Downloaded " + answer.file.name + ".");
  }

  async function share() {
    const answer = await bench.act("take", "share");
    if (!answer) return;
    const box = find("take", ".wb-shared");
    box.hidden = false;
    box.querySelector("input").value = location.origin + location.pathname + "?tools=" + answer.shared + "#yourtools";
    box.querySelector("input").select();
  }

  bench.parts.push({
    begin() {
      const target = find("train", "[name=target]");
      const shown = () => {
        text(find("train", "output"), target.value + "\u00a0%");
        target.setAttribute("aria-valuetext", target.value + " %");
      };
      target.addEventListener("input", shown);
      shown();
      find("train", "form").addEventListener("submit", (event) => {
        event.preventDefault();
        train();
      });
      find("train", "[name=stop]").addEventListener("click", (event) => {
        event.target.disabled = stopping = true;
        text(find("train", ".wb-progress p"), STOPPING);
        bench.act("train", "stop");
      });
      const ask = find("try", ".wb-ask");
      ask.addEventListener("submit", (event) => {
        event.preventDefault();
        attempt(ask.question.value);
      });
      ask.race.addEventListener("click", () => Switchyard.raceOwn(ask.question.value));
      find("take", "[name=zip]").addEventListener("click", zip);
      find("take", "[name=share]").addEventListener("click", share);
      codes();
      setInterval(silence, 5000);
    },
    reset() {
      run.id = "";
      for (const selector of [".wb-tried", ".wb-correct"]) find("try", selector).hidden = true;
      find("take", ".wb-shared").hidden = true;
    },
    show(project) {
      const trained = Boolean(project && project.report);
      if (project && project.training && run.id !== project.id) follow(project.id);
      training(project ? project.training : null);
      text(find("train", ".wb-worth"), project ? worth(project) : "");
      text(
        find("train", ".wb-state"),
        !project
          ? "After the tools."
          : project.stale
            ? "Tools or examples have changed since: train again."
            : trained
              ? ""
              : "With the examples, or without any.",
      );
      text(find("train", "[name=start]"), trained ? "Train again" : "Train");
      text(find("try", ".wb-state"), trained ? "" : "After the training.");
      text(find("take", ".wb-state"), trained ? "" : "After the training.");
      const box = find("train", ".wb-report");
      box.hidden = !trained;
      if (trained) Switchyard.benchReport(box, project.report);
    },
  });
})();
