import assert from "node:assert/strict";
import { test } from "node:test";

import { EXAMPLES } from "../../demo/draw/examples.js";
import { SHEET, placed, ranked, simplify, within } from "../../demo/draw/strokes.js";

const circle = Array.from({ length: 200 }, (_, i) => [300 + 150 * Math.cos(i / 30), 240 + 150 * Math.sin(i / 30)]).flat();

/** The distance from a point to the line from a to b. */
function distance([x, y], [ax, ay], [bx, by]) {
  const length = Math.hypot(bx - ax, by - ay);
  const along = length ? Math.min(1, Math.max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length ** 2)) : 0;
  return Math.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay));
}

const pairs = (points) => Array.from({ length: points.length / 2 }, (_, i) => [points[2 * i], points[2 * i + 1]]);

test("a simplified stroke has far fewer points, and is nowhere far from the true line", () => {
  const simple = pairs(simplify(circle));
  assert.ok(simple.length < 60, `${simple.length} points`);
  for (const point of pairs(circle)) {
    const nearest = Math.min(...simple.slice(1).map((end, i) => distance(point, simple[i], end)));
    assert.ok(nearest <= 0.8 + Math.SQRT1_2, `${nearest}`); // the tolerance, and rounding to whole units
  }
});

test("the ends and corners of a stroke stay; a dot stays a dot", () => {
  assert.deepEqual(simplify([0, 0, 50, 0, 100, 0, 100, 50, 100, 100]), [0, 0, 100, 0, 100, 100]);
  assert.deepEqual(simplify([10.4, 20.6]), [10, 21]);
  assert.deepEqual(simplify([]), []);
});

test("a stroke that comes back to its beginning does not vanish", () => {
  assert.deepEqual(simplify([0, 0, 100, 0, 0, 0]), [0, 0, 100, 0, 0, 0]);
});

test("a picture lies whole and centred on the sheet", () => {
  assert.deepEqual(placed({ width: 600, height: 480 }), [0, 0, 600, 480]);
  assert.deepEqual(placed({ width: 100, height: 100 }), [60, 0, 480, 480]);
  assert.deepEqual(placed({ width: 1200, height: 240 }), [0, 180, 600, 120]);
});

test("a point stays on the sheet", () => {
  assert.deepEqual(within(-5, 500), [0, SHEET.height]);
  assert.deepEqual(within(300.5, 20), [300.5, 20]);
});

test("labels are ranked by their probability", () => assert.deepEqual(ranked([0.1, 0.7, 0.2]), [1, 2, 0]));

test("the examples lie on the sheet", () => {
  for (const [name, strokes] of Object.entries(EXAMPLES)) {
    assert.ok(strokes.length > 0 && strokes.every((points) => points.length % 2 === 0), name);
    for (const [x, y] of strokes.flatMap(pairs)) assert.deepEqual(within(x, y), [x, y], name);
  }
});
