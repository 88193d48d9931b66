// Convolution by hand: the kernel slides over the drawing, each product and each sum written out.

import { t } from "../../page/words.js";
import { convolve, outputSize, PRESETS, products, shrink, window as under } from "../arithmetic.js";
import { whole } from "../link.js";
import { choice, dragged, el, prose, rich, short, slider, stepper, still } from "../parts.js";
import { largestOf } from "../unpack.js";
import { createLearned } from "./learned.js";
import { drawGiven, drawMade, thumbnail } from "./sliding.js";
import { createSum } from "./sum.js";

export const name = "convolution";
const PICTURES = [28, 14, 7, 4]; // pixels of the drawing's side; small ones have room for their numbers
const FIRST = 260; // milliseconds of the first step; each is a little shorter than the one before

export function mount(root, { lab, link, parameters }) {
  const state = {
    kernel: whole(parameters.get("kernel"), 1, 7, 3),
    stride: whole(parameters.get("stride"), 1, 3, 1),
    padding: whole(parameters.get("padding"), 0, 3, 0),
    picture: whole(parameters.get("picture"), 4, 28, 28),
    filter: parameters.get("filter") ?? "vertical", // a preset, the number of a learned one, or own
    bias: 0,
    layer: parameters.get("layer") ?? "", // of a learned kernel; empty for the first
    map: whole(parameters.get("map"), 0, 5000, -1), // of that layer
    number: 0, // of the map that it looks at
    count: 1, // maps that the layer gets
    given: null, // in place of the drawing: the map that a later layer's kernel looks at
  };
  if (!PICTURES.includes(state.picture)) state.picture = 28;
  state.weights = weightsIn(parameters.get("weights"), state.kernel) ?? PRESETS[state.filter]?.(state.kernel) ?? PRESETS.vertical(state.kernel);
  let input = null; // the map under the kernel, and the grey values to show it by
  let output = null;
  let place = null; // of the output, counted row by row
  let filled = 0; // places that are computed
  let timer = 0;

  // ---- the figure

  const given = el("canvas.map", { tabIndex: 0, role: "slider", "aria-label": t("inside.convolution.input") });
  const made = el("canvas.map", { role: "img", "aria-label": t("inside.convolution.output") });
  const [givenName, givenSize, madeSize] = [el("span"), el("span"), el("span")];
  const formula = el("p.formula");
  const trouble = el("p.problem", { role: "status" });
  const here = el("p.here", { "aria-live": "polite" });
  const counts = el("p.quiet");
  const sum = createSum((index, value) => {
    state.weights[index] = value;
    own();
  });
  const play = el("button.main", { type: "button", onclick: () => (timer ? stop() : start()) }, t("inside.play"));
  const way = slider(t("inside.convolution.place"), { min: 1, max: 1, value: 1, changed: (value) => to(value - 1) });
  const steppers = ["kernel", "stride", "padding"].map((what) =>
    stepper(t(`inside.convolution.${what}`), {
      min: what === "padding" ? 0 : 1,
      max: what === "kernel" ? 7 : 3,
      value: state[what],
      changed(value) {
        state[what] = value;
        if (what === "kernel") state.weights = (PRESETS[state.filter] ?? PRESETS.vertical)(value);
        if (what === "kernel" && !PRESETS[state.filter]) state.filter = "vertical";
        renew();
      },
    }),
  );
  const pictures = choice(t("inside.convolution.picture"), PICTURES.map((side) => [side, `${side} × ${side}`]), state.picture, (side) => {
    state.picture = side;
    if (isLearned() || state.given) preset("vertical");
    renew();
  });
  const presets = el("div.presets", { role: "group", "aria-label": t("inside.convolution.filter") });
  const part = el("p.quiet");
  const learned = createLearned(lab, (filter) => {
    takeLearned(filter);
    renew();
  });
  let network = lab.network;

  root.append(
    prose("inside.convolution.lead"),
    el("div.workbench", {},
      el("div.controls", {}, steppers, el("div.labelled", {}, el("span", {}, t("inside.convolution.picture")), pictures)),
      presets,
      el("div.scene", {},
        el("figure.panel", {}, el("figcaption", {}, givenName, " ", givenSize), given),
        el("div.arrow", { "aria-hidden": "true" }, "→"),
        el("figure.panel", {}, el("figcaption", {}, t("inside.convolution.output"), " ", madeSize), made),
      ),
      trouble,
      el("div.tools.player", {}, play,
        el("button", { type: "button", onclick: () => step() }, t("inside.step")),
        el("button", { type: "button", onclick: () => to(0, true) }, t("inside.restart")),
        el("button", { type: "button", onclick: () => finish() }, t("inside.all")),
        way,
      ),
      here,
      sum.node,
      formula,
      counts,
      part,
    ),
    learned.node,
    el("details", {}, el("summary", {}, t("inside.more")), ["why", "sizes", "turn"].map((key) => prose(`inside.convolution.${key}`))),
  );

  dragged(given, (x, y) => {
    const padded = input.width + 2 * state.padding;
    const cell = (share) => Math.round((share * padded - state.kernel / 2) / state.stride);
    aim(cell(y), cell(x));
  });
  dragged(made, (x, y) => output && aim(Math.floor(y * output.height), Math.floor(x * output.width)));
  given.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: output?.width, ArrowUp: -output?.width }[event.key];
    if (!by) return;
    event.preventDefault();
    to(place + by);
  });

  // ---- what is computed

  const isLearned = () => /^\d+$/.test(state.filter);

  function compute() {
    const view = lab.view;
    if (!view) return false;
    const side = view.shape[1];
    const grey = { values: Float32Array.from(view.pixels.subarray(0, side * side), (value) => value / 255), width: side, height: side };
    const small = side === state.picture ? grey : shrink(grey, state.picture);
    input = state.given ?? { ...small, shown: small, bytes: small.values.map((value) => Math.round(255 * value)) };
    if (isLearned() && !state.given) input.values = small.values.map((value) => (value - view.mean) / view.std); // as the network takes them
    output = convolve(input, state.weights, state);
    output.largest = largestOf(output.values);
    return true;
  }

  function preset(chosen) {
    Object.assign(state, { filter: chosen, weights: PRESETS[chosen](state.kernel), bias: 0, layer: "", map: -1, count: 1, given: null });
  }

  function takeLearned(filter) {
    Object.assign(state, filter, { filter: String(filter.number), picture: 28 });
    pictures.set(28);
  }

  function own() {
    state.filter = "own";
    renew(true);
  }

  /** After any change of kernel, stride, padding or picture. */
  function renew(stay = false) {
    stop();
    if (!compute()) return;
    const before = stay ? place : null;
    steppers.forEach((node, index) => node.set(state[["kernel", "stride", "padding"][index]]));
    parameters.set("kernel", state.kernel);
    parameters.set("stride", state.stride);
    parameters.set("padding", state.padding);
    if (state.picture === 28) parameters.delete("picture");
    else parameters.set("picture", state.picture);
    if (state.filter === "own") parameters.set("weights", state.weights.map((value) => Math.round(value * 1000) / 1000).join("_"));
    else parameters.delete("weights");
    parameters.set("filter", state.filter);
    for (const [name, value] of [["layer", state.layer], ["map", state.map]]) {
      if (state.layer && isLearned()) parameters.set(name, value);
      else parameters.delete(name);
    }
    link();
    offer();
    const count = output.width * output.height;
    if (!stay) {
      filled = 0;
      place = Math.min(count - 1, Math.floor(output.height * 0.36) * output.width + Math.floor(output.width * 0.55)); // most drawings have ink there
    }
    way.set(1, { max: Math.max(1, count) });
    explain();
    if (count) to(before ?? place);
    else draw();
  }

  function explain() {
    const { kernel, stride, padding } = state;
    const side = input.width;
    const out = outputSize(side, kernel, stride, padding);
    const exact = (side - kernel + 2 * padding) / stride + 1;
    formula.replaceChildren(
      el("code", { translate: "no" }, "out = (in − kernel + 2 × padding) ÷ stride + 1"),
      el("code.filled", { translate: "no" }, `(${side} − ${kernel} + 2 × ${padding}) ÷ ${stride} + 1 = `, el("b", {}, short(exact, Number.isInteger(exact) ? 0 : 2))),
    );
    const problems = [];
    if (out < 1) problems.push(t("inside.convolution.impossible", { kernel, size: side + 2 * padding }));
    else if (!Number.isInteger(exact)) {
      const unseen = (side - kernel + 2 * padding) % stride;
      problems.push(t("inside.convolution.uneven", { out, count: unseen, stride }));
    }
    if (out >= 1 && padding >= kernel) problems.push(t("inside.convolution.wide", { padding, kernel }));
    trouble.textContent = problems.join(" ");
    givenName.textContent = state.given ? t("inside.convolution.given", { number: state.number + 1 }) : t("inside.convolution.input");
    givenSize.textContent = `${side} × ${side}${padding ? ` + ${padding}` : ""}`;
    madeSize.textContent = out >= 1 ? `${out} × ${out}` : "–";
    const places = Math.max(0, out) ** 2;
    counts.replaceChildren(...rich(t("inside.convolution.counts", {
      weights: kernel ** 2, places, products: places * kernel ** 2, linear: side ** 2 * places,
    })));
    part.hidden = !(state.given && isLearned());
    if (!part.hidden) {
      const { layer, map, count, number } = state;
      part.replaceChildren(...rich(t("inside.convolution.part", { layer, map: map + 1, count, number: number + 1 })));
    }
  }

  // ---- moving

  function aim(row, column) {
    if (!output?.width || !output.height) return;
    const clamp = (value, size) => Math.min(size - 1, Math.max(0, value));
    to(clamp(row, output.height) * output.width + clamp(column, output.width));
  }

  function to(next, afresh = false) {
    const count = output ? output.width * output.height : 0;
    if (!count) return;
    place = Math.min(count - 1, Math.max(0, next));
    filled = afresh ? 1 : Math.max(filled, place + 1);
    way.set(place + 1);
    draw();
  }

  function step() {
    stop();
    to(place + 1 >= output.width * output.height ? 0 : place + 1);
  }

  function finish() {
    stop();
    if (!output) return;
    filled = output.width * output.height;
    draw();
  }

  function start() {
    if (!output?.width) return;
    const count = output.width * output.height;
    if (filled >= count) to(0, true);
    let [pause, due, paid] = [still() ? 120 : FIRST, performance.now(), 0];
    place = filled - 1;
    play.textContent = t("inside.pause");
    const tick = (now) => {
      paid = 0;
      while (now >= due && place < count - 1 && paid++ < 40) {
        place += 1;
        pause = Math.max(6, pause * 0.965);
        due += pause;
      }
      filled = Math.max(filled, place + 1);
      way.set(place + 1);
      draw(true);
      if (place >= count - 1) stop();
      else timer = requestAnimationFrame(tick);
    };
    timer = requestAnimationFrame(tick);
  }

  function stop() {
    cancelAnimationFrame(timer);
    timer = 0;
    play.textContent = t("inside.play");
    if (output) draw();
  }

  // ---- drawing

  function draw(quick = false) {
    const { kernel, stride, padding } = state;
    const [row, column] = [Math.floor(place / output.width), place % output.width];
    drawGiven(given, input, state, output, row, column);
    drawMade(made, output, filled, row, column);
    if (!output.width || !output.height) return;
    const how = { kernel, stride, padding };
    sum.show({
      kernel,
      values: under(input, row, column, how),
      greys: under(input.shown, row, column, how),
      weights: state.weights,
      products: products(input, row, column, state.weights, how),
      bias: state.bias,
      result: output.values[place],
      normalised: isLearned(),
    });
    given.setAttribute("aria-valuemin", "1");
    given.setAttribute("aria-valuemax", String(output.values.length));
    given.setAttribute("aria-valuenow", String(place + 1));
    const said = t("inside.convolution.here", {
      place: place + 1, places: output.values.length, row: row + 1, column: column + 1, value: short(output.values[place]),
    });
    given.setAttribute("aria-valuetext", said);
    if (!quick) here.textContent = said;
  }

  // ---- kernels to choose

  function offer() {
    presets.replaceChildren(
      ...Object.keys(PRESETS).map((each) =>
        el("button.preset", {
          type: "button", "aria-pressed": String(state.filter === each),
          onclick: () => {
            preset(each);
            renew(true);
          },
        }, thumbnail({ values: Float32Array.from(PRESETS[each](3)), width: 3, height: 3 }), t(`inside.convolution.${each}`)),
      ),
    );
    learned.show(state.layer, state.map, isLearned() ? Number(state.filter) : -1);
  }

  /** A learned kernel is looked up anew, for its picture or its network may be another. */
  async function again() {
    const found = await learned.find(state.layer, state.map, isLearned() ? Number(state.filter) : -1);
    if (!lab.view) return;
    if (found) takeLearned(found);
    else preset("vertical");
    renew(place !== null);
  }

  return {
    /** The picture or the network is another. */
    show() {
      root.classList.toggle("nothing", !lab.view);
      if (!lab.view) return stop();
      if (network !== lab.network) learned.forget();
      network = lab.network;
      if (isLearned()) again();
      else if (state.given) preset("vertical");
      if (isLearned()) return;
      renew(place !== null);
    },
    stop,
  };
}

function weightsIn(text, kernel) {
  const weights = text?.split("_").map(Number);
  return weights?.length === kernel ** 2 && weights.every((value) => Math.abs(value) <= 1000) ? weights : null;
}
