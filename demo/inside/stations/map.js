// One map opened: what its strongest place sees of the drawing, the kernel that made it, and the map itself.

import { t } from "../../page/words.js";
import { drawMap, drawPicture, frame, sharp } from "../paint.js";
import { el, rich, short } from "../parts.js";
import { largestOf, mapOf, unpack } from "../unpack.js";

const SIDE = 200;

export function createMap(lab) {
  const picture = el("canvas", { role: "img", "aria-label": t("inside.map.picture") });
  const big = el("canvas", { role: "img", "aria-label": t("inside.map.map") });
  const kernels = el("div.kernels");
  const [heading, text, field, from] = [el("h4"), el("p"), el("figcaption"), el("figcaption")];
  const node = el("div.opened", {},
    heading,
    el("figure", {}, picture, field),
    el("span.arrow", { "aria-hidden": "true" }, "→"),
    el("figure.made-by", {}, kernels, from),
    el("span.arrow", { "aria-hidden": "true" }, "→"),
    el("figure", {}, big, el("figcaption", {}, t("inside.map.strongest"))),
    text,
  );
  text.setAttribute("aria-live", "polite");
  let asked = 0;

  function show(layer, number, convolution) {
    const { view } = lab;
    const at = layer.numbers.indexOf(number);
    const map = layer.flat ? { values: layer.array.values.subarray(at, at + 1), width: 1, height: 1 } : mapOf(layer.array, at);
    const best = map.values.reduce((top, value, index) => (value > map.values[top] ? index : top), 0);
    const [row, column] = [Math.floor(best / map.width), best % map.width];
    heading.replaceChildren(...rich(t(layer.flat ? "inside.map.unit" : "inside.map.number", { number: number + 1, count: layer.shape[0], layer: layer.name })));

    const paint = sharp(big, SIDE, SIDE);
    drawMap(paint, map, largestOf(map.values), 0, 0, SIDE, SIDE);
    const cell = SIDE / map.width;
    frame(paint, column * cell, row * cell, cell, SIDE / map.height, 2);

    const seen = sharp(picture, SIDE, SIDE);
    drawPicture(seen, view.pixels, view.shape, 0, 0, SIDE, SIDE);
    const unit = SIDE / view.shape[2];
    const [size, jump, offset] = layer.field ?? [view.shape[2], 0, 0];
    const span = [column, row].map((place) => {
      const first = offset + place * jump;
      return [Math.max(0, first), Math.min(view.shape[2], first + size)];
    });
    const [[left, right], [top, bottom]] = span;
    seen.fillStyle = "rgb(0 0 0 / 0.5)";
    seen.fillRect(0, 0, SIDE, top * unit);
    seen.fillRect(0, bottom * unit, SIDE, SIDE);
    seen.fillRect(0, top * unit, left * unit, (bottom - top) * unit);
    seen.fillRect(right * unit, top * unit, SIDE, (bottom - top) * unit);
    frame(seen, left * unit + 1, top * unit + 1, (right - left) * unit - 2, (bottom - top) * unit - 2, 2);
    field.textContent = t("inside.map.field", { width: right - left, height: bottom - top });

    const matters = layer.matters[at];
    text.textContent = [
      t("inside.map.text", { row: row + 1, column: column + 1, value: short(map.values[best]) }),
      t(matters >= 0 ? "inside.map.adds" : "inside.map.takes", { matters: short(Math.abs(matters)), answer: view.labels[view.answer] }),
    ].join(" ");
    made(convolution, number);
  }

  async function made(convolution, number) {
    const turn = ++asked;
    node.classList.toggle("no-kernel", !convolution);
    if (!convolution) return;
    try {
      const { header, arrays } = unpack(await lab.askBytes("sum", { layer: convolution.name, map: number }));
      if (turn !== asked) return;
      const few = Math.min(4, header.numbers.length);
      const largest = largestOf(arrays.kernels.values);
      kernels.replaceChildren(
        ...Array.from({ length: few }, (_, index) => {
          const canvas = el("canvas", { "aria-hidden": "true" });
          const side = few === 1 ? 110 : 64;
          canvas.style.width = `${side}px`;
          drawMap(sharp(canvas, side, side), mapOf(arrays.kernels, index), largest, 0, 0, side, side);
          return el("span", {}, canvas, few > 1 && el("small", {}, t("inside.map.input", { number: header.numbers[index] + 1 })));
        }),
      );
      from.textContent = t("inside.map.kernels", { count: header.count, size: arrays.kernels.shape[1] });
    } catch {
      kernels.replaceChildren(); // the station's own trouble is said beside the picture
      from.textContent = "";
    }
  }

  return { node, show };
}
