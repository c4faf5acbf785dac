// Optional interaction, without which the page is complete: values under the pointer, toggling of lines, zoom into a span of time.
(() => {
  "use strict";
  const all = JSON.parse(document.getElementById("data").textContent);
  const tip = document.getElementById("tip");
  const space = "http://www.w3.org/2000/svg";
  const scale = 2; // the view box is in half pixels

  const digits = (v) => {
    if (v === 0) return "0";
    const a = Math.abs(v);
    if (a < 1e-4) return v.toExponential(2);
    if (a >= 1e6) return prefixed(v, "");
    const places = Math.max(0, 2 - Math.floor(Math.log10(a)));
    return Number(v.toPrecision(3)).toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
  };
  const prefixed = (v, unit) => {
    const prefixes = ["", "k", "M", "G", "T", "P", "E"];
    let step = 0;
    while (Math.abs(Number(v.toPrecision(3))) >= 1000 && step < 6) { v /= 1000; step++; }
    return (Math.abs(v) < 1e4 ? v.toPrecision(3) : v.toExponential(2)) + " " + prefixes[step] + unit;
  };
  const duration = (ms) => {
    for (const [limit, factor, unit] of [[1, 1e3, "µs"], [1e3, 1, "ms"], [12e4, 1e-3, "s"], [72e5, 1 / 6e4, "min"], [1728e5, 1 / 36e5, "h"]]) {
      if (ms < limit) return digits(ms * factor) + " " + unit;
    }
    return digits(ms / 864e5) + " d";
  };
  // Parts of a whole: to a tenth of a percent, but values below one never read 100 %.
  const percent = (v) => {
    if (v === 0 || v >= 1) return digits(v * 100) + " %";
    if (v < 5e-4) return "< 0.1 %";
    if (v < 0.0995) return (v * 100).toFixed(1) + " %";
    return (v < 0.99 ? digits(v * 100) : (Math.floor(v * 1e4) / 100).toFixed(2)) + " %";
  };
  // Means of counts: two decimals are enough.
  const gauge = (v) => (v === 0 ? "0" : v < 0.005 ? "< 0.01" : v < 0.995 ? v.toFixed(2) : digits(v));
  const write = (v, unit) => (unit === "%" ? percent(v) : unit === "W" ? prefixed(v, "W") : gauge(v) + unit);
  // Height of a share on the axis with equal steps per nine, relative to the axis.
  const nines = (share, steps) => {
    const top = steps + 0.55;
    if (share >= 1) return 1;
    const height = share <= 0.5 ? 2 * share : share <= 0.9 ? 1 + (-Math.log10(1 - share) - Math.LN2 / Math.LN10) / (1 - Math.LN2 / Math.LN10) : 1 - Math.log10(1 - share);
    return Math.min(height, top) / top;
  };

  const element = (name, attributes) => {
    const out = document.createElementNS(space, name);
    for (const key in attributes) out.setAttribute(key, attributes[key]);
    return out;
  };
  const row = (colour, name, text) => {
    const out = document.createElement("div");
    const chip = document.createElement("i");
    const label = document.createElement("span");
    const value = document.createElement("strong");
    chip.style.background = "var(--c-" + colour + ")";
    label.textContent = name;
    value.textContent = text;
    out.append(chip, label, value);
    return out;
  };
  const title = (text) => {
    const out = document.createElement("b");
    out.textContent = text;
    return out;
  };
  // Index of the last entry that is at most `x`.
  const below = (list, x) => {
    let low = -1, high = list.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (list[middle] <= x) low = middle; else high = middle;
    }
    return low;
  };

  // Next to the pointer; if the chart takes the whole width, below or above the chart, or at the edge farther from the pointer.
  const place = (event, chart) => {
    const flat = innerWidth <= 760;
    tip.classList.toggle("flat", flat);
    const box = tip.getBoundingClientRect();
    const lowest = Math.max(8, innerHeight - box.height - 8);
    const right = event.clientX + 16;
    const left = flat ? 8 : right + box.width > innerWidth ? event.clientX - 16 - box.width : right;
    let top = event.clientY - box.height / 2;
    if (flat) top = chart.bottom + 4 <= lowest ? chart.bottom + 4 : chart.top - 4 - box.height >= 8 ? chart.top - 4 - box.height : event.clientY > innerHeight / 2 ? 8 : lowest;
    tip.style.left = Math.min(Math.max(8, left), Math.max(8, innerWidth - box.width - 8)) + "px";
    tip.style.top = Math.min(Math.max(8, top), lowest) + "px";
  };

  const chart = (svg) => {
    const data = all[svg.dataset.chart];
    if (!data) return;
    const frame = data.frames[Number(svg.dataset.variant)];
    const log = data.kind === "cdf";
    const [low, high] = log ? data.x.map(Math.log10) : data.x;
    let span = [low, high];
    const off = new Set();
    // The native tooltip of the title would cover this one.
    const name = svg.querySelector("title");
    svg.setAttribute("aria-label", name.textContent);
    svg.setAttribute("aria-describedby", svg.querySelector("desc").id);
    svg.removeAttribute("aria-labelledby");
    name.remove();

    const overlay = element("g", { "pointer-events": "none" });
    svg.append(overlay);
    const toX = (v) => (frame.left + ((v - span[0]) / (span[1] - span[0])) * (frame.right - frame.left)) * scale;
    const fromPointer = (event) => {
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width / scale;
      const y = ((event.clientY - box.top) / box.height) * svg.viewBox.baseVal.height / scale;
      const first = frame.panels[0][0], last = frame.panels[frame.panels.length - 1][1];
      if (x < frame.left || x > frame.right || y < first || y > last) return null;
      return span[0] + ((x - frame.left) / (frame.right - frame.left)) * (span[1] - span[0]);
    };
    const dot = (x, panel, share, colour) => {
      const [top, bottom] = frame.panels[panel];
      const y = (bottom - Math.min(1, Math.max(0, share)) * (bottom - top)) * scale;
      overlay.append(element("circle", { class: "mark f-" + colour, cx: x, cy: y, r: 8 }));
    };
    const hide = () => { overlay.replaceChildren(); tip.hidden = true; };

    const show = (event) => {
      const at = fromPointer(event);
      if (at === null) return hide();
      overlay.replaceChildren();
      tip.replaceChildren();
      const index = log ? 0 : Math.max(0, below(data.at, at));
      const x = toX(log ? at : data.at[index]);
      for (const [top, bottom] of frame.panels) {
        overlay.append(element("line", { class: "hair", x1: x, x2: x, y1: top * scale, y2: bottom * scale }));
      }
      if (log) {
        const value = 10 ** at;
        tip.append(title("at most " + duration(value)));
        data.panels[0].series.forEach((series, i) => {
          if (off.has(String(i))) return;
          const k = below(series.x, value);
          const share = k < 0 ? 0 : series.y[k];
          tip.append(row(series.colour, series.name, percent(share)));
          // The curve ends at its maximum.
          if (value <= series.x[series.x.length - 1]) dot(x, 0, nines(share, data.steps), series.colour);
        });
      } else {
        tip.append(title("at " + digits(data.at[index] / data.unit[1]) + " " + data.unit[0]));
        // A phone has space only for the panel under the finger.
        const box = svg.getBoundingClientRect();
        const y = ((event.clientY - box.top) / box.height) * svg.viewBox.baseVal.height / scale;
        const under = frame.panels.findIndex(([, bottom]) => y <= bottom);
        data.panels.forEach((panel, p) => {
          const told = innerWidth > 760 || p === under;
          if (told) tip.append(title(panel.title));
          for (const series of panel.series) {
            if (off.has(String(series.key))) continue;
            if (told) tip.append(row(series.colour, series.name, write(series.y[index], panel.unit)));
            dot(x, p, series.y[index] / panel.top, series.colour);
          }
        });
      }
      tip.hidden = false;
      place(event, svg.getBoundingClientRect());
    };

    // A key toggles its line.
    for (const key of svg.querySelectorAll(".key")) {
      const toggle = () => {
        const series = key.dataset.series;
        if (!off.delete(series)) off.add(series);
        for (const part of svg.querySelectorAll('[data-series="' + series + '"]')) part.classList.toggle("off", off.has(series));
        key.setAttribute("aria-pressed", String(!off.has(series)));
      };
      key.setAttribute("tabindex", "0");
      key.setAttribute("role", "button");
      key.setAttribute("aria-pressed", "true");
      key.setAttribute("aria-label", key.textContent.trim().split("\n")[0]);
      key.addEventListener("click", toggle);
      key.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); toggle(); }
      });
    }

    // Dragging over a timeline zooms into that span.
    let from = null;
    const axis = svg.querySelector(".xaxis");
    const written = axis && axis.innerHTML;
    const reset = document.createElement("button");
    reset.className = "reset";
    reset.type = "button";
    reset.textContent = "whole run";
    const zoom = (a, b) => {
      span = [a, b];
      const whole = a === low && b === high;
      svg.classList.toggle("zoomed", !whole);
      const factor = (high - low) / (b - a);
      const shift = frame.left * scale * (1 - factor) - ((a - low) / (high - low)) * (frame.right - frame.left) * scale * factor;
      for (const series of svg.querySelectorAll(".series")) {
        for (const shape of series.children) {
          if (whole) shape.removeAttribute("transform"); else shape.setAttribute("transform", "matrix(" + factor + " 0 0 1 " + shift + " 0)");
        }
      }
      if (whole) { axis.innerHTML = written; reset.remove(); return; }
      svg.parentNode.append(reset);
      axis.replaceChildren();
      const [unit, seconds] = data.unit;
      const bottom = frame.panels[frame.panels.length - 1][1];
      for (let i = 0; i <= 4; i++) {
        const at = a + ((b - a) * i) / 4;
        for (const [top, end] of frame.panels) {
          axis.append(element("line", { class: "s-grid", "stroke-width": 2, x1: toX(at), x2: toX(at), y1: top * scale, y2: end * scale }));
        }
        const label = element("text", { class: "f-muted", x: toX(at), y: (bottom + 14) * scale, dy: "0.5ex", "text-anchor": "middle", "font-size": 26 });
        label.textContent = digits(at / seconds) + " " + unit;
        axis.append(label);
      }
    };
    reset.addEventListener("click", () => zoom(low, high));

    svg.addEventListener("pointermove", (event) => {
      show(event);
      const at = from === null ? null : fromPointer(event);
      if (at === null) return;
      const [top, bottom] = [frame.panels[0][0], frame.panels[frame.panels.length - 1][1]];
      const [left, right] = [Math.min(toX(from), toX(at)), Math.max(toX(from), toX(at))];
      overlay.append(element("rect", { class: "zone", x: left, width: right - left, y: top * scale, height: (bottom - top) * scale }));
    });
    svg.addEventListener("pointerleave", () => { from = null; hide(); });
    svg.addEventListener("click", show);
    if (!log) {
      svg.addEventListener("pointerdown", (event) => { if (event.pointerType === "mouse") { from = fromPointer(event); if (from !== null) event.preventDefault(); } });
      svg.addEventListener("pointerup", (event) => {
        const to = from === null ? null : fromPointer(event);
        const start = from;
        from = null;
        if (to !== null && Math.abs(to - start) > (span[1] - span[0]) / 50) { zoom(Math.min(start, to), Math.max(start, to)); hide(); }
      });
      svg.addEventListener("dblclick", () => zoom(low, high));
    }
  };

  for (const svg of document.querySelectorAll("svg.chart")) chart(svg);
  // Nothing can be opened on paper. Browsers with ::details-content need no help.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => { for (const details of opened) details.open = false; });
  // Definitions as tooltips, too.
  for (const link of document.querySelectorAll('a[href^="#def-"]')) {
    const target = document.getElementById(link.hash.slice(1));
    if (target) link.title = target.querySelector("dd").textContent;
  }
})();
