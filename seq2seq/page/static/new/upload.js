// Uploads in pieces by tus 1.0. tus-js-client keeps each one's address in the browser, so that the same files, chosen
// again after a reload, go on where the server's copy ends.

import { PageError } from "../failures.js";
import { shown } from "../http.js";
import { problemError } from "../jobs/api.js";
import { text } from "../jobs/text.js";

const PIECE = 16e6;
const RETRIES_MS = [0, 1000, 3000, 5000, 10_000, 20_000, 30_000];
const OPEN = "decloud-upload";
// Speed is that of the last seconds.
const WINDOW_MS = 4000;
let loading = null;

function loadTus() {
  if (globalThis.tus) return Promise.resolve();
  loading ??= new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), { src: new URL("../vendor/tus/tus.min.js", import.meta.url).href });
    script.onload = () => resolve();
    script.onerror = () => { loading = null; reject(new PageError(text.failures.unreachable, { next: text.failures.tryAgain })); };
    document.head.append(script);
  });
  return loading;
}

/** What an earlier visit did not finish: {name, files, bytes, sent}, or nothing. */
export function unfinished() {
  try { return JSON.parse(localStorage.getItem(OPEN)); } catch { return null; }
}

/** Notes what is being sent, or with nothing that no more is. */
export function note(value) {
  try {
    if (value) localStorage.setItem(OPEN, JSON.stringify(value));
    else localStorage.removeItem(OPEN);
  } catch { /* private windows keep nothing: an upload then starts anew */ }
}

/** Speed and time left from a series of [ms, bytes]. */
export function pace(samples, total) {
  const [first, last] = [samples[0], samples.at(-1)];
  const speed = last && last[0] > first[0] ? (1000 * (last[1] - first[1])) / (last[0] - first[0]) : 0;
  return { speed, left: speed > 0 ? (total - last[1]) / speed : null };
}

function inWords(error) {
  const answer = error.originalResponse;
  if (!answer) return new PageError(text.failures.unreachable, { next: text.new.uploadAgain });
  let problem = null;
  try { problem = JSON.parse(answer.getBody()); } catch { /* a proxy's page */ }
  return problemError(problem, answer.getStatus());
}

/**
 * Sends a blob. onProgress({sent, total, speed, left}); onResumed(sent): it goes on from there.
 * Resolves to the upload's path, "/uploads/ID". `signal` pauses; what is sent stays.
 */
export async function upload(blob, { name, fingerprint, signal, onProgress, onResumed = () => {} }) {
  await loadTus();
  const { Upload } = globalThis.tus;
  let samples = [];
  return new Promise((resolve, reject) => {
    const sending = new Upload(blob, {
      endpoint: new URL("uploads", document.baseURI).href, chunkSize: PIECE, retryDelays: RETRIES_MS,
      headers: shown("POST"), metadata: { filename: name },
      fingerprint: () => Promise.resolve(`decloud-${fingerprint}`), removeFingerprintOnSuccess: true,
      onProgress: (sent, total) => {
        samples = [...samples.filter(([when]) => performance.now() - when < WINDOW_MS), [performance.now(), sent]];
        onProgress({ sent, total, ...pace(samples, total) });
      },
      onShouldRetry: (error) => { const status = error.originalResponse?.getStatus() ?? 0; return status === 0 || status >= 500 || [408, 409, 423, 429].includes(status); },
      onError: (error) => reject(inWords(error)),
      onSuccess: () => resolve(new URL(sending.url).pathname.replace(/^.*(\/uploads\/)/, "$1")),
    });
    signal.addEventListener("abort", () => { sending.abort(); reject(new DOMException("", "AbortError")); });
    sending.findPreviousUploads().then((previous) => {
      if (signal.aborted) return;
      if (previous.length > 0) { sending.resumeFromPreviousUpload(previous[0]); onResumed(); }
      sending.start();
    }, reject);
  });
}

/** Forgets a part of an upload in the browser, and has the service remove it. */
export async function discard(fingerprint) {
  await loadTus();
  const storage = globalThis.tus.defaultOptions.urlStorage;
  for (const { urlStorageKey, uploadUrl } of await storage.findUploadsByFingerprint(`decloud-${fingerprint}`)) {
    await storage.removeUpload(urlStorageKey);
    await globalThis.tus.Upload.terminate(uploadUrl, { headers: shown("DELETE"), retryDelays: null }).catch(() => {});
  }
}
