// What is arithmetic about strokes and sheets; it touches no page.

export const SHEET = { width: 600, height: 480 }; // the pad's own units, whatever its size on the screen

/** Where a picture lies on the sheet: [left, top, width, height], whole and centred. */
export function placed({ width, height }) {
  const scale = Math.min(SHEET.width / width, SHEET.height / height);
  const [across, down] = [width * scale, height * scale];
  return [(SHEET.width - across) / 2, (SHEET.height - down) / 2, across, down];
}

/** A point kept on the sheet: what is read is what is seen. */
export const within = (x, y) => [Math.min(SHEET.width, Math.max(0, x)), Math.min(SHEET.height, Math.max(0, y))];

/** The stroke with fewer points, nowhere further than `tolerance` from the true line (Douglas and Peucker, 1973). */
export function simplify(points, tolerance = 0.8) {
  const last = points.length / 2 - 1;
  if (last < 2) return points.map(Math.round);
  const keep = new Set([0, last]);
  const spans = [[0, last]];
  while (spans.length) {
    const [from, to] = spans.pop();
    const [x, y] = [points[2 * from], points[2 * from + 1]];
    const [dx, dy] = [points[2 * to] - x, points[2 * to + 1] - y];
    const length = Math.hypot(dx, dy);
    let [worst, distance] = [0, tolerance];
    for (let i = from + 1; i < to; i++) {
      const [px, py] = [points[2 * i] - x, points[2 * i + 1] - y];
      const along = length ? Math.min(1, Math.max(0, (px * dx + py * dy) / length ** 2)) : 0;
      const off = Math.hypot(px - along * dx, py - along * dy);
      if (off > distance) [worst, distance] = [i, off];
    }
    if (worst) {
      keep.add(worst);
      spans.push([from, worst], [worst, to]);
    }
  }
  return [...keep].sort((a, b) => a - b).flatMap((i) => [Math.round(points[2 * i]), Math.round(points[2 * i + 1])]);
}

/** Class numbers, the most probable first. */
export const ranked = (probabilities) => probabilities.map((_, label) => label).sort((a, b) => probabilities[b] - probabilities[a]);
