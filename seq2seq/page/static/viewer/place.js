// What was found at a place: series of a quantity with its range, radar, spectra; as rows, and as CSV.

import { dayTime } from "../format.js";
import { band, decimals, decoder, ndvi, plainSeries, series } from "./series.js";

/** The most pixels a side of a box. */
export const BOX_LIMIT = 256;

const byName = (bands, name) => bands.indexOf(name);

/** What can be shown of a bundle: [[key, title]], NDVI where red and near infrared are there. */
export function quantities(bundle) {
  const names = bandNames(bundle);
  const index = byName(names, "B04") >= 0 && byName(names, "B08") >= 0 ? [["ndvi", "NDVI"]] : [];
  return [...index, ...names.map((name) => [name, name])];
}

/** The quantity to begin with: NDVI, else the first band. */
export const firstQuantity = (bundle) => quantities(bundle)[0]?.[0] ?? null;

/** Names of the cube's bands, in its order. */
export function bandNames({ cube, bands }) {
  const arrays = cube?.arrays ?? {};
  return (arrays.after ?? arrays.before)?.bands ?? bands.map(({ name }) => name);
}

function asked(bundle, key) {
  const names = bandNames(bundle);
  return key === "ndvi" ? ndvi(byName(names, "B04"), byName(names, "B08")) : band(byName(names, key));
}

/** Everything about one place of one bundle, from the cube's blocks under it. */
export class Place {
  constructor(bundle, window, blocks) {
    Object.assign(this, { bundle, window, blocks });
    this.dates = bundle.dates.map(({ date }) => date);
    this.times = this.dates.map(dayTime);
    this.factor = bundle.manifest.interval_90 ?? 1.6449;
  }

  /** Reads it. Raises PageError where values are damaged or unreachable. */
  static async read(bundle, window) {
    return new Place(bundle, window, await bundle.cube.window(window));
  }

  /** Decimals that show the quantity's values exactly. */
  decimals(key) {
    const { after, before } = this.bundle.cube.arrays;
    return key === "ndvi" ? 4 : decimals(after ?? before ?? {});
  }

  /** Rows of a quantity over time: times, observed, masked, linear, after, low, high, share: each (T,). */
  over(key) {
    const found = series(this.blocks, this.bundle.cube.arrays, this.dates, asked(this.bundle, key));
    // An index of two reflectances cannot leave -1 ... 1, however wide the range.
    const bounded = (value) => (key === "ndvi" ? Math.min(Math.max(value, -1), 1) : value);
    const edge = (sign) => found.after.map((value, t) => bounded(value + sign * this.factor * found.sigma[t]));
    return { times: this.times, ...found, low: edge(-1), high: edge(1) };
  }

  /** The radar's bands over time: [{name, values (T,)}], empty where there is none. */
  radar() {
    const spec = this.bundle.cube.arrays.s1;
    const names = spec?.bands ?? this.bundle.manifest.s1_bands ?? [];
    if (!spec) return [];
    return names.map((name, at) => ({ name, values: plainSeries(this.blocks, "s1", spec, this.dates.length, at) }))
      .filter(({ values }) => values.some(Number.isFinite));
  }

  /** The spectrum at a date: {names, wavelengths, before, after, low, high}: each (C,), by wavelength; observed: bool. */
  spectrum(t) {
    const names = bandNames(this.bundle);
    const waves = new Map(this.bundle.bands.map(({ name, wavelength_nm: wave }) => [name, wave]));
    const order = names.map((name, at) => ({ name, at, wave: waves.get(name) }))
      .filter(({ wave }) => Number.isFinite(wave)).sort((one, two) => one.wave - two.wave);
    const mean = (name, at) => {
      const spec = this.bundle.cube.arrays[name];
      return spec ? this.#meanAt(name, spec, t, at) : NaN;
    };
    const after = order.map(({ at }) => mean("after", at));
    const sigma = order.map(({ at }) => mean("sigma", at));
    return {
      names: order.map(({ name }) => name), wavelengths: order.map(({ wave }) => wave), after,
      before: order.map(({ at }) => mean("before", at)), observed: this.share(t) > 0,
      low: after.map((value, i) => value - this.factor * sigma[i]), high: after.map((value, i) => value + this.factor * sigma[i]),
    };
  }

  /** The share of the place that was observed at a date number. */
  share(t) {
    let [seen, all] = [0, 0];
    this.#each("mask", (data, area, place) => { all += 1; seen += data[t * area + place] === 0 ? 1 : 0; });
    return all === 0 ? 1 : seen / all;
  }

  #each(name, visit) {
    for (const block of this.blocks) {
      const chunk = block.arrays[name];
      if (!chunk) continue;
      for (let row = block.top; row < block.bottom; row += 1) {
        for (let column = block.left; column < block.right; column += 1) {
          visit(chunk.data, chunk.height * chunk.width, row * chunk.width + column, chunk, block);
        }
      }
    }
  }

  /** One band's mean at one date; of the input over what was observed, where anything was. */
  #meanAt(name, spec, t, at) {
    const decode = decoder(spec);
    const onlySeen = name === "before" && this.bundle.cube.arrays.mask && this.share(t) > 0;
    let [sum, count] = [0, 0];
    this.#each(name, (data, area, place, chunk, block) => {
      const { mask } = block.arrays;
      if (onlySeen && mask.data[t * mask.height * mask.width + place] !== 0) return;
      const value = decode(data[(t * (chunk.layers / this.dates.length) + at) * area + place]);
      if (!Number.isNaN(value)) { sum += value; count += 1; }
    });
    return count === 0 ? NaN : sum / count;
  }

  /** How a date was seen here: "observed", "masked" or "none". */
  state(rows, t) {
    if (Number.isFinite(rows.observed[t])) return "observed";
    return Number.isFinite(rows.masked[t]) ? "masked" : "none";
  }
}

const quoted = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
/** A text that a spreadsheet would take for a formula starts with an apostrophe. */
const harmless = (value) => quoted(/^[=+\-@\t]/.test(value) ? `'${value}` : value);

/** All that the chart shows as CSV with a header; numbers with so many decimals as show the file's values exactly. */
export function csv(place, key) {
  const rows = place.over(key);
  const radar = place.radar();
  const { top, left, bottom, right } = place.window;
  const places = place.decimals(key) + (bottom - top > 1 || right - left > 1 ? 2 : 0);
  const cell = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : "");
  const title = key === "ndvi" ? "ndvi" : key;
  const head = ["date", "seen", "share_observed", ...["observed", "masked", "interpolated", "result", "low_90", "high_90"].map((each) => `${title}_${each}`),
    ...radar.map(({ name }) => `s1_${name}_db`)];
  const lines = place.dates.map((date, t) => [
    harmless(date), place.state(rows, t), cell(rows.share[t], 3),
    ...["observed", "masked"].map((name) => cell(rows[name][t], places)), cell(rows.linear[t], places + 2), cell(rows.after[t], places),
    cell(rows.low[t], places + 2), cell(rows.high[t], places + 2), ...radar.map(({ values }) => cell(values[t], 2)),
  ]);
  return [head.map(harmless), ...lines].map((line) => `${line.join(",")}\r\n`).join("");
}
