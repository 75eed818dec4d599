// Charts by uPlot, in the colours of the page. Loaded when the browser is idle, or at the first click.

import { monthYear, shortDay } from "../format.js";
import { token } from "../shell.js";
import { text } from "../text.js";

const names = text.viewer.seriesOf;
let loading = null;

/** Loads uPlot; where the page is one file it is there already. */
export function loadCharts() {
  if (globalThis.uPlot) return Promise.resolve();
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL("../vendor/uplot/uPlot.iife.min.js", import.meta.url).href;
    script.onload = () => resolve();
    script.onerror = () => { loading = null; reject(new Error(script.src)); };
    document.head.append(script);
  });
  return loading;
}

const clean = (values) => Array.from(values, (value) => (Number.isFinite(value) ? value : null));
const faded = (colour, share) => `color-mix(in srgb, ${colour} ${share}%, transparent)`;

function axes(labels) {
  const style = { stroke: token("soft"), grid: { stroke: token("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  return labels.map((more) => ({ ...style, ...more }));
}

/** A vertical line at `at()`, the date on view. */
function currentLine(at) {
  return {
    hooks: {
      drawClear: (chart) => {
        const x = at();
        if (x === null) return;
        const { ctx, bbox } = chart;
        const left = Math.round(chart.valToPos(x, "x", true)) + 0.5;
        ctx.save();
        Object.assign(ctx, { strokeStyle: token("edge"), lineWidth: devicePixelRatio });
        ctx.beginPath();
        ctx.moveTo(left, bbox.top);
        ctx.lineTo(left, bbox.top + bbox.height);
        ctx.stroke();
        ctx.restore();
      },
    },
  };
}

const dots = (colour, filled, size = 7) => ({
  stroke: colour, paths: () => null, points: { show: true, size, stroke: colour, fill: filled ? colour : token("card"), width: 1.5 },
});

const base = (width, height) => ({
  width, height, legend: { show: false }, padding: [10, 26, 0, 0], ms: 1,
  cursor: { y: false, points: { size: 8 }, drag: { x: false, y: false } },
});

/** The axis of days: months where the series is long. */
const dayAxis = {
  space: 66, size: 30,
  values: (_, ticks) => ticks.map((tick) => (ticks.at(-1) - ticks[0] > 400 * 86400e3 ? monthYear(tick) : shortDay(new Date(tick).toISOString().slice(0, 10)))),
};

/** The least and most of a range with some air; a flat one gets some width. */
function airy(_, low, high) {
  if (low === null || high === null) return [0, 1];
  const air = Math.max((high - low) * 0.08, Math.abs(high) * 0.01, 1e-4);
  return [low - air, high + air];
}

/** Draws the series of a place. rows: times, observed, masked, linear, after, low, high; pick(index): a click on a date. */
export function seriesChart(element, rows, { width, height, current, pick }) {
  const result = token("result");
  const data = [rows.times, rows.high, rows.low, rows.linear, rows.after, rows.masked, rows.observed].map(clean);
  const edge = { stroke: faded(result, 1), width: 0, points: { show: false }, spanGaps: false };
  const options = {
    ...base(width, height), plugins: [currentLine(current)],
    scales: { x: { time: true }, y: { range: airy } },
    axes: axes([dayAxis, { size: 46 }]),
    tzDate: (stamp) => globalThis.uPlot.tzDate(new Date(stamp), "Etc/UTC"),
    series: [{}, edge, edge,
      { label: names.linear, stroke: token("linear"), width: 1.5, dash: [5, 4], points: { show: false }, spanGaps: true },
      { label: names.after, stroke: result, width: 2.2, points: { show: true, size: 5, fill: result }, spanGaps: true },
      { label: names.masked, ...dots(token("hollow"), false) }, { label: names.observed, ...dots(token("ink"), true, 8) }],
    bands: [{ series: [1, 2], fill: faded(result, 22) }],
    hooks: { ready: [(chart) => chart.over.addEventListener("click", () => { if (chart.cursor.idx !== null) pick(chart.cursor.idx); })] },
  };
  return new globalThis.uPlot(options, data, element);
}

/** Draws the radar's series beneath: one line a polarisation. */
export function radarChart(element, times, lines, { width, height, current, pick }) {
  const colours = [token("vv"), token("vh"), token("other")];
  const options = {
    ...base(width, height), plugins: [currentLine(current)], scales: { x: { time: true }, y: { range: airy } },
    axes: axes([dayAxis, { size: 46, space: 24 }]),
    tzDate: (stamp) => globalThis.uPlot.tzDate(new Date(stamp), "Etc/UTC"),
    series: [{}, ...lines.map(({ name }, at) => ({
      label: name, stroke: colours[at % 3], width: 1.6, points: { show: true, size: 5, fill: colours[at % 3] }, spanGaps: true,
    }))],
    hooks: { ready: [(chart) => chart.over.addEventListener("click", () => { if (chart.cursor.idx !== null) pick(chart.cursor.idx); })] },
  };
  return new globalThis.uPlot(options, [clean(times), ...lines.map(({ values }) => clean(values))], element);
}

/** Draws the spectrum at a date: the result with its range, and what was observed, over wavelength. */
export function spectrumChart(element, rows, { width, height, observed }) {
  const result = token("result");
  const edge = { stroke: faded(result, 1), width: 0, points: { show: false } };
  const options = {
    ...base(width, height), scales: { x: { time: false, range: (_, low, high) => [low - 60, high + 60] }, y: { range: airy } },
    axes: axes([{ size: 30, space: 50, values: (_, ticks) => ticks.map(String) }, { size: 46 }]),
    series: [{}, edge, edge,
      { label: names.after, stroke: result, width: 2.2, points: { show: true, size: 5, fill: result } },
      { label: observed ? names.observed : names.masked, ...dots(token(observed ? "ink" : "hollow"), observed) }],
    bands: [{ series: [1, 2], fill: faded(result, 22) }],
  };
  return new globalThis.uPlot(options, [rows.wavelengths, rows.high, rows.low, rows.after, rows.before].map(clean), element);
}
