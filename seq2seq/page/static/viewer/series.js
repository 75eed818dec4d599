// What a place tells over time, from stored values: pure arithmetic, tested against the files.
//
// For one pixel the means are over one value and thus the value itself: stored x scale + offset, as in the GeoTIFF.

import { dayTime } from "../format.js";

const DAY_MS = 86400000;

/** Makes a reader of one array's values: stored x scale + offset, NaN where there is no data. */
export function decoder({ scale = 1, offset = 0, nodata = null }) {
  return (stored) => (stored === nodata || Number.isNaN(stored) ? NaN : stored * scale + offset);
}

/** Decimals that show every stored value exactly: 4 for a scale of 0.0001; 6 for a scale that is no power of ten. */
export function decimals({ scale = 1 }) {
  const power = -Math.log10(scale);
  return Math.abs(power - Math.round(power)) < 1e-9 && power >= 0 ? Math.round(power) : 6;
}

/** Linear in time between the days where `usable`, constant beyond the first and last; NaN where there is none. */
export function interpolated(days, values, usable) {
  const result = new Float64Array(values.length).fill(NaN);
  let previous = -1;
  for (let t = 0; t < values.length; t += 1) {
    if (!usable[t]) continue;
    const from = previous < 0 ? 0 : previous + 1;
    for (let i = from; i < t; i += 1) {
      const share = previous < 0 ? 1 : (days[i] - days[previous]) / (days[t] - days[previous]);
      result[i] = previous < 0 ? values[t] : values[previous] + (values[t] - values[previous]) * share;
    }
    result[t] = values[t];
    previous = t;
  }
  if (previous >= 0) result.fill(values[previous], previous + 1);
  return result;
}

/** One band as it stands. */
export const band = (at) => ({
  bands: [at], value: ([value]) => value, sigma: (_, [sigma]) => sigma,
});

/** NDVI of near infrared and red; its deviation by the rule of small errors, taken as independent in the two bands. */
export const ndvi = (red, nir) => ({
  bands: [red, nir],
  value: ([r, n]) => (n - r) / (n + r),
  sigma: ([r, n], [sr, sn]) => (2 * Math.hypot(r * sn, n * sr)) / (n + r) ** 2,
});

class Mean {
  constructor(length) { this.sums = new Float64Array(length); this.counts = new Float64Array(length); }
  add(at, value) { if (!Number.isNaN(value)) { this.sums[at] += value; this.counts[at] += 1; } }
  get values() { return this.sums.map((sum, at) => (this.counts[at] > 0 ? sum / this.counts[at] : NaN)); }
}

/** Reads one quantity of one array at one pixel of a chunk for all dates. */
function reader(chunk, spec, bandCount, quantity) {
  const decode = decoder(spec);
  const area = chunk.height * chunk.width;
  const got = quantity.bands.map(() => NaN);
  return (t, place) => {
    for (let i = 0; i < got.length; i += 1) got[i] = decode(chunk.data[(t * bandCount + quantity.bands[i]) * area + place]);
    return got;
  };
}

/** Adds one pixel's series to the means. */
function addPixel(place, { days, means, read, observedAt, quantity }) {
  const count = days.length;
  const before = new Float64Array(count).fill(NaN);
  const usable = new Uint8Array(count);
  for (let t = 0; t < count; t += 1) {
    if (read.before) before[t] = quantity.value(read.before(t, place));
    usable[t] = observedAt(t, place) && !Number.isNaN(before[t]) ? 1 : 0;
    means.share.add(t, usable[t]);
    (usable[t] ? means.observed : means.masked).add(t, before[t]);
    if (!read.after) continue;
    const after = [...read.after(t, place)];
    means.after.add(t, quantity.value(after));
    if (read.sigma) means.sigma.add(t, quantity.sigma(after, read.sigma(t, place)));
  }
  interpolated(days, before, usable).forEach((value, t) => means.linear.add(t, value));
}

/**
 * Averages a quantity over a window's pixels, by date: {share, observed, masked, linear, after, sigma}, each (T,), NaN
 * where there is none. blocks: of Cube.window; specs: `cube.arrays` of the manifest; dates: "2021-05-01", ...
 */
export function series(blocks, specs, dates, quantity) {
  const days = dates.map((date) => dayTime(date) / DAY_MS);
  const means = Object.fromEntries(
    ["share", "observed", "masked", "linear", "after", "sigma"].map((name) => [name, new Mean(dates.length)]));
  for (const block of blocks) {
    const read = {};
    for (const name of ["before", "after", "sigma"]) {
      const chunk = block.arrays[name];
      if (chunk) read[name] = reader(chunk, specs[name], chunk.layers / dates.length, quantity);
    }
    const { mask } = block.arrays;
    const area = mask ? mask.height * mask.width : 0;
    const observedAt = (t, place) => !mask || mask.data[t * area + place] === 0;
    const { width } = Object.values(block.arrays)[0];
    for (let row = block.top; row < block.bottom; row += 1) {
      for (let column = block.left; column < block.right; column += 1) {
        addPixel(row * width + column, { days, means, read, observedAt, quantity });
      }
    }
  }
  return Object.fromEntries(Object.entries(means).map(([name, mean]) => [name, mean.values]));
}

/** Averages one band of one array over a window, by date, (T,): the radar's, or any without a mask. */
export function plainSeries(blocks, name, spec, dateCount, at) {
  const mean = new Mean(dateCount);
  for (const block of blocks) {
    const chunk = block.arrays[name];
    const read = reader(chunk, spec, chunk.layers / dateCount, { bands: [at] });
    for (let row = block.top; row < block.bottom; row += 1) {
      for (let column = block.left; column < block.right; column += 1) {
        for (let t = 0; t < dateCount; t += 1) mean.add(t, read(t, row * chunk.width + column)[0]);
      }
    }
  }
  return mean.values;
}
