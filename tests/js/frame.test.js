import assert from "node:assert/strict";
import { test } from "node:test";

import { SMALLEST_BOX, dragged, isWhole, shifted, tidyBox } from "../../demo/signs/frame.js";

const SIZE = [320, 240];

test("a box drawn from right to left has its edges in order", () => {
  assert.deepEqual(tidyBox([200, 150, 100, 50], ...SIZE), [100, 50, 200, 150]);
});

test("a box stays on the picture and can always be held", () => {
  assert.deepEqual(tidyBox([-50, -50, 400, 300], ...SIZE), [0, 0, 320, 240]);
  const [left, top, right, bottom] = tidyBox([319, 239, 319, 239], ...SIZE);
  assert.deepEqual([right - left, bottom - top], [SMALLEST_BOX, SMALLEST_BOX]);
  assert.ok(right <= 320 && bottom <= 240);
  assert.deepEqual(tidyBox([0, 0, 1, 1], 8, 6), [0, 0, 6, 6]); // a picture smaller than the smallest box
});

test("a box is moved as far as the picture goes, and keeps its size", () => {
  assert.deepEqual(shifted([10, 10, 110, 60], 20, -5, ...SIZE), [30, 5, 130, 55]);
  assert.deepEqual(shifted([10, 10, 110, 60], -500, 500, ...SIZE), [0, 190, 100, 240]);
});

test("a corner moves by as much as the finger does, the others stay", () => {
  const box = [80, 30, 240, 190];
  assert.deepEqual(dragged("se", box, [235, 185], [275, 205], ...SIZE), [80, 30, 280, 210]);
  assert.deepEqual(dragged("nw", box, [80, 30], [90, 50], ...SIZE), [90, 50, 240, 190]);
  assert.deepEqual(dragged("ne", box, [240, 30], [0, 230], ...SIZE), [0, 190, 80, 230]); // over the opposite corner
  assert.deepEqual(dragged("move", box, [100, 100], [120, 110], ...SIZE), [100, 40, 260, 200]);
  assert.deepEqual(dragged("new", box, [32, 204], [128, 48], ...SIZE), [32, 48, 128, 204]);
});

test("a frame around nearly everything counts as the whole", () => {
  assert.equal(isWhole([0, 0, 320, 240], ...SIZE), true);
  assert.equal(isWhole([80, 30, 240, 190], ...SIZE), false);
});
