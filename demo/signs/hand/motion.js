// How the hand gets from letter to letter: poses as assets/hand/poses.json has them, and a word as a film of them.

import { FINGERS } from "./skeleton.js";

const MOVE = 0.5; // seconds from one letter to the next, at speed 1
const HOLD = 0.55; // seconds that a letter stands
const OPENING = 0.4; // how far the hand relaxes halfway, so that no finger passes through another

/** Poses by name from the file's groups: { angles, turn (a quaternion x, y, z, w), path }. */
export function readPoses(groups) {
  const entries = [groups.letters, groups.forms, groups.moving, groups.others].flatMap((group) => Object.entries(group));
  return Object.fromEntries(entries.map(([name, entry]) => [name, {
    angles: { ...Object.fromEntries(FINGERS.map((finger) => [finger, [...entry[finger].bend, entry[finger].spread, entry[finger].twist ?? 0]])),
      wrist: [entry.wrist.bend, entry.wrist.deviation] },
    turn: held(entry.points, entry.palm),
    path: entry.path?.map(({ time, at, points = entry.points, palm = entry.palm }) => ({ time, at, turn: held(points, palm) })),
  }]));
}

/** The quaternion of a hand whose fingers point and whose palm faces these ways, made square to each other. */
export function held(points, palm) {
  const unit = (v) => { const length = Math.hypot(...v); return v.map((value) => value / length); };
  const y = unit(points);
  const inside = y.reduce((sum, value, k) => sum + value * palm[k], 0);
  const z = unit(palm.map((value, k) => value - inside * y[k]));
  const x = [y[1] * z[2] - y[2] * z[1], y[2] * z[0] - y[0] * z[2], y[0] * z[1] - y[1] * z[0]];
  const candidates = [ // four times each component squared; the largest is safe to divide by
    [1 + x[0] - y[1] - z[2], [1 + x[0] - y[1] - z[2], x[1] + y[0], x[2] + z[0], y[2] - z[1]]],
    [1 - x[0] + y[1] - z[2], [x[1] + y[0], 1 - x[0] + y[1] - z[2], y[2] + z[1], z[0] - x[2]]],
    [1 - x[0] - y[1] + z[2], [x[2] + z[0], y[2] + z[1], 1 - x[0] - y[1] + z[2], x[1] - y[0]]],
    [1 + x[0] + y[1] + z[2], [y[2] - z[1], z[0] - x[2], x[1] - y[0], 1 + x[0] + y[1] + z[2]]],
  ];
  return unit(candidates.reduce((best, each) => (each[0] > best[0] ? each : best))[1]);
}

/** Between two turns, the short way (Shoemake, 1985). */
export function between(a, b, share) {
  let cos = a.reduce((sum, value, k) => sum + value * b[k], 0);
  const sign = cos < 0 ? -1 : 1;
  cos = Math.min(1, Math.abs(cos));
  const angle = Math.acos(cos);
  const [u, v] = angle < 1e-4 ? [1 - share, share] : [Math.sin((1 - share) * angle) / Math.sin(angle), Math.sin(share * angle) / Math.sin(angle)];
  const out = a.map((value, k) => u * value + sign * v * b[k]);
  const length = Math.hypot(...out);
  return out.map((value) => value / length);
}

/** A pose between two, share 0..1: { angles, turn, at }. On its way the hand opens a little. */
export function mixed(from, to, share, relaxed) {
  const open = relaxed ? OPENING * Math.sin(Math.PI * share) : 0;
  const angles = {};
  for (const name of Object.keys(to.angles)) {
    angles[name] = to.angles[name].map((value, k) => {
      const straight = from.angles[name][k] + share * (value - from.angles[name][k]);
      return open && name !== "wrist" ? straight + open * (relaxed.angles[name][k] - straight) : straight;
    });
  }
  const [a, b] = [from.at ?? [0, 0], to.at ?? [0, 0]];
  return { angles, turn: between(from.turn, to.turn, share), at: a.map((value, k) => value + share * (b[k] - value)) };
}

/** Whether two poses have the fingers alike: then there is nothing to open for. */
const alike = (a, b) => FINGERS.every((finger) => a.angles[finger].every((value, k) => Math.abs(value - b.angles[finger][k]) < 1));

/**
 * A word as a film: [{ time, pose, letter, index, opens }], times in seconds at speed 1. `from` is where the hand is.
 * What is no letter is a pause. The same letter twice is moved aside, as signers do.
 */
export function film(word, poses, from) {
  const frames = [{ time: 0, pose: from, letter: null, index: -1 }];
  let time = 0;
  let aside = 0;
  const add = (pose, seconds, letter, index) => {
    time += seconds;
    frames.push({ time, pose, letter, index, opens: !alike(frames.at(-1).pose, pose) });
  };
  [...word.toUpperCase()].forEach((letter, index, all) => {
    const pose = poses[letter];
    if (!pose) { add(frames.at(-1).pose, HOLD, null, index); return; }
    aside = all[index - 1] === letter && !pose.path ? aside + 0.18 : 0;
    if (pose.path) {
      const [first, ...rest] = pose.path.map((place) => ({ ...pose, ...place }));
      add(first, MOVE, letter, index);
      rest.forEach((place, i) => add(place, place.time - (i ? rest[i - 1].time : first.time), letter, index));
      add(frames.at(-1).pose, HOLD / 2, letter, index);
    } else {
      add({ ...pose, at: [aside, 0] }, MOVE, letter, index);
      add({ ...pose, at: [aside, 0] }, HOLD, letter, index);
    }
  });
  return frames;
}

/** The film at a time: { pose, letter, index, done }. */
export function frameAt(frames, time, relaxed) {
  const next = frames.findIndex((frame) => frame.time > time);
  if (next < 0) return { ...frames.at(-1), done: true };
  if (next === 0) return { ...frames[0], done: false };
  const [before, after] = [frames[next - 1], frames[next]];
  const share = (time - before.time) / (after.time - before.time);
  const eased = after.opens ? share * share * (3 - 2 * share) : share;
  const shown = after.letter === before.letter || share > 0.5 ? after : before;
  return { pose: mixed(before.pose, after.pose, eased, after.opens ? relaxed : null), letter: shown.letter, index: shown.index, done: false };
}
