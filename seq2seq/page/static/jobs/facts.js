// What a finished job's card shows beside its document: a picture. Asked for when the card is first seen.

import { get, getJson } from "../http.js";
import { jobUrl, stateOf } from "./api.js";

const AT_ONCE = 2;
// Twice of what a card shows, for fine screens.
const SHORTER_PX = 224;
const known = new Map();
const waiting = [];
let running = 0;

function next() {
  while (running < AT_ONCE && waiting.length > 0) {
    running += 1;
    waiting.shift()().finally(() => { running -= 1; next(); });
  }
}

/** A picture no larger than a card shows it: hundreds are kept while the reader scrolls. */
async function small(blob) {
  const bitmap = await createImageBitmap(blob);
  const scale = SHORTER_PX / Math.min(bitmap.width, bitmap.height);
  if (scale >= 1) return blob;
  const canvas = new OffscreenCanvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.convertToBlob({ type: "image/webp", quality: 0.85 });
}

/** The picture of a result's cloudiest date whose result can be seen, as a blob's address; nothing where there is none. */
async function picture(id) {
  const scene = await getJson(jobUrl(id, "/pictures/scene.json"));
  const style = ["rgb", "false", "ndvi"].find((name) => scene.styles?.some((each) => each.name === name)) ?? scene.styles?.[0]?.name;
  const dates = (scene.dates ?? []).filter((each) => each.acquired !== false);
  if (!style || dates.length === 0) return null;
  const { date } = dates.reduce((best, each) => ((each.cloud ?? 0) > (best.cloud ?? 0) ? each : best));
  const answer = await get(jobUrl(id, `/pictures/${encodeURIComponent(style)}/${encodeURIComponent(date)}.webp`));
  return URL.createObjectURL(await small(await answer.blob()));
}

/** Calls `take(url)` once there is a picture, or null where there is none. Of other than finished jobs, never. */
export function facts(job, take) {
  if (stateOf(job) !== "successful" || job.processID !== "decloud") return;
  const found = known.get(job.id);
  if (found) { found.then(take); return; }
  known.set(job.id, new Promise((resolve) => {
    waiting.push(() => picture(job.id).catch(() => null).then(resolve));
    next();
  }));
  known.get(job.id).then(take);
}

/** Forgets a job that was removed. */
export function forget(id) {
  known.get(id)?.then((url) => url && URL.revokeObjectURL(url));
  known.delete(id);
}
