// Drawing by keyboard: arrows move a pen over the sheet, the space bar puts it down and lifts it.

import { SHEET, within } from "./strokes.js";

const STEP = 20; // of the sheet's units; with Shift a quarter of it
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** `cross` is an element that shows where the pen is, laid over the canvas; `said(key)` tells a screen reader. */
export function createKeyPen(canvas, cross, pad, said) {
  let at = [SHEET.width / 2, SHEET.height / 4];
  let down = false;

  function show(visible) {
    cross.hidden = !visible;
    cross.classList.toggle("down", down);
    cross.style.left = (100 * at[0]) / SHEET.width + "%";
    cross.style.top = (100 * at[1]) / SHEET.height + "%";
  }

  function lift() {
    if (!down) return;
    down = false;
    pad.finish("keys");
  }

  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in WAYS) {
      const step = event.shiftKey ? STEP / 4 : STEP;
      const [dx, dy] = WAYS[event.key];
      at = within(at[0] + dx * step, at[1] + dy * step);
      if (down) pad.extend("keys", [at]);
      show(true);
    } else if (event.key === " " || event.key === "Enter") {
      if (event.repeat) return;
      if (down) lift();
      else {
        down = true;
        pad.begin("keys", ...at);
      }
      said(down ? "draw.pen.down" : "draw.pen.up");
      show(true);
    } else if (event.key === "Escape") {
      lift();
      show(false);
    } else return;
    event.preventDefault();
  });
  canvas.addEventListener("blur", () => {
    lift();
    show(false);
  });
  canvas.addEventListener("pointerdown", () => {
    lift();
    show(false);
  });
}
