// Files out of the page: what it made itself, and what the result holds.

import { h, icon } from "../dom.js";
import { get, key } from "../http.js";
import { oneLine } from "../failures.js";
import { place, toast } from "../shell.js";

/** Lets the browser save a blob under a name. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

const lastPart = (url) => decodeURIComponent(url.split("?")[0].split("/").pop());

/** A link that downloads. Where a key is needed or the page is one file, the page fetches the file itself. */
export function download(title, url) {
  const byPage = place === "file" || key() !== null;
  const fetchIt = async (event) => {
    event.preventDefault();
    try {
      save(await (await get(url)).blob(), lastPart(url));
    } catch (error) {
      toast(oneLine(error));
    }
  };
  return h("a", { class: "button wide", href: url, download: lastPart(url), onclick: byPage ? fetchIt : null },
    icon("M12 4v11M7 11l5 5 5-5M5 20h14"), h("span", {}, title));
}
