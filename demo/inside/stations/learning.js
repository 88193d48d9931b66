// One step of learning: say what the drawing is, see loss, gradients and the step, press, and watch everything change.

import { number, percent, t } from "../../page/words.js";
import { MOST_LESSONS } from "../lab.js";
import { drawMap, sharp } from "../paint.js";
import { bars, el, prose, short, slider } from "../parts.js";
import { DOUBTFUL, same } from "../samples.js";
import { largestOf, mapOf } from "../unpack.js";

export const name = "learning";

export function mount(root, { lab, link, parameters }) {
  let label = null;
  let rate = Math.min(1, Math.max(1e-4, Number(parameters.get("rate")) || 0.01));
  let asked = 0;
  let busy = false;
  let losses = []; // after 0, 1, 2 ... steps
  let first = null; // the filters before any step

  const classes = el("div.presets", { role: "group", "aria-label": t("inside.learning.label") });
  const rates = slider(t("inside.learning.rate"), {
    min: -4, max: 0, step: 0.05, value: Math.log10(rate), show: (power) => number(10 ** power, { maximumSignificantDigits: 2 }),
    changed: (power) => set(10 ** power),
  });
  const press = el("button.main", { type: "button", onclick: () => step(1) }, t("inside.learning.step"));
  const ten = el("button", { type: "button", onclick: () => step(10) }, t("inside.learning.ten"));
  const undo = el("button", { type: "button", onclick: () => back() }, t("inside.learning.undo"));
  const loss = el("p.loss", { "aria-live": "polite" });
  const curve = el("canvas", { role: "img", "aria-label": t("inside.learning.curve") });
  const answers = el("div");
  const table = el("table.layers");
  const silent = el("div.bars-list.wide-names");
  const filters = el("div.filters-now");
  const trouble = el("p.problem", { role: "alert" });

  root.append(
    prose("inside.learning.lead"),
    el("div.workbench", {},
      el("div.labelled", {}, el("span", {}, t("inside.learning.label")), classes),
      el("div.pair", {}, rates, el("div.tools.marks", {}, [0.0001, 0.001, 0.01, 0.1, 1].map((value) =>
        el("button", { type: "button", onclick: () => set(value) }, number(value, { maximumSignificantDigits: 1 }), value === 0.01 ? el("small", {}, t("inside.learning.lessons")) : null)))),
      el("div.tools", {}, press, ten, undo),
      trouble,
      el("div.pair", {}, el("div", {}, loss, curve), answers),
    ),
    el("h3", {}, t("inside.learning.layers")),
    prose("inside.learning.layers.about"),
    el("div.workbench", {}, el("div.wide", {}, table)),
    el("h3", {}, t("inside.learning.silent")),
    prose("inside.learning.silent.about"),
    el("div.workbench", {}, silent),
    el("h3", {}, t("inside.learning.filters")),
    el("div.workbench", {}, filters),
    el("details", {}, el("summary", {}, t("inside.more")), ["adam", "frozen", "dead"].map((key) => prose(`inside.learning.${key}`))),
  );

  function set(value) {
    rate = value;
    rates.set(Math.log10(value));
    parameters.set("rate", Number(value.toPrecision(2)));
    link();
    preview();
  }

  async function step(count) {
    if (busy || label === null || !lab.view) return;
    busy = true;
    for (let i = 0; i < count && lab.lessons.length < MOST_LESSONS && lab.view; i++) await lab.learn(label, rate);
    busy = false;
    preview();
  }

  async function back() {
    if (busy) return;
    await lab.unlearn(1);
    preview();
  }

  async function preview() {
    if (!lab.view || label === null || busy) return;
    const turn = ++asked;
    let found;
    try {
      found = await lab.ask("learn", { label, rate });
    } catch (error) {
      if (turn === asked) trouble.textContent = error.message;
      return;
    }
    if (turn !== asked) return;
    trouble.textContent = lab.lessons.length >= MOST_LESSONS ? t("inside.many_lessons", { most: MOST_LESSONS }) : "";
    show(found);
  }

  function show(found) {
    const { view } = lab;
    losses = losses.slice(0, lab.lessons.length);
    losses[lab.lessons.length] = found.loss;
    loss.replaceChildren(t("inside.learning.loss"), " ", el("b", {}, short(found.loss, 3)), " → ", el("b.next-loss", {}, short(found.loss_after, 3)), " ", el("small", {}, t("inside.learning.after")));
    drawCurve(curve, losses, found.loss_after);
    const shares = bars(view.labels);
    shares.classList.toggle("many", view.labels.length > 12);
    shares.set(found.before, label);
    shares.querySelectorAll(".track").forEach((track, index) => track.append(el("s", { style: `left: ${100 * found.after[index]}%` })));
    const softened = view.temperature === 1 ? "" : t("inside.learning.temperature", { temperature: short(view.temperature), station: t("inside.scores.short") });
    answers.replaceChildren(shares, el("p.quiet", {}, t("inside.learning.bars")), el("p.quiet", {}, softened));
    const most = Math.max(...found.layers.map((layer) => layer.gradient), 1e-12);
    const small = (value) => number(value, { maximumSignificantDigits: 3 });
    table.replaceChildren(
      el("thead", {}, el("tr", {}, ["layer", "weights", "gradient", "change"].map((key) => el("th", { scope: "col" }, t(`inside.learning.${key}`))))),
      el("tbody", {}, found.layers.map((layer) => {
        const kind = view.layers.find((each) => each.name === layer.name)?.kind;
        return el("tr", {},
          el("th", { scope: "row" }, kind ? `${t(`inside.kind.${kind}`)} ` : "", el("code", { translate: "no" }, layer.name)),
          el("td", {}, small(layer.weights)),
          el("td", {}, el("span.meter", { "aria-hidden": "true" }, el("i", { style: `width: ${(100 * layer.gradient) / most}%` })), el("span.figure", {}, small(layer.gradient))),
          el("td", {}, number(layer.step / (layer.weights || 1), { style: "percent", maximumSignificantDigits: 3 })));
      })),
    );
    silent.replaceChildren(...Object.entries(found.silent).map(([layer, [now, next]]) =>
      el("div.bar", {}, el("span", {}, el("code", { translate: "no" }, layer)),
        el("span.track", {}, el("i", { style: `width: ${100 * now}%` }), el("s", { style: `left: ${100 * next}%` })),
        el("span.value", {}, `${percent(now)} → ${percent(next)}`))));
    undo.disabled = !lab.lessons.length;
    drawFilters();
  }

  function drawFilters() {
    const now = lab.view.filters;
    if (!lab.lessons.length || !first || first.network !== lab.network) first = now && { network: lab.network, values: now.values.slice() };
    filters.replaceChildren();
    if (!now) return;
    const largest = largestOf(now.values);
    for (const [key, values] of [["inside.learning.then", first.values], ["inside.learning.now", now.values]]) {
      const row = el("div.row", {}, el("span.quiet", {}, t(key)));
      for (let i = 0; i < Math.min(32, now.shape[0]); i++) {
        const canvas = el("canvas", { "aria-hidden": "true" });
        drawMap(sharp(canvas, 24, 24), mapOf({ ...now, values }, i), largest, 0, 0, 24, 24);
        row.append(canvas);
      }
      filters.append(row);
    }
  }

  return {
    show() {
      root.classList.toggle("nothing", !lab.view);
      const { view } = lab;
      if (!view || busy) return;
      const asks = parameters.get("label") ?? (same(lab.strokes, DOUBTFUL.strokes) ? DOUBTFUL.label : null);
      const open = !parameters.has("label") && !lab.lessons.length; // nobody has said what it is
      if (label === null || label >= view.labels.length || open) label = view.labels.includes(asks) ? view.labels.indexOf(asks) : view.answer;
      classes.replaceChildren(...view.labels.map((text, index) =>
        el("button.preset.class", {
          type: "button", "aria-pressed": String(index === label),
          onclick: () => {
            label = index;
            parameters.set("label", text);
            link();
            this.show();
          },
        }, text)));
      preview();
    },
    stop: () => (asked += 1),
  };
}

function drawCurve(canvas, losses, next) {
  const [width, height] = [340, 130];
  const paint = sharp(canvas, width, height);
  const style = getComputedStyle(canvas);
  paint.clearRect(0, 0, width, height);
  const points = losses.map((loss, step) => [step, loss]).filter(([, loss]) => loss !== undefined);
  const most = Math.max(0.1, next, ...points.map(([, loss]) => loss));
  const last = losses.length;
  const place = ([step, loss]) => [8 + (step / Math.max(4, last)) * (width - 16), height - 8 - (loss / most) * (height - 16)];
  paint.strokeStyle = style.getPropertyValue("--line");
  paint.strokeRect(0.5, 0.5, width - 1, height - 1);
  paint.strokeStyle = paint.fillStyle = style.getPropertyValue("--accent");
  paint.lineWidth = 2;
  paint.beginPath();
  for (const point of points) paint.lineTo(...place(point));
  paint.stroke();
  for (const point of points) dot(paint, place(point));
  paint.setLineDash([4, 4]);
  paint.beginPath();
  if (points.length) paint.moveTo(...place(points.at(-1)));
  paint.lineTo(...place([last, next]));
  paint.stroke();
  paint.setLineDash([]);
  paint.beginPath();
  paint.arc(...place([last, next]), 4, 0, 7);
  paint.stroke();
}

function dot(paint, [x, y]) {
  paint.beginPath();
  paint.arc(x, y, 3, 0, 7);
  paint.fill();
}
