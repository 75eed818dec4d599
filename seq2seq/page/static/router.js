// The fragment is the state: `#/jobs/ID/view?date=2021-05-01`. Links restore exactly what was seen.

import { routes } from "./routes.js";

/** Splits a fragment into its path and its parameters (an object of texts). */
export function parse(fragment) {
  const [path, query = ""] = fragment.replace(/^#/, "").split("?", 2);
  return { path: path || "/", query: Object.fromEntries(new URLSearchParams(query)) };
}

/** Writes path and parameters as a fragment; empty parameters are left out, and commas and slashes stay readable. */
export function format(path, query = {}) {
  const pairs = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const encode = (value) => encodeURIComponent(value).replace(/%2C/g, ",").replace(/%2F/g, "/").replace(/%3A/g, ":");
  return `#${path}${pairs.length ? "?" : ""}${pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&")}`;
}

/** The route of a path and the parameters in it, or nothing. `:id` in a pattern stands for one part. */
export function match(path) {
  for (const route of routes) {
    const names = [];
    const pattern = route.path.replace(/:(\w+)/g, (_, each) => { names.push(each); return "([^/]+)"; });
    const found = new RegExp(`^${pattern}/?$`).exec(path);
    if (found) return { route, params: Object.fromEntries(names.map((each, at) => [each, decodeURIComponent(found[at + 1])])) };
  }
  return null;
}

/** Goes to another view: a new entry in the history. */
export function go(path, query) {
  location.hash = format(path, query);
}

/** Writes the state of the view on show into the address: no new entry, and the view is not called. */
export function keep(query) {
  const { path } = parse(location.hash);
  history.replaceState(history.state, "", format(path, query));
}
