// The pad: keeps strokes as movements, draws them sharp, remembers every step for undo and redo.
// It knows nothing of the network; it calls changed(finished) whenever the drawing is another one.

const SHEET = { width: 600, height: 480 }; // the pad's own units, whatever its size on the screen

function createPad(canvas, changed) {
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
    const width = Math.round(canvas.clientWidth * sharp);
    if (!width) return; // the tab is hidden
    const height = Math.round((width * SHEET.height) / SHEET.width);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    redraw();
  }

  // A stroke that leaves the sheet follows its edge: what is read is what is seen.
  function add(stroke, event, box) {
    const unit = SHEET.width / box.width;
    const x = Math.min(SHEET.width, Math.max(0, (event.clientX - box.left) * unit));
    const y = Math.min(SHEET.height, Math.max(0, (event.clientY - box.top) * unit));
    const points = stroke.points;
    const still = points.length && points.at(-2) === x && points.at(-1) === y;
    if (!still) points.push(x, y);
  }

  function down(event) {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    if (event.pointerType === "touch" && pens) return; // the palm beside the pen
    canvas.setPointerCapture(event.pointerId);
    if (event.pointerType === "pen") pens += 1;
    const stroke = { points: [], width: brush };
    add(stroke, event, canvas.getBoundingClientRect());
    open.set(event.pointerId, stroke);
    if (current().picture) redraw();
    else line(stroke);
    changed(false);
  }

  function move(event) {
    const stroke = open.get(event.pointerId);
    if (!stroke) return;
    const from = Math.max(0, stroke.points.length - 2);
    const box = canvas.getBoundingClientRect();
    const between = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const moment of between.length ? between : [event]) add(stroke, moment, box);
    if (stroke.points.length - 2 > from) {
      line(stroke, from);
      changed(false);
    }
  }

  function up(event) {
    const stroke = open.get(event.pointerId);
    if (!stroke) return;
    if (event.type === "pointerup") move(event); // a cancelled pointer has no place of its own
    if (event.pointerType === "pen") pens -= 1;
    open.delete(event.pointerId);
    step({ strokes: [...(current().picture ? [] : current().strokes), stroke], picture: null });
    if (open.size === 0) redraw();
    changed(true);
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
    setBrush(width) {
      brush = width;
    },
  };
}

/** Where a picture lies on the sheet: [left, top, width, height], whole and centred. */
function placed({ width, height }) {
  const scale = Math.min(SHEET.width / width, SHEET.height / height);
  const [across, down] = [width * scale, height * scale];
  return [(SHEET.width - across) / 2, (SHEET.height - down) / 2, across, down];
}

/** The stroke with fewer points, nowhere further than `tolerance` from the true line (Douglas and Peucker, 1973). */
function simplify(points, tolerance = 0.8) {
  const last = points.length / 2 - 1;
  if (last < 2) return points.map(Math.round);
  const keep = new Set([0, last]);
  const spans = [[0, last]];
  while (spans.length) {
    const [from, to] = spans.pop();
    const [x, y] = [points[2 * from], points[2 * from + 1]];
    const [dx, dy] = [points[2 * to] - x, points[2 * to + 1] - y];
    const length = Math.hypot(dx, dy);
    let [worst, distance] = [0, tolerance];
    for (let i = from + 1; i < to; i++) {
      const [px, py] = [points[2 * i] - x, points[2 * i + 1] - y];
      const along = length ? Math.min(1, Math.max(0, (px * dx + py * dy) / length ** 2)) : 0;
      const off = Math.hypot(px - along * dx, py - along * dy);
      if (off > distance) [worst, distance] = [i, off];
    }
    if (worst) {
      keep.add(worst);
      spans.push([from, worst], [worst, to]);
    }
  }
  return [...keep].sort((a, b) => a - b).flatMap((i) => [Math.round(points[2 * i]), Math.round(points[2 * i + 1])]);
}
