/*
 * Keep: what this browser tab keeps over a reload, in sessionStorage: the text in the box, the question that is being
 * raced, the settings, the evaluation's form and whether it runs, the finished races, the name of the visit. Never an API
 * key. Where storage is denied, nothing is kept.
 *
 * Switchyard.keep(name, value)   keep a JSON value; null forgets it
 * Switchyard.kept(name)          what was kept, or null
 * Switchyard.id()                a new name, unlike any other
 * Switchyard.visit()             the name of this tab's visit, which the server counts its questions by
 * Switchyard.counted(message)    note what became of one more message: {hit: tokens saved} in the browser, or {race: id}
 * Switchyard.own(value)          the project of the visitor's own tools ({id, tools, trained}), in localStorage: every tab of this
 *                                browser has it; without a value read it, null forgets it
 * Switchyard.remember(race)      keep one more finished race under "races"; the oldest go where room ends
 */
(function () {
  "use strict";
  const Switchyard = (window.Switchyard = window.Switchyard || {});
  const MAX_MESSAGES = 2000;
  const MAX_RACES = 4e6; // characters; sessionStorage holds about 5 million
  const key = (name) => "switchyard." + name + ".v2";

  Switchyard.keep = function (name, value) {
    try {
      if (value === null) sessionStorage.removeItem(key(name));
      else sessionStorage.setItem(key(name), JSON.stringify(value));
    } catch {
      /* storage denied or full: this tab keeps nothing */
    }
  };

  Switchyard.kept = function (name) {
    try {
      return JSON.parse(sessionStorage.getItem(key(name)));
    } catch {
      return null;
    }
  };

  Switchyard.id = () =>
    crypto.randomUUID ? crypto.randomUUID() : Date.now().toString(36) + Math.random().toString(36).slice(2);

  let visit = null;
  Switchyard.visit = function () {
    visit = visit || Switchyard.kept("visit") || Switchyard.id();
    Switchyard.keep("visit", visit);
    return visit;
  };

  Switchyard.counted = function (message) {
    const kept = Switchyard.kept("messages");
    Switchyard.keep("messages", [...(Array.isArray(kept) ? kept : []), message].slice(-MAX_MESSAGES));
    document.dispatchEvent(new CustomEvent("sy:counted"));
  };

  const OWN = "switchyard.own.v1";
  let own = null;
  Switchyard.own = function (value) {
    try {
      if (value === null) localStorage.removeItem(OWN);
      else if (value) localStorage.setItem(OWN, JSON.stringify(value));
      own = JSON.parse(localStorage.getItem(OWN));
    } catch {
      if (value !== undefined) own = value; // storage denied: until the page closes
    }
    if (value !== undefined) document.dispatchEvent(new CustomEvent("sy:own"));
    return own;
  };

  Switchyard.remember = function (race) {
    const kept = Switchyard.kept("races");
    const races = [...(Array.isArray(kept) ? kept : []), race];
    while (races.length > 1 && JSON.stringify(races).length > MAX_RACES) races.shift();
    Switchyard.keep("races", races);
  };
})();
