// Which pictures are compared, and how: the theme for both sides, a choice for each, the legend.

import { fill, h, icon } from "../dom.js";
import { text } from "../text.js";
import { pair, themeOf, themes, WAYS } from "./state.js";

const words = text.viewer;

/** A row of exclusive choices: radio buttons that look like one control. */
export function segments(name, label, entries, choose, look = "") {
  const inputs = new Map(entries.map(([value]) => [value, h("input", { type: "radio", name, value, onchange: () => choose(value) })]));
  const element = h("fieldset", { class: `segments ${look}` }, h("legend", { class: "unseen" }, label),
    entries.map(([value, title, about]) => h("label", { title: about }, inputs.get(value), h("span", {}, title))));
  return { element, set: (value) => inputs.forEach((input, each) => { input.checked = each === value; }) };
}

const baseName = (style) => style.replace(/-before$/, "");

/** The plain name of a style: ours where we know it, else what the manifest says. */
export function styleTitle(style) {
  return words.both[baseName(style.name)] ?? String(style.title ?? style.name);
}

function legendOf(style) {
  const { legend } = style;
  if (legend?.labels) return null;
  if (!legend || !Array.isArray(legend.colours)) {
    return style.bands?.length ? h("p", { class: "soft small" }, words.bands(style.bands)) : null;
  }
  // Colours come from the manifest: as a value of a property they can be nothing but colours.
  const unit = legend.unit ? ` ${legend.unit}` : "";
  return h("div", { class: "ramp" },
    h("span", { class: "colours" }, legend.colours.map((colour) => h("i", { style: { "background-color": String(colour) } }))),
    h("span", { class: "ends" }, h("span", {}, String(legend.low)), h("span", {}, `${legend.high}${unit}`)));
}

export class Layers {
  constructor(viewer, corners) {
    this.viewer = viewer;
    this.build(corners);
  }

  build([leftCorner, rightCorner]) {
    const { viewer } = this;
    const all = themes(viewer.bundle);
    const name = (theme) => styleTitle(viewer.bundle.styles.get(theme) ?? viewer.bundle.styles.get(`${theme}-before`));
    this.themes = segments("theme", words.layers, all.map((theme) => [theme, name(theme), words.bothAbout[theme]]), (theme) => {
      const [left, right] = pair(viewer.bundle, theme, viewer.other);
      viewer.change({ left, right });
    }, "three");
    this.ways = segments("way", words.compare, WAYS.map((way) => [way, words.compareWays[way]]), (way) => viewer.change({ way }), "few");
    this.about = h("p", { class: "soft small" });
    this.legends = h("div", { class: "legends" });
    this.mask = h("input", { type: "checkbox", onchange: () => viewer.change({ mask: this.mask.checked }) });
    this.element = h("section", { class: "card", "aria-labelledby": "layers-title" },
      h("h2", { id: "layers-title" }, words.layers), this.themes.element, this.about, this.legends,
      h("h3", {}, words.compare), this.ways.element,
      viewer.bundle.styles.has("mask") && h("label", { class: "check", title: words.bothAbout.mask }, this.mask, h("span", {}, words.maskOverlay)));
    this.selects = { left: this.#select("left", words.leftLayer), right: this.#select("right", words.rightLayer) };
    fill(leftCorner, this.selects.left);
    fill(rightCorner, this.selects.right);
  }

  #select(side, label) {
    const { viewer } = this;
    const options = (bundle, prefix) => [...bundle.styles.values()].filter(({ name }) => name !== "mask")
      .map((style) => h("option", { value: prefix + style.name }, viewer.title(prefix + style.name)));
    const select = h("select", { class: "layer", "aria-label": label, title: label, onchange: () => viewer.change({ [side]: select.value }) },
      options(viewer.bundle, ""), viewer.other && options(viewer.other, "2."));
    return select;
  }

  /** Puts what is left to the right, and the other way round. */
  exchange() {
    const { left, right } = this.viewer.state;
    this.viewer.change({ left: right, right: left });
  }

  update() {
    const { state, bundle, other } = this.viewer;
    const theme = themeOf(state, bundle, other);
    this.themes.set(theme);
    this.ways.set(state.way);
    this.mask.checked = state.mask;
    this.selects.left.value = state.left;
    this.selects.right.value = state.right;
    this.about.textContent = words.bothAbout[theme] ?? "";
    const shown = new Map((state.way === "one" ? [state.right] : [state.left, state.right])
      .map((id) => this.viewer.layer(id).style).map((name) => [baseName(name), name]));
    const styles = [...shown.values()].map((name) => bundle.styles.get(name)).filter(Boolean);
    fill(this.legends, styles.map((style) => {
      const legend = legendOf(style);
      return legend && h("div", {}, h("p", { class: "small" }, styles.length > 1 || style.legend ? styleTitle(style) : null), legend);
    }));
  }
}

/** The sign for exchanging both sides. */
export const exchangeSign = () => icon("M7 7h13l-4-4M17 17H4l4 4");
