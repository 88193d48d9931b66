// The answer's side of the tab: the number, the bars, and what the network saw.

import { drawPixels, grey, warmth } from "../page/heat.js";
import { percent, say, sayTold, t, write } from "../page/words.js";
import { ranked } from "./strokes.js";

const SURE = 0.95;
const FAIRLY = 0.7;

export function createAnswer(root) {
  const find = (selector) => root.querySelector(selector);
  const [number, words, tiles, which] = [".number", ".words", ".tiles", ".which"].map(find);
  const bars = Array.from({ length: 10 }, (_, digit) => {
    const bar = document.createElement("div");
    bar.className = "bar";
    bar.innerHTML = "<div><i><b></b></i></div><span>" + digit + "</span>";
    find(".bars").append(bar);
    return { bar, column: bar.querySelector("i"), percent: bar.querySelector("b") };
  });
  let readings = [];
  let chosen = null; // the digit whose bars the user asked for; the last one otherwise

  function sayOne(reading) {
    const share = percent(reading.confidence);
    const [first, second] = ranked(reading.probabilities);
    if (reading.note) sayTold(words, { error: reading.note, code: reading.note_code, values: reading.note_values });
    else if (reading.label === null) say(words, "digit.none");
    else if (reading.confidence >= SURE) say(words, "draw.sure", { share });
    else if (reading.confidence >= FAIRLY) say(words, "draw.fairly", { share });
    else say(words, "draw.either", { labels: [first, second].map(String) });
  }

  function sayAll(list) {
    const doubtful = list.filter((reading) => reading.label === null || reading.confidence < FAIRLY).length;
    if (!list.length) say(words, "draw.empty");
    else if (list.length === 1) sayOne(list[0]);
    else if (list.every((reading) => reading.label === null)) say(words, "draw.number.none");
    else if (doubtful) say(words, "draw.number.doubtful", { count: doubtful });
    else say(words, list.length === 2 ? "draw.number.both" : "draw.number.all", { count: list.length });
  }

  function showBars() {
    const reading = readings[Math.min(chosen ?? readings.length - 1, readings.length - 1)];
    const order = reading ? ranked(reading.probabilities) : [];
    bars.forEach(({ bar, column, percent: above }, digit) => {
      const p = reading ? reading.probabilities[digit] : 0;
      column.style.height = (100 * p).toFixed(1) + "%";
      write(above, p >= 0.01 ? percent(p) : "");
      bar.classList.toggle("best", digit === order[0] && reading.label !== null);
    });
    const place = readings.indexOf(reading) + 1;
    say(which, readings.length > 1 ? "draw.which" : "", { place, count: readings.length });
    const likeliest = order.slice(0, 3).map((digit) => `${digit} ${percent(reading.probabilities[digit])}`).join(", ");
    find(".bars").setAttribute("aria-label", reading ? t("draw.bars.said", { likeliest }) : t("draw.bars"));
    [...tiles.children].forEach((tile, i) => tile.setAttribute("aria-pressed", i === place - 1));
  }

  function showTiles() {
    const count = Math.max(1, readings.length);
    while (tiles.children.length > count) tiles.lastChild.remove();
    while (tiles.children.length < count) tiles.append(makeTile());
    tiles.style.setProperty("--tiles", count);
    root.classList.toggle("several", count > 1);
    [...tiles.children].forEach((tile, i) => fillTile(tile, readings[i], readings.length > 1));
  }

  function makeTile() {
    const tile = document.createElement("button");
    tile.type = "button";
    tile.className = "tile";
    tile.innerHTML = '<canvas class="seen" width="28" height="28"></canvas><canvas class="heat"></canvas><span></span>';
    tile.addEventListener("click", () => {
      chosen = [...tiles.children].indexOf(tile);
      showBars();
    });
    return tile;
  }

  function show(list) {
    readings = list;
    if (chosen !== null && chosen >= list.length) chosen = null;
    write(number, list.map((reading) => reading.label ?? "?").join(""));
    number.style.setProperty("--digits", Math.max(1, list.length));
    number.classList.toggle("unsure", list.some((r) => r.label === null || r.confidence < FAIRLY));
    sayAll(list);
    root.dataset.answer = number.textContent;
    showTiles();
    showBars();
  }

  find(".look input").addEventListener("change", (event) => {
    root.classList.toggle("plain", !event.target.checked);
  });
  document.addEventListener("language", () => show(readings));
  show([]);
  return {
    show,
    chosen: () => ({ reading: readings[Math.min(chosen ?? readings.length - 1, readings.length - 1)], several: readings.length > 1 }),
    spoken: () => (readings.length ? { number: number.textContent, words: words.textContent } : null),
    forget() {
      chosen = null;
      show([]);
    },
  };
}

function fillTile(tile, reading, several) {
  const [seen, heat, label] = tile.children;
  tile.disabled = !several;
  write(label, several ? (reading.label ?? "?") : "");
  const name = !reading ? "draw.seen.nothing" : reading.label === null ? "draw.seen.unknown" : "draw.seen.digit";
  tile.setAttribute("aria-label", t(name, { digit: reading?.label }));
  drawPixels(seen, reading?.seen, grey);
  drawPixels(heat, reading?.heat, warmth);
}
