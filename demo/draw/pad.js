// The pad: keeps strokes as movements, draws them sharp, remembers every step for undo and redo.
// It knows nothing of the network; it calls changed(finished) whenever the drawing is another one.

import { SHEET, placed, within } from "./strokes.js";

export function createPad(canvas, changed) {
  const paint = canvas.getContext("2d");
  const open = new Map(); // pointer id -> the stroke it is drawing now
  const blank = { strokes: [], picture: null };
  let steps = [blank];
  let at = 0;
  let brush = 18;
  let pens = 0;

  const current = () => steps[at];
  const strokes = () => [...(open.size && current().picture ? [] : current().strokes), ...open.values()];

  const isBlank = () => !strokes().length && !current().picture;

  function step(drawing) {
    steps = [...steps.slice(0, at + 1), drawing].slice(-200);
    at = steps.length - 1;
  }

  function line(stroke, from = 0) {
    const points = stroke.points;
    paint.lineWidth = stroke.width;
    paint.beginPath();
    paint.moveTo(points[from], points[from + 1]);
    if (points.length === 2) paint.lineTo(points[0], points[1] + 0.01); // a tap is a dot
    for (let i = from + 2; i < points.length; i += 2) paint.lineTo(points[i], points[i + 1]);
    paint.stroke();
  }

  function redraw() {
    const scale = canvas.width / SHEET.width;
    paint.setTransform(1, 0, 0, 1, 0, 0);
    paint.clearRect(0, 0, canvas.width, canvas.height);
    paint.setTransform(scale, 0, 0, scale, 0, 0);
    paint.lineCap = paint.lineJoin = "round";
    paint.strokeStyle = getComputedStyle(canvas).color;
    const picture = current().picture;
    if (picture && !open.size) {
      const [left, top, width, height] = placed(picture.bitmap);
      paint.drawImage(picture.bitmap, left, top, width, height);
    }
    for (const stroke of strokes()) line(stroke);
  }

  function fit() {
    const sharp = Math.max(1, window.devicePixelRatio || 1);
    const width = Math.round(canvas.getBoundingClientRect().width * sharp);
    if (!width) return; // the tab is hidden
    const height = Math.round((width * SHEET.height) / SHEET.width);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    redraw();
  }

  // A stroke that leaves the sheet follows its edge.
  function add(stroke, x, y) {
    const [inX, inY] = within(x, y);
    const { points } = stroke;
    if (!points.length || points.at(-2) !== inX || points.at(-1) !== inY) points.push(inX, inY);
  }

  /** Puts a pen down at (x, y) of the sheet; `id` tells pens from each other. */
  function begin(id, x, y) {
    const stroke = { points: [], width: brush };
    add(stroke, x, y);
    open.set(id, stroke);
    if (current().picture) redraw();
    else line(stroke);
    changed(false);
  }

  /** Draws on to each of the places [[x, y], ...]. */
  function extend(id, places) {
    const stroke = open.get(id);
    const from = Math.max(0, stroke.points.length - 2);
    for (const [x, y] of places) add(stroke, x, y);
    if (stroke.points.length - 2 <= from) return;
    line(stroke, from);
    changed(false);
  }

  /** Lifts the pen: the stroke is a step that can be undone. */
  function finish(id) {
    const stroke = open.get(id);
    open.delete(id);
    step({ strokes: [...(current().picture ? [] : current().strokes), stroke], picture: null });
    if (open.size === 0) redraw();
    changed(true);
  }

  function placeOf(event, box) {
    const unit = SHEET.width / box.width;
    return [(event.clientX - box.left) * unit, (event.clientY - box.top) * unit];
  }

  function down(event) {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    if (event.pointerType === "touch" && pens) return; // the palm beside the pen
    canvas.setPointerCapture(event.pointerId);
    if (event.pointerType === "pen") pens += 1;
    begin(event.pointerId, ...placeOf(event, canvas.getBoundingClientRect()));
  }

  function move(event) {
    if (!open.has(event.pointerId)) return;
    const box = canvas.getBoundingClientRect();
    const between = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    extend(event.pointerId, (between.length ? between : [event]).map((moment) => placeOf(moment, box)));
  }

  function up(event) {
    if (!open.has(event.pointerId)) return;
    if (event.type === "pointerup") move(event); // a cancelled pointer has no place of its own
    if (event.pointerType === "pen") pens -= 1;
    finish(event.pointerId);
  }

  function go(by) {
    if (open.size || !steps[at + by]) return;
    at += by;
    redraw();
    changed(true);
  }

  canvas.addEventListener("pointerdown", down);
  canvas.addEventListener("pointermove", move);
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) canvas.addEventListener(end, up);
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  new ResizeObserver(fit).observe(canvas);
  fit();

  return {
    strokes,
    begin,
    extend,
    finish,
    redraw,
    fit,
    picture: () => (open.size ? null : current().picture),
    drawing: () => open.size > 0,
    canUndo: () => at > 0,
    canRedo: () => at < steps.length - 1,
    isBlank,
    undo: () => go(-1),
    redo: () => go(1),
    clear() {
      if (open.size || isBlank()) return;
      step(blank);
      redraw();
      changed(true);
    },
    show(picture) {
      step({ strokes: [], picture });
      redraw();
      changed(true);
    },
    /** Draws strokes, [[x0, y0, x1, y1, ...], ...], in place of what is there; undo brings that back. */
    put(drawn) {
      if (open.size) return;
      step({ strokes: drawn.map((points) => ({ points, width: brush })), picture: null });
      redraw();
      changed(true);
    },
    setBrush(width) {
      brush = width;
    },
  };
}
