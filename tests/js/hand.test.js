// Run by tests/test_scripts.py, or: node --test tests/js

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { film, frameAt, held, readPoses } from "../../demo/signs/hand/motion.js";
import { adviceFor, createPractice, lettersOf, pairs, shuffled, STILL } from "../../demo/signs/hand/practice.js";
import { capsules, joints, readHand } from "../../demo/signs/hand/skeleton.js";
import { skinColours } from "../../demo/signs/hand/tones.js";

const read = (name) => readFileSync(new URL(`../../${name}`, import.meta.url));
const poses = readPoses(JSON.parse(read("assets/hand/poses.json")));
const bytes = read("assets/hand/right.glb");
const hand = readHand(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
const from = { ...poses.A, at: [0, 0] };

test("a hand held up with its palm to the viewer is not turned", () => {
  assert.deepEqual(held([0, 1, 0], [0, 0, 1]).map((value) => Math.round(Math.abs(value) * 1e6) / 1e6), [0, 0, 0, 1]);
});

test("a word passes through its letters in order, and ends in the last", () => {
  const frames = film("HAJ", poses, from);
  const seen = [];
  for (let time = 0; time <= frames.at(-1).time; time += 0.02) {
    const { letter } = frameAt(frames, time, poses.relaxed);
    if (letter && letter !== seen.at(-1)) seen.push(letter);
  }
  assert.deepEqual(seen, ["H", "A", "J"]);
  assert.ok(frameAt(frames, 99, poses.relaxed).done);
});

test("while a letter stands, the hand is in its pose", () => {
  const frames = film("K", poses, from);
  const { pose } = frameAt(frames, frames.at(-1).time - 0.01, poses.relaxed);
  assert.deepEqual(pose.angles.index.map(Math.round), poses.K.angles.index.map(Math.round));
});

test("J and Z move the hand, the same letter twice moves aside, other signs are pauses", () => {
  const places = (word) => film(word, poses, from).map(({ pose }) => pose.at.join());
  assert.ok(new Set(places("Z")).size >= 4 && new Set(places("J")).size >= 4);
  assert.equal(new Set(places("LL")).size, 2);
  assert.equal(film("A-B", poses, from).filter(({ letter }) => letter === null).length, 2);
});

test("no movement between letters sends the hand far through itself", () => {
  const apart = (posed) => {
    const bones = capsules(posed); // thumb 0-2, then four a finger: palm, three bones
    const middle = ({ from: a, along }) => a.map((value, k) => value + along[k] / 2);
    let least = Infinity;
    for (const tip of [2, 6, 10, 14, 18]) for (const other of [2, 6, 10, 14, 18]) {
      if (other > tip) least = Math.min(least, Math.hypot(...middle(bones[tip]).map((value, k) => value - middle(bones[other])[k])));
    }
    return least;
  };
  for (const pair of ["AS", "SA", "KV", "MN", "NT", "EO", "UR", "RU", "TS", "FB"]) {
    const frames = film(pair, poses, from);
    for (let time = 0; time <= frames.at(-1).time; time += 0.05) assert.ok(apart(joints(hand, frameAt(frames, time, poses.relaxed).pose.angles)) > 0.006, pair);
  }
});

test("skin goes from light to dark, and palms are lighter than dark backs", () => {
  const bright = (colour) => colour.reduce((sum, value) => sum + value) / 3;
  assert.ok(bright(skinColours(0)[0]) > 0.7 && bright(skinColours(1)[0]) < 0.2);
  assert.ok(bright(skinColours(1)[1]) > bright(skinColours(1)[0]));
});

test("the camera's letter counts when it is held, a photo's at once", () => {
  const practice = createPractice(["K", "V"], 0);
  assert.equal(practice.add({ label: "K", share: 0.9, live: true }, 1), null);
  assert.equal(practice.add({ label: "K", share: 0.9, live: true }, 1.7), "hit");
  assert.equal(practice.wanted(), "V");
  assert.equal(practice.add({ label: "V", share: 0.9, live: false }, 2), "done");
  assert.deepEqual(practice.score(5), { hits: 2, tries: 2, count: 2, at: 2, seconds: 5 });
});

test("J and Z count at once when they are drawn, and are no answer to another letter", () => {
  const practice = createPractice(["J", "K"], 0);
  const drawn = (label) => ({ label, share: 1, live: true, moved: true });
  assert.equal(practice.add(drawn("Z"), 1), null);
  assert.equal(practice.add({ label: "I", share: 0.9, live: true }, 1), null);
  assert.deepEqual(practice.add({ label: "I", share: 0.9, live: true }, 2.5), { advice: "hand.advice.J.I", read: "I" });
  assert.equal(practice.add(drawn("J"), 3), "hit");
  assert.equal(practice.add(drawn("J"), 4), null);
  assert.equal(practice.wanted(), "K");
});

test("another letter brings advice, once; an unsure one or none brings nothing", () => {
  const practice = createPractice(["K"], 0);
  assert.equal(practice.add({ label: "V", share: 0.4, live: false }, 0), null);
  assert.equal(practice.add({ label: null, share: 0, live: false }, 0), null);
  assert.equal(practice.add({ label: "V", share: 0.9, live: true }, 1), null);
  assert.deepEqual(practice.add({ label: "V", share: 0.9, live: true }, 2.5), { advice: "hand.advice.K.V", read: "V" });
  assert.equal(practice.add({ label: "V", share: 0.9, live: true }, 3), null);
  assert.equal(practice.score(4).hits, 0);
});

test("each pair of advice is said in every language, and so is each letter", () => {
  for (const language of ["en", "zh-TW"]) {
    const words = JSON.parse(read(`demo/page/words/${language}.json`));
    for (const pair of pairs()) assert.ok(words[`hand.advice.${pair}`], `${language} ${pair}`);
    for (const letter of "ABCDEFGHIJKLMNOPQRSTUVWXYZ") assert.ok(words[`hand.letter.${letter}`], `${language} ${letter}`);
  }
  assert.equal(adviceFor("B", "Y"), "hand.advice.other");
});

test("words and shuffles hold what can be practised", () => {
  assert.deepEqual(lettersOf("Jazz 4 u"), ["J", "A", "Z", "Z", "U"]);
  assert.deepEqual(shuffled(STILL, () => 0.3).sort(), [...STILL].sort());
  assert.equal(shuffled().length, 26);
});
