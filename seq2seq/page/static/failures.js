// What can go wrong, in words: a title, a cause, what to do next.

import { fill, h } from "./dom.js";
import { text } from "./text.js";

/** An error a reader can act on. title: what is the matter; cause: why, or nothing; next: what to do, or nothing. */
export class PageError extends Error {
  constructor(title, { cause = "", next = "" } = {}) {
    super(title);
    this.name = "PageError";
    this.reason = cause;
    this.next = next;
  }
}

/** Turns any error into one with words of ours; the browser's own words become its cause. */
export function inWords(error) {
  if (error instanceof PageError) return error;
  return new PageError(text.failures.unexpected, { cause: String(error?.message ?? error), next: text.failures.reload });
}

/** One line of an error: title, cause, next step. */
export function oneLine(error) {
  const { message, reason, next } = inWords(error);
  return [message, reason, next].filter(Boolean).join(" ");
}

/** Shows an error in place of a view. */
export function showFailure(element, error) {
  const { message, reason, next } = inWords(error);
  fill(element, h("section", { class: "failure", role: "alert" },
    h("h1", {}, message), reason && h("p", { class: "soft" }, reason), next && h("p", {}, next),
    h("p", {}, h("a", { class: "button", href: "#/" }, text.shell.home))));
}
