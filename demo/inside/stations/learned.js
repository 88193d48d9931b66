// The kernels that a network learned, layer by layer; one of them can then be followed by hand.

import { t } from "../../page/words.js";
import { el, prose, slider } from "../parts.js";
import { largestOf, mapOf, mostImportant, unpack } from "../unpack.js";
import { thumbnail } from "./sliding.js";

const SHOWN = 32; // kernels of a later layer's map: those whose shares of it are the largest

/**
 * `take(filter)` hears which kernel was chosen: { layer, map, number, count, kernel, stride, padding, weights, bias, given }.
 * `layer` is empty for the first; of a later one `given` is the map under the kernel, and the bias is left to the sum.
 */
export function createLearned(lab, take) {
  const layers = el("select", { "aria-label": t("inside.channels.layer") });
  const maps = slider(t("inside.channels.map"), { min: 1, max: 1, value: 1, changed: (value) => open(layers.value, value - 1) });
  const tiles = el("div.learned-filters", { role: "group", "aria-label": t("inside.convolution.learned") });
  const node = el("section.body.of-network", {},
    el("h3", {}, t("inside.convolution.learned")),
    prose("inside.convolution.learned.about"),
    el("div.pair", {}, el("label.labelled", {}, el("span", {}, t("inside.channels.layer")), layers), maps),
    tiles,
  );
  let opened = null; // of a later layer: { name, map, header, arrays }
  let pressed = "";
  let asked = 0;
  layers.addEventListener("change", () => open(layers.value, -1));

  const convolutions = () => lab.view.layers.filter(({ kind }) => kind === "Conv2d");
  const key = (layer, map, number) => [layer, map, number].join(":");

  /** The kernels of a later layer's map; -1 stands for the map that matters most. */
  async function open(name, map) {
    const layer = convolutions().find((each) => each.name === name);
    if (!layer || layer.inputs[0] === 1) {
      opened = null;
      return offer();
    }
    const turn = ++asked;
    const wanted = map >= 0 && map < layer.shape[0] ? map : mostImportant(lab.view, layer);
    const reply = await lab.askBytes("sum", { layer: name, map: wanted }).catch(() => null);
    if (turn !== asked || !reply) return;
    opened = { name, map: wanted, ...unpack(reply) };
    maps.set(wanted + 1, { max: layer.shape[0] });
    offer();
  }

  function first(number) {
    const { filters, biases } = lab.view;
    if (!filters || number >= filters.shape[0]) return null;
    const [kernel, stride, padding] = convolutions()[0].geometry;
    const weights = Array.from(mapOf(filters, number).values);
    return { layer: "", map: -1, number, count: 1, kernel, stride, padding, weights, bias: biases[number], given: null };
  }

  function later(index) {
    const { name, map, header, arrays } = opened;
    const input = mapOf(arrays.inputs, index);
    const largest = largestOf(input.values);
    const shown = { ...input, values: input.values.map((value) => Math.max(0, value) / largest) };
    return {
      layer: name, map, number: header.numbers[index], count: header.count, kernel: arrays.kernels.shape[1],
      stride: header.stride, padding: header.padding, bias: 0, weights: Array.from(mapOf(arrays.kernels, index).values),
      given: { ...input, shown, bytes: shown.values.map((value) => Math.round(255 * value)) },
    };
  }

  /** The kernel as it is for the picture now; null where this network has none such. */
  async function find(layer, map, number) {
    if (!layer) return first(number);
    await open(layer, map);
    const index = opened?.name === layer && opened.map === map ? opened.header.numbers.indexOf(number) : -1;
    return index < 0 ? null : later(index);
  }

  function offer() {
    const all = convolutions();
    node.hidden = !lab.view.filters;
    if (node.hidden) return;
    const chosen = opened?.name ?? all[0].name;
    layers.replaceChildren(...all.map((each) => el("option", { value: each.name, selected: each.name === chosen }, `${each.name}: ${each.inputs[0]} → ${each.shape[0]}`)));
    layers.value = chosen;
    maps.hidden = !opened;
    const count = opened ? Math.min(SHOWN, opened.header.numbers.length) : lab.view.filters.shape[0];
    tiles.replaceChildren(
      ...Array.from({ length: count }, (_, index) => {
        const [name, map, number] = opened ? [opened.name, opened.map, opened.header.numbers[index]] : ["", -1, index];
        return el("button.preset.tile", {
          type: "button", "aria-pressed": String(pressed === key(name, map, number)), "aria-label": t("inside.convolution.number", { number: number + 1 }),
          onclick: () => take(opened ? later(index) : first(index)),
        }, thumbnail(mapOf(opened ? opened.arrays.kernels : lab.view.filters, index), 36));
      }),
    );
  }

  return {
    node,
    find,
    /** Shows what there is; the kernel of those numbers is in use. */
    show(layer, map, number) {
      pressed = key(layer, map, number);
      offer();
    },
    /** The network is another: what was opened is not its own. */
    forget() {
      asked += 1;
      opened = null;
    },
  };
}
