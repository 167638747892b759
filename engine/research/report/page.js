"use strict";
(() => {
  const make = (name, text, options) => Object.assign(document.createElement(name), { textContent: text ?? "" }, options);

  /* Overview: sorting, filtering, saving */
  const table = document.getElementById("summary");
  const tools = document.getElementById("tools");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];

  const key = (row, place, numeric) => {
    const value = row.cells[place].dataset.v;
    return value === undefined ? null : numeric ? Number(value) : value;
  };
  const sort = (place, numeric) => {
    const before = heads[place].ariaSort;
    const down = before ? before === "ascending" : numeric;
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[place].setAttribute("aria-sort", down ? "descending" : "ascending");
    const sign = down ? -1 : 1;
    rows.sort((one, other) => {
      const a = key(one, place, numeric), b = key(other, place, numeric);
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * (numeric ? a - b : a.localeCompare(b, undefined, { numeric: true }));
    });
    body.append(...rows);
  };
  heads.forEach((head, place) => {
    const kind = head.dataset.s;
    if (!kind) return;
    const button = make("span", head.textContent, { tabIndex: 0, role: "button" }); // a button vanishes from page 2 in print
    button.addEventListener("click", () => sort(place, kind === "number"));
    button.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      sort(place, kind === "number");
    });
    head.replaceChildren(button);
  });

  const words = make("input", "", { type: "search", placeholder: "Filter factors" });
  words.setAttribute("aria-label", "Filter factors");
  const choice = make("select");
  choice.setAttribute("aria-label", "Horizon");
  const horizons = [...new Set(rows.map((row) => row.cells[1].dataset.v))];
  choice.append(make("option", "all horizons", { value: "" }));
  horizons.forEach((each) => choice.append(make("option", `horizon ${each}`, { value: each })));
  const count = make("span", "", { className: "count" });
  count.setAttribute("aria-live", "polite");
  const filter = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const name = row.cells[0].dataset.v.toLowerCase();
      const fits = wanted.every((word) => name.includes(word)) && [row.cells[1].dataset.v, ""].includes(choice.value);
      row.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown} of ${rows.length} rows`;
    if (choice.value)
      for (const button of document.querySelectorAll(".sheet > input"))
        if (button.value === choice.value) button.checked = true;
  };
  words.addEventListener("input", filter);
  choice.addEventListener("change", filter);
  const theme = make("button", "Light or dark", { type: "button" });
  theme.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  tools.append(words, choice, count, theme);
  filter();

  const save = async (block) => {
    const packed = Uint8Array.from(atob(block.value), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const file = new Blob(["\ufeff", await new Response(stream).arrayBuffer()], { type: "text/csv" });
    const link = make("a", "", { href: URL.createObjectURL(file), download: `${block.dataset.name}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  const files = make("div", "Save as CSV: ", { className: "tools files" });
  for (const block of document.querySelectorAll("#tables data")) {
    const button = make("button", block.dataset.name.replaceAll("_", " "), { type: "button" });
    button.title = `${block.dataset.rows} rows`;
    button.addEventListener("click", () => save(block));
    files.append(button);
  }
  if (files.children.length) document.getElementById("overview").append(files);

  /* Charts along dates: a line at the pointer, and the values there, read from the points that are drawn */
  const binary = atob(document.querySelector("main").dataset.dates);
  const dates = new Float64Array(Uint8Array.from(binary, (letter) => letter.charCodeAt(0)).buffer);
  const daily = dates.every((each) => each % 86400 === 0);
  const dateText = (place) => new Date(dates[place] * 1000).toISOString().replace("T", " ").slice(0, daily ? 10 : 16);
  const [left, right, top, bottom, width] = [48, 388, 8, 186, 400];

  const points = (path) => {
    const found = [];
    for (const stroke of path.getAttribute("d").split("M").slice(1)) {
      const numbers = stroke.split("V")[0].match(/-?\d+/g).map(Number);
      let [x, y] = numbers;
      found.push([x, y]);
      for (let i = 2; i + 1 < numbers.length; i += 2) {
        if (!numbers[i]) continue;
        x += numbers[i];
        y += numbers[i + 1];
        found.push([x, y]);
      }
      found.at(-1).push("end");
    }
    return found;
  };
  const read = new WeakMap();
  const series = (chart) => {
    if (!read.has(chart))
      read.set(chart, [...chart.querySelectorAll("path.l[data-n]")].map((path) => ({
        name: path.dataset.n, kind: path.getAttribute("class"), points: points(path),
      })));
    return read.get(chart);
  };
  const before = (list, x) => {
    let low = 0, high = list.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (list[middle][0] <= x) low = middle; else high = middle - 1;
    }
    return low;
  };
  const nearest = (chart, x) => {
    let best = null;
    for (const each of series(chart)) {
      const place = before(each.points, x);
      for (const point of [each.points[place], each.points[place + 1]])
        if (point && (best === null || Math.abs(point[0] - x) < Math.abs(best - x))) best = point[0];
    }
    return best;
  };
  const valueAt = (list, x) => {
    const place = before(list, x), [a, b] = [list[place], list[place + 1]];
    if (a[0] === x) return [a[1], ""];
    if (a[0] > x || !b || a[2]) return [null, ""];
    return [a[1] + ((b[1] - a[1]) * (x - a[0])) / (b[0] - a[0]), "≈ "];
  };
  const written = (value, unit, span) => {
    const scale = unit === "percent" ? 100 : 1;
    const decimals = Math.max(0, Math.min(6, 3 - Math.ceil(Math.log10(span * scale))));
    return (value * scale).toFixed(decimals).replace(/^-/, "−") + (scale === 100 ? "%" : "");
  };

  const tip = make("div", "", { id: "tip", hidden: true });
  document.body.append(tip);
  const cross = document.createElementNS("http://www.w3.org/2000/svg", "path");
  cross.setAttribute("class", "cross");
  const leave = () => {
    tip.hidden = true;
    cross.remove();
  };
  const point = (event) => {
    const chart = event.target.closest?.("svg.t");
    if (!chart || !dates.length) return leave();
    const box = chart.getBoundingClientRect(), last = Math.max(dates.length - 1, 1);
    const at = (((event.clientX - box.left) / box.width) * width - left) / (right - left);
    const place = nearest(chart, at * last);
    if (place === null || at < -0.05 || at > 1.05) return leave();
    const x = (left + (place / last) * (right - left)).toFixed(1);
    cross.setAttribute("d", `M${x} ${top}V${bottom}`);
    chart.append(cross);
    const [low, high] = chart.dataset.y.split(" ").map(Number);
    const lines = series(chart).map((each) => {
      const [y, sign] = valueAt(each.points, place);
      const line = make("div");
      const text = y === null ? "–" : sign + written(high - (y / 1000) * (high - low), chart.dataset.f, high - low);
      line.append(make("i", "", { className: each.kind.replace(/^l( [ad])? /, "") }), each.name, make("span", text));
      return line;
    });
    tip.replaceChildren(make("b", dateText(place)), ...lines);
    tip.hidden = false;
    const own = tip.getBoundingClientRect(), gap = 14;
    const across = event.clientX + gap + own.width > innerWidth ? event.clientX - gap - own.width : event.clientX + gap;
    tip.style.left = `${Math.max(4, across)}px`;
    tip.style.top = `${Math.max(4, Math.min(event.clientY + gap, innerHeight - own.height - 4))}px`;
  };
  document.addEventListener("pointermove", point);
  document.addEventListener("pointerdown", point);
  document.addEventListener("scroll", leave, { passive: true });
  document.addEventListener("pointerleave", leave);
})();
