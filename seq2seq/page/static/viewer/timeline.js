// The dates: a slider, play, and a strip of thumbnails with the share of cloud.

import { h, icon } from "../dom.js";
import { longDay, percent, shortDay } from "../format.js";
import { lessMotion } from "../shell.js";
import { text } from "../text.js";

const words = text.viewer;
const PLAY_MS = 200;
const THUMB = { width: 144, height: 72 };
const SIGNS = { play: icon("M7 5l12 7-12 7z"), pause: icon("M8 5v14M16 5v14") };

const cloudWords = ({ cloud }) => (cloud === null || cloud === undefined ? words.noCloud : words.cloud(percent(cloud)));

/** Draws the middle of a picture into a small canvas. */
function drawThumb(canvas, bitmap) {
  const scale = Math.max(canvas.width / bitmap.width, canvas.height / bitmap.height);
  const [width, height] = [canvas.width / scale, canvas.height / scale];
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, (bitmap.width - width) / 2, (bitmap.height - height) / 2, width, height, 0, 0, canvas.width, canvas.height);
}

export class Timeline {
  #timer = null;

  constructor(viewer) {
    this.viewer = viewer;
    const { styles } = viewer.bundle;
    this.style = ["rgb-before", "rgb"].find((name) => styles.has(name)) ?? [...styles.keys()][0];
    this.build();
    this.urls = new Map(viewer.bundle.dates.map(({ date }) => [viewer.bundle.picture(this.style, date), date]));
    viewer.pictures.addEventListener("ready", ({ detail }) => this.#thumb(detail));
    for (const url of this.urls.keys()) this.#thumb(url); // what was there before this was built
    viewer.signal.addEventListener("abort", () => this.pause());
  }

  build() {
    const { dates } = this.viewer.bundle;
    const control = (label, sign, run) => h("button", { class: "quiet round", type: "button", "aria-label": label, title: label, onclick: run }, sign);
    this.button = control(words.play, SIGNS.play, () => this.toggle());
    this.button.classList.add("play");
    this.day = h("strong", {});
    this.facts = h("span", { class: "soft small" });
    this.slider = h("input", {
      type: "range", min: 0, max: dates.length - 1, step: 1, "aria-label": words.slider, class: "dates-slider",
      oninput: () => { this.pause(); this.go(Number(this.slider.value)); },
    });
    this.thumbs = dates.map((each, at) => this.#button(each, at));
    this.strip = h("ol", { class: "strip", "aria-label": words.timeline }, this.thumbs.map((button) => h("li", {}, button)));
    this.element = h("section", { class: "timeline", "aria-label": words.timeline },
      h("div", { class: "now" },
        h("div", { class: "controls" }, control(words.previous, icon("M14 6l-6 6 6 6"), () => this.step(-1)), this.button,
          control(words.next, icon("M10 6l6 6-6 6"), () => this.step(1))),
        h("p", { class: "date" }, this.day, this.facts)),
      h("div", { class: "track", style: { "--count": dates.length } }, this.slider, this.strip));
    this.slider.disabled = dates.length < 2;
  }

  #button(each, at) {
    const cloud = each.cloud ?? 0;
    return h("button", {
      type: "button", class: each.acquired === false ? "thumb made" : "thumb", tabindex: -1,
      title: words.thumb(longDay(each.date), cloudWords(each)), "aria-label": words.thumb(longDay(each.date), cloudWords(each)),
      onclick: () => { this.pause(); this.go(at); },
    }, h("canvas", THUMB), h("span", { class: "cloud" }, h("i", { style: { "--share": cloud } })),
    h("span", { class: "day" }, shortDay(each.date)));
  }

  #thumb(url) {
    const date = this.urls.get(url);
    const bitmap = date !== undefined && this.viewer.pictures.peek(url);
    if (bitmap) drawThumb(this.thumbs[this.viewer.bundle.at.get(date)].querySelector("canvas"), bitmap);
  }

  get index() {
    return this.viewer.bundle.at.get(this.viewer.state.date);
  }

  /** Goes to the date of a number, the nearest there is. */
  go(at) {
    const { dates } = this.viewer.bundle;
    this.viewer.change({ date: dates[Math.min(Math.max(at, 0), dates.length - 1)].date });
  }

  step(by) {
    this.pause();
    this.go(this.index + by);
  }

  get playing() {
    return this.#timer !== null;
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  /** Plays 5 dates a second, round and round; waits where a picture is not there yet. */
  play() {
    if (this.viewer.bundle.dates.length < 2) return;
    const { dates } = this.viewer.bundle;
    this.#timer = setInterval(() => {
      const next = dates[(this.index + 1) % dates.length].date;
      if (this.viewer.ready(next)) this.viewer.change({ date: next });
    }, PLAY_MS);
    this.#label(words.pause, SIGNS.pause);
  }

  pause() {
    clearInterval(this.#timer);
    this.#timer = null;
    this.#label(words.play, SIGNS.play);
  }

  #label(label, sign) {
    this.button.setAttribute("aria-label", label);
    this.button.title = label;
    this.button.replaceChildren(sign);
  }

  update() {
    const at = this.index;
    const each = this.viewer.bundle.dates[at];
    this.day.textContent = longDay(each.date);
    const facts = [cloudWords(each)];
    if (each.acquired === false) facts[0] = words.requested;
    if (each.s1_date && each.s1_date !== each.date) facts.push(words.s1Date(shortDay(each.s1_date)));
    this.facts.textContent = facts.join(" · ");
    this.slider.value = at;
    this.slider.setAttribute("aria-valuetext", words.dateSays(longDay(each.date), facts.join(", ")));
    const last = this.thumbs[this.last ?? at];
    last.removeAttribute("aria-current");
    last.tabIndex = -1;
    this.thumbs[at].setAttribute("aria-current", "date");
    this.thumbs[at].tabIndex = 0;
    this.last = at;
    this.#scroll(this.thumbs[at].parentElement);
  }

  /** Brings the date into the strip without moving the page. */
  #scroll(item) {
    const { strip } = this;
    const [left, right] = [item.offsetLeft - 24, item.offsetLeft + item.offsetWidth + 24];
    const behavior = lessMotion() || this.playing ? "auto" : "smooth";
    if (left < strip.scrollLeft) strip.scrollTo({ left, behavior });
    else if (right > strip.scrollLeft + strip.clientWidth) strip.scrollTo({ left: right - strip.clientWidth, behavior });
  }
}
