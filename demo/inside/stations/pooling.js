// ReLU and pooling: what is below 0 goes, the largest of each 2 x 2 stays; and why a shifted drawing changes less after it.

import { number, t } from "../../page/words.js";
import { convolve, difference, moved, pool, PRESETS, relu } from "../arithmetic.js";
import { whole } from "../link.js";
import { drawMap, frame, sharp } from "../paint.js";
import { dragged, el, prose, short, slider } from "../parts.js";
import { largestOf, mapOf } from "../unpack.js";

export const name = "pooling";
const SIDE = 300;

export function mount(root, { lab, link, parameters }) {
  let right = whole(parameters.get("right"), -4, 4, 1);
  let filter = whole(parameters.get("map"), 0, 511, -1); // -1: the one that matters most
  let at = null; // the place looked at; at first the strongest
  let maps = null;
  const canvases = ["convolved", "rectified", "pooled"].map((key) => {
    const canvas = el("canvas.map", key === "pooled" ? { tabIndex: 0, role: "slider", "aria-label": t("inside.pooling.pooled") } : { role: "img", "aria-label": t(`inside.pooling.${key}`) });
    const size = el("span");
    return { key, canvas, size, node: el("figure.panel", {}, el("figcaption", {}, t(`inside.pooling.${key}`), " ", size), canvas) };
  });
  const choose = slider(t("inside.pooling.map"), { min: 1, max: 1, value: 1, changed: (value) => pick(value - 1) });
  const shift = slider(t("inside.pooling.shift"), { min: -4, max: 4, value: right, show: (value) => t("inside.pooling.pixels", { count: value }), changed: (value) => push(value) });
  const here = el("p.here", { "aria-live": "polite" });
  const four = el("div.four", { "aria-hidden": "true" });
  const changes = ["before", "after"].map((key) => {
    const [fill, value] = [el("i"), el("span.value")];
    return { fill, value, node: el("div.bar", {}, el("span", {}, t(`inside.pooling.${key}`)), el("span.track", {}, fill), value) };
  });

  root.append(
    prose("inside.pooling.lead"),
    el("div.workbench", {},
      choose,
      el("div.trio", {}, canvases.map(({ node }, index) => [index ? el("div.arrow", { "aria-hidden": "true" }, "→") : null, node])),
      el("div.winner", {}, four, here),
    ),
    el("h3", {}, t("inside.pooling.moved")),
    prose("inside.pooling.moved.about"),
    el("div.workbench", {}, shift, el("div.bars-list.wide-names", {}, changes.map(({ node }) => node))),
    el("details", {}, el("summary", {}, t("inside.more")), ["relu", "max"].map((key) => prose(`inside.pooling.${key}`))),
  );

  for (const { canvas, key } of canvases) {
    dragged(canvas, (x, y) => {
      if (!maps) return;
      const { pooled } = maps;
      const whole = key === "pooled" ? 1 : (pooled.width * 2) / maps.rectified.width;
      aim(Math.floor((y / whole) * pooled.height), Math.floor((x / whole) * pooled.width));
    });
  }
  canvases[2].canvas.addEventListener("keydown", (event) => {
    const by = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    if (!by) return;
    event.preventDefault();
    aim(at.row + by[0], at.column + by[1]);
  });

  function aim(row, column) {
    at = { row: Math.min(maps.pooled.height - 1, Math.max(0, row)), column: Math.min(maps.pooled.width - 1, Math.max(0, column)) };
    draw();
  }

  function pick(next) {
    filter = next;
    parameters.set("map", filter);
    link();
    compute();
  }

  function push(next) {
    right = next;
    parameters.set("right", right);
    link();
    compute();
  }

  function stages(by) {
    const { view } = lab;
    const side = view.shape[1];
    const grey = { values: Float32Array.from(view.pixels.subarray(0, side * side), (value) => value / 255), width: side, height: side };
    const input = moved(grey, by, 0);
    input.values = input.values.map((value) => (value - view.mean) / view.std);
    const [kernel, stride, padding] = view.filters ? view.layers[0].geometry : [3, 1, 1];
    const weights = view.filters ? mapOf(view.filters, filter).values : PRESETS.vertical(3);
    const convolved = convolve(input, weights, { kernel, stride, padding, bias: view.filters ? view.biases[filter] : 0 });
    const rectified = relu(convolved);
    return { convolved, rectified, pooled: pool(rectified) };
  }

  function compute() {
    if (!lab.view) return;
    maps = stages(right);
    const calm = right ? stages(0) : maps;
    const shares = [difference(calm.rectified, maps.rectified), difference(calm.pooled, maps.pooled)];
    changes.forEach(({ fill, value }, index) => {
      fill.style.width = `${Math.min(100, 70 * shares[index])}%`;
      value.textContent = number(shares[index], { style: "percent", maximumFractionDigits: 0 });
    });
    draw();
  }

  function draw() {
    if (!maps) return;
    const best = maps.pooled.values.indexOf(Math.max(...maps.pooled.values));
    at ??= { row: Math.floor(best / maps.pooled.width), column: best % maps.pooled.width };
    at = { row: Math.min(at.row, maps.pooled.height - 1), column: Math.min(at.column, maps.pooled.width - 1) };
    const largest = largestOf(maps.convolved.values);
    for (const { key, canvas, size } of canvases) {
      const map = maps[key];
      drawMap(sharp(canvas, SIDE, SIDE), map, largest, 0, 0, SIDE, SIDE);
      size.textContent = `${map.width} × ${map.height}`;
    }
    const { rectified, pooled } = maps;
    const paint = canvases[1].canvas.getContext("2d");
    const unit = SIDE / rectified.width;
    paint.fillStyle = getComputedStyle(canvases[1].canvas).getPropertyValue("--mark");
    pooled.values.forEach((value, index) => {
      if (value <= 0) return;
      const winner = pooled.winners[index];
      paint.beginPath();
      paint.arc(((winner % rectified.width) + 0.5) * unit, (Math.floor(winner / rectified.width) + 0.5) * unit, unit * 0.2, 0, 7);
      paint.fill();
    });
    const { row, column } = at;
    for (const { canvas } of canvases.slice(0, 2)) frame(canvas.getContext("2d"), column * 2 * unit, row * 2 * unit, 2 * unit, 2 * unit, 2);
    const cell = SIDE / pooled.width;
    frame(canvases[2].canvas.getContext("2d"), column * cell, row * cell, cell, cell, 2);
    const places = [0, 1].flatMap((y) => [0, 1].map((x) => (row * 2 + y) * rectified.width + column * 2 + x));
    const index = row * pooled.width + column;
    const values = places.map((place) => short(maps.convolved.values[place]));
    const cut = places.map((place) => short(rectified.values[place]));
    const table = (texts) => el("div.cells", { style: "--kernel: 2" }, texts.map((text, k) => el(places[k] === pooled.winners[index] ? "span.won" : "span", {}, text)));
    four.replaceChildren(table(values), el("span.sign", {}, "→"), table(cut), el("span.sign", {}, "→"), el("b", {}, short(pooled.values[index])));
    const said = t("inside.pooling.here", { row: row + 1, column: column + 1, values: values.join(" · "), cut: cut.join(" · "), most: short(pooled.values[index]) });
    here.textContent = said;
    const slider = canvases[2].canvas;
    slider.setAttribute("aria-valuemin", "1");
    slider.setAttribute("aria-valuemax", String(pooled.values.length));
    slider.setAttribute("aria-valuenow", String(index + 1));
    slider.setAttribute("aria-valuetext", said);
  }

  return {
    show() {
      root.classList.toggle("nothing", !lab.view);
      const { view } = lab;
      if (!view) return;
      const count = view.filters ? view.filters.shape[0] : 1;
      choose.hidden = count === 1;
      if (filter < 0 || filter >= count) {
        const first = view.layers.find(({ kind }) => kind === "ReLU");
        filter = view.filters && first?.array ? first.numbers[first.places[0]] : 0;
      }
      choose.set(filter + 1, { max: count });
      compute();
    },
  };
}
