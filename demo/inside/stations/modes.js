// BatchNorm and dropout: the same drawing in training and in evaluation.

import { number, percent, t } from "../../page/words.js";
import { sharp } from "../paint.js";
import { el, prose, rich, short, slider } from "../parts.js";

export const name = "modes";

export function mount(root, { lab, link, chooseNetwork, parameters }) {
  let layer = Number(parameters.get("layer")) || 0;
  let rate = null;
  let seed = 0;
  let found = null;
  let asked = 0;

  const layers = el("select", { "aria-label": t("inside.modes.layer") });
  const charts = ["before", "evaluation", "training"].map((key) => {
    const canvas = el("canvas");
    const caption = el("figcaption");
    return { key, canvas, caption, node: el("figure.panel", {}, caption, canvas) };
  });
  const batch = el("p.quiet");
  const normed = el("div.workbench", {}, el("label.labelled", {}, el("span", {}, t("inside.modes.layer")), layers), el("div.trio.even", {}, charts.map(({ node }) => node)), batch);
  const lacking = el("div.lacking", {},
    el("p.help", {}, t("inside.modes.without")),
    el("div.tools", {}, ["digits", "signs"].map((network) =>
      el("button", { type: "button", onclick: () => chooseNetwork(network) }, t(`inside.network.${network}`)))));
  const rates = slider(t("inside.modes.rate"), {
    min: 0, max: 0.9, step: 0.05, value: 0.3, show: (value) => number(value, { style: "percent" }),
    changed(value) {
      rate = value;
      parameters.set("rate", value);
      link();
      throwAgain();
    },
  });
  const again = el("button.main", { type: "button", onclick: () => {
    seed += 1;
    throwAgain();
  } }, t("inside.modes.again"));
  const cloud = el("canvas");
  const said = el("p.here", { "aria-live": "polite" });
  const where = el("p.quiet");
  lacking.hidden = normed.hidden = true; // until the answer says which of them it is
  layers.addEventListener("change", () => {
    layer = layers.selectedIndex;
    parameters.set("layer", layer);
    link();
    drawCharts();
  });

  root.append(
    el("h3", {}, "BatchNorm"), prose("inside.modes.batchnorm"), lacking, normed,
    el("h3", {}, "Dropout"), prose("inside.modes.dropout"),
    el("div.workbench", {}, rates, el("div.tools", {}, again), cloud, said, where),
    el("details", {}, el("summary", {}, t("inside.more")), ["eval", "average", "scale"].map((key) => prose(`inside.modes.${key}`))),
  );

  async function ask() {
    const turn = ++asked;
    const [modes] = await Promise.all([lab.ask("modes").catch(() => null), throwAgain(turn)]);
    if (turn !== asked) return;
    found = modes;
    const none = !found?.layers.length;
    lacking.hidden = !none;
    normed.hidden = none;
    if (none) return;
    layer = Math.min(layer, found.layers.length - 1);
    layers.replaceChildren(...found.layers.map((each, index) => el("option", { selected: index === layer }, `${each.name} · ${t("inside.modes.maps", { count: each.kept[0].length })}`)));
    batch.textContent = t(found.copies ? "inside.modes.copies" : "inside.modes.batch", { count: found.batch });
    drawCharts();
  }

  function drawCharts() {
    const each = found.layers[layer];
    const low = Math.min(...each.histograms.map((histogram) => histogram.low));
    const high = Math.max(...each.histograms.map((histogram) => histogram.high));
    const most = Math.max(...each.histograms.map(({ shares }) => Math.sqrt(Math.max(...shares))));
    charts.forEach(({ key, canvas, caption }, index) => {
      const { shares, low: from, high: upto } = each.histograms[index];
      const [width, height] = [280, 150];
      const paint = sharp(canvas, width, height);
      const style = getComputedStyle(canvas);
      paint.clearRect(0, 0, width, height);
      const x = (value) => ((value - low) / (high - low)) * width;
      paint.fillStyle = style.getPropertyValue(index === 2 ? "--plus" : index === 1 ? "--accent" : "--edge");
      shares.forEach((share, bin) => {
        const value = from + ((upto - from) * bin) / shares.length;
        const tall = share ? Math.max(1.5, (Math.sqrt(share) / most) * (height - 28)) : 0;
        paint.fillRect(x(value), height - 20 - tall, Math.max(1, x(value + (upto - from) / shares.length) - x(value) - 0.6), tall);
      });
      paint.fillStyle = style.getPropertyValue("--quiet");
      paint.fillRect(0, height - 19, width, 1);
      paint.fillRect(x(0), 0, 1, height - 19);
      paint.font = "11px system-ui, sans-serif";
      paint.textAlign = "center";
      for (const value of [low, 0, high]) paint.fillText(short(value, 1), Math.min(width - 14, Math.max(14, x(value))), height - 5);
      const average = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
      const text = t(`inside.modes.${key}`, { mean: short(average(each.means[index])), std: short(average(each.deviations[index])) });
      caption.replaceChildren(...rich(text));
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", text.replaceAll("*", ""));
    });
  }

  async function throwAgain(turn = ++asked) {
    if (!lab.view) return;
    const { view } = lab;
    const told = await lab.ask("throws", { seed, rate: rate ?? (view.dropout ? null : 0.3) }).catch(() => null);
    if (turn !== asked || !told) return;
    drawCloud(told);
  }

  /** For each class the answers of all throws as dots, and the calm answer as a line. */
  function drawCloud({ calm, throws }) {
    const { labels, answer } = lab.view;
    const [width, height] = [760, 230];
    const paint = sharp(cloud, width, height);
    const style = getComputedStyle(cloud);
    paint.clearRect(0, 0, width, height);
    const left = 46; // for the numbers of the axis
    const column = (width - left) / labels.length;
    const y = (share) => 8 + (1 - share) * (height - 38);
    paint.strokeStyle = style.getPropertyValue("--line");
    paint.fillStyle = style.getPropertyValue("--quiet");
    paint.font = "14px system-ui, sans-serif";
    paint.textAlign = "right";
    for (const share of [0, 0.5, 1]) {
      paint.beginPath();
      paint.moveTo(left, y(share));
      paint.lineTo(width, y(share));
      paint.stroke();
      paint.fillText(number(share, { style: "percent" }), left - 6, y(share) + 5);
    }
    paint.textAlign = "center";
    labels.forEach((text, label) => {
      const middle = left + (label + 0.5) * column;
      paint.fillStyle = style.getPropertyValue(label === answer ? "--accent" : "--quiet");
      paint.fillText(text, middle, height - 8);
      paint.globalAlpha = 0.5;
      throws.forEach((row, index) => {
        paint.beginPath();
        paint.arc(middle + (((index * 37) % 50) / 50 - 0.5) * column * 0.7, y(row[label]), 3.2, 0, 7);
        paint.fill();
      });
      paint.globalAlpha = 1;
      paint.fillStyle = style.getPropertyValue("--ink");
      paint.fillRect(middle - column * 0.38, y(calm[label]) - 1, column * 0.76, 2);
    });
    const shares = throws.map((row) => row[answer]);
    const wins = throws.filter((row) => row.indexOf(Math.max(...row)) === answer).length;
    const text = t("inside.modes.here", { answer: labels[answer], wins, count: throws.length, low: percent(Math.min(...shares)), high: percent(Math.max(...shares)), calm: percent(calm[answer]) });
    said.textContent = text;
    cloud.setAttribute("role", "img");
    cloud.setAttribute("aria-label", text);
    where.textContent = lab.view.dropout ? "" : t("inside.modes.placed");
  }

  return {
    show() {
      root.classList.toggle("nothing", !lab.view);
      if (lab.view) ask();
    },
    stop: () => (asked += 1),
  };
}
