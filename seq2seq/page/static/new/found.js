// What the service found in an upload, where it can look: dates with their clouds, bands, radar, and what it may cost.

import { h } from "../dom.js";
import { longDay, percent } from "../format.js";
import { ask } from "../jobs/api.js";
import { duration } from "../jobs/phrases.js";
import { text } from "../jobs/text.js";

const words = text.new;
const listOf = (value) => (Array.isArray(value) ? value : []);

function strip(dates, clouds) {
  const bars = dates.map((date, at) => h("li", { style: { "--share": clouds[at] ?? 0 }, title: words.dateCloud(longDay(date), percent(clouds[at])) }, h("span", { class: "unseen" }, words.dateCloud(longDay(date), percent(clouds[at])))));
  return h("ul", { class: "cloud-strip", "aria-label": words.cloudStrip }, bars);
}

function drawing({ sequence = {}, estimate = {} }) {
  const dates = listOf(sequence.dates).map((each) => String(each?.date ?? each));
  const clouds = listOf(sequence.cloud_fraction ?? listOf(sequence.dates).map((each) => each?.cloud ?? null));
  const { width, height, crs } = sequence.grid ?? sequence;
  const facts = [
    dates.length > 0 && words.datesFound(dates.length, longDay(dates[0]), longDay(dates.at(-1))),
    listOf(sequence.bands).length > 0 && words.bandsFound(listOf(sequence.bands).map(String).join(", ")),
    width && height && words.sizeFound(width, height, crs ?? ""),
    Number.isFinite(estimate.seconds ?? NaN) && words.estimate(duration(estimate.seconds)),
  ].filter(Boolean);
  return facts.length === 0 ? null : h("section", { class: "found card" }, h("h2", {}, words.found), h("ul", {}, facts.map((each) => h("li", {}, each))), dates.length > 0 && clouds.some(Number.isFinite) && strip(dates, clouds));
}

/** An element that tells what is in the upload; nothing where the service does not look into uploads. */
export async function lookInto(href, { signal }) {
  try {
    const answer = await ask(`${href.replace(/^\//, "")}/inspect`, { method: "POST", signal });
    return drawing(await answer.json());
  } catch (error) {
    if (error.name === "AbortError" || [404, 405, 501].includes(error.status)) return null;
    throw error;
  }
}
