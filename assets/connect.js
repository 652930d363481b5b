/*
 * Connect: the base URL of this page's endpoint, code that uses it, and the list of requests, asked for while the tab is open.
 * All text goes in by textContent. Leaves out the endpoint (the server).
 *
 * Switchyard.connect(element, send, page)   take over the template; send(name, data) reaches Python
 * Switchyard.connectMessage(message)        show the requests
 */
(function () {
  "use strict";
  const Switchyard = (window.Switchyard = window.Switchyard || {});
  const { h, say, text } = Switchyard;
  const EVERY_MS = 2000;
  const ELSEWHERE = "http://127.0.0.1:8091"; // where `python -m router serve` listens unless told otherwise
  const BY = { router: "router", partial: "LLM, one tool", upstream: "LLM" };
  const state = { root: null, page: null, sdk: "OpenAI", shown: "" };

  const find = (selector) => state.root.querySelector(selector);
  const root = () => (state.page.here ? location.origin : ELSEWHERE);
  const base = () => root() + "/v1";

  Switchyard.connect = function (element, send, page) {
    state.root = element.querySelector(".co");
    state.page = page;
    text(find(".co-what"), what(page));
    find(".co-url").hidden = find(".co-log").hidden = !page.here;
    text(find(".co-url code"), base());
    if (!page.here) {
      text(find(".co-own h3"), "Start it");
      find(".co-own").after(find(".co-code")); // first what comes first
    }
    find(".co-note").replaceChildren(...behind(page));
    const kinds = Object.keys(page.code).map((sdk) => h("button", { type: "button", role: "radio", onclick: () => choose(sdk) }, sdk));
    find(".co-sdks").replaceChildren(...kinds);
    find(".co-sdks").addEventListener("keydown", byArrow);
    find("[name=live]").addEventListener("change", command);
    for (const button of state.root.querySelectorAll("[data-copy]")) button.addEventListener("click", () => copy(button));
    choose(state.sdk);
    command();
    if (page.here) watch(send);
  };

  function what(page) {
    const change = "Change the base URL and nothing else: every request goes to your LLM as it is, each tool call that the LLM makes teaches a router, and what that one would have called stands beside it.";
    if (page.here) return change;
    const why = page.public ? "This page is public and takes nobody’s requests." : "This page was started with a hosted model and without --upstream, so it takes no requests.";
    return change + " " + why + " Start the endpoint on your machine:";
  }

  function behind(page) {
    if (page.local) return ["Behind it answers the small model of this page (" + page.local + "), without a key. For your own LLM, start the page with ", h("code", {}, "--upstream URL"), ", or the command below."];
    return ["Behind it is ", h("code", {}, page.upstream), ", and your agent’s own key goes there with each request. What is learned here ends with this page."];
  }

  function choose(sdk) {
    state.sdk = sdk;
    for (const button of find(".co-sdks").children) {
      button.setAttribute("aria-checked", String(button.textContent === sdk));
      button.tabIndex = button.textContent === sdk ? 0 : -1;
    }
    text(find("pre code"), state.page.code[sdk].replaceAll("{base}", base()).replaceAll("{root}", root()).trimEnd());
    const deaf = sdk === "Anthropic" && (state.page.local || !state.page.upstream.includes("anthropic"));
    const needs = ["Anthropic’s SDK needs Anthropic behind the endpoint: ", h("code", {}, "--upstream https://api.anthropic.com/v1")];
    find(".co-sdk-note").replaceChildren(...(deaf ? needs : []));
  }

  function byArrow(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const buttons = [...find(".co-sdks").children];
    const next = buttons[(buttons.findIndex((b) => b.tabIndex === 0) + step + buttons.length) % buttons.length];
    choose(next.textContent);
    next.focus();
  }

  const command = () => text(find(".co-command"), state.page.commands[find("[name=live]").checked ? "live" : "shadow"]);

  async function copy(button) {
    const code = button.parentElement.querySelector("code");
    let told = "Copied";
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      getSelection().selectAllChildren(code); // no clipboard without https or consent
      told = "Selected: copy it with your keyboard";
    }
    text(find("[role=status]"), told + ".");
    text(button, told === "Copied" ? told : "Selected");
    setTimeout(() => text(button, "Copy"), 1500);
  }

  /* Ask for the requests while somebody looks. */
  function watch(send) {
    const looks = () => state.root.isConnected && state.root.offsetParent !== null && !document.hidden;
    const ask = () => looks() && send("requests", {});
    setInterval(ask, EVERY_MS);
    new IntersectionObserver(ask).observe(state.root);
  }

  Switchyard.connectMessage = function (message) {
    if (!message || !state.root || message.phase !== "requests") return;
    const rows = message.rows, now = JSON.stringify(rows);
    if (now === state.shown) return;
    state.shown = now;
    find(".co-empty").hidden = rows.length > 0;
    find(".co-log .scroll").hidden = !rows.length;
    find(".co-log tbody").replaceChildren(...rows.map(row));
  };

  function row(one) {
    const at = new Date(one.at * 1000);
    return h("tr", {},
      h("td", {}, h("time", { datetime: at.toISOString() }, at.toLocaleTimeString("en-GB"))),
      h("td", {}, called(one)),
      h("td", {}, h("span", { class: "co-by", "data-by": one.acted }, BY[one.acted])),
      h("td", {}, router(one)),
      h("td", { class: "co-number" }, say.seconds(one.seconds)),
      h("td", { class: "co-number" }, one.tokens === null ? "–" : say.count(one.tokens)));
  }

  function called(one) {
    if (one.outcome === "forwarded") return "–";
    if (one.called === null) return "no whole reply";
    return one.called.length ? one.called.join(", ") : "no tool";
  }

  function router(one) {
    if (one.outcome === "forwarded") return "not asked: " + one.reason;
    if (one.acted === "router") return "made the call";
    if (one.acted === "partial") return "chose the tool";
    if (one.agreed !== null) return one.agreed ? "would have called the same" : "would have called " + (same(one) ? "it with other arguments" : one.router.join(", "));
    if (one.router.length) return "would have called " + one.router.join(", ");
    if (one.outcome === "none") return "would have called none";
    return one.confidence ? "not sure" : "has learned nothing yet";
  }

  const same = (one) => String(one.router) === String(one.called);
})();
