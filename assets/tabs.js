/*
 * Tabs: the open tab stands in the address (#race, #rules, #evaluate, #handover, #connect), so that a link opens it and Back returns from it.
 * Leaves out drawing them: they are Gradio's, and may come before this script or after it.
 */
(function () {
  "use strict";
  const TAB = '.sy-tabs [role="tab"][data-tab-id]';
  const FIRST = "race"; // the tab of an address that names none
  const named = () => location.hash.slice(1) || FIRST;
  const tabs = () => [...document.querySelectorAll(TAB)];
  const isOpen = (tab) => tab.getAttribute("aria-selected") === "true";

  /* Open the tab that the address names. */
  function follow() {
    const tab = tabs().find((t) => t.dataset.tabId === named());
    if (tab && !isOpen(tab)) tab.click();
  }

  /* At first an address that names no tab opens none: a visitor may have clicked before this script came. */
  function begin() {
    const open = tabs().find(isOpen);
    if (location.hash) follow();
    else if (open && open.dataset.tabId !== FIRST) history.replaceState(null, "", "#" + open.dataset.tabId);
    return Boolean(open);
  }

  document.addEventListener("click", (event) => {
    const tab = event.target.closest(TAB);
    if (tab && tab.dataset.tabId !== named()) history.pushState(null, "", "#" + tab.dataset.tabId);
  });
  addEventListener("popstate", follow); // also where only Gradio's own "?view=api" differs
  addEventListener("hashchange", follow);
  if (!begin()) {
    const drawn = new MutationObserver(() => begin() && drawn.disconnect());
    drawn.observe(document.documentElement, { childList: true, subtree: true });
  }
})();
