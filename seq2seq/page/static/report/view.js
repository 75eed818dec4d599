// The report in a practitioner's words: how much better than interpolation, where, and what it does not say.

import { fill, h } from "../dom.js";
import { longDay, moment, number, percent } from "../format.js";
import { askJson, jobUrl, nameOf } from "../jobs/api.js";
import { gainWords, saved, sentence } from "../jobs/phrases.js";
import { styles } from "../jobs/styles.js";
import { text } from "../jobs/text.js";
import { reportLink } from "../watch/downloads.js";
import { byBand, byDate, byGap, extremes, limits } from "./figures.js";

const words = text.report;

/** Two bars on one scale: the error of the interpolation, and ours. */
function bars({ ours, linear, most }) {
  const bar = (kind, value) => h("span", { class: `error-bar ${kind}`, style: { "--share": most > 0 ? value / most : 0 } });
  return h("span", { class: "error-bars", "aria-hidden": "true" }, bar("linear", linear), bar("ours", ours));
}

function table(caption, head, rows) {
  if (rows.length === 0) return null;
  const most = Math.max(...rows.flatMap(({ ours, linear }) => [ours, linear]));
  const row = (each) => h("tr", {}, h("th", { scope: "row" }, each.title, each.note && h("span", { class: "soft small" }, ` ${each.note}`)),
    h("td", { class: "wide" }, bars({ ...each, most })), h("td", {}, number(each.linear, 4)), h("td", {}, number(each.ours, 4)), h("td", { class: each.saved > 0.005 ? "good" : null }, change(each.saved)));
  const columns = [head, words.error, words.linear, words.ours, words.change];
  return h("section", { class: "card" }, h("h2", {}, caption), h("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", {}, h("thead", {}, h("tr", {}, columns.map((each) => h("th", { scope: "col" }, each)))), h("tbody", {}, rows.map(row)))));
}

const change = (share) => (Math.abs(share) < 0.005 ? words.same : (share > 0 ? words.less : words.more)(percent(Math.abs(share))));

function headline(report) {
  const { gain, pixels } = report.holdout;
  if (!gain || !Number.isFinite(gain.measured_db)) return h("section", { class: "card headline" }, h("h2", {}, words.noScore), h("p", {}, String(report.holdout.explanation ?? "")));
  const range = Number.isFinite(gain.low_db) && Number.isFinite(gain.high_db);
  const { best, least } = extremes(report);
  return h("section", { class: "card headline" }, h("h2", {}, (gain.filled === 0 ? words.onHidden : words.onMissing)(gainWords(gain.measured_db))),
    h("p", { class: "lead" }, [best && words.best(best.where, change(best.saved)), least && least !== best && words.least(least.where, change(least.saved))].filter(Boolean).join(" ")),
    range && h("p", {}, words.range(change(saved(gain.low_db)), change(saved(gain.high_db)))),
    Number.isFinite(gain.rmse_low) && h("p", {}, words.errors(...[gain.rmse, gain.rmse_low, gain.rmse_high, gain.linear_rmse].map((each) => number(each, 3)))),
    h("p", { class: "soft" }, words.basis((gain.pixels ?? pixels).toLocaleString(text.locale), gain.dates)), h("p", { class: "soft small" }, String(report.holdout.explanation ?? "")));
}

function facts(report) {
  const { input } = report;
  const rows = [
    [words.input, [input.name, input.simulated && words.simulated].filter(Boolean).join(" · ")],
    [words.dates, input.dates.length > 0 && words.datesOf(input.dates.length, longDay(input.dates[0]), longDay(input.dates.at(-1)))],
    [words.bands, input.bands.join(", ")], [words.grid, `${input.grid.width} × ${input.grid.height} · ${input.grid.crs}`],
    [words.radar, input.s1.available ? words.radarThere(input.s1.dates.filter(Boolean).length, input.dates.length) : words.radarNone],
    [words.method, text.new.methods[report.method] ?? report.method], [words.seed, report.seed], [words.made, moment(report.created)], [words.version, report.version],
  ];
  return h("section", { class: "card" }, h("h2", {}, words.about), h("dl", { class: "facts" }, rows.filter(([, value]) => value || value === 0).map(([name, value]) => [h("dt", {}, name), h("dd", {}, String(value))])));
}

/** Shows the report of a job. */
export async function show(main, { params, signal }) {
  const { id } = params;
  const [job, results, report] = await Promise.all([
    askJson(jobUrl(id), { signal }), askJson(jobUrl(id, "/results"), { signal }), askJson(jobUrl(id, "/results/report.json"), { signal }), styles(),
  ]);
  const path = `#/jobs/${encodeURIComponent(id)}`;
  const stated = limits(report).map((each) => h("li", {}, sentence(each)));
  fill(main, h("article", { class: "page report" }, h("p", { class: "no-print" }, h("a", { href: path }, words.back(nameOf(job)))),
    h("div", { class: "page-top" }, h("h1", {}, words.title(nameOf(job))), h("div", { class: "line no-print" },
      results.pictures && h("a", { class: "button primary", href: `${path}/view` }, text.watch.view), h("button", { type: "button", onclick: () => print() }, words.print), reportLink(id, results))),
    headline(report), table(words.byGap, words.gap, byGap(report)), table(words.byDate, words.date, byDate(report)), table(words.byBand, words.band, byBand(report)),
    h("section", { class: "card" }, h("h2", {}, words.limits), h("ul", { class: "limits" }, stated)), facts(report)));
  return { title: words.title(nameOf(job)) };
}
