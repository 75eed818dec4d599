// Pictures of what is in the making: the latest of each date, sharper at every checkpoint.

import { fill, h } from "../dom.js";
import { longDay } from "../format.js";
import { get } from "../http.js";
import { jobUrl } from "../jobs/api.js";
import { text } from "../jobs/text.js";

const MOST = 3;

export class LivePictures {
  #figures = new Map();
  #wanted = new Map();
  #busy = false;

  constructor(id, signal) {
    Object.assign(this, { id, signal });
    this.row = h("div", { class: "live-row" });
    this.element = h("section", { class: "card", hidden: true, "aria-labelledby": "live-title" }, h("h2", { id: "live-title" }, text.watch.live), h("p", { class: "soft small" }, text.watch.liveAbout), this.row);
    signal.addEventListener("abort", () => { for (const { url } of this.#figures.values()) URL.revokeObjectURL(url); });
  }

  /** Takes up events of kind "picture". */
  add(events) {
    for (const { data } of events) if (data.data?.path) this.#wanted.set(String(data.data.date), String(data.data.path));
    this.#load();
  }

  async #load() {
    if (this.#busy) return;
    this.#busy = true;
    while (this.#wanted.size > 0 && !this.signal.aborted) {
      const wanted = [...this.#wanted].slice(-MOST);
      this.#wanted.clear();
      // One that has been removed meanwhile is passed over.
      for (const [date, path] of wanted) await this.#show(date, path).catch(() => {});
    }
    this.#busy = false;
  }

  async #show(date, path) {
    const blob = await (await get(jobUrl(this.id, `/pictures/${path}`), { signal: this.signal })).blob();
    const before = this.#figures.get(date);
    const url = URL.createObjectURL(blob);
    const image = before?.image ?? h("img", { alt: text.watch.liveOf(longDay(date)) });
    image.src = url;
    if (before) URL.revokeObjectURL(before.url);
    else image.figure = h("figure", {}, image, h("figcaption", { class: "soft small" }, longDay(date)));
    this.#figures.set(date, { image, url });
    const shown = [...this.#figures].slice(-MOST).sort(([one], [two]) => (one < two ? -1 : 1)).map(([, each]) => each.image.figure);
    if (shown.some((figure) => figure.parentNode !== this.row)) fill(this.row, shown);
    this.element.hidden = false;
  }

  /** The job has ended: the viewer shows all of it. */
  hide() {
    this.element.hidden = true;
  }
}
