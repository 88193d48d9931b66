// How a convolution is drawn: the picture with the kernel's window on it, and the map that grows.

import { colourOf, drawMap, drawPicture, frame, inkOn, inkOnGrey, sharp } from "../paint.js";
import { el, short } from "../parts.js";

const SIZE = 380; // of a figure, in its own units

/** The picture under its kernel: `input` as it is shown and computed with, `state` of the controls; no window without an output. */
export function drawGiven(given, input, state, output, row, column) {
  const paint = sharp(given, SIZE, SIZE);
  const padded = input.width + 2 * state.padding;
  const cell = SIZE / padded;
  const style = getComputedStyle(given);
  paint.fillStyle = style.getPropertyValue("--soft");
  paint.fillRect(0, 0, SIZE, SIZE);
  hatch(paint, style.getPropertyValue("--line"));
  const { shown } = input;
  const side = shown.width * cell;
  drawPicture(paint, input.bytes, [1, shown.height, shown.width], state.padding * cell, state.padding * cell, side, side);
  if (cell > 11) grid(paint, padded, padded, cell, "rgb(128 128 128 / 0.35)");
  if (cell > 30) numbers(paint, input, cell, state.padding, (value, index) => inkOnGrey(255 * shown.values[index]));
  if (!output.width || !output.height) return;
  const window = state.kernel * cell;
  const [left, top] = [column * state.stride * cell, row * state.stride * cell];
  const largest = Math.max(...state.weights.map(Math.abs)) || 1;
  paint.globalAlpha = 0.45;
  state.weights.forEach((weight, index) => {
    paint.fillStyle = colourOf(weight, largest);
    if (weight) paint.fillRect(left + (index % state.kernel) * cell, top + Math.floor(index / state.kernel) * cell, cell, cell);
  });
  paint.globalAlpha = 1;
  frame(paint, left, top, window, window, 2.5);
}

/** The map, as far as it is filled; the place looked at is framed. */
export function drawMade(made, output, filled, row, column) {
  const paint = sharp(made, SIZE, SIZE);
  paint.clearRect(0, 0, SIZE, SIZE);
  if (!output.width || !output.height) return;
  const cell = SIZE / output.width;
  const { largest } = output;
  const values = output.values.map((value, index) => (index < filled ? value : 0));
  drawMap(paint, { ...output, values }, largest, 0, 0, SIZE, SIZE);
  paint.fillStyle = getComputedStyle(made).getPropertyValue("--soft");
  const [rows, over] = [Math.floor(filled / output.width), filled % output.width];
  paint.fillRect(over * cell, rows * cell, SIZE, cell);
  paint.fillRect(0, (rows + 1) * cell, SIZE, SIZE);
  if (cell > 7) grid(paint, output.width, output.height, cell, "rgb(128 128 128 / 0.28)");
  if (cell > 34) numbers(paint, { ...output, values: output.values.subarray(0, filled) }, cell, 0, (value) => inkOn(value, largest));
  frame(paint, column * cell, row * cell, cell, cell, 2.5);
}

/** A kernel as a small picture. */
export function thumbnail(map, size = 26) {
  const canvas = el("canvas.kernel", { "aria-hidden": "true" });
  queueMicrotask(() => {
    const paint = sharp(canvas, size, size);
    drawMap(paint, map, Math.max(...map.values.map(Math.abs)) || 1, 0, 0, size, size);
  });
  canvas.style.width = `${size}px`;
  return canvas;
}

function grid(paint, across, down, cell, colour) {
  paint.strokeStyle = colour;
  paint.lineWidth = 0.6;
  paint.beginPath();
  for (let i = 1; i < across; i++) paint.rect(i * cell, 0, 0, down * cell);
  for (let i = 1; i < down; i++) paint.rect(0, i * cell, across * cell, 0);
  paint.stroke();
}

function hatch(paint, colour) {
  paint.strokeStyle = colour;
  paint.lineWidth = 2;
  paint.beginPath();
  for (let i = -SIZE; i < SIZE; i += 9) {
    paint.moveTo(i, 0);
    paint.lineTo(i + SIZE, SIZE);
  }
  paint.stroke();
}

function numbers(paint, map, cell, padding, colour) {
  paint.textAlign = "center";
  paint.textBaseline = "middle";
  paint.font = `${Math.min(15, cell * 0.3)}px ui-monospace, monospace`;
  map.values.forEach((value, index) => {
    paint.fillStyle = colour(value, index);
    paint.fillText(short(value, 1), ((index % map.width) + padding + 0.5) * cell, (Math.floor(index / map.width) + padding + 0.5) * cell);
  });
}
