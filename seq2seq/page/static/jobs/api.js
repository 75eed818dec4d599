// The service's answers and refusals. Problem documents (RFC 9457) become errors in words, with the place in the request.

import { PageError } from "../failures.js";
import { get } from "../http.js";
import { text } from "./text.js";

const words = text.problems;

const withStop = (line) => (line && !/[.!?]$/.test(line) ? `${line}.` : line);

/** The error of a problem document: title for a reader, the service's own sentence, what to do next. */
export function problemError(problem, status) {
  const code = String(problem?.code ?? "");
  const error = new PageError(words.titles[code] ?? words.byStatus[status] ?? words.other, {
    cause: withStop(String(problem?.detail ?? problem?.title ?? "")), next: words.next[code] ?? "",
  });
  return Object.assign(error, { status, code, places: Array.isArray(problem?.errors) ? problem.errors : [] });
}

/** Asks the service; a refusal is told by its problem document where there is one. */
export async function ask(url, options) {
  try {
    return await get(url, options);
  } catch (error) {
    if (!error.answer) throw error;
    const problem = await error.answer.json().catch(() => null);
    throw problem ? problemError(problem, error.status) : error;
  }
}

/** The JSON that the service answers. */
export const askJson = async (url, options) => (await ask(url, options)).json();

/** Sends JSON, and returns the JSON that comes back. */
export const send = (method, url, body, { headers, ...options } = {}) => askJson(url, {
  method, ...options, headers: { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
  body: body === undefined ? undefined : JSON.stringify(body),
});

/** The address of a job, or of something of it, relative to the page. */
export const jobUrl = (id, rest = "") => `jobs/${encodeURIComponent(id)}${rest}`;

/** Whether nothing more becomes of the job. */
export const ended = (job) => ["successful", "failed", "dismissed"].includes(job.status);

/** A job's state as readers see it: "expired" and "cancelling" are no status of their own in the API. */
export function stateOf(job) {
  if (job.status === "successful" && !job.links?.some(({ rel }) => rel === "enclosure")) return "expired";
  if (!ended(job) && job.cancel_requested) return "cancelling";
  return job.status;
}

/** The name a user gave, else that of what was uploaded, else the beginning of the id. */
export const nameOf = (job) => (job.name ? String(job.name) : text.jobs.unnamed(String(job.id).slice(0, 8)));

/** Why a job failed, in words: title, detail and next step of its problem document. */
export const whyFailed = (job) => problemError(job.exception ?? { detail: job.message }, 0);
