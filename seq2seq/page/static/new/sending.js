// The upload as the reader sees it: what is sent, how fast, how long yet; paused, resumed, given up.

import { fill, h } from "../dom.js";
import { inWords, oneLine } from "../failures.js";
import { bytes, percent } from "../format.js";
import { duration } from "../jobs/phrases.js";
import { announce } from "../shell.js";
import { text } from "../jobs/text.js";
import { gathered } from "./files.js";
import { discard, note, upload } from "./upload.js";
import { storedZip } from "./zip.js";

const words = text.new;
const WHOLE_KEY = ({ name, size, lastModified }) => `file-${name}-${size}-${lastModified}`;

export class Sending {
  /** found: [{path, file}]. done(path): the upload is complete. over(): given up. */
  constructor(found, { done, over, signal }) {
    Object.assign(this, gathered(found), { done, over, href: null });
    signal.addEventListener("abort", () => this.stopper?.abort());
    const total = this.files.reduce((sum, { file }) => sum + file.size, 0);
    this.about = words.filesOf(this.files.length, bytes(total));
    this.bar = h("progress", { max: 1, "aria-label": words.uploading(this.name) });
    this.line = h("p", { class: "soft", "data-part": "pace" });
    this.problem = h("p", { class: "problem", role: "alert" });
    this.buttons = h("div", { class: "line" });
    this.element = h("section", { class: "sending card" }, h("div", { class: "line spread" }, h("div", {}, h("h2", {}, this.name), h("p", { class: "soft small" }, this.about)), this.buttons), this.bar, this.line, this.problem);
  }

  #buttons(...names) {
    const runs = { pause: () => this.pause(), resume: () => this.start(), giveUp: () => this.giveUp(), other: () => this.giveUp() };
    fill(this.buttons, names.map((name) => h("button", { type: "button", onclick: runs[name] }, words[name])));
  }

  async #blob(signal) {
    if (this.whole) return { blob: this.whole, fingerprint: WHOLE_KEY(this.whole) };
    this.line.textContent = words.reading;
    return storedZip(this.files, { signal, onShare: (share) => { this.bar.value = share; } });
  }

  /** Begins, or goes on where it was. */
  async start() {
    this.stopper = new AbortController();
    const { signal } = this.stopper;
    this.problem.textContent = "";
    this.#buttons("pause", "giveUp");
    try {
      this.sent ??= await this.#blob(signal);
      const { blob, fingerprint } = this.sent;
      note({ name: this.name, files: this.files.length, bytes: blob.size, sent: 0 });
      this.href = await upload(blob, {
        name: this.name, fingerprint, signal, onResumed: () => announce(words.resumed), onProgress: (progress) => this.#progress(progress),
      });
      note(null);
      this.bar.value = 1;
      this.line.textContent = words.uploaded;
      this.#buttons("other");
      announce(words.uploaded);
      this.done(this.href);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.problem.textContent = error.name === "NotReadableError" ? words.changedFile : oneLine(inWords(error));
      this.#buttons("resume", "giveUp");
    }
  }

  #progress({ sent, total, speed, left }) {
    this.bar.value = total ? sent / total : 1;
    if (Math.abs((this.noted ?? 0) - sent) > total / 50) { this.noted = sent; note({ name: this.name, files: this.files.length, bytes: total, sent }); }
    this.line.textContent = [percent(total ? sent / total : 1), words.ofBytes(bytes(sent), bytes(total)), speed > 0 && words.speed(bytes(speed)), left !== null && text.jobs.left(duration(left))].filter(Boolean).join(" · ");
  }

  pause() {
    this.stopper?.abort();
    this.line.textContent = words.paused;
    this.#buttons("resume", "giveUp");
    this.buttons.firstChild.focus();
  }

  /** Stops, and forgets what was sent of an upload that is not complete. */
  giveUp() {
    this.stopper?.abort();
    note(null);
    if (!this.href && this.sent) discard(this.sent.fingerprint).catch(() => {});
    this.over();
  }
}
