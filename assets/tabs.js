/*
 * Tabs: the open tab stands in the address (#race, #rules, #evaluate), so that a link opens it and Back returns from it.
 * Leaves out drawing them: they are Gradio's, and may come after this script.
 */
(function () {
  "use strict";
  const TAB = '.sy-tabs [role="tab"][data-tab-id]';
  const FIRST = "race"; // the tab of an address that names none
  const named = () => location.hash.slice(1) || FIRST;

  /* Open the tab that the address names; whether there are tabs yet. */
  function follow() {
    const tabs = [...document.querySelectorAll(TAB)];
    const tab = tabs.find((t) => t.dataset.tabId === named());
    if (tab && tab.getAttribute("aria-selected") !== "true") tab.click();
    return tabs.length > 0;
  }

  document.addEventListener("click", (event) => {
    const tab = event.target.closest(TAB);
    if (tab && tab.dataset.tabId !== named()) history.pushState(null, "", "#" + tab.dataset.tabId);
  });
  addEventListener("popstate", follow); // also where only Gradio's own "?view=api" differs
  addEventListener("hashchange", follow);
  if (!follow()) {
    const drawn = new MutationObserver(() => follow() && drawn.disconnect());
    drawn.observe(document.documentElement, { childList: true, subtree: true });
  }
})();
