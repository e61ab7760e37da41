// Charts of the console: drawn from the JSON beside them, in the theme's light and dark, and brought up to date by id.
(() => {
  "use strict";

  const COLOURS = {
    light: {
      primary: "#2563eb", danger: "#dc2626", success: "#16a34a", warning: "#d97706", muted: "#6b7280",
      text: "#374151", grid: "#e5e7eb", panel: "#111827", onPanel: "#f9fafb",
    },
    dark: {
      primary: "#60a5fa", danger: "#f87171", success: "#4ade80", warning: "#fbbf24", muted: "#9ca3af",
      text: "#d1d5db", grid: "#374151", panel: "#f3f4f6", onPanel: "#111827",
    },
  };
  const charts = new Map();

  const colours = () => COLOURS[document.documentElement.classList.contains("dark") ? "dark" : "light"];

  function datasets(told) {
    const palette = colours();
    const last = told.labels.length - 1;
    return told.series.map((one) => ({
      label: one.name,
      data: one.values,
      borderColor: palette[one.colour],
      backgroundColor: palette[one.colour] + (told.kind === "line" ? "1f" : "cc"),
      fill: told.kind === "line" && !one.dashed && told.series[0] === one,
      borderDash: one.dashed ? [6, 4] : [],
      borderWidth: told.kind === "line" ? 2 : 0,
      borderRadius: 3,
      maxBarThickness: told.kind === "rows" ? 22 : 34,
      pointRadius: told.labels.length > 1 ? 0 : 3,
      pointHoverRadius: 4,
      cubicInterpolationMode: "monotone",
      // A time that is not over looks like a collapse: its line is dashed.
      segment: { borderDash: (at) => (told.openEnd && at.p1DataIndex === last ? [4, 4] : undefined) },
    }));
  }

  function options(told) {
    const palette = colours();
    const rows = told.kind === "rows";
    const ticks = { color: palette.text, font: { size: 11 } };
    const numbers = {
      beginAtZero: true, grid: { color: palette.grid }, border: { display: false },
      ticks: { ...ticks, precision: 0, maxTicksLimit: 6 },
    };
    const names = { grid: { display: false }, ticks: { ...ticks, maxRotation: 0, autoSkip: !rows, autoSkipPadding: 16 } };
    return {
      animation: false,
      maintainAspectRatio: false,
      responsive: true,
      indexAxis: rows ? "y" : "x",
      interaction: { mode: "index", intersect: false, axis: rows ? "y" : "x" },
      scales: rows ? { x: numbers, y: names } : { x: names, y: numbers },
      plugins: {
        legend: { display: told.series.length > 1, position: "bottom",
                  labels: { color: palette.text, boxWidth: 12, boxHeight: 12, font: { size: 12 } } },
        tooltip: { backgroundColor: palette.panel, titleColor: palette.onPanel, bodyColor: palette.onPanel,
                   padding: 10, displayColors: told.series.length > 1,
                   callbacks: { footer: (items) => (told.links[items[0].dataIndex] ? "Click to look closer" : "") },
                   footerColor: palette.onPanel, footerFont: { weight: "normal" } },
      },
      onHover: (event, found) => {
        event.native.target.style.cursor = found.length && told.links[found[0].index] ? "pointer" : "default";
      },
      onClick: (event, found) => {
        const link = found.length && told.links[found[0].index];
        if (link) window.location.assign(link);
      },
    };
  }

  function height(canvas, told) {
    // One row needs so much, however many there are.
    if (told.kind === "rows") canvas.parentElement.style.height = `${Math.max(4, told.labels.length) * 34 + 40}px`;
  }

  function draw(canvas, told) {
    height(canvas, told);
    const type = told.kind === "line" ? "line" : "bar";
    const data = { labels: told.labels, datasets: datasets(told) };
    charts.set(canvas.id, { told, chart: new window.Chart(canvas, { type, data, options: options(told) }) });
  }

  function redraw(id, told) {
    const { chart } = charts.get(id);
    charts.set(id, { told, chart });
    height(chart.canvas, told);
    chart.data.labels = told.labels;
    const fresh = datasets(told);
    // The same objects stay: replaced ones would be drawn from nothing.
    chart.data.datasets.length = fresh.length;
    fresh.forEach((one, place) => { chart.data.datasets[place] = Object.assign(chart.data.datasets[place] || {}, one); });
    chart.options = options(told);
    chart.update("none");
  }

  function tabulate(id, told) {
    const body = document.querySelector(`#${CSS.escape(id)}-table tbody`);
    body.replaceChildren(...told.labels.map((label, place) => {
      const row = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      if (told.links[place]) {
        const link = document.createElement("a");
        link.href = told.links[place];
        link.textContent = label;
        head.append(link);
      } else {
        head.textContent = label;
      }
      const cells = told.series.map((one) => {
        const cell = document.createElement("td");
        cell.className = "ops-figure";
        cell.textContent = one.values[place] ?? "–";
        return cell;
      });
      row.append(head, ...cells);
      return row;
    }));
  }

  // Bring a chart of the page up to date: its payload as ops.charts tells it.
  function update(id, told) {
    if (!charts.has(id)) return;
    redraw(id, told);
    tabulate(id, told);
    const nothing = !told.series.some((one) => one.values.some(Boolean));
    charts.get(id).chart.canvas.parentElement.querySelector(".ops-empty").hidden = !nothing;
  }

  async function begin() {
    const family = getComputedStyle(document.body).fontFamily;
    document.querySelectorAll("[data-ops-poll]").forEach(follow);
    // Letters that come later would be measured as if they were others.
    await document.fonts.load(`11px ${family}`).catch(() => {});
    window.Chart.defaults.font.family = family;
    document.querySelectorAll("canvas[data-ops-chart]").forEach((canvas) => draw(canvas, JSON.parse(canvas.dataset.opsChart)));
    const recolour = () => charts.forEach(({ told }, id) => redraw(id, told));
    new MutationObserver(recolour).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  }

  // A page that stays right: its parts are asked for again every few seconds, only while somebody looks.
  function follow(page) {
    const USUAL = 15000, LONGEST = 120000, MISSED = 2;
    const told = page.querySelector("[data-ops-as-of]"), stale = page.querySelector(".ops-stale");
    let pause = USUAL, missed = 0, timer, asked = Date.now();

    function put({ as_of, parts, charts: fresh }) {
      for (const [id, html] of Object.entries(parts)) {
        const place = document.getElementById(id);
        // What has not changed stays, and with it the focus that is in it; what is being used is left alone.
        if (place.dataset.opsTold === html || place.contains(document.activeElement)) continue;
        place.dataset.opsTold = html;
        place.innerHTML = html;
      }
      Object.entries(fresh).forEach(([id, one]) => update(id, one));
      told.textContent = as_of;
    }

    async function look() {
      asked = Date.now();
      try {
        const answer = await fetch(page.dataset.opsPoll, { headers: { Accept: "application/json" }, credentials: "same-origin" });
        if (!answer.ok) throw new Error(answer.status);
        put(await answer.json());
        [pause, missed] = [USUAL, 0];
      } catch {
        missed += 1;
        pause = Math.min(LONGEST, pause * 2);
      }
      stale.querySelector("[data-ops-stale]").textContent = told.textContent;
      stale.hidden = missed < MISSED;
      wait();
    }

    function wait() {
      window.clearTimeout(timer);
      if (!document.hidden) timer = window.setTimeout(look, Math.max(0, asked + pause - Date.now()));
    }

    document.addEventListener("visibilitychange", wait);
    wait();
  }

  window.opsCharts = { update };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
