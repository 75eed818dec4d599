// What has happened, line by line; the newest at the end, in view unless the reader looks at earlier ones.

import { h } from "../dom.js";
import { moment } from "../format.js";
import { text } from "../jobs/text.js";

const MOST = 400;
// Steps are the curve's, pictures show themselves.
const QUIET = ["step", "picture", "job", "end", "message"];
const CLOCK = new Intl.DateTimeFormat(text.locale, { timeStyle: "medium" });

export class Log {
  constructor() {
    this.list = h("ol");
    this.view = h("div", { class: "log", tabindex: "0", role: "log", "aria-label": text.watch.log }, this.list);
    this.element = h("section", { class: "card" }, h("h2", {}, text.watch.log), this.view);
  }

  /** Adds the lines of events. */
  add(events) {
    const lines = events.filter(({ kind, data }) => !QUIET.includes(kind) && data.message);
    if (lines.length === 0) return;
    const atEnd = this.view.scrollTop + this.view.clientHeight >= this.view.scrollHeight - 8;
    this.list.append(...lines.map(({ data }) => h("li", { class: data.level }, h("time", { datetime: data.time, title: moment(data.time) }, CLOCK.format(new Date(data.time))), h("span", {}, text.jobs.phases[data.data?.phase] ?? String(data.message)))));
    while (this.list.children.length > MOST) this.list.firstChild.remove();
    if (atEnd) this.view.scrollTop = this.view.scrollHeight;
  }
}
