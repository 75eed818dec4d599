// All views. `load` gives a module with `show(main, {params, query, signal})`; see app.js for what it may return.
// `in` names the places where the route exists: "service", "view", "file" (shell.js).

import { place } from "./shell.js";

const viewer = () => import("./viewer/view.js");

const all = [
  { path: "/view", in: ["service", "view", "file"], load: viewer },
  { path: "/jobs/:id/view", in: ["service"], load: viewer },
];

export const routes = all.filter((route) => route.in.includes(place));

/** What `#/` shows here: a finished folder's viewer, or the service's jobs. */
export const start = "/view";

/** Links in the header: [path, key of text.nav]. */
export const links = place === "service" ? [] : [];
