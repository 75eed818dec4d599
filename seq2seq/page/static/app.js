// Starts the page: header, theme, and the view that the fragment names.
//
// A view is a module with `async show(main, {params, query, signal})`. It fills `main` and may return
//   title    for the tab
//   update   (query) => true: takes new parameters of the same path itself (back, forward, an edited address)
//   leave    () => called before another view is shown; `signal` is aborted, too
// Errors it raises are shown in its place, in words (failures.js).

import { fill, h, icon } from "./dom.js";
import { showFailure, PageError } from "./failures.js";
import { match, parse } from "./router.js";
import { links, start } from "./routes.js";
import { announce, chosenTheme, entitle, nextTheme, startTheme } from "./shell.js";
import { text } from "./text.js";

const main = document.getElementById("main");
let current = { path: null, view: null, stopper: null };

function themeButton() {
  const label = () => text.shell.theme(text.shell.themes[chosenTheme()]);
  const button = h("button", {
    class: "quiet round", type: "button", "aria-label": label(), title: label(),
    onclick: () => {
      const words = text.shell.theme(text.shell.themes[nextTheme()]);
      button.setAttribute("aria-label", words);
      button.title = words;
      announce(words);
    },
  }, icon("M12 3a9 9 0 1 0 0 18z", "M12 3a9 9 0 0 1 0 18"));
  return button;
}

function drawHeader() {
  const items = links.map(([path, name]) => h("a", { href: `#${path}`, "data-path": path }, text.nav[name]));
  fill(document.getElementById("header"),
    h("a", { class: "brand", href: "#/" }, h("span", { class: "mark" }), h("span", { class: "name" }, text.product)),
    h("div", { id: "subject" }),
    items.length > 0 && h("nav", { "aria-label": text.shell.navigation }, items),
    h("div", { id: "tools" }), themeButton());
}

function markLink(path) {
  for (const link of document.querySelectorAll("nav [data-path]")) {
    if (link.dataset.path === path) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

async function leave() {
  current.stopper?.abort();
  await current.view?.leave?.();
  for (const id of ["subject", "tools"]) fill(document.getElementById(id));
  current = { path: null, view: null, stopper: null };
}

async function show({ path, query }) {
  const found = match(path === "/" ? start : path);
  const stopper = new AbortController();
  current = { path, view: null, stopper };
  markLink(path);
  try {
    if (!found) throw new PageError(text.failures.noView, { cause: path });
    const module = await found.route.load();
    const view = await module.show(main, { params: found.params, query, signal: stopper.signal });
    if (stopper.signal.aborted) return;
    current.view = view;
    entitle(view?.title);
  } catch (error) {
    if (stopper.signal.aborted) return;
    console.info(error);
    entitle(text.failures.title);
    showFailure(main, error);
  }
}

async function follow({ first = false } = {}) {
  const place = parse(location.hash);
  if (!first && place.path === current.path && current.view?.update?.(place.query)) return;
  await leave();
  await show(place);
  // Not on arrival: a reader starts at the top, and goes on at the new view afterwards.
  if (!first) main.focus({ preventScroll: true });
}

startTheme();
drawHeader();
const skip = document.getElementById("skip");
skip.textContent = text.shell.skip;
skip.addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
addEventListener("hashchange", () => follow());
follow({ first: true });
