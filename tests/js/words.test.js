import assert from "node:assert/strict";
import { test } from "node:test";

import { fill, listed, number, wantedLanguage } from "../../demo/page/words.js";

const DIGITS = { one: "one digit", other: "{count} digits" };

test("places are filled; one without a value stays to be seen", () => {
  assert.equal(fill("{a} and {b}", { a: "x" }, "en"), "x and {b}");
  assert.equal(fill("{a}", { a: "$&" }, "en"), "$&");
});

test("the form is chosen by the count, as the language has it", () => {
  assert.equal(fill(DIGITS, { count: 1 }, "en"), "one digit");
  assert.equal(fill(DIGITS, { count: 3 }, "en"), "3 digits");
  assert.equal(fill({ other: "{count} 個數字" }, { count: 1 }, "zh-TW"), "1 個數字");
});

test("numbers are written as the language does, and keep all that they say", () => {
  assert.equal(fill("{n}", { n: 105242 }, "en"), "105,242");
  assert.equal(fill("{n}", { n: 0.0001 }, "en"), "0.0001");
});

test("a negative number has a minus, not a hyphen", () => {
  assert.equal(number(-3), "−3");
  assert.equal(number(-0.75, { maximumFractionDigits: 2 }), "−0.75");
  assert.equal(number(3), "3");
});

test("lists end in or", () => {
  assert.equal(listed(["M", "N", "S"], "en"), "M, N or S");
  assert.equal(listed(["M"], "en"), "M");
  assert.equal(listed(["7", "1"], "zh-TW"), "7 或 1");
  assert.equal(listed(["M", "其他手勢"], "zh-TW"), "M 或其他手勢");
  assert.equal(fill("{labels}", { labels: "M, N or S" }, "zh-TW"), listed(["M", "N", "S"], "zh-TW")); // as Python wrote it
});

test("a word with an entry of its own is said in the page's language", () => {
  assert.equal(fill("{name} is empty", { name: "the picture" }, "zh-TW", { "name.the_picture": "圖片" }), "圖片 is empty");
  assert.equal(fill("{name} is empty", { name: "a.png" }, "zh-TW", {}), "a.png is empty");
});

test("a value may be a sentence of its own", () => {
  assert.equal(fill("Run 1: {ended}", { ended: { code: "done" } }, "en", { done: "finished" }), "Run 1: finished");
  assert.equal(fill("Run 1: {ended}", { ended: { code: "new", error: "gone" } }, "en"), "Run 1: gone");
});

test("the address decides the language, then what was chosen before, then the browser", () => {
  const there = ["en", "zh-TW"];
  const page = "https://example.org/";
  assert.equal(wantedLanguage(page + "?lang=zh-TW", "en", ["en"], there), "zh-TW");
  assert.equal(wantedLanguage(page, "zh-TW", ["en"], there), "zh-TW");
  assert.equal(wantedLanguage(page, null, ["fr", "zh-Hant-HK", "en"], there), "zh-TW");
  assert.equal(wantedLanguage(page + "?lang=xx", null, ["fr"], there), "en");
});
