// Every map of every layer for this drawing, those that matter for the answer first; a map opens what made it.

import { number, t } from "../../page/words.js";
import { frame, putMap, sharp } from "../paint.js";
import { choice, el, prose, rich, short } from "../parts.js";
import { createMap } from "./map.js";

export const name = "maps";
const MOST = 96; // maps of a layer, of those that matter most

export function mount(root, { lab, link, parameters }) {
  let order = parameters.get("order") === "network" ? "network" : "matters";
  const stages = new Map(); // block -> the stage that is shown: Conv2d, ReLU, MaxPool2d ...
  let chosen = parameters.has("layer") ? { layer: parameters.get("layer"), number: Number(parameters.get("map")) } : null;
  const list = el("div.blocks");
  const facts = el("p.quiet");
  const detail = createMap(lab);

  root.append(
    prose("inside.maps.lead"),
    el("div.controls", {},
      el("div.labelled", {}, el("span", {}, t("inside.maps.order")),
        choice(t("inside.maps.order"), [["matters", t("inside.maps.matters")], ["network", t("inside.maps.network")]], order, (value) => {
          order = value;
          parameters.set("order", value);
          link();
          show();
        })),
      el("p.scale", {}, el("span", {}, t("inside.maps.below")), el("i", { "aria-hidden": "true" }), el("span", {}, t("inside.maps.above"))),
    ),
    list,
    facts,
    el("details", {}, el("summary", {}, t("inside.more")), ["how", "field", "relu"].map((key) => prose(`inside.maps.${key}`))),
  );

  let rows = [];
  function build() {
    const blocks = blocksOf(lab.view.layers);
    rows = blocks.map((block, index) => row(block, index));
    list.replaceChildren(...rows.map(({ node }) => node));
    list.dataset.kind = lab.view.kind + lab.view.network;
  }

  function row(block, index) {
    const canvas = el("canvas.atlas", { tabIndex: 0, role: "slider" });
    const head = el("p.what");
    const side = el("div.side", {}, el("h3", {}, title(block, index)), head);
    if (block.length > 1) {
      side.append(choice(t("inside.maps.stage"), block.map((layer) => [layer.name, stageName(layer)]), stageOf(block, index).name, (value) => {
        stages.set(index, value);
        show();
      }));
    }
    const node = el("section.block", {}, side, canvas);
    canvas.addEventListener("click", (event) => {
      const layer = stageNow(block, index);
      const { columns, tile } = canvas.layout;
      const box = canvas.getBoundingClientRect();
      const unit = box.width / canvas.layout.width;
      const place = Math.floor((event.clientY - box.top) / unit / tile) * columns + Math.floor((event.clientX - box.left) / unit / tile);
      if (place < sorted(layer).length) choose(layer, place, index);
    });
    canvas.addEventListener("keydown", (event) => {
      const layer = stageNow(block, index);
      const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: canvas.layout.columns, ArrowUp: -canvas.layout.columns, Home: -1e9, End: 1e9 }[event.key];
      if (!by && event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      const now = chosen?.layer === layer.name ? sorted(layer).findIndex((at) => layer.numbers[at] === chosen.number) : -1;
      choose(layer, Math.min(sorted(layer).length - 1, Math.max(0, now + (by ?? 1))), index);
    });
    return { node, canvas, head, block, index };
  }

  const stageOf = (block, index) => block.find((layer) => layer.name === stages.get(index)) ?? block.find(({ kind }) => kind === "ReLU") ?? block.at(-1);
  const stageNow = (block, index) => lab.view.layers.find(({ name: each }) => each === stageOf(block, index).name);
  // by importance, maps that are 0 everywhere are left out: they matter to nothing
  const sorted = (layer) => (order === "matters" ? layer.places.filter((place) => layer.flat || !silent(layer, place)).slice(0, layer.flat ? Infinity : MOST) : layer.numbers.map((_, place) => place));

  function choose(layer, place, index) {
    chosen = { layer: layer.name, number: layer.numbers[sorted(layer)[place]] };
    parameters.set("layer", chosen.layer);
    parameters.set("map", chosen.number);
    link();
    paintRow(rows[index]);
    open();
  }

  function open() {
    if (!chosen || !lab.view) return;
    const row = rows.find(({ block }) => block.some((layer) => layer.name === chosen.layer));
    const layer = lab.view.layers.find(({ name: each }) => each === chosen.layer);
    if (!row || !layer?.array || !layer.numbers.includes(chosen.number)) {
      chosen = null;
      detail.node.remove();
      return;
    }
    if (detail.node.previousElementSibling !== row.node) row.node.after(detail.node);
    detail.show(layer, chosen.number, row.block.find(({ kind }) => kind === "Conv2d"));
    for (const other of rows) if (other.node.contains(document.activeElement) === false && other.was) paintRow(other);
  }

  function paintRow(row) {
    const { canvas, block, index, head } = row;
    const layer = stageNow(block, index);
    const { shape, numbers, flat } = layer;
    const [height, width] = flat ? [1, 1] : shape.slice(1);
    const across = Math.max(160, canvas.parentElement.clientWidth - (canvas.parentElement.clientWidth > 620 ? 190 : 0));
    const zoom = flat ? 12 : Math.max(1, Math.round((width > 20 ? 56 : width > 10 ? 44 : 40) / width));
    const gap = flat ? 2 : zoom === 1 ? 4 : Math.max(3, Math.round(zoom / 2));
    const tile = width * zoom + gap;
    const order = sorted(layer);
    const columns = Math.max(1, Math.min(order.length, Math.floor(across / tile)));
    const lines = Math.max(1, Math.ceil(order.length / columns));
    canvas.layout = { columns, tile, width: columns * tile };
    canvas.style.width = `${columns * tile}px`;
    const paint = sharp(canvas, columns * tile, lines * tile);
    paint.clearRect(0, 0, columns * tile, lines * tile);
    const atlas = Object.assign(document.createElement("canvas"), { width: columns * width, height: lines * height });
    const own = atlas.getContext("2d");
    const image = own.createImageData(atlas.width, atlas.height);
    const size = width * height;
    order.forEach((at, place) => {
      const values = layer.array.values.subarray(at * size, (at + 1) * size);
      putMap(image, { values, width, height }, layer.largest, (place % columns) * width, Math.floor(place / columns) * height);
    });
    own.putImageData(image, 0, 0);
    order.forEach((_, place) => {
      const [x, y] = [place % columns, Math.floor(place / columns)];
      paint.drawImage(atlas, x * width, y * height, width, height, x * tile + gap / 2, y * tile + gap / 2, width * zoom, height * zoom);
    });
    row.was = chosen?.layer === layer.name;
    const at = row.was ? order.findIndex((each) => numbers[each] === chosen.number) : -1;
    if (at >= 0) frame(paint, (at % columns) * tile + gap / 2, Math.floor(at / columns) * tile + gap / 2, width * zoom, height * zoom, 2);
    const key = flat ? "inside.maps.units" : "inside.maps.maps";
    head.replaceChildren(...rich(t(key, { count: shape[0], size: shape.slice(1).join(" × "), parameters: layer.parameters })));
    const notes = [];
    const quiet = numbers.filter((_, place) => silent(layer, place)).length;
    if (order.length < shape[0] - quiet) notes.push(t("inside.maps.few", { shown: order.length, count: shape[0] }));
    if (quiet) notes.push(t("inside.maps.silent", { count: quiet }));
    if (notes.length) head.append(el("span.note", {}, " ", notes.join(" ")));
    canvas.setAttribute("aria-label", t("inside.maps.atlas", { layer: layer.name, count: numbers.length }));
    canvas.setAttribute("aria-valuemin", "1");
    canvas.setAttribute("aria-valuemax", String(numbers.length));
    canvas.setAttribute("aria-valuenow", String(Math.max(1, at + 1)));
    canvas.setAttribute("aria-valuetext", at < 0 ? t("inside.maps.none") : t("inside.maps.chosen", { number: chosen.number + 1, place: at + 1, matters: short(layer.matters[order[at]]) }));
  }

  function show() {
    if (!lab.view) return;
    if (list.dataset.kind !== lab.view.kind + lab.view.network) {
      stages.clear();
      build();
    }
    rows.forEach(paintRow);
    const answer = lab.view.labels[lab.view.answer];
    facts.textContent = t("inside.maps.facts", { answer, parameters: lab.view.parameters, maps: mapCount(lab.view.layers), size: number(lab.bytes / 1000, { maximumFractionDigits: 0 }) });
    open();
  }

  const resized = new ResizeObserver(() => lab.view && rows.length && rows.forEach(paintRow));
  resized.observe(root);
  return { show, stop: () => resized.disconnect() };
}

/** Whether a map is 0 everywhere. */
function silent({ array, flat, shape }, place) {
  const size = flat ? 1 : shape[1] * shape[2];
  for (let i = place * size; i < (place + 1) * size; i++) if (array.values[i] !== 0) return false;
  return true;
}

/** Layers in blocks that begin with what learns: a convolution, or a fully connected layer. */
function blocksOf(layers) {
  const blocks = [];
  for (const layer of layers) {
    if (!layer.array || layer.same !== undefined) continue;
    if (!blocks.length || layer.kind === "Conv2d" || layer.kind === "Linear") blocks.push([]);
    blocks.at(-1).push(layer);
  }
  return blocks;
}

const mapCount = (layers) => layers.reduce((count, layer) => count + (layer.array && !layer.flat ? layer.shape[0] : 0), 0);

const stageName = ({ kind }) => t(`inside.kind.${kind}`);

function title(block, index) {
  return `${index + 1}. ${block[0].kind === "Linear" ? t("inside.kind.Linear.long") : block[0].kind === "Conv2d" ? t("inside.kind.Conv2d.long") : stageName(block[0])}`;
}
