// Server-Sent Events over fetch: EventSource cannot send the key's header, and puts nothing else in its place.

import { get } from "../http.js";
import { jobUrl } from "./api.js";

const FIRST_MS = 1000;
const LONGEST_MS = 15_000;
const FINAL = [401, 403, 404, 410];

/** One event of its lines, or nothing where they hold no data. */
export function parseEvent(block) {
  const event = { kind: "message", id: null, data: [] };
  for (const line of block.split("\n")) {
    const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (name === "event") event.kind = value;
    if (name === "id") event.id = value;
    if (name === "data") event.data.push(value);
  }
  if (event.data.length === 0) return null;
  try {
    return { ...event, data: JSON.parse(event.data.join("\n")) };
  } catch {
    return null;
  }
}

async function* blocks(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (held + value.replace(/\r\n?/g, "\n")).split("\n\n");
    held = parts.pop();
    yield parts;
  }
}

const pause = (ms, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
});

/** Resolves when the page is looked at, or the signal is aborted. */
const lookedAt = (signal) => new Promise((resolve) => {
  if (!document.hidden || signal.aborted) { resolve(); return; }
  const look = () => { if (!document.hidden) { document.removeEventListener("visibilitychange", look); resolve(); } };
  document.addEventListener("visibilitychange", look, { signal });
  signal.addEventListener("abort", () => resolve(), { once: true });
});

/** A signal that is aborted with `signal`, or when nobody looks at the page any more; `done` ends its listening. */
function whileLookedAt(signal) {
  const own = new AbortController();
  const done = new AbortController();
  const end = () => own.abort();
  signal.addEventListener("abort", end, { signal: done.signal });
  document.addEventListener("visibilitychange", () => { if (document.hidden) end(); }, { signal: done.signal });
  return { signal: own.signal, done: () => done.abort() };
}

const since = (url, seen) => (seen === null ? url : `${url}?after=${seen}`);

/**
 * Follows a job until it has ended, the signal is aborted, or the service says that there is nothing to follow.
 * onEvents gets the events of one arrival together: [{kind, id, data}]. onLine("lost" | "back"): of the connection.
 * Returns normally at the job's end; raises what the service refused for good (key, job gone).
 */
export const follow = (id, options) => followAt(jobUrl(id, "/events"), options);

/** Follows all jobs as `follow` does one. onOpen: called before the events of each new connection. */
export const followAll = (options) => followAt("jobs/events", options);

async function followAt(url, { signal, onEvents, onOpen = () => {}, onLine = () => {} }) {
  let seen = null;
  let lost = 0;
  for (;;) {
    // A browser has six connections to a host for all its tabs together: tabs in the background give theirs back.
    await lookedAt(signal);
    if (signal.aborted) return;
    const looking = whileLookedAt(signal);
    try {
      const answer = await get(since(url, seen), { signal: looking.signal, cache: "no-store" });
      if (answer.status === 204) return;
      onOpen();
      for await (const parts of blocks(answer.body)) {
        if (lost) { lost = 0; onLine("back"); }
        const found = parts.map(parseEvent).filter(Boolean);
        for (const each of found) if (each.id) seen = each.id;
        if (found.length > 0) onEvents(found);
        if (found.some(({ kind }) => kind === "end")) return;
      }
    } catch (error) {
      if (error.name === "AbortError") continue;
      if (FINAL.includes(error.status)) throw error;
    } finally {
      looking.done();
    }
    // Once at once would meet a server in the middle of its end.
    lost += 1;
    if (lost > 1) onLine("lost");
    await pause(Math.min(LONGEST_MS, FIRST_MS * 1.6 ** (lost - 1)) * (0.75 + Math.random() / 2), signal);
  }
}
