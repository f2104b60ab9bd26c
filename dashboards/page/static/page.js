// Updates a page: on the server's events it replaces the parts marked data-live by their new rendering.
(function () {
  "use strict";
  var SOONEST = 4000, AT_LEAST = 60000;
  var url = document.body.dataset.stream;
  var word = document.getElementById("live-word"), button = document.getElementById("pause");
  if (!url || !button || !window.EventSource || !window.fetch) { return; }
  var source = null, timer = null, last = Date.now(), paused = false, busy = false;

  function showState(state) {
    var text = word.dataset[state];
    word.className = "live is-" + state;
    if (word.textContent !== text) { word.textContent = text; }
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
      old.replaceWith(into);
      var focus = selector && into.querySelector(selector);
      if (focus) { focus.focus({ preventScroll: true }); }
    });
  }

  function selectorOf(element) {
    if (element.tagName === "A") { return 'a[href="' + element.getAttribute("href") + '"]'; }
    var box = element.closest("details[id]");
    return box ? "#" + box.id + " > summary" : "";
  }

  function refresh() {
    timer = null;
    if (paused || busy || document.hidden) { return; }
    busy = true; last = Date.now();
    fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" })
      .then(function (r) { if (!r.ok) { throw new Error(String(r.status)); } return r.text(); })
      .then(function (html) { if (!paused) { swap(new DOMParser().parseFromString(html, "text/html")); showState("on"); } })
      .catch(function () { if (!paused) { showState("lost"); } })
      .then(function () { busy = false; });
  }

  function soon() {
    if (timer === null && !paused) { timer = setTimeout(refresh, Math.max(0, last + SOONEST - Date.now())); }
  }

  function listen() {
    source = new EventSource(url);
    source.onopen = function () { showState("on"); };
    source.onerror = function () { showState("lost"); };
    ["centre.state", "queue"].forEach(function (name) { source.addEventListener(name, soon); });
  }

  function stop() {
    if (source) { source.close(); source = null; }
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
  document.addEventListener("visibilitychange", function () { if (!document.hidden) { soon(); } });
  window.addEventListener("pagehide", stop);
  window.addEventListener("pageshow", function (e) { if (e.persisted && !paused) { listen(); soon(); } });
  setInterval(function () { if (Date.now() - last >= AT_LEAST) { soon(); } }, 5000);

  button.hidden = false;
  show();
  listen();
})();
