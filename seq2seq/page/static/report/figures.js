// The figures of report.json as the report words them: errors of ours and of the interpolation, where, and the limits.

import { longDay, percent } from "../format.js";
import { text } from "../jobs/text.js";

const words = text.report;
// Fewer pixels say nothing of their kind.
const FEWEST = 30;

const pair = (rmse) => ({ ours: rmse?.result, linear: rmse?.linear });
const known = ({ ours, linear }) => Number.isFinite(ours) && Number.isFinite(linear) && linear > 0;
const withShare = (row) => ({ ...row, saved: 1 - row.ours / row.linear });

/** "20 to 45 days" of [20, 45]; "over 80 days" of [80, null]. */
export const gapWords = ([low, high]) => (high === null || high === undefined ? words.over(Math.round(low)) : words.between(Math.round(low), Math.round(high)));

/** By the length of the gap in time: rows {title, note, ours, linear, saved, where}. */
export const byGap = (report) => (report.holdout.by_gap ?? []).map((each) => ({ ...pair(each.rmse), title: gapWords(each.gap_days), note: words.clouding[each.dates] ?? each.dates, where: words.inGaps(gapWords(each.gap_days), words.clouding[each.dates] ?? each.dates), pixels: each.pixels })).filter(known).map(withShare);

/** By date: entries of one date, of different gaps, taken together by their pixels. */
export function byDate(report) {
  const dates = new Map();
  for (const { date, pixels, rmse } of report.holdout.by_date ?? []) {
    const { ours, linear } = pair(rmse);
    if (!known({ ours, linear })) continue;
    const sum = dates.get(date) ?? { pixels: 0, ours: 0, linear: 0 };
    dates.set(date, { pixels: sum.pixels + pixels, ours: sum.ours + pixels * ours ** 2, linear: sum.linear + pixels * linear ** 2 });
  }
  return [...dates].map(([date, { pixels, ours, linear }]) => withShare({ title: longDay(date), note: words.pixels(pixels.toLocaleString(text.locale)), ours: Math.sqrt(ours / pixels), linear: Math.sqrt(linear / pixels), pixels }));
}

/** By band. */
export const byBand = (report) => Object.entries(report.holdout.by_band ?? {}).map(([band, each]) => ({ title: band, ours: each.result?.rmse, linear: each.linear?.rmse })).filter(known).map(withShare);

/** Where the gain is most, and least: of the kinds of gaps with pixels enough to say so. */
export function extremes(report) {
  const rows = byGap(report).filter(({ pixels }) => pixels >= FEWEST);
  if (rows.length < 2) return { best: null, least: null };
  const order = [...rows].sort((one, two) => two.saved - one.saved);
  return { best: order[0], least: order.at(-1) };
}

/** What the figures do not say, a sentence each. */
export function limits(report) {
  const { holdout, input } = report;
  const fallbacks = (holdout.by_gap ?? []).filter((each) => each.fallback);
  return [
    input.simulated && words.limitSimulated,
    Number.isFinite(holdout.coverage_90) && words.coverage(percent(holdout.coverage_90)),
    fallbacks.length > 0 && report.method !== "linear" && words.fallback(fallbacks.map((each) => `${gapWords(each.gap_days)} (${words.clouding[each.dates] ?? each.dates})`).join(", ")),
    !input.s1.available && words.limitRadar,
    holdout.gain && words.limitHidden, words.limitMask, ...(input.warnings ?? []), ...(report.training?.notes ?? []),
  ].filter(Boolean).map(String);
}
