// The files of a result. Where a key is needed, a signed address is asked for at the click: the browser then loads the
// file itself, however large it is, and the key is in no address.

import { h, icon } from "../dom.js";
import { oneLine } from "../failures.js";
import { bytes } from "../format.js";
import { key } from "../http.js";
import { askJson, jobUrl } from "../jobs/api.js";
import { toast } from "../shell.js";
import { text } from "../jobs/text.js";

const words = text.watch;
const ARROW = ["M12 4v11M7 11l5 5 5-5M5 20h14"];
const all = (results) => Object.values(results).flat();
const last = (file) => String(file.path ?? "results.zip").split("/").at(-1);
const ofHref = (file) => decodeURIComponent(new URL(file.href).pathname);

function link(id, file, title, { primary = false, open = false } = {}) {
  const address = file.path ? jobUrl(id, `/results/${file.path.split("/").map(encodeURIComponent).join("/")}`) : jobUrl(id, "/results.zip");
  const signed = async (event) => {
    event.preventDefault();
    try {
      const found = all(await askJson(jobUrl(id, "/results?signed=true"))).find((each) => each.path === file.path && (file.path || ofHref(each).endsWith("/results.zip")));
      const way = h("a", { href: found.href, ...(open ? { target: "_blank", rel: "noopener" } : { download: last(file) }) });
      document.body.append(way);
      way.click();
      way.remove();
    } catch (error) {
      toast(oneLine(error));
    }
  };
  return h("a", { class: `button${primary ? " primary" : ""}`, href: address, ...(open ? { target: "_blank", rel: "noopener" } : { download: last(file) }), onclick: key() ? signed : null },
    icon(...ARROW), h("span", {}, title), file.size > 0 && h("span", { class: "size" }, bytes(file.size)));
}

/** Links to all files, the report, STAC; the rest folded, one list for each kind. */
export function downloads(job, results) {
  const { archive, report, stac, manifest: _, declouded, uncertainty, cloud_mask: mask, styles: qgis, ...others } = results;
  const of = (value) => [value ?? []].flat();
  const html = of(report).find((each) => each.type?.startsWith("text/html"));
  const collection = of(stac).find((each) => each.path?.endsWith("collection.json"));
  const titled = (file) => h("li", {}, link(job.id, file, file.path));
  const kinds = [declouded, uncertainty, mask, ...Object.values(others), stac, qgis].map(of).filter((files) => files.length > 0)
    .map((files) => h("details", { class: "fold" }, h("summary", {}, words.filesOfKind(String(files[0].title ?? "").split(":")[0], files.length)), h("ul", { class: "file-list" }, files.map(titled))));
  return h("section", { class: "card downloads", "aria-labelledby": "downloads-title" }, h("h2", { id: "downloads-title" }, words.downloads),
    h("div", { class: "line" }, archive && link(job.id, archive, words.allFiles, { primary: true }), html && link(job.id, html, words.reportFile, { open: true }), collection && link(job.id, collection, words.stacFile)), h("div", { class: "kinds" }, kinds));
}

/** A link that opens the printable report of a result, or nothing. */
export function reportLink(id, results) {
  const html = [results.report ?? []].flat().find((each) => each.type?.startsWith("text/html"));
  return html ? link(id, html, words.reportFile, { open: true }) : null;
}
