// Arithmetic of the frame around a hand. Boxes are [left, top, right, bottom] in pixels of the picture.

export const SMALLEST_BOX = 16; // pixels of the picture

const clamp = (value, most) => Math.min(Math.max(value, 0), most);

/** The box with its edges in order, on the picture, and not too small to be held. */
export function tidyBox([left, top, right, bottom], width, height) {
  const least = Math.min(SMALLEST_BOX, width, height);
  let [l, r] = [clamp(Math.min(left, right), width), clamp(Math.max(left, right), width)];
  let [t, b] = [clamp(Math.min(top, bottom), height), clamp(Math.max(top, bottom), height)];
  if (r - l < least) { l = clamp(l, width - least); r = l + least; }
  if (b - t < least) { t = clamp(t, height - least); b = t + least; }
  return [l, t, r, b];
}

/** The box moved by (dx, dy), but not off the picture. */
export function shifted([left, top, right, bottom], dx, dy, width, height) {
  const x = Math.min(Math.max(dx, -left), width - right);
  const y = Math.min(Math.max(dy, -top), height - bottom);
  return tidyBox([left + x, top + y, right + x, bottom + y], width, height);
}

/**
 * What a drag makes of a box: `edge` is "new" (a box from where it began), "move", or the corner that is held, such as
 * "nw"; `from` and `to` are [x, y] where the drag began and is now.
 */
export function dragged(edge, box, from, to, width, height) {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  if (edge === "new") return tidyBox([...from, ...to], width, height);
  if (edge === "move") return shifted(box, dx, dy, width, height);
  const next = [...box];
  next[edge.includes("w") ? 0 : 2] += dx; // by as much, not to: a corner is rarely hit exactly
  next[edge.includes("n") ? 1 : 3] += dy;
  return tidyBox(next, width, height);
}

/** Whether the box is nearly the whole picture. */
export const isWhole = (box, width, height) => (box[2] - box[0]) * (box[3] - box[1]) > 0.85 * width * height;
