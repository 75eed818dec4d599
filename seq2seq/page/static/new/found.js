// What the service finds in an upload: dates with pictures and clouds, bands, radar, and what a job would cost.

import { fill, h } from "../dom.js";
import { longDay, percent } from "../format.js";
import { oneLine } from "../failures.js";
import { get } from "../http.js";
import { ask, jobUrl } from "../jobs/api.js";
import { duration } from "../jobs/phrases.js";
import { text } from "../jobs/text.js";

const words = text.new;
// One answer waits this long for a worker; the page asks again while it is open.
const WAIT_S = 25;
const NO_SUCH_THING = [404, 405, 501];
const listOf = (value) => (Array.isArray(value) ? value : []);

function strip(dates, clouds) {
  const bars = dates.map((date, at) => h("li", { style: { "--share": clouds[at] ?? 0 }, title: words.dateCloud(longDay(date), percent(clouds[at])) }, h("span", { class: "unseen" }, words.dateCloud(longDay(date), percent(clouds[at])))));
  return h("ul", { class: "cloud-strip", "aria-label": words.cloudStrip }, bars);
}

/** Loads the picture of a date. Without it the list says the same in words. */
async function load(image, url, signal) {
  try {
    const blob = await (await get(url, { signal })).blob();
    image.src = URL.createObjectURL(blob);
    await image.decode().finally(() => URL.revokeObjectURL(image.src));
  } catch { /* the cloud shares are below */ }
}

function previews({ jobID, previews: drawn, dates, cloud_fraction: clouds }, signal) {
  const days = listOf(dates).map(String);
  return h("ul", { class: "previews", "aria-label": words.previews }, listOf(drawn).map(({ date, path }) => {
    const says = words.previewOf(longDay(String(date)), percent(listOf(clouds)[days.indexOf(String(date))]));
    const image = h("img", { alt: says, title: says });
    load(image, jobUrl(jobID, `/results/${String(path).split("/").map(encodeURIComponent).join("/")}`), signal);
    return h("li", {}, image);
  }));
}

function facts({ dates, bands, grid, s1, s1_bands: radar, estimate, queue }) {
  const days = listOf(dates).map(String);
  const paired = listOf(s1?.dates).filter(Boolean).length;
  return [
    days.length > 0 && words.datesFound(days.length, longDay(days[0]), longDay(days.at(-1))),
    listOf(bands).length > 0 && words.bandsFound(listOf(bands).map(String).join(", ")),
    words.radarFound(listOf(radar).map(String).join(", "), paired),
    grid && words.sizeFound(grid.width, grid.height, grid.crs ?? ""),
    Number.isFinite(estimate?.seconds) && words.estimate(duration(estimate.seconds)),
    queue?.jobs > 0 && words.queued(queue.jobs),
    queue?.wait_s >= 1 && words.startsIn(duration(queue.wait_s)),
  ].filter(Boolean);
}

function drawing(found, signal) {
  const clouds = listOf(found.cloud_fraction);
  const notes = listOf(found.warnings).map((line) => h("li", { class: "note" }, String(line)));
  return h("section", { class: "found card" }, h("h2", {}, words.found),
    listOf(found.previews).length > 0 && previews(found, signal),
    clouds.some(Number.isFinite) && strip(listOf(found.dates).map(String), clouds),
    h("ul", {}, facts(found).map((each) => h("li", {}, each))),
    notes.length > 0 && h("details", {}, h("summary", {}, words.notes(notes.length)), h("ul", {}, notes)));
}

async function found(href, signal) {
  for (;;) {
    const answer = await ask(`${href.replace(/^\//, "")}/inspect?wait_s=${WAIT_S}`, { method: "POST", signal });
    if (answer.status !== 202) return answer.json();
  }
}

/** Fills `place` with what is in the upload; with nothing where the service does not look into uploads. */
export async function lookInto(href, place, { signal }) {
  fill(place, h("p", { class: "notice", role: "status" }, words.looking));
  try {
    fill(place, drawing(await found(href, signal), signal));
  } catch (error) {
    if (error.name === "AbortError") return;
    fill(place, NO_SUCH_THING.includes(error.status) ? null : h("p", { class: "notice" }, oneLine(error)));
  }
}
