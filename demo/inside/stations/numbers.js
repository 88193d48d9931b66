// A picture is numbers: a row of 784 values and the grid they make, reshaped well or badly, and normalised.

import { number, t } from "../../page/words.js";
import { deviation, histogram, mean, normalise } from "../arithmetic.js";
import { whole } from "../link.js";
import { frame, sharp } from "../paint.js";
import { dragged, el, prose, rich, short, slider } from "../parts.js";

export const name = "numbers";
const SIDE = 420;
const BINS = 60;

export function mount(root, { lab, link, parameters }) {
  let width = whole(parameters.get("width"), 14, 56, 28);
  let at = whole(parameters.get("pixel"), 0, 783, 406);
  let values = null; // 784 of 0..255
  let scaling = null; // { mean, std }

  const grid = el("canvas.map", { tabIndex: 0, role: "slider", "aria-label": t("inside.numbers.grid") });
  const strip = el("canvas.map.strip", { role: "img", "aria-label": t("inside.numbers.row") });
  const near = el("p.near", { translate: "no" });
  const here = el("p.here", { "aria-live": "polite" });
  const shape = el("p.formula");
  const wrong = el("p.problem", { role: "status" });
  const widths = slider(t("inside.numbers.width"), { min: 14, max: 56, value: width, changed: (value) => set(value) });
  const charts = ["before", "after"].map((key) => {
    const canvas = el("canvas", { role: "img" });
    const caption = el("figcaption");
    return { key, canvas, caption, node: el("figure.panel", {}, caption, canvas) };
  });
  const sliders = [
    slider(t("inside.numbers.mean"), { min: 0, max: 0.6, step: 0.0001, value: 0, show: (value) => short(value, 4), changed: (value) => scale({ mean: value }) }),
    slider(t("inside.numbers.std"), { min: 0.05, max: 1, step: 0.0001, value: 1, show: (value) => short(value, 4), changed: (value) => scale({ std: value }) }),
  ];

  root.append(
    prose("inside.numbers.lead"),
    el("div.workbench", {},
      el("figure.panel", {}, el("figcaption", {}, el("span", {}, t("inside.numbers.row"))), strip, near),
      el("div.pair", {},
        el("figure.panel", {}, grid),
        el("div.words", {}, here, shape, widths,
          el("div.tools", {}, [28, 27, 14, 56].map((value) => el("button", { type: "button", onclick: () => set(value) }, `${value}`))), wrong, prose("inside.numbers.reshape")),
      ),
    ),
    el("h3", {}, t("inside.numbers.normalise")),
    prose("inside.numbers.normalise.about"),
    el("div.workbench", {}, el("div.pair", {}, charts.map(({ node }) => node)), el("div.pair", {}, sliders),
      el("div.tools", {}, el("button", { type: "button", onclick: () => scale({ mean: lab.view.mean, std: lab.view.std }) }, t("inside.numbers.network")),
        el("button", { type: "button", onclick: () => scale({ mean: mean(values) / 255, std: deviation(values) / 255 || 1 }) }, t("inside.numbers.own")))),
  );

  dragged(grid, (x, y) => point(Math.floor(y * rows()) * width + Math.min(width - 1, Math.floor(x * width))));
  dragged(strip, (x) => point(Math.floor(x * 784)));
  grid.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: width, ArrowUp: -width }[event.key];
    if (!by) return;
    event.preventDefault();
    point(at + by);
  });

  const rows = () => Math.ceil(784 / width);

  function set(value) {
    width = value;
    widths.set(value);
    parameters.set("width", width);
    link();
    draw();
  }

  function point(next) {
    at = Math.min(783, Math.max(0, next));
    parameters.set("pixel", at);
    link();
    draw();
  }

  function scale(change) {
    scaling = { ...scaling, ...change };
    sliders[0].set(scaling.mean);
    sliders[1].set(scaling.std);
    drawCharts();
  }

  function draw() {
    if (!values) return;
    const cell = SIDE / width;
    const paint = sharp(grid, SIDE, Math.max(cell, rows() * cell));
    const bar = sharp(strip, 784, 26);
    paint.fillStyle = getComputedStyle(grid).getPropertyValue("--soft");
    paint.fillRect(0, 0, SIDE, rows() * cell);
    for (let i = 0; i < 784; i++) {
      paint.fillStyle = bar.fillStyle = `rgb(${values[i]} ${values[i]} ${values[i]})`;
      paint.fillRect((i % width) * cell, Math.floor(i / width) * cell, cell + 0.3, cell + 0.3);
      bar.fillRect(i, 0, 1.3, 26);
    }
    const row = Math.floor(at / width);
    paint.fillStyle = "rgb(140 130 255 / 0.25)";
    paint.fillRect(0, row * cell, SIDE, cell);
    bar.fillStyle = "rgb(140 130 255 / 0.4)";
    bar.fillRect(row * width, 0, width, 26);
    frame(paint, (at % width) * cell, row * cell, cell, cell, 2.5);
    frame(bar, at - 1, 1, 3, 24, 1.5);
    near.replaceChildren(
      "… ",
      ...Array.from({ length: 13 }, (_, k) => at - 6 + k).filter((i) => i >= 0 && i < 784)
        .flatMap((i) => [el(i === at ? "b" : "span", {}, String(values[i])), " "]),
      "…",
    );
    const said = t("inside.numbers.here", { index: at, row, column: at % width, width, value: values[at] });
    here.textContent = said;
    grid.setAttribute("aria-valuemin", "0");
    grid.setAttribute("aria-valuemax", "783");
    grid.setAttribute("aria-valuenow", String(at));
    grid.setAttribute("aria-valuetext", said);
    const even = 784 % width === 0;
    shape.replaceChildren(el("code", { translate: "no" }, `(1, 784).reshape(-1, 1, ${even ? 784 / width : width}, ${width})`),
      el("code.filled", { translate: "no" }, even ? `→ (1, 1, ${784 / width}, ${width})` : "→ RuntimeError"));
    wrong.textContent = width === 28 ? "" : even ? t("inside.numbers.wrong", { rows: 784 / width, width }) : t("inside.numbers.uneven", { width, product: width * width });
  }

  function drawCharts() {
    if (!values) return;
    const after = normalise(values, scaling.mean, scaling.std);
    const shares = values.map((value) => value / 255);
    const told = [[shares, 0, 1], [after, -3, 6]];
    charts.forEach(({ key, canvas, caption }, index) => {
      const [numbers, low, high] = told[index];
      chart(canvas, numbers, low, high);
      const text = t(`inside.numbers.${key}`, { mean: short(mean(numbers)), std: short(deviation(numbers)), low: short(Math.min(...numbers)), high: short(Math.max(...numbers)) });
      caption.replaceChildren(...rich(text));
      canvas.setAttribute("aria-label", text.replaceAll("*", ""));
    });
  }

  return {
    show() {
      root.classList.toggle("nothing", !lab.view);
      const { view } = lab;
      if (!view) return;
      const side = view.shape[1];
      const step = side / 28;
      values = Array.from({ length: 784 }, (_, i) => view.pixels[Math.floor(Math.floor(i / 28) * step) * side + Math.floor((i % 28) * step)]);
      scaling ??= { mean: view.mean, std: view.std };
      scale({});
      draw();
    },
  };
}

/** Bars of a histogram over low..high, with a line at 0 and ticks below; heights by square root, for most pixels are black. */
function chart(canvas, numbers, low, high) {
  const [width, height] = [380, 170];
  const paint = sharp(canvas, width, height);
  paint.clearRect(0, 0, width, height);
  const style = getComputedStyle(canvas);
  const counts = histogram(numbers, low, high, BINS);
  const most = Math.sqrt(Math.max(...counts));
  const bar = width / BINS;
  paint.fillStyle = style.getPropertyValue("--accent");
  counts.forEach((count, index) => {
    const tall = count ? Math.max(2, (Math.sqrt(count) / most) * (height - 34)) : 0;
    paint.fillRect(index * bar + 0.5, height - 22 - tall, bar - 1, tall);
  });
  paint.fillStyle = paint.strokeStyle = style.getPropertyValue("--quiet");
  paint.font = "12px system-ui, sans-serif";
  paint.textAlign = "center";
  paint.fillRect(0, height - 21, width, 1);
  for (let k = 0; k <= 4; k++) {
    const value = low + ((high - low) * k) / 4;
    paint.fillText(number(value, { maximumFractionDigits: 2 }), Math.min(width - 14, Math.max(14, (width * k) / 4)), height - 5);
  }
  const middle = mean(numbers);
  paint.fillStyle = style.getPropertyValue("--plus");
  paint.fillRect(((middle - low) / (high - low)) * width - 1, 4, 2, height - 26);
}
