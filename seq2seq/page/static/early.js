// What the viewer asks for first is on its way while the other modules still load: its manifest, then two pictures.
// This module and the two it needs are small, and run as soon as they are there.

import { Scene } from "./viewer/scene.js";
import { read } from "./viewer/state.js";

/** Where a pasted key is kept until the tab closes. */
export const KEY = "decloud-key";
const asked = new Map();

/** The answer to a request that was made early, once; nothing where none was, or none that is good: then one asks again. */
export async function taken(url) {
  const found = asked.get(url);
  asked.delete(url);
  const answer = await found?.catch(() => null);
  return answer?.ok ? answer : null;
}

function ask(url) {
  let key = null;
  try { key = sessionStorage.getItem(KEY); } catch { /* private windows keep nothing */ }
  const answer = fetch(url, { headers: key ? { Authorization: `Bearer ${key}` } : {} });
  answer.catch(() => {}); // told by who asks again
  asked.set(url, answer);
  return answer;
}

async function askForPictures(base, query) {
  try {
    const answer = await ask(`${base}scene.json`);
    if (!answer.ok || query.with) return;
    const scene = new Scene(base, await answer.clone().json());
    const { date, left, right, way } = read(query, scene);
    for (const style of way === "one" ? [right] : [left, right]) ask(scene.picture(style, date));
  } catch { /* told by the view, in words */ }
}

const place = document.querySelector('meta[name="decloud"]')?.content;
const address = /^(?:#\/jobs\/([^/?]+)\/view|#\/view|#?\/?)(?:\?(.*))?$/.exec(location.hash);
if (address && (place === "service" ? address[1] : place === "view" && !address[1])) {
  askForPictures(address[1] ? `jobs/${address[1]}/pictures/` : "pictures/", Object.fromEntries(new URLSearchParams(address[2] ?? "")));
}
