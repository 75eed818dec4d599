// Where one looks: a centre in pixels of the scene (x right, y down) and a scale in screen pixels per pixel of the scene.
// Pure arithmetic, so that zooming keeps the point under the cursor by construction.

const MOST = 64;

/** The camera that shows all of a scene, {width, height}, in a pane, {width, height}. */
export function fitting(scene, pane, margin = 12) {
  const room = (side) => Math.max(pane[side] - 2 * margin, 16);
  const scale = Math.min(room("width") / scene.width, room("height") / scene.height);
  return { x: scene.width / 2, y: scene.height / 2, scale };
}

/** The scale within bounds (no smaller than half of what fits, no larger than 64), the centre inside the scene. */
export function bounded(camera, scene, pane) {
  const least = Math.min(fitting(scene, pane).scale / 2, 1);
  const within = (value, low, high) => Math.min(Math.max(value, low), high);
  return {
    x: within(camera.x, 0, scene.width), y: within(camera.y, 0, scene.height), scale: within(camera.scale, least, MOST),
  };
}

/** The point of the scene under a point of the pane. */
export function toScene(camera, pane, [px, py]) {
  return [camera.x + (px - pane.width / 2) / camera.scale, camera.y + (py - pane.height / 2) / camera.scale];
}

/** The point of the pane over a point of the scene: `toScene` backwards. */
export function toPane(camera, pane, [x, y]) {
  return [(x - camera.x) * camera.scale + pane.width / 2, (y - camera.y) * camera.scale + pane.height / 2];
}

/** Moved by so many screen pixels, as if the picture were dragged. */
export function moved(camera, dx, dy) {
  return { ...camera, x: camera.x - dx / camera.scale, y: camera.y - dy / camera.scale };
}

/** Scaled by a factor; the point of the scene under `point` stays there. */
export function zoomed(camera, factor, point, pane, scene) {
  const [x, y] = toScene(camera, pane, point);
  const scale = bounded({ ...camera, scale: camera.scale * factor }, scene, pane).scale;
  return { x: x - (point[0] - pane.width / 2) / scale, y: y - (point[1] - pane.height / 2) / scale, scale };
}
