// A viewer bundle: a folder of pictures, values and the manifest scene.json that names them.

import { PageError } from "../failures.js";
import { getJson } from "../http.js";
import { place } from "../shell.js";
import { text } from "../text.js";
import { Cube } from "./cube.js";

const VERSION = 1;
const words = text.viewer;

function check(manifest) {
  if (manifest?.version !== VERSION) {
    throw new PageError(words.version(String(manifest?.version ?? "?")), { next: words.versionNext });
  }
  const needed = { width: Number.isInteger, height: Number.isInteger, dates: (each) => Array.isArray(each) && each.length > 0, styles: Array.isArray };
  for (const [name, right] of Object.entries(needed)) {
    if (!right(manifest[name])) throw new PageError(words.incomplete(name), { next: words.incompleteNext });
  }
  if (manifest.styles.length === 0) throw new PageError(words.noPictures, { next: words.incompleteNext });
}

/** One bundle. base: its address, with a slash at the end. Everything that a manifest may lack has a value here. */
export class Bundle {
  constructor(base, manifest) {
    this.base = base;
    this.manifest = manifest;
    this.title = String(manifest.title ?? "");
    this.width = manifest.width;
    this.height = manifest.height;
    this.dates = manifest.dates;
    this.bands = manifest.bands ?? [];
    this.styles = new Map(manifest.styles.map((style) => [style.name, style]));
    // A service's tag of this very result: what is asked for with it may be kept for ever.
    this.tag = manifest.v ? `?v=${encodeURIComponent(manifest.v)}` : "";
    this.cube = manifest.cube ? new Cube(`${base}cube/`, manifest.cube, this.tag) : null;
    this.at = new Map(manifest.dates.map((each, index) => [each.date, index]));
  }

  /** The address of a style's whole picture of a date. */
  picture(style, date) {
    return `${this.base}${encodeURIComponent(style)}/${encodeURIComponent(date)}.webp${this.tag}`;
  }

  /** The address of a cell of the pyramid: level 0 is full resolution, each further one half. */
  cell(style, date, level, row, column) {
    return `${this.base}${encodeURIComponent(style)}/${encodeURIComponent(date)}/${level}/${row}_${column}.webp${this.tag}`;
  }

  /** The address of the date's file, or nothing. Paths of files are relative to the result: beside the pictures, or under results/. */
  file(date) {
    const { file } = this.dates[this.at.get(date)] ?? {};
    return file ? this.base + (place === "service" ? "../results/" : "../") + file.split("/").map(encodeURIComponent).join("/") : null;
  }

  /** The further downloads: [{title, url}]. */
  get downloads() {
    return (this.manifest.downloads ?? []).map(({ title, path }) => ({ title: String(title), url: this.base + path }));
  }
}

/** Reads a bundle's manifest. Raises PageError where it is absent, damaged, or of a version unknown here. */
export async function loadBundle(base, { signal } = {}) {
  const manifest = await getJson(`${base}scene.json`, { signal });
  check(manifest);
  return new Bundle(base, manifest);
}
