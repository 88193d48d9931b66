import assert from "node:assert/strict";
import { test } from "node:test";

import { addressOf, nextTab, tabIn } from "../../demo/page/tabs.js";

test("arrow keys go around, Home and End to the ends, others nowhere", () => {
  assert.equal(nextTab("ArrowRight", 2, 3), 0);
  assert.equal(nextTab("ArrowLeft", 0, 3), 2);
  assert.equal(nextTab("Home", 1, 3), 0);
  assert.equal(nextTab("End", 0, 3), 2);
  assert.equal(nextTab("a", 0, 3), null);
  assert.equal(nextTab("ArrowRight", -1, 3), null); // the focus is elsewhere
});

test("an address names its tab; settings of a training mean the training tab", () => {
  assert.equal(tabIn("http://x/?tab=sign"), "sign");
  assert.equal(tabIn("http://x/?task=mnist&epochs=3"), "train");
  assert.equal(tabIn("http://x/"), null);
});

test("another tab takes nothing along but the language", () => {
  assert.equal(addressOf("http://x/?task=mnist&lang=zh-TW", "sign"), "http://x/?tab=sign&lang=zh-TW");
  assert.equal(addressOf("http://x/?task=mnist", "train"), "http://x/?task=mnist");
});
