/*
 * Charts: draws figures that Python made, in the page's light or dark colours. Leaves out making them.
 *
 * Switchyard.draw(element, {data, layout, summary})   draw or update; the summary becomes the element's label
 * Switchyard.plotly() -> Promise                      Plotly, loaded at first use from this server
 */
(function () {
  "use strict";
  const Switchyard = (window.Switchyard = window.Switchyard || {});
  const drawn = new Map(); // element -> {figure, key}
  const THEME = "switchyard.theme.v1";
  let loading = null;
  let busy = false;

  /* The header's switch between light and dark; the visitor's choice is kept in this browser. */
  Switchyard.header = function (element) {
    const body = document.body;
    const asked = /[?&]__theme=/.test(location.search);
    try {
      if (!asked && localStorage.getItem(THEME)) body.classList.toggle("dark", localStorage.getItem(THEME) === "dark");
    } catch {
      /* denied */
    }
    element.querySelector(".theme").addEventListener("click", () => {
      const dark = body.classList.toggle("dark");
      try {
        localStorage.setItem(THEME, dark ? "dark" : "light");
      } catch {
        /* denied: holds until the page closes */
      }
    });
  };

  Switchyard.plotly = function () {
    if (window.Plotly) return Promise.resolve(window.Plotly);
    loading =
      loading ||
      new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = window.SwitchyardPlotly;
        script.onload = () => resolve(window.Plotly);
        script.onerror = () => {
          loading = null;
          reject(new Error("plotly.min.js could not be loaded"));
        };
        document.head.append(script);
      });
    return loading;
  };

  function theme() {
    const style = getComputedStyle(document.querySelector(".sy") || document.body);
    const read = (name) => style.getPropertyValue(name).trim();
    const line = {
      gridcolor: read("--sy-line"),
      linecolor: read("--sy-line"),
      zerolinecolor: read("--sy-line"),
      title: { font: { size: 12 } },
    };
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    return {
      layout: {
        font: { family: style.fontFamily, size: 12, color: read("--sy-muted") },
        xaxis: line,
        yaxis: line,
        annotationdefaults: { font: { color: read("--sy-ink") } },
        hoverlabel: {
          bgcolor: read("--sy-ink"),
          bordercolor: read("--sy-ink"),
          font: { color: read("--sy-card"), family: style.fontFamily },
        },
        transition: { duration: still ? 0 : 200 },
      },
    };
  }

  Switchyard.draw = function (element, figure) {
    element.setAttribute("role", "img");
    element.setAttribute("aria-label", figure.summary);
    const known = drawn.get(element) || {};
    drawn.set(element, { ...known, figure });
    if (!known.figure) observer.observe(element);
    later();
  };

  /* One pass for all that changed, at most four a second; a hidden element waits until it has a width. */
  let timer = 0,
    last = 0;
  function later() {
    if (timer) return;
    timer = setTimeout(
      () => {
        timer = 0;
        last = performance.now();
        paint();
      },
      Math.max(0, last + 250 - performance.now()),
    );
  }

  async function paint() {
    if (busy) {
      later();
      return;
    }
    busy = true;
    try {
      const Plotly = await Switchyard.plotly();
      const template = theme();
      for (const [element, state] of drawn) {
        if (!element.isConnected) {
          observer.unobserve(element);
          drawn.delete(element);
          continue;
        }
        const width = element.clientWidth;
        if (!width) continue;
        const key = JSON.stringify([state.figure, template, width]);
        if (key === state.key) continue;
        if (state.width !== width) Plotly.purge(element); // react() leaves a legend where the old width had it
        Object.assign(state, { key, width });
        const { data, layout } = JSON.parse(JSON.stringify(state.figure)); // Plotly writes into what it is given
        await Plotly.react(
          element,
          data,
          { ...layout, template, width, height: element.clientHeight || 200 },
          { displayModeBar: false, doubleClick: false, showTips: false },
        );
      }
    } finally {
      busy = false;
    }
  }

  const observer = new ResizeObserver(later);
  new MutationObserver(later).observe(document.body, { attributes: true, attributeFilter: ["class"] });
})();
