import assert from "node:assert/strict";
import { test } from "node:test";

import { commandLine, csv, epochAxis, linesOf, secondsAxis, thinned, ticksTo, wholeTime } from "../../demo/training/curves.js";

test("ticks are round numbers from 0 to at least the most", () => {
  assert.deepEqual(ticksTo(2.5), [0, 0.5, 1, 1.5, 2, 2.5]);
  assert.deepEqual(ticksTo(0.5), [0, 0.1, 0.2, 0.3, 0.4, 0.5]);
  assert.deepEqual(ticksTo(7), [0, 2, 4, 6, 8]);
  assert.deepEqual(ticksTo(120), [0, 50, 100, 150]);
});

test("an axis of epochs ends where the run does, with whole numbers at their own places", () => {
  for (const most of [1, 2, 3, 5, 12, 20, 97, 100]) {
    const { from, to, ticks } = epochAxis(most);
    assert.deepEqual([from, to], [0, most]);
    assert.ok(ticks.every((tick) => Number.isInteger(tick) && tick >= 0 && tick <= most), `${most}: ${ticks}`);
    assert.ok(ticks.length >= 2, `${most}: ${ticks}`);
  }
  assert.deepEqual(epochAxis(12).ticks, [0, 5, 10]);
});

test("an axis of seconds ends at its last tick", () => {
  const { to, ticks } = secondsAxis(17);
  assert.equal(to, ticks.at(-1));
  assert.ok(to >= 17);
});

test("a long run is thinned, and keeps its end and its means", () => {
  const points = Array.from({ length: 1000 }, (_, i) => [i / 100, i, i % 2, 0.5, i % 10 ? null : 1, null]);
  const few = thinned(points, 240);
  assert.ok(few.length <= 240 && few.length > 100);
  assert.deepEqual(few.at(-1).slice(0, 2), [9.99, 999]);
  assert.ok(few.every((point) => Math.abs(point[2] - 0.5) < 1e-9 && point[5] === null));
  assert.deepEqual(thinned(points.slice(0, 5)), points.slice(0, 5));
});

test("a run's whole time is guessed from how far it has come, and known at its end", () => {
  const run = { points: [[0.5, 4]], settings: { epochs: 2 }, ended: "" };
  assert.equal(wholeTime(run, 120), 20); // 16, rounded up
  assert.equal(wholeTime({ ...run, points: [[0.1, 40]] }, 120), 120);
  assert.equal(wholeTime({ ...run, ended: "finished" }, 120), 4);
  assert.equal(wholeTime({ ...run, points: [] }, 120), 0);
});

test("curves leave out what nobody looked at", () => {
  const run = { points: [[0.1, 1, 2, 0.5, null, null], [0.2, 2, 1, 0.6, 1.5, 0.7]], epochs: [[1, 9, 0.5, 0.9, 0.6, 0.95]] };
  const [training, validation, epochs] = linesOf(run, 0, 3, 5, "red");
  assert.deepEqual(training.points, [[0.1, 0.5], [0.2, 0.6]]);
  assert.deepEqual(validation.points, [[0.2, 0.7], [1, 0.95]]);
  assert.deepEqual(epochs.points, [[1, 0.95]]);
});

test("CSV quotes what needs it", () => {
  assert.equal(csv(["a", "b"], [{ a: 1, b: 'x,"y"' }, { a: null }]), 'a,b\r\n1,"x,""y"""\r\n,\r\n');
});

test("the command line says what differs from the recipe", () => {
  const usual = { network: "mnist-cnn", optimizer: "adam", schedule: "constant", augment: "none", share: 1 };
  const settings = { ...usual, task: "mnist", recipe: "lesson", epochs: 5, batch_size: 64, learning_rate: 0.01, seed: 0 };
  assert.equal(commandLine(settings, usual, 10), "python -m train mnist --recipe lesson --epochs 5 --batch-size 64 --lr 0.01 --seed 0 --out mnist-own.safetensors");
  const own = commandLine({ ...settings, network: "custom", optimizer: "sgd", options: { channels: [4], kernel: 3 } }, usual, 10);
  assert.match(own, / --set network=custom --set optimizer=sgd --set options.channels=4, --set options.kernel=3 --set options.classes=10 /);
});
