// Mouse, pen and fingers on the stage: drag to move, wheel and pinch to zoom, click to pick, drag to draw a box.

const CLICK_PX = 5;

/**
 * Listens on `element`. `on` has: press(point), pick(point), pan(dx, dy), zoom(factor, point), box(from, to, done),
 * hover(point or null), divides(point) (whether a drag there moves the divider), divide(point), boxes() (whether a drag draws).
 */
export function listen(element, on, signal) {
  const pointers = new Map();
  let start = null;
  let kind = null;

  const point = (event) => {
    const { left, top } = element.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };
  const apart = ([a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]);
  const middle = ([a, b]) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];

  function down(event) {
    if (event.target.closest("button, select, input, a") || event.button > 0) return;
    element.setPointerCapture(event.pointerId);
    const at = point(event);
    pointers.set(event.pointerId, at);
    if (pointers.size === 1) {
      start = at;
      kind = "press";
      if (on.divides(at)) kind = "divide";
      else if (on.boxes(event)) kind = "box";
      else on.press(at);
    } else {
      kind = "pinch";
    }
  }

  function pinch(event, at) {
    const before = [...pointers.values()].slice(0, 2);
    pointers.set(event.pointerId, at);
    const after = [...pointers.values()].slice(0, 2);
    on.pan(middle(after)[0] - middle(before)[0], middle(after)[1] - middle(before)[1]);
    on.zoom(apart(after) / Math.max(apart(before), 1), middle(after));
  }

  function move(event) {
    const at = point(event);
    const last = pointers.get(event.pointerId);
    if (event.pointerType === "mouse") on.hover(event.target.closest("button, select") ? null : at);
    if (!last) return;
    if (kind === "pinch") return pinch(event, at);
    if (kind === "press" && apart([start, at]) > CLICK_PX) kind = "pan";
    if (kind === "pan") on.pan(at[0] - last[0], at[1] - last[1]);
    else if (kind === "box" && apart([start, at]) > CLICK_PX) on.box(start, at, false);
    else if (kind === "divide") on.divide(at);
    pointers.set(event.pointerId, at);
    return undefined;
  }

  function up(event) {
    if (!pointers.delete(event.pointerId)) return;
    const at = point(event);
    const still = start && apart([start, at]) <= CLICK_PX;
    if (kind === "press" || (kind === "box" && still)) on.pick(at);
    else if (kind === "box") on.box(start, at, true);
    if (pointers.size === 0) kind = null;
  }

  function wheel(event) {
    event.preventDefault();
    const pixels = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    on.zoom(Math.exp(-Math.max(-200, Math.min(200, pixels)) * (event.ctrlKey ? 0.01 : 0.002)), point(event));
  }

  element.addEventListener("pointerdown", down, { signal });
  element.addEventListener("pointermove", move, { signal });
  element.addEventListener("pointerup", up, { signal });
  element.addEventListener("pointercancel", (event) => { pointers.delete(event.pointerId); kind = null; }, { signal });
  element.addEventListener("pointerleave", () => on.hover(null), { signal });
  element.addEventListener("wheel", wheel, { passive: false, signal });
  element.addEventListener("dblclick", (event) => {
    if (!event.target.closest("button, select, input")) on.zoom(2, point(event));
  }, { signal });
}
