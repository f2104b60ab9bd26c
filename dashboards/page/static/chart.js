// Makes the charts of a page interactive: it draws what stands in the table of a chart, and nothing else.
// Arrow keys move the cursor, + and - zoom, Escape shows all again, Enter opens the page of the column.
(function () {
  "use strict";
  var HEIGHT = 230, LEAST = 3, POINTS_UP_TO = 100, SAY_AFTER = 120;
  var DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 2], [14, 4]];
  if (!window.uPlot || !window.ResizeObserver) { return; }

  function readTable(box) {
    var table = box.querySelector(".ichart-table"), heads = table.querySelectorAll("thead th");
    var rows = Array.from(table.querySelectorAll("tbody tr"), function (row) {
      var head = row.querySelector("th"), link = head.querySelector("a");
      var name = (link || head.firstChild).textContent.trim();
      return { name: name, short: head.dataset.short || name, href: link ? link.href : "", closed: row.hasAttribute("data-closed"),
        cells: Array.from(row.querySelectorAll("td")) };
    });
    var series = Array.from(heads).slice(1).map(function (head, i) {
      return { label: head.textContent.trim(), bars: head.hasAttribute("data-bars"),
        values: rows.map(function (row) { var v = row.cells[i].dataset.v; return v === undefined ? null : Number(v); }) };
    });
    return { rows: rows, series: series };
  }

  function Chart(box) {
    this.box = box;
    this.words = box.dataset;
    this.table = readTable(box);
    this.at = null;
    this.hidden = {};
    this.view = [-0.5, this.table.rows.length - 0.5];
    this.numbers = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 });
    this.build();
    this.follow();
  }

  Chart.prototype.build = function () {
    var self = this, words = this.words;
    var bar = element("div", "ichart-bar"), tools = element("div", "ichart-tools");
    this.readout = element("p", "ichart-readout");
    this.readout.setAttribute("aria-hidden", "true");
    this.spoken = element("p", "hidden");
    this.spoken.setAttribute("aria-live", "polite");
    this.buttons = {};
    [["before", "‹", function () { self.move(-1); }], ["after", "›", function () { self.move(1); }],
      ["out", "−", function () { self.zoom(2); }], ["in", "+", function () { self.zoom(0.5); }],
      ["reset", "↺", function () { self.reset(); }]].forEach(function (one) {
      var button = element("button", "");
      button.type = "button"; button.textContent = one[1]; button.title = words[one[0]];
      button.setAttribute("aria-label", words[one[0]]);
      button.addEventListener("click", one[2]);
      self.buttons[one[0]] = button; tools.append(button);
    });
    this.plot = element("div", "ichart-plot");
    this.plot.tabIndex = 0;
    this.plot.setAttribute("role", "application");
    this.plot.setAttribute("aria-roledescription", words.role);
    this.plot.setAttribute("aria-label", words.name + ". " + words.keys);
    this.plot.addEventListener("keydown", function (event) { self.press(event); });
    this.plot.addEventListener("focus", function () { if (self.at === null) { self.point(self.range()[1]); } else { self.say(); } });
    bar.append(this.readout, tools);
    this.box.querySelector(".ichart-picture").after(bar, this.plot, this.spoken);
    this.box.classList.add("is-interactive");
    this.draw();
    this.buildLegend();
    this.showRange();
  };

  Chart.prototype.draw = function () {
    var self = this;
    this.u = new window.uPlot({
      width: this.width(), height: HEIGHT, legend: { show: false }, padding: [12, 10, 0, 0],
      cursor: { y: false, points: { size: 8 }, drag: { x: true, y: false, setScale: false } },
      scales: { x: { time: false, range: function (u, low, high) { return [low, high]; } },
        y: { range: function (u, low, high) { return [0, self.top(high)]; } } },
      series: [{}].concat(this.table.series.map(function (one, i) { return self.series(one, i); })),
      axes: [this.xAxis(), this.yAxis()],
      hooks: { drawClear: [function (u) { self.shade(u); }], draw: [function (u) { self.drawTarget(u); }],
        setCursor: [function (u) { self.show(u.cursor.left >= 0 ? u.cursor.idx : self.at); }],
        setSelect: [function (u) { self.select(u); }] }
    }, this.data(), this.plot);
    this.setRange(-0.5, this.table.rows.length - 0.5);
    this.u.over.addEventListener("dblclick", function () { self.reset(); });
  };

  Chart.prototype.data = function () {
    var rows = this.table.rows;
    return [rows.map(function (row, i) { return i; })].concat(this.table.series.map(function (one) { return one.values; }));
  };

  Chart.prototype.series = function (one, i) {
    var self = this, bars = this.table.series.filter(function (other) { return other.bars; });
    var colour = function () { return self.colour("--s" + (i + 1)); };
    var place = bars.length === 2 ? (one === bars[0] ? -1 : 1) : 0, outlined = one.bars && i > 0;
    return {
      label: one.label, stroke: colour, width: one.bars ? 1.4 : 2, dash: one.bars ? [] : DASHES[i], spanGaps: false,
      fill: one.bars ? function () { return outlined ? self.colour("--paper") : colour(); } : undefined,
      paths: one.bars ? window.uPlot.paths.bars({ size: [bars.length === 2 ? 0.36 : 0.7, 26], align: place }) : undefined,
      points: { show: one.bars ? false : function (u) { var r = self.range(); return r[1] - r[0] < POINTS_UP_TO; }, size: 5, fill: colour }
    };
  };

  Chart.prototype.xAxis = function () {
    var self = this;
    return { stroke: function () { return self.colour("--soft"); }, grid: { show: false }, ticks: { show: false }, size: 26, gap: 4, space: 56,
      font: "11px system-ui, sans-serif", incrs: [1, 2, 3, 4, 6, 7, 12, 14, 28, 30, 60, 90, 180],
      values: function (u, splits) { return splits.map(function (v) { var row = self.table.rows[v]; return row ? row.short : ""; }); } };
  };

  Chart.prototype.yAxis = function () {
    var self = this, unit = this.words.unit;
    return { stroke: function () { return self.colour("--soft"); }, grid: { stroke: function () { return self.colour("--line"); }, width: 1 },
      ticks: { show: false }, size: 48, gap: 6, space: 36, font: "11px system-ui, sans-serif",
      values: function (u, splits) { return splits.map(function (v) { return self.numbers.format(v) + (unit === "percent" ? "%" : ""); }); } };
  };

  // The highest value lies below the top; the target is inside.
  Chart.prototype.top = function (high) {
    if (this.words.top) { return Number(this.words.top); }
    return Math.max(4, (high || 0) * 1.08, Number(this.words.target || 0) * 1.1);
  };

  Chart.prototype.colour = function (name) { return getComputedStyle(this.box).getPropertyValue(name).trim(); };

  Chart.prototype.shade = function (u) {
    var self = this, shaded = this.colour("--closed");
    u.ctx.save();
    u.ctx.fillStyle = shaded;
    this.table.rows.forEach(function (row, i) {
      if (!row.closed) { return; }
      var left = Math.max(u.bbox.left, u.valToPos(i - 0.5, "x", true));
      var right = Math.min(u.bbox.left + u.bbox.width, u.valToPos(i + 0.5, "x", true));
      if (right > left) { u.ctx.fillRect(left, u.bbox.top, right - left, u.bbox.height); }
    });
    u.ctx.restore();
  };

  Chart.prototype.drawTarget = function (u) {
    if (!this.words.target) { return; }
    var y = u.valToPos(Number(this.words.target), "y", true), ctx = u.ctx;
    ctx.save();
    ctx.strokeStyle = this.colour("--ink"); ctx.lineWidth = 1.5 * window.devicePixelRatio;
    ctx.setLineDash([3 * window.devicePixelRatio, 3 * window.devicePixelRatio]);
    ctx.beginPath(); ctx.moveTo(u.bbox.left, y); ctx.lineTo(u.bbox.left + u.bbox.width, y); ctx.stroke();
    ctx.restore();
  };

  Chart.prototype.width = function () { return Math.max(200, this.plot.clientWidth); };

  // The first and last column in view.
  Chart.prototype.range = function () {
    return [Math.max(0, Math.ceil(this.view[0])), Math.min(this.table.rows.length - 1, Math.floor(this.view[1]))];
  };

  Chart.prototype.setRange = function (low, high) {
    var end = this.table.rows.length - 0.5, length = Math.min(Math.max(high - low, LEAST), end + 0.5);
    low = Math.max(-0.5, Math.min(low, end - length));
    this.view = [low, low + length];
    // A batch takes effect at once; a scale that is set alone does so only after this script.
    this.u.batch(function (u) { u.setScale("x", { min: low, max: low + length }); });
    this.mark();
    this.showRange();
  };

  Chart.prototype.isWhole = function () { return this.view[0] <= -0.5 && this.view[1] >= this.table.rows.length - 0.5; };

  Chart.prototype.showRange = function () {
    this.buttons.reset.disabled = this.buttons.out.disabled = this.isWhole();
    this.buttons["in"].disabled = this.view[1] - this.view[0] <= LEAST;
    if (this.at === null) { this.show(null); }
  };

  Chart.prototype.rangeText = function () {
    var ends = this.range(), rows = this.table.rows;
    if (!rows.length) { return ""; }
    return this.words.part.replace("{first}", rows[ends[0]].name).replace("{last}", rows[ends[1]].name);
  };

  Chart.prototype.zoom = function (factor) {
    var length = Math.round((this.view[1] - this.view[0]) * factor), middle = (this.view[1] + this.view[0]) / 2;
    if (this.at !== null && factor < 1) { middle = this.at; }
    this.setRange(Math.round(middle - length / 2) - 0.5, Math.round(middle - length / 2) - 0.5 + length);
    this.speak(this.rangeText());
  };

  Chart.prototype.reset = function () {
    this.setRange(-0.5, this.table.rows.length - 0.5);
    this.speak(this.rangeText());
  };

  Chart.prototype.select = function (u) {
    if (u.select.width < 8) { return; }
    var low = Math.round(u.posToVal(u.select.left, "x")), high = Math.round(u.posToVal(u.select.left + u.select.width, "x"));
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    this.setRange(low - 0.5, high + 0.5);
  };

  Chart.prototype.move = function (by) {
    var ends = this.range();
    this.point(this.at === null ? (by > 0 ? ends[0] : ends[1]) : this.at + by);
  };

  // Put the cursor on a column; one outside the view is scrolled to.
  Chart.prototype.point = function (column) {
    var last = this.table.rows.length - 1, length = this.view[1] - this.view[0];
    if (last < 0) { return; }
    this.at = Math.max(0, Math.min(last, column));
    if (this.at < this.view[0]) { this.setRange(this.at - 0.5, this.at - 0.5 + length); }
    if (this.at > this.view[1]) { this.setRange(this.at + 0.5 - length, this.at + 0.5); }
    this.mark();
    this.show(this.at);
    this.say();
  };

  // Draw the cursor where it stands, nowhere when that is out of view.
  Chart.prototype.mark = function () {
    if (this.at === null) { return; }
    var inside = this.at > this.view[0] && this.at < this.view[1];
    this.u.setCursor({ left: inside ? this.u.valToPos(this.at, "x") : -10, top: inside ? 0 : -10 });
  };

  Chart.prototype.press = function (event) {
    if (event.ctrlKey || event.altKey || event.metaKey) { return; }
    var rows = this.table.rows, self = this;
    var actions = {
      ArrowLeft: function () { self.move(-1); }, ArrowRight: function () { self.move(1); },
      Home: function () { self.point(0); }, End: function () { self.point(rows.length - 1); },
      "+": function () { self.zoom(0.5); }, "=": function () { self.zoom(0.5); }, "-": function () { self.zoom(2); },
      Escape: function () { self.reset(); },
      Enter: function () { var row = rows[self.at]; if (row && row.href) { location.assign(row.href); } }
    };
    if (actions[event.key]) { event.preventDefault(); actions[event.key](); }
  };

  Chart.prototype.textAt = function (column) {
    var row = this.table.rows[column], self = this;
    if (!row) { return ""; }
    var parts = this.table.series.map(function (one, i) {
      return self.hidden[i] ? "" : one.label + " " + row.cells[i].textContent.trim();
    }).filter(Boolean);
    return row.name + (row.closed ? " (" + this.words.closed + ")" : "") + ": " + parts.join(", ");
  };

  Chart.prototype.show = function (column) {
    var text = column === null || column === undefined ? this.rangeText() : this.textAt(column);
    if (this.readout.textContent !== text) { this.readout.textContent = text; }
  };

  Chart.prototype.say = function () { this.speak(this.textAt(this.at)); };

  // A key that is held down moves on: only where it stops is announced.
  Chart.prototype.speak = function (text) {
    var self = this;
    clearTimeout(this.timer);
    this.timer = setTimeout(function () { self.spoken.textContent = text; }, SAY_AFTER);
  };

  Chart.prototype.buildLegend = function () {
    var self = this, keys = this.box.querySelectorAll(".legend .ikey");
    if (keys.length < 2) { return; }
    keys.forEach(function (old, i) {
      var button = element("button", "ikey");
      button.type = "button"; button.setAttribute("aria-pressed", "true");
      button.append.apply(button, Array.from(old.childNodes));
      button.addEventListener("click", function () {
        self.hidden[i] = !self.hidden[i];
        self.u.setSeries(i + 1, { show: !self.hidden[i] });
        button.setAttribute("aria-pressed", String(!self.hidden[i]));
        self.speak(button.textContent.trim() + ": " + self.words[self.hidden[i] ? "hidden" : "shown"]);
        self.show(self.at);
      });
      old.replaceWith(button);
    });
  };

  // Live updates replace picture and table: the table is read again, what is in view stays.
  Chart.prototype.follow = function () {
    var self = this, dark = window.matchMedia("(prefers-color-scheme: dark)");
    new MutationObserver(function (changes) {
      var isNew = changes.some(function (change) {
        return Array.from(change.addedNodes).some(function (node) { return node.id === self.box.id + "-twin"; });
      });
      if (isNew) { self.renew(); }
    }).observe(this.box, { childList: true });
    new ResizeObserver(function () { self.u.setSize({ width: self.width(), height: HEIGHT }); }).observe(this.plot);
    dark.addEventListener("change", function () { self.u.redraw(false); });
    new MutationObserver(function () { self.u.redraw(false); }).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme", "class"] });
  };

  Chart.prototype.renew = function () {
    var low = this.view[0], high = this.view[1], whole = this.isWhole(), before = this.table.series.length;
    this.table = readTable(this.box);
    if (this.table.series.length !== before) { this.u.destroy(); this.draw(); return; }
    this.u.setData(this.data(), false);
    if (whole) { low = -0.5; high = this.table.rows.length - 0.5; }
    this.setRange(low, high);
    this.show(this.at);
  };

  function element(name, className) {
    var made = document.createElement(name);
    made.className = className;
    return made;
  }

  document.querySelectorAll(".ichart").forEach(function (box) { new Chart(box); });
})();
