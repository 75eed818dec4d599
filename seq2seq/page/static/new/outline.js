// An area from text: four numbers, or GeoJSON, of which the service takes the box around it; and its size on the ground.

import { text } from "../jobs/text.js";

const words = text.area;
// As deep as GeoJSON's collections in collections are read by the service.
const DEPTH = 12;
const PARTS = ["features", "geometries", "geometry", "coordinates"];
const DEGREE_M = 111_320;
const MILLIONTHS = 1e6;

const isPosition = (found) => Array.isArray(found) && found.length >= 2 && found.slice(0, 2).every(Number.isFinite);

/** Lines of positions in a GeoJSON object: [[[longitude, latitude], ...], ...]. */
function linesOf(found, depth = DEPTH) {
  if (depth < 0 || found === null || typeof found !== "object") return [];
  if (isPosition(found)) return [[found]];
  if (!Array.isArray(found)) return PARTS.flatMap((name) => linesOf(found[name], depth - 1));
  return found.length > 0 && found.every(isPosition) ? [found] : found.flatMap((part) => linesOf(part, depth - 1));
}

/** The box around lines, no smaller than they are, in millionths of a degree: a tenth of a metre. */
function boxAround(lines) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [longitude, latitude] of lines.flat()) {
    box[0] = Math.min(box[0], longitude);
    box[1] = Math.min(box[1], latitude);
    box[2] = Math.max(box[2], longitude);
    box[3] = Math.max(box[3], latitude);
  }
  return box.map((value, at) => (at < 2 ? Math.floor(value * MILLIONTHS) : Math.ceil(value * MILLIONTHS)) / MILLIONTHS);
}

function parsed(typed) {
  try {
    return JSON.parse(typed);
  } catch {
    throw new Error(words.notGeoJson);
  }
}

/** {box: [west, south, east, north], lines} of what was typed, pasted or dropped. Raises an error in words. */
export function readArea(typed) {
  const numbers = typed.split(/[\s,;]+/).filter(Boolean).map(Number);
  if (numbers.length === 4 && numbers.every(Number.isFinite)) return { box: numbers, lines: [] };
  const found = parsed(typed);
  const crs = JSON.stringify(found?.crs ?? null);
  if (crs !== "null" && !/CRS84|4326/.test(crs)) throw new Error(words.otherCrs);
  const lines = linesOf(found);
  if (lines.length === 0) throw new Error(words.noCoordinates);
  if (lines.flat().some(([x, y]) => Math.abs(x) > 180 || Math.abs(y) > 90)) throw new Error(words.otherCrs);
  return { box: boxAround(lines), lines };
}

/** Metres from west to east, at the middle, and from south to north, about. */
export function sizeOf([west, south, east, north]) {
  const middle = ((south + north) / 2) * (Math.PI / 180);
  return { width: (east - west) * DEGREE_M * Math.cos(middle), height: (north - south) * DEGREE_M };
}
