// Elements in one expression. Texts become text nodes: nothing that a file says is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

function set(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "class") element.setAttribute("class", value);
  else if (name === "style") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
  else if (name === "value" || name === "checked" || name === "selected") element[name] = value;
  else element.setAttribute(name, value === true ? "" : String(value));
}

function build(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) set(element, name, value);
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Makes an element: `h("button", {class: "plain", onclick: go}, "Go")`. Falsy attributes and children are left out. */
export function h(tag, properties, ...children) {
  return build(document.createElement(tag), properties, children);
}

/** Makes an element of SVG. */
export function svg(tag, properties, ...children) {
  return build(document.createElementNS(SVG, tag), properties, children);
}

/** Makes a drawn sign of 24 x 24 from the data of its paths; screen readers pass it by. */
export function icon(...paths) {
  const lines = paths.map((d) => svg("path", { d }));
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, lines);
}

/** Puts children in place of what an element held. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Calls `run` once after `ms` without another call; `.now()` runs what waits at once, `.stop()` forgets it. */
export function later(run, ms) {
  let timer = null;
  const stop = () => { clearTimeout(timer); timer = null; };
  const call = () => { stop(); timer = setTimeout(() => { timer = null; run(); }, ms); };
  return Object.assign(call, { stop, now: () => { if (timer !== null) { stop(); run(); } } });
}

/** Runs when the browser has nothing better to do. */
export const idle = globalThis.requestIdleCallback?.bind(globalThis) ?? ((run) => setTimeout(run, 30));
