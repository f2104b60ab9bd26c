// Updates a page: on the server's events it replaces the parts marked data-live by their new rendering.
// The age of the newest data counts on by itself, so that it stays true when the server or its data stop.
(function () {
  "use strict";
  var SOONEST = 1000, AT_LEAST = 15000, STALE_AFTER = 60000;
  var UNITS = [["seconds", 120, 1], ["minutes", 7200, 60], ["hours", 172800, 3600], ["days", Infinity, 86400]];
  document.addEventListener("keydown", function (e) {
    var search = document.getElementById("site-search");
    if (e.key !== "/" || !search || e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input, select, textarea")) { return; }
    e.preventDefault(); search.focus();
  });
  var url = document.body.dataset.stream;
  var word = document.getElementById("live-word"), button = document.getElementById("pause");
  if (!url || !button || !window.EventSource || !window.fetch) { return; }
  var sharedScript = document.currentScript.src.replace("page.js", "stream.js");
  var ownCentre = new URL(url, location.href).searchParams.get("centre");
  var source = null, port = null, timer = null, paused = false, busy = false, again = false;
  var last = Date.now(), took = 0;
  var connection = "on", renderedAt = "", renderedHere = 0;

  function showState(state) { connection = state; tick(); }

  function tick() {
    var age = document.getElementById("live-age"), newest = age.dataset.newest, stale = true;
    if (age.dataset.now !== renderedAt) { renderedAt = age.dataset.now; renderedHere = Date.now(); }
    if (newest) {
      var ms = Math.max(0, Number(renderedAt) - Number(newest) + Date.now() - renderedHere);
      stale = ms > STALE_AFTER;
      age.querySelector(".ago").textContent = "(" + agoText(Math.floor(ms / 1000)) + ")";
    }
    age.classList.toggle("is-stale", stale);
    var text = (stale ? word.dataset.stale + " · " : "") + word.dataset[connection];
    word.className = "live is-" + connection + (stale ? " is-stale" : "");
    if (word.textContent !== text) { word.textContent = text; }
  }

  function agoText(seconds) {
    var unit = UNITS.find(function (u) { return seconds < u[1]; });
    return word.dataset[unit[0]].replace("{n}", String(Math.floor(seconds / unit[2])));
  }

  function swap(fresh) {
    document.querySelectorAll("[data-live]").forEach(function (old) {
      var next = fresh.getElementById(old.id);
      if (!next) { return; }
      old.querySelectorAll("details[id]").forEach(function (d) {
        var twin = next.querySelector("#" + d.id);
        if (twin) { twin.open = d.open; }
      });
      if (next.outerHTML === old.outerHTML) { return; }
      var selector = old.contains(document.activeElement) ? selectorOf(document.activeElement) : "";
      var into = document.importNode(next, true);
      var places = Array.from(old.querySelectorAll(".scroll"), function (box) { return box.scrollLeft; });
      old.replaceWith(into);
      into.querySelectorAll(".scroll").forEach(function (box, i) { box.scrollLeft = places[i] || 0; });
      var focus = selector && into.querySelector(selector);
      if (focus) { focus.focus({ preventScroll: true }); }
    });
  }

  // On a narrow screen a wide chart opens at its newest bar, that of a mean day at its morning.
  function showNewest() {
    document.querySelectorAll(".panel:not(#chart-day-panel) .scroll").forEach(function (box) {
      var bars = box.querySelectorAll(".bar, .s-frame"), newest = bars[bars.length - 1];
      if (newest) { box.scrollLeft = newest.getBoundingClientRect().right - box.getBoundingClientRect().right + 12; }
    });
  }

  function selectorOf(element) {
    if (element.tagName === "A") { return 'a[href="' + element.getAttribute("href") + '"]'; }
    var box = element.closest("details[id]");
    return box ? "#" + box.id + " > summary" : "";
  }

  function refresh() {
    timer = null;
    if (busy) { again = true; return; }
    if (paused || document.hidden) { return; }
    busy = true; again = false; last = Date.now();
    fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin", cache: "no-cache" })
      .then(function (r) { if (!r.ok) { throw new Error(String(r.status)); } return r.text(); })
      .then(function (html) { if (!paused) { swap(new DOMParser().parseFromString(html, "text/html")); showState("on"); } })
      .catch(function () { if (!paused) { showState("lost"); } })
      .then(function () { busy = false; took = Date.now() - last; if (again) { soon(); } });
  }

  // A slow line or server is asked less often: at most a third of the time goes into refreshing.
  function soon() {
    var pause = Math.min(Math.max(SOONEST, 2 * took), AT_LEAST);
    if (timer === null && !paused) { timer = setTimeout(refresh, Math.max(0, last + pause - Date.now())); }
  }

  function receive(message) {
    if (message.state) { showState(message.state); }
    if (message.state === "on" || (message.changed && (!ownCentre || message.changed === ownCentre))) { soon(); }
  }

  // All tabs of a browser share one stream; a browser without shared workers has one for each tab that is seen.
  function listen() {
    if (port || source) { return; }
    if (window.SharedWorker) {
      port = new SharedWorker(sharedScript).port;
      port.onmessage = function (e) { receive(e.data); };
      port.postMessage("listen");
      return;
    }
    source = new EventSource(url);
    source.onopen = function () { receive({ state: "on" }); };
    source.onerror = function () { receive({ state: "lost" }); };
    ["centre.state", "queue", "system.state"].forEach(function (name) { source.addEventListener(name, soon); });
  }

  function stop() {
    if (source) { source.close(); source = null; }
    if (port) { port.postMessage("leave"); port = null; }
    if (timer !== null) { clearTimeout(timer); timer = null; }
  }

  function show() {
    button.textContent = paused ? button.dataset.resume : button.dataset.pause;
    button.setAttribute("aria-pressed", String(paused));
    showState(paused ? "off" : "on");
  }

  button.addEventListener("click", function () {
    paused = !paused;
    show();
    if (paused) { stop(); } else { listen(); refresh(); }
  });
  function follow() { if (document.hidden) { stop(); } else if (!paused) { listen(); soon(); } }
  document.addEventListener("visibilitychange", follow);
  window.addEventListener("pagehide", stop);
  window.addEventListener("pageshow", function (e) { if (e.persisted) { follow(); } });
  setInterval(function () { if (Date.now() - last >= AT_LEAST) { soon(); } }, 5000);
  setInterval(tick, 1000);

  button.hidden = false;
  showNewest();
  show();
  if (!document.hidden) { listen(); }
})();
