// How many maps become one: each gets a kernel of its own, and the results are added up.

import { number, t } from "../../page/words.js";
import { whole } from "../link.js";
import { drawMap, sharp } from "../paint.js";
import { el, prose, rich, short, slider, still } from "../parts.js";
import { largestOf, mapOf, mostImportant, unpack } from "../unpack.js";

export const name = "channels";
const SHOWN = 8; // rows of the largest shares

export function mount(root, { lab, link, parameters }) {
  let layer = parameters.get("layer");
  let map = whole(parameters.get("map"), 0, 5000, -1); // -1: the one that matters most
  let added = Infinity;
  let found = null;
  let asked = 0;
  let timer = 0;

  const layers = el("select", { "aria-label": t("inside.channels.layer") });
  const maps = slider(t("inside.channels.map"), { min: 1, max: 1, value: 1, changed: (value) => pick(layer, value - 1) });
  const sums = el("canvas.map", { role: "img", "aria-label": t("inside.channels.sum") });
  const caption = el("figcaption", { "aria-live": "polite" });
  const count = slider(t("inside.channels.added"), { min: 0, max: 1, value: 0, changed: (value) => add(value) });
  const play = el("button.main", { type: "button", onclick: () => run() }, t("inside.play"));
  const rows = el("div.shares");
  const facts = el("p.quiet");
  layers.addEventListener("change", () => pick(layers.value, -1));

  root.append(
    prose("inside.channels.lead"),
    el("div.workbench", {},
      el("div.pair", {}, el("label.labelled", {}, el("span", {}, t("inside.channels.layer")), layers), maps),
      el("div.pair.channels", {},
        rows,
        el("figure.panel", {}, sums, caption, el("div.tools", {}, play, count)),
      ),
      facts,
    ),
    el("details", {}, el("summary", {}, t("inside.more")), ["why", "weights"].map((key) => prose(`inside.channels.${key}`))),
  );

  const convolutions = () => lab.view.layers.filter(({ kind, inputs }) => kind === "Conv2d" && inputs[0] > 1);

  async function pick(name, next) {
    const { view } = lab;
    const those = convolutions();
    const chosen = those.find((each) => each.name === name) ?? those[0];
    if (!chosen) {
      found = null;
      rows.replaceChildren(el("p", {}, t("inside.channels.none")));
      return;
    }
    layer = chosen.name;
    map = next >= 0 && next < chosen.shape[0] ? next : mostImportant(view, chosen);
    parameters.set("layer", layer);
    parameters.set("map", map);
    link();
    maps.set(map + 1, { max: chosen.shape[0] });
    layers.value = layer;
    const turn = ++asked;
    const reply = await lab.askBytes("sum", { layer, map }).catch(() => null);
    if (turn !== asked || !reply) return;
    found = unpack(reply);
    show();
  }

  function show() {
    const { header, arrays } = found;
    const [inputs, kernels, parts] = ["inputs", "kernels", "parts"].map((key) => arrays[key]);
    const [large, heavy, strong] = [inputs, kernels, parts].map(({ values }) => largestOf(values));
    const most = header.shares[0] || 1;
    const tile = (array, index, largest, side) => {
      const canvas = el("canvas", { "aria-hidden": "true" });
      canvas.style.width = `${side}px`;
      drawMap(sharp(canvas, side, side), mapOf(array, index), largest, 0, 0, side, side);
      return canvas;
    };
    const sign = (text) => el("span.sign", { "aria-hidden": "true" }, text);
    rows.replaceChildren(
      ...header.numbers.slice(0, SHOWN).map((number_, index) =>
        el("div.share", {},
          el("span.name", {}, t("inside.map.input", { number: number_ + 1 })),
          tile(inputs, index, large, 52), sign("∗"), tile(kernels, index, heavy, 36), sign("="), tile(parts, index, strong, 52),
          el("span.track", { "aria-hidden": "true" }, el("i", { style: `width: ${(100 * header.shares[index]) / most}%` })),
          el("span.value", {}, number(header.shares[index], { style: "percent", maximumFractionDigits: 1 })),
        )),
      header.count > SHOWN ? el("p.quiet", {}, t("inside.channels.others", { count: header.count - SHOWN, share: number(1 - header.shares.slice(0, SHOWN).reduce((a, b) => a + b, 0), { style: "percent", maximumFractionDigits: 0 }) })) : null,
    );
    const k = kernels.shape[1];
    facts.replaceChildren(...rich(t("inside.channels.facts", { inputs: header.count, size: k, weights: header.count * k * k })));
    count.set(Math.min(added, header.numbers.length), { max: header.numbers.length });
    add(Math.min(added, header.numbers.length));
  }

  /** Adds up the first maps, those with the largest shares first; all of them are the layer's own result. */
  function add(next) {
    if (!found) return;
    const { header, arrays } = found;
    const { shape: [all, height, width], values } = arrays.parts;
    added = next >= all ? Infinity : next;
    count.set(Math.min(next, all));
    const sum = new Float32Array(height * width).fill(header.bias);
    for (let part = 0; part < Math.min(next, all); part++) {
      for (let i = 0; i < sum.length; i++) sum[i] += values[part * sum.length + i];
    }
    const whole = mapOf(arrays.result, 0);
    const shown = next >= all && all === header.count ? whole : { ...whole, values: sum };
    drawMap(sharp(sums, 300, 300), shown, Math.max(largestOf(whole.values), largestOf(sum) * 0.6), 0, 0, 300, 300);
    caption.textContent = t("inside.channels.here", { added: Math.min(next, all), count: header.count, bias: short(header.bias, 3) });
  }

  function run() {
    clearInterval(timer);
    if (!found) return;
    const all = found.header.numbers.length;
    let at = 0;
    add(0);
    timer = setInterval(() => {
      add((at += 1));
      if (at >= all) clearInterval(timer);
    }, still() ? 200 : Math.max(60, 2600 / all));
  }

  return {
    show() {
      root.classList.toggle("nothing", !lab.view);
      if (!lab.view) return;
      layers.replaceChildren(...convolutions().map((each) => el("option", { value: each.name }, `${each.name}: ${each.inputs[0]} → ${each.shape[0]}`)));
      pick(layer, map);
    },
    stop() {
      clearInterval(timer);
      asked += 1;
    },
  };
}
