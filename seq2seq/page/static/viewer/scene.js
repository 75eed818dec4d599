// What a manifest, scene.json, says of pictures. Alone, because the first ones are asked for before anything else is there.

/** base: the bundle's address, with a slash at the end. */
export class Scene {
  constructor(base, manifest) {
    this.base = base;
    this.manifest = manifest;
    this.width = manifest.width;
    this.height = manifest.height;
    this.dates = manifest.dates;
    this.styles = new Map(manifest.styles.map((style) => [style.name, style]));
    // A service's tag of this very result: what is asked for with it may be kept for ever.
    this.tag = manifest.v ? `?v=${encodeURIComponent(manifest.v)}` : "";
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
}
