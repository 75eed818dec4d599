// Pictures, decoded ahead: a date changes within one frame because its picture is a bitmap already.

import { idle } from "../dom.js";
import { get } from "../http.js";

const AT_ONCE = 4;

/** Most bytes of decoded pictures kept: less where the device says that it has little memory. */
const budget = () => ((navigator.deviceMemory ?? 8) < 4 ? 150e6 : 450e6);

/** The decoded pictures by address. Emits "ready" (detail: url) when one has come or is known to be missing. */
export class Pictures extends EventTarget {
  #known = new Map();
  #bytes = 0;
  #queue = [];
  #running = 0;

  constructor(signal) {
    super();
    this.signal = signal;
    signal?.addEventListener("abort", () => this.clear());
  }

  /** The bitmap if it is there, `null` while it is on its way or missing. */
  peek(url) {
    const entry = this.#known.get(url);
    if (!entry) return null;
    this.#known.delete(url);
    this.#known.set(url, entry);
    return entry.bitmap;
  }

  /** The error with which a picture failed, or nothing. */
  failure(url) {
    return this.#known.get(url)?.error ?? null;
  }

  /** Loads and decodes one picture now; never rejects. */
  want(url) {
    const entry = this.#known.get(url);
    if (entry) return entry.promise;
    const fresh = { bitmap: null, error: null };
    fresh.promise = this.#load(url, fresh);
    this.#known.set(url, fresh);
    return fresh.promise;
  }

  async #load(url, entry) {
    try {
      const blob = await (await get(url, { signal: this.signal })).blob();
      entry.bitmap = await createImageBitmap(blob);
      this.#bytes += entry.bitmap.width * entry.bitmap.height * 4;
      this.#evict(url);
    } catch (error) {
      entry.error = error;
    }
    if (!this.signal?.aborted) this.dispatchEvent(new CustomEvent("ready", { detail: url }));
  }

  #evict(but) {
    for (const [url, entry] of this.#known) {
      if (this.#bytes <= budget()) return;
      if (url === but || !entry.bitmap) continue;
      this.#forget(url, entry);
    }
  }

  #forget(url, entry) {
    this.#bytes -= entry.bitmap.width * entry.bitmap.height * 4;
    entry.bitmap.close();
    this.#known.delete(url);
  }

  /** Loads these when nothing else is to be done, in this order, in place of what was to be loaded before. */
  prefetch(urls) {
    this.#queue = urls.filter((url) => !this.#known.has(url));
    idle(() => this.#next());
  }

  #next() {
    while (this.#running < AT_ONCE && this.#queue.length > 0 && this.#bytes < budget() * 0.9 && !this.signal?.aborted) {
      this.#running += 1;
      this.want(this.#queue.shift()).then(() => { this.#running -= 1; this.#next(); });
    }
  }

  /** Lets go of all. */
  clear() {
    this.#queue = [];
    for (const [url, entry] of this.#known) if (entry.bitmap) this.#forget(url, entry);
    this.#known.clear();
  }
}
