// A word from signs held still: a letter stands for a sure reading of a frame, a space for no hand; five a second.
import assert from "node:assert/strict";
import { test } from "node:test";

import { smoother, speller } from "../../demo/signs/spell.js";

function spelled(frames, rate = 5) {
  const smooth = smoother();
  const words = speller();
  [...frames].forEach((seen, index) => {
    const ranked = smooth.add(seen === " " ? [] : [[seen, 0.95]], index / rate);
    const there = ranked.reduce((sum, [, share]) => sum + share, 0);
    words.add(...(there > 0.5 ? ranked[0] : [null, 0]), index / rate);
  });
  return words.word();
}

const SPELLED = {
  BBBB: "", // too short
  BBBBBBBB: "B",
  BBBCBBBB: "B", // one wrong frame in between
  "BBBB BBBBBBBB": "B", // one frame without a hand
  "BBBBBBBB      BBBBBBBB": "BB", // let go, and shown again
  BBBBBBBBCCCCCCCCCC: "BC",
  BCBCBCBCBCBCBCBC: "", // neither is held
};

for (const [frames, word] of Object.entries(SPELLED)) {
  test(`"${frames}" spells "${word}"`, () => assert.equal(spelled(frames), word));
}

test("a J takes the place of the I that it began as, not of one before", () => {
  const words = speller();
  for (const time of [0, 1]) words.add("I", 1, time);
  words.drawn("J", "I", 2.5);
  assert.equal(words.word(), "J");
  for (const time of [5, 6]) words.add("I", 1, time);
  words.drawn("J", "I", 12);
  assert.equal(words.word(), "JIJ");
});

test("spaces, the last letter and the whole word can be taken back", () => {
  const words = speller();
  for (const time of [0, 1]) words.add("A", 1, time);
  words.space();
  words.space();
  assert.equal(words.word(), "A ");
  words.backspace();
  words.backspace();
  assert.equal(words.word(), "");
});
