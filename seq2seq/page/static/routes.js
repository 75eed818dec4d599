// All views. `load` gives a module with `show(main, {params, query, signal})`; see app.js for what it may return.
// `in` names the places where the route exists: "service", "view", "file" (shell.js).

import { place } from "./shell.js";

const viewer = () => import("./viewer/view.js");
const keyed = (load) => async () => (await import("./jobs/key.js")).keyed(load());

const all = [
  { path: "/view", in: ["view", "file"], load: viewer },
  { path: "/jobs", in: ["service"], load: keyed(() => import("./jobs/view.js")) },
  { path: "/new", in: ["service"], load: keyed(() => import("./new/view.js")) },
  { path: "/jobs/:id", in: ["service"], load: keyed(() => import("./watch/view.js")) },
  { path: "/jobs/:id/view", in: ["service"], load: keyed(viewer) },
  { path: "/jobs/:id/report", in: ["service"], load: keyed(() => import("./report/view.js")) },
];

export const routes = all.filter((route) => route.in.includes(place));

/** What `#/` shows here: a finished folder's viewer, or the service's jobs. */
export const start = place === "service" ? "/jobs" : "/view";

/** Links in the header: [path, key of text.nav]. */
export const links = place === "service" ? [["/", "jobs"], ["/new", "new"]] : [];
