// Draws one pane: the date's picture, the cells of the pyramid where they are finer, the marks of cloud above.

import { toPane, toScene } from "./camera.js";

const CELL = 256;

/** The scene's window that a pane shows, {left, top, right, bottom}, cut at the scene's edges. */
function seen(camera, pane, scene) {
  const [left, top] = toScene(camera, pane, [0, 0]);
  const [right, bottom] = toScene(camera, pane, [pane.width, pane.height]);
  return {
    left: Math.max(left, 0), top: Math.max(top, 0), right: Math.min(right, scene.width), bottom: Math.min(bottom, scene.height),
  };
}

/**
 * The level of the pyramid that a scale (device pixels per pixel) needs, or the finest there is: 0 is full resolution.
 * `null`: the whole picture will do.
 */
export function level(bundle, scale) {
  const { levels = 0, finest = 0, overview } = bundle.manifest;
  const wholeScale = (overview?.[0] ?? bundle.width) / bundle.width;
  if (!levels || scale <= wholeScale * 1.05) return null;
  return Math.min(Math.max(Math.floor(Math.log2(1 / scale) + 1e-6), finest), levels - 1);
}

/** Of how many pixels of the scene a side a picture shows one, where a scale asks for more than there is; else 1. */
export function coarser(bundle, scale) {
  const { levels = 0, finest = 0 } = bundle.manifest;
  return levels && finest && scale * 2 ** finest > 1.5 ? 2 ** finest : 1;
}

/** The cells of a level in a window: [{url, left, top, right, bottom}] in pixels of the scene. */
export function cells(bundle, style, date, at, window) {
  const side = (bundle.manifest.cell_px ?? CELL) * 2 ** at;
  const found = [];
  for (let row = Math.floor(window.top / side); row * side < window.bottom; row += 1) {
    for (let column = Math.floor(window.left / side); column * side < window.right; column += 1) {
      found.push({
        url: bundle.cell(style, date, at, row, column), left: column * side, top: row * side,
        right: Math.min((column + 1) * side, bundle.width), bottom: Math.min((row + 1) * side, bundle.height),
      });
    }
  }
  return found;
}

function drawAt(context, bitmap, { left, top, right, bottom }, { camera, pane }) {
  const [x, y] = toPane(camera, pane, [left, top]);
  const [x1, y1] = toPane(camera, pane, [right, bottom]);
  context.drawImage(bitmap, x, y, x1 - x, y1 - y);
}

/** Draws a style of a date; says whether anything was there. */
export function drawStyle(context, { bundle, style, date, pictures, camera, pane, ratio }) {
  const whole = bundle.picture(style, date);
  pictures.want(whole);
  const bitmap = pictures.peek(whole);
  const view = { camera, pane };
  if (bitmap) drawAt(context, bitmap, { left: 0, top: 0, right: bundle.width, bottom: bundle.height }, view);
  const at = level(bundle, camera.scale * ratio);
  if (at !== null) {
    for (const cell of cells(bundle, style, date, at, seen(camera, pane, bundle))) {
      pictures.want(cell.url);
      const fine = pictures.peek(cell.url);
      if (fine) drawAt(context, fine, cell, view);
    }
  }
  return Boolean(bitmap);
}

/** Prepares a canvas for a pane of a size in CSS pixels; `visible`, [left, right], is what of it is seen and drawn. Pixels stay square once each is two screen pixels or more. */
export function begin(canvas, { pane, camera, ratio, visible }) {
  const [width, height] = [Math.round(pane.width * ratio), Math.round(pane.height * ratio)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.reset();
  context.setTransform(width / pane.width, 0, 0, height / pane.height, 0, 0);
  context.beginPath();
  context.rect(visible[0], 0, visible[1] - visible[0], pane.height);
  context.clip();
  context.imageSmoothingEnabled = camera.scale * ratio < 2;
  context.imageSmoothingQuality = camera.scale * ratio < 1 ? "medium" : "low";
  return context;
}
