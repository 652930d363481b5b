/*
 * Settings: which model is asked, how the paths are run, how costs are shown. They are kept over a reload; the API key
 * is not: it lives in its field only.
 *
 * Switchyard.settings(element, page, changed)   take over the composer's fields; changed(name) after each change
 * Switchyard.chosen()                           what the visitor has chosen
 * Switchyard.openSettings(name)                 open them, at the field of that name
 */
(function () {
  "use strict";
  const Switchyard = (window.Switchyard = window.Switchyard || {});
  const { h, say } = Switchyard;
  const CHOICES = ["mode", "priced_as", "counts"];
  const SWITCHES = ["cached", "direct"];
  const TIMING = { auto: "fair timing", sequential: "one after another", concurrent: "all at once" };
  const state = { element: null, page: null };

  const find = (selector) => state.element.querySelector(selector);
  const field = (name) => find('[name="' + name + '"]');
  const paths = () => [...state.element.querySelectorAll('[name="paths"]')];

  Switchyard.settings = function (element, page, changed) {
    Object.assign(state, { element, page });
    const select = field("priced_as");
    for (const model of page.priced_as) select.append(h("option", { value: model }, model));
    select.append(h("option", { value: "" }, "the model's own price"));
    if (page.priced_as.includes("gpt-4o")) select.value = "gpt-4o";
    restore(Switchyard.kept("settings") || {});
    find(".settings").addEventListener("change", (event) => {
      const { key, ...rest } = Switchyard.chosen();
      Switchyard.keep("settings", { ...rest, lm: rest.lm === page.lm ? "" : rest.lm });
      summary();
      changed(event.target.name);
    });
    summary();
  };

  function restore(kept) {
    field("lm").value = field("lm").value || kept.lm || state.page.lm;
    for (const name of CHOICES) {
      if ([...field(name).options].some((option) => option.value === kept[name])) field(name).value = kept[name];
    }
    for (const name of SWITCHES) field(name).checked = kept[name] === true;
    if (Array.isArray(kept.paths)) for (const box of paths()) box.checked = kept.paths.includes(box.value);
  }

  Switchyard.chosen = () => ({
    lm: field("lm").value.trim() || state.page.lm,
    key: field("key").value,
    ...Object.fromEntries(CHOICES.map((name) => [name, field(name).value])),
    ...Object.fromEntries(SWITCHES.map((name) => [name, field(name).checked])),
    paths: paths()
      .filter((box) => box.checked)
      .map((box) => box.value),
  });

  Switchyard.openSettings = function (name) {
    find(".settings").open = true;
    field(name).focus();
  };

  function summary() {
    const now = Switchyard.chosen();
    const priced = now.priced_as ? "priced as " + now.priced_as + (now.cached ? " (cached)" : "") : "own price";
    const none = now.paths.length ? [] : ["no path ticked"];
    find(".chosen").textContent = [say.model(now.lm), TIMING[now.mode], priced, ...none].join(" · ");
    find(".pathless").hidden = now.paths.length > 0;
  }
})();
