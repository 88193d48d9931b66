// J and Z from where a hand was and what it was read as: tracks are made from the poses' own paths, and from readings
// of rendered films (readings.jsonl: `python -m train.render.tracks`). Run by tests/test_scripts.py.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { likeness, movements, resampled, SIGNS } from "../../demo/signs/movement.js";

const paths = JSON.parse(readFileSync(new URL("../../assets/hand/poses.json", import.meta.url))).moving;
const HAND = 120; // pixels

/** Numbers from 0 to 1, the same each time (mulberry32). */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Where the hand is at a time of a movement that begins at 1 s, in hand lengths, y upwards. */
function placeAt(path, time) {
  const next = path.findIndex((place) => place.time > time);
  if (next < 0) return path.at(-1).at;
  if (next === 0) return path[0].at;
  const [a, b] = [path[next - 1], path[next]];
  return a.at.map((value, k) => value + ((time - a.time) / (b.time - a.time)) * (b.at[k] - value));
}

/** What is named while a hand rests a second, moves along a path, and rests a second. */
function named(path, top, { rate = 8, speed = 1, size = 1, left = false, jitter = 0.02, dropped = 0.1, seed = 1, turn = (p) => p } = {}) {
  const [follow, any, out] = [movements(), random(seed), []];
  const end = 1 + path.at(-1).time / speed;
  for (let time = 0; time < end + 1; time += (0.8 + 0.4 * any()) / rate) {
    if (any() < dropped) continue;
    const [x, y] = turn(placeAt(path, (time - 1) * speed)).map((value) => HAND * (size * value + jitter * (2 * any() - 1)));
    const [column, row] = [300 + (left ? -x : x), 200 - y];
    const box = [column - HAND / 3, row - HAND / 2, column + HAND / 3, row + HAND / 2];
    const letter = follow.add({ box, top }, time);
    if (letter) out.push(letter);
  }
  return out.join("");
}

const READ = { J: [["I", 0.9], ["Y", 0.1]], Z: [["D", 0.8], ["X", 0.1]] };

for (const sign of ["J", "Z"]) {
  for (const left of [false, true]) {
    for (const rate of [5, 8, 15]) {
      for (const [speed, size] of [[0.7, 1.6], [1, 1], [1.3, 1]]) {
        test(`${sign} of a ${left ? "left" : "right"} hand, ${rate} frames a second, speed ${speed}, size ${size}`, () => {
          const seeds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
          const right = seeds.filter((seed) => named(paths[sign].path, READ[sign], { rate, speed, size, left, seed }) === sign).length;
          assert.ok(right >= (rate > 5 ? 9 : 7), `${right} of 10`);
        });
      }
    }
  }
}

test("the same way by a hand that shows another letter is no J or Z", () => {
  for (const sign of ["J", "Z"]) for (const letter of "ABKRUVY") assert.equal(named(paths[sign].path, [[letter, 0.95]]), "");
});

test("other ways are none: back and forth, up, round, a Z on its side, a still hand that shakes", () => {
  const ways = {
    across: [[-0.4, 0], [0.4, 0], [-0.4, 0], [0.4, 0]], down: [[0, 0.4], [0, -0.4]], up: [[0, -0.4], [0, 0.4]],
    nod: [[0, 0.3], [0, -0.3], [0, 0.3], [0, -0.3]], square: [[-0.3, -0.3], [0.3, -0.3], [0.3, 0.3], [-0.3, 0.3], [-0.3, -0.3]],
    N: [[-0.3, -0.3], [-0.3, 0.3], [0.3, -0.3], [0.3, 0.3]], shake: [[0, 0], [0, 0]],
  };
  for (const [name, places] of Object.entries(ways)) {
    const path = places.map((at, i) => ({ time: 0.4 * i, at }));
    for (const read of Object.values(READ)) for (const seed of [1, 2, 3]) {
      assert.equal(named(path, read, { seed, jitter: name === "shake" ? 0.08 : 0.02 }), "", name);
    }
  }
});

test("no J or Z while the hand goes on, and none across a time without a hand", () => {
  const on = [...paths.J.path, { time: 1.6, at: [0.6, 0.3] }, { time: 2, at: [0, 0.6] }, { time: 2.4, at: [-0.3, 0.2] }];
  assert.equal(named(on, READ.J), "");
  const half = movements();
  const seen = [];
  for (let time = 0; time < 5; time += 0.12) {
    const [x, y] = placeAt(paths.Z.path, time < 1.5 ? time - 1 : time - 2.5).map((value) => HAND * value);
    const box = time > 1.5 && time < 3 ? null : [300 + x, 200 - y, 380 + x, 320 - y];
    seen.push(half.add({ box, top: READ.Z }, time));
  }
  assert.deepEqual(seen.filter(Boolean), []);
});

test("a hand that may begin a J or Z is worth more frames, another is not", () => {
  const follow = movements();
  follow.add({ box: [0, 0, 90, 90], top: [["K", 0.9]] }, 0);
  assert.equal(follow.watching(0.1), false);
  follow.add({ box: [0, 0, 90, 90], top: READ.J }, 0.2);
  assert.equal(follow.watching(0.3), true);
  assert.equal(follow.watching(3), false);
});

test("points of a path lie equally far apart, and likeness heeds neither place nor size", () => {
  const points = resampled([[0, 0], [1, 0], [1, 3]], 5);
  assert.deepEqual(points, [[0, 0], [1, 0], [1, 1], [1, 2], [1, 3]]);
  const { path } = SIGNS.Z;
  assert.ok(likeness(path.map(([x, y]) => [7 * x + 100, 7 * y - 40]), path) > 0.999);
  assert.ok(likeness(path.map(([x, y]) => [-x, y]), path) < 0.5);
});
