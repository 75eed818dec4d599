// The viewer's state and its spelling in the address. What stands at its default is not spelt: links stay short.

/** The ways to compare. */
export const WAYS = ["swipe", "side", "one"];

const THEMES = ["rgb", "false", "ndvi", "s1", "uncertainty", "difference"];
const PLAIN = new Set(["s1", "uncertainty", "difference"]);

/** The themes that a bundle has pictures of, in order; styles of other names are themes of their own. */
export function themes(bundle) {
  const known = THEMES.filter((name) => bundle.styles.has(name) || bundle.styles.has(`${name}-before`));
  const own = [...bundle.styles.keys()].map((name) => name.replace(/-before$/, ""));
  return [...new Set([...known, ...own.filter((name) => name !== "mask")])];
}

/** The layers [left, right] of a theme. What has no "before" is compared with the natural colours. */
export function pair(bundle, theme, other = null) {
  const right = bundle.styles.has(theme) ? theme : `${theme}-before`;
  if (other) return [other.styles.has(right) ? `2.${right}` : `2.${[...other.styles.keys()][0]}`, right];
  if (bundle.styles.has(`${theme}-before`)) return [`${theme}-before`, right];
  const beside = PLAIN.has(theme) && bundle.styles.has("rgb") ? "rgb" : right;
  return theme === "s1" ? [right, beside] : [beside, right];
}

const whole = (text, count) => {
  const numbers = (text ?? "").split(",").map(Number);
  return numbers.length === count && numbers.every(Number.isInteger) ? numbers : null;
};
const real = (text, low, high) => {
  const value = text === undefined || text === "" ? NaN : Number(text);
  return Number.isFinite(value) && value >= low && value <= high ? value : null;
};

/** A window of one pixel or a box, {top, left, bottom, right}, or nothing where it is not inside the scene. */
function place(query, bundle) {
  const pixel = whole(query.px, 2);
  const box = whole(query.box, 4);
  const window = pixel ? { top: pixel[0], left: pixel[1], bottom: pixel[0] + 1, right: pixel[1] + 1 }
    : box && { top: box[0], left: box[1], bottom: box[2], right: box[3] };
  if (!window) return null;
  const inside = window.top >= 0 && window.left >= 0 && window.top < window.bottom && window.left < window.right
    && window.bottom <= bundle.height && window.right <= bundle.width;
  return inside ? window : null;
}

/** The date to start with: the one asked for, else the acquired date nearest to half clouded, which shows most. */
export function firstDate(bundle, asked) {
  if (bundle.at.has(asked)) return asked;
  const apart = ({ cloud }) => Math.abs((cloud ?? 0) - 0.5);
  const shown = bundle.dates.filter((each) => each.acquired !== false);
  return (shown.sort((one, two) => apart(one) - apart(two))[0] ?? bundle.dates[0]).date;
}

/** Reads the parameters of a fragment; what is absent or wrong takes its default. */
export function read(query, bundle, other = null) {
  const layerExists = (id) => (id?.startsWith("2.") ? other?.styles.has(id.slice(2)) : bundle.styles.has(id));
  const all = themes(bundle);
  const theme = all.includes(query.layer) ? query.layer : all[0];
  const [left, right] = pair(bundle, theme, other);
  const camera = { x: real(query.x, 0, bundle.width), y: real(query.y, 0, bundle.height), scale: real(query.zoom, 1e-3, 64) };
  return {
    date: firstDate(bundle, query.date),
    left: layerExists(query.left) ? query.left : left, right: layerExists(query.right) ? query.right : right,
    swipe: real(query.swipe, 0, 1) ?? 0.5, way: WAYS.includes(query.compare) ? query.compare : "swipe",
    camera: Object.values(camera).includes(null) ? null : camera,
    window: place(query, bundle), quantity: query.show ?? null, mask: query.mask === "1", with: query.with ?? null,
  };
}

/** The theme whose pair the two layers are, or nothing. */
export function themeOf(state, bundle, other = null) {
  return themes(bundle).find((theme) => {
    const [left, right] = pair(bundle, theme, other);
    return left === state.left && right === state.right;
  }) ?? null;
}

/** Writes the parameters: `read` of them gives the state again. */
export function write(state, bundle, other = null) {
  const theme = themeOf(state, bundle, other);
  const { window: at, camera } = state;
  const pixel = at && at.bottom - at.top === 1 && at.right - at.left === 1;
  return {
    date: state.date, layer: theme, left: theme ? null : state.left, right: theme ? null : state.right,
    swipe: state.swipe === 0.5 ? null : +state.swipe.toFixed(3), compare: state.way === "swipe" ? null : state.way,
    x: camera && +camera.x.toFixed(3), y: camera && +camera.y.toFixed(3), zoom: camera && +camera.scale.toFixed(4),
    px: pixel ? `${at.top},${at.left}` : null, box: at && !pixel ? `${at.top},${at.left},${at.bottom},${at.right}` : null,
    show: state.quantity, mask: state.mask ? "1" : null, with: state.with,
  };
}
