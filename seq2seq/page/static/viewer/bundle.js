// A viewer bundle: a folder of pictures, values and the manifest scene.json that names them.

import { PageError } from "../failures.js";
import { getJson } from "../http.js";
import { place } from "../shell.js";
import { text } from "../text.js";
import { Cube } from "./cube.js";
import { Scene } from "./scene.js";

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

/** One bundle. Everything that a manifest may lack has a value here. */
export class Bundle extends Scene {
  constructor(base, manifest) {
    super(base, manifest);
    this.title = String(manifest.title ?? "");
    this.bands = manifest.bands ?? [];
    this.cube = manifest.cube ? new Cube(`${base}cube/`, manifest.cube, this.tag) : null;
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
