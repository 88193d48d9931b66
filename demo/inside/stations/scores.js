// Flatten and fully connected: which features push a class, up or down, from map to score to softmax.

import { number, t } from "../../page/words.js";
import { softmax } from "../arithmetic.js";
import { whole } from "../link.js";
import { drawPicture, frame, sharp } from "../paint.js";
import { bars, el, prose, rich, short, slider } from "../parts.js";

export const name = "scores";
const SIDE = 220;

export function mount(root, { lab, link, parameters }) {
  let label = null;
  let temperature = Number(parameters.get("temperature")) > 0 ? Math.min(10, Number(parameters.get("temperature"))) : null;
  let told = null; // what the server says of the pushes
  let asked = 0;
  let all = null;

  const classes = el("div.presets", { role: "group", "aria-label": t("inside.scores.class") });
  const list = el("ol.pushes");
  const picture = el("canvas", { role: "img", "aria-label": t("inside.map.picture") });
  const where = el("figcaption");
  const flatten = el("p.formula");
  const addition = el("p.written", { translate: "no" });
  const warmth = slider(t("inside.scores.temperature"), {
    min: -1, max: 1, step: 0.01, value: 0, show: (power) => short(10 ** power, 2),
    changed: (power) => {
      temperature = 10 ** power;
      parameters.set("temperature", temperature.toFixed(2));
      link();
      soften();
    },
  });
  const chances = el("div");

  root.append(
    prose("inside.scores.lead"),
    el("div.workbench", {}, flatten, classes,
      el("div.pair.pushed", {}, list, el("figure.panel", {}, picture, where)), addition),
    el("h3", {}, t("inside.scores.softmax")),
    prose("inside.scores.softmax.about"),
    el("div.workbench", {}, warmth, chances),
    el("details", {}, el("summary", {}, t("inside.more")), ["flatten", "sum"].map((key) => prose(`inside.scores.${key}`))),
  );

  async function ask() {
    const turn = ++asked;
    const found = await lab.ask("pushes").catch(() => null);
    if (turn !== asked || !found || !lab.view) return;
    told = found;
    pick(label ?? whole(parameters.get("class"), 0, lab.view.labels.length - 1, lab.view.answer));
  }

  function pick(next) {
    label = Math.min(next, told.classes.length - 1);
    const { view } = lab;
    classes.replaceChildren(
      ...view.labels.map((text, index) =>
        el("button.preset.class", {
          type: "button", "aria-pressed": String(index === label),
          onclick: () => {
            parameters.set("class", index);
            link();
            pick(index);
          },
        }, el("b", {}, text), el("small", {}, short(told.classes[index].score, 1))),
      ),
    );
    const [maps, height, width] = told.shape;
    flatten.replaceChildren(el("code", { translate: "no" }, `Flatten: ${maps} × ${height} × ${width} = `, el("b", {}, number(told.features))));
    const { largest, rest, constant, score } = told.classes[label];
    const most = Math.max(...largest.map(([, , , , push]) => Math.abs(push)), 1e-9);
    list.replaceChildren(
      ...largest.map((feature) => {
        const [map, row, column, value, push] = feature;
        const names = t(height * width > 1 ? "inside.scores.feature" : "inside.scores.unit", { map: map + 1, row: row + 1, column: column + 1 });
        const fill = el(push < 0 ? "i.down" : "i", { style: `width: ${(50 * Math.abs(push)) / most}%` });
        const button = el("button", { type: "button", onclick: () => see(feature), onfocus: () => see(feature), onpointerenter: () => see(feature) },
          el("span", {}, names), el("span.both", { "aria-hidden": "true" }, fill), el("span.value", {}, (push > 0 ? "+" : "") + short(push)));
        button.title = t("inside.scores.value", { value: short(value) });
        return el("li", {}, button);
      }),
    );
    see(largest[0]);
    const top = largest.reduce((sum, [, , , , push]) => sum + push, 0);
    addition.replaceChildren(...rich(t("inside.scores.addition", { top: short(top), rest: short(rest), bias: short(constant), score: short(score), answer: view.labels[label] })));
    soften();
  }

  function see([map, row, column, value]) {
    const { view } = lab;
    if (!view) return;
    const paint = sharp(picture, SIDE, SIDE);
    drawPicture(paint, view.pixels, view.shape, 0, 0, SIDE, SIDE);
    const wide = view.layers.filter(({ field, array }) => field && array).at(-1);
    const [maps, height, width] = told.shape;
    if (wide && height * width > 1 && maps === wide.shape[0]) {
      const [size, jump, offset] = wide.field;
      const unit = SIDE / view.shape[2];
      const [left, top] = [column, row].map((place) => Math.max(0, offset + place * jump));
      const [right, bottom] = [column, row].map((place) => Math.min(view.shape[2], offset + place * jump + size));
      frame(paint, left * unit + 1, top * unit + 1, (right - left) * unit - 2, (bottom - top) * unit - 2, 2.5);
    }
    where.textContent = t("inside.scores.seen", { map: map + 1, value: short(value) });
  }

  function soften() {
    const { view } = lab;
    if (!view) return;
    temperature ??= view.temperature;
    warmth.set(Math.log10(temperature));
    if (!all || all.labels !== view.labels.join()) {
      all = bars(view.labels);
      all.labels = view.labels.join();
      all.classList.toggle("many", view.labels.length > 12);
      chances.replaceChildren(all);
    }
    all.set(softmax(view.scores, temperature), view.answer);
  }

  return {
    show() {
      root.classList.toggle("nothing", !lab.view);
      if (!lab.view) return;
      soften();
      ask();
    },
    stop: () => (asked += 1),
  };
}
