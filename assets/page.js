/*
 * Page: small things that every script of the page uses. All text goes in by textContent: what a user or a model wrote is
 * never read as HTML. Leaves out anything that knows of a race.
 *
 * Switchyard.h(tag, attributes, ...children)   an element; strings among the children stay text
 * Switchyard.text(element, value)              set its text, if it is another
 * Switchyard.clip(value, limit)                cut with an ellipsis
 * Switchyard.say                               count, seconds, money, duration, plural, model: numbers and names for a person
 */
(function () {
  "use strict";
  const Switchyard = (window.Switchyard = window.Switchyard || {});

  /* h("p", {class: "x", onclick: f}, "text", node, ...) -> an element; text stays text. */
  function h(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (key === "style") element.style.cssText = value;
      else element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...children.filter((c) => c !== null && c !== undefined && c !== false && c !== ""));
    return element;
  }
  Switchyard.h = h;

  const say = {
    count: (n) => Math.round(n).toLocaleString("en-US"),
    seconds(s) {
      if (s === null || s === undefined) return "";
      if (s < 0.001) return Math.max(1, Math.round(s * 1e6)) + "\u00a0µs";
      if (s < 0.1) return Math.round(s * 1000) + "\u00a0ms";
      return s.toFixed(s < 10 ? 2 : 1) + "\u00a0s";
    },
    money(d) {
      if (d === null || d === undefined) return "no known price";
      if (d === 0) return "$0";
      if (d >= 100) return "$" + Math.round(d).toLocaleString("en-US");
      if (d >= 1) return "$" + d.toFixed(2);
      return "$" + d.toFixed(Math.min(12, Math.max(2, 1 - Math.floor(Math.log10(d)))));
    },
    duration(s) {
      for (const [unit, size] of [
        ["years", 31557600],
        ["days", 86400],
        ["hours", 3600],
        ["minutes", 60],
      ])
        if (s >= 2 * size)
          return (s / size).toLocaleString("en-US", { maximumFractionDigits: s / size < 10 ? 1 : 0 }) + " " + unit;
      return say.seconds(s);
    },
    plural: (n, word) => n + " " + word + (n === 1 ? "" : "s"),
    model: (spec) => (spec.startsWith("embedded") ? spec + " (a 135M stand-in)" : spec),
  };
  Switchyard.say = say;

  function text(element, value) {
    if (element.textContent !== value) element.textContent = value || "";
  }
  Switchyard.text = text;

  const clip = (value, limit) => (value.length > limit ? value.slice(0, limit - 1) + "…" : value);
  Switchyard.clip = clip;
})();
