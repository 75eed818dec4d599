// Requests to where the page came from, and nowhere else. Every failure is a PageError.

import { KEY, taken } from "./early.js";
import { embedded } from "./embedded.js";
import { PageError } from "./failures.js";
import { place } from "./shell.js";
import { text } from "./text.js";

/** The key pasted by the user, kept until the tab closes; none in a browser that keeps nothing. */
export function key() {
  try { return sessionStorage.getItem(KEY); } catch { return null; }
}

/** Keeps a key until the tab closes; `null` forgets it. */
export function keepKey(value) {
  try {
    if (value === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, value);
  } catch { /* private windows keep nothing */ }
}

/** What a request shows: the key, or, for what a cookie alone is to change, that it is this page's (docs/operating.md). */
export function shown(method = "GET") {
  const known = key();
  if (known) return { Authorization: `Bearer ${known}` };
  return method === "GET" || place !== "service" ? {} : { "X-CSRF": "1" };
}

const name = (url) => decodeURIComponent(url.split("?")[0].split("/").slice(-2).join("/"));

/** Fetches an address relative to the page. Raises PageError with the file's name where it is absent or refused. */
export async function get(url, { signal, headers = {}, ...options } = {}) {
  let answer;
  try {
    const sent = { ...shown(options.method), ...headers };
    const early = await taken(url);
    answer = early ?? (place === "file" ? embedded(url) : await fetch(url, { signal, headers: sent, ...options }));
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new PageError(text.failures.unreachable, { cause: name(url), next: text.failures.tryAgain });
  }
  if (answer.ok) return answer;
  const says = text.failures.byStatus[answer.status] ?? text.failures.status(answer.status);
  throw Object.assign(new PageError(says, { cause: name(url) }), { status: answer.status, answer });
}

/** Fetches JSON. Raises PageError where it is none. */
export async function getJson(url, options) {
  const answer = await get(url, options);
  try {
    return await answer.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new PageError(text.failures.notJson, { cause: name(url) });
  }
}
