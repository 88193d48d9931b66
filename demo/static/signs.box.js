// The frame around the hand: shown over the picture, moved, resized or drawn anew by mouse, finger or keys.
// Boxes are [left, top, right, bottom] in pixels of the picture; the frame's CSS is in per cent of it.

const SMALLEST_BOX = 16; // pixels of the picture

function tidyBox([left, top, right, bottom], width, height) {
  const clamp = (value, most) => Math.min(Math.max(value, 0), most);
  const least = Math.min(SMALLEST_BOX, width, height);
  let [l, r] = [clamp(Math.min(left, right), width), clamp(Math.max(left, right), width)];
  let [t, b] = [clamp(Math.min(top, bottom), height), clamp(Math.max(top, bottom), height)];
  if (r - l < least) { l = clamp(l, width - least); r = l + least; }
  if (b - t < least) { t = clamp(t, height - least); b = t + least; }
  return [l, t, r, b];
}

function cropBox(picture, frame, changed) {
  let box = null;
  let size = [1, 1];
  let editable = false;
  let drag = null;
  let timer = 0;

  // a frame around nearly everything leaves no room beside it: dragging within draws a new one
  const whole = () => (box[2] - box[0]) * (box[3] - box[1]) > 0.85 * size[0] * size[1];

  function paint(mirrored) {
    frame.hidden = !box;
    if (!box) return;
    frame.classList.toggle("whole", whole());
    const [width, height] = size;
    const left = mirrored ? width - box[2] : box[0];
    frame.style.left = `${(100 * left) / width}%`;
    frame.style.top = `${(100 * box[1]) / height}%`;
    frame.style.width = `${(100 * (box[2] - box[0])) / width}%`;
    frame.style.height = `${(100 * (box[3] - box[1])) / height}%`;
  }

  function at(event) {
    const area = picture.getBoundingClientRect();
    return [((event.clientX - area.left) / area.width) * size[0], ((event.clientY - area.top) / area.height) * size[1]];
  }

  function start(event) {
    if (!editable || event.button > 0 || drag) return;
    const edge = event.target.dataset.edge;
    const inside = !edge && event.target.closest(".box") && !whole();
    drag = { id: event.pointerId, edge: edge || (inside ? "move" : "new"), from: at(event), box, moved: false };
    picture.setPointerCapture(event.pointerId);
    event.preventDefault();
    if (edge || inside) frame.focus({ preventScroll: true });
  }

  function move(event) {
    if (!drag || event.pointerId !== drag.id) return;
    const [x, y] = at(event);
    const [fromX, fromY] = drag.from;
    const wide = (Math.abs(x - fromX) / size[0]) * picture.clientWidth;
    const high = (Math.abs(y - fromY) / size[1]) * picture.clientHeight;
    if (!drag.moved && Math.max(wide, high) < 4) return; // a click is not a drag
    drag.moved = true;
    box = dragged(drag, x, y);
    paint();
  }

  function dragged({ edge, from, box: was }, x, y) {
    if (edge === "new") return tidyBox([from[0], from[1], x, y], ...size);
    if (edge === "move") return shifted(was, x - from[0], y - from[1]);
    const next = [...was];
    next[edge.includes("w") ? 0 : 2] += x - from[0]; // by as much, not to: a corner is rarely hit exactly
    next[edge.includes("n") ? 1 : 3] += y - from[1];
    return tidyBox(next, ...size);
  }

  function shifted([left, top, right, bottom], dx, dy) {
    const x = Math.min(Math.max(dx, -left), size[0] - right);
    const y = Math.min(Math.max(dy, -top), size[1] - bottom);
    return tidyBox([left + x, top + y, right + x, bottom + y], ...size);
  }

  function end(event) {
    if (!drag || event.pointerId !== drag.id) return;
    const { moved, box: was } = drag;
    drag = null;
    if (event.type === "pointercancel") { box = was; paint(); return; }
    if (moved) changed(box);
  }

  function key(event) {
    const step = 0.02 * Math.max(...size);
    const way = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (!editable || !box || !way) return;
    event.preventDefault();
    box = event.shiftKey
      ? tidyBox([box[0], box[1], Math.max(box[2] + way[0], box[0] + 1), Math.max(box[3] + way[1], box[1] + 1)], ...size)
      : shifted(box, ...way);
    paint();
    clearTimeout(timer);
    timer = setTimeout(() => box && changed(box), 250); // one question for a run of key presses
  }

  picture.addEventListener("pointerdown", start);
  picture.addEventListener("pointermove", move);
  picture.addEventListener("pointerup", end);
  picture.addEventListener("pointercancel", end);
  frame.addEventListener("keydown", key);
  paint();

  return {
    get: () => box,
    busy: () => drag !== null,
    show(next, width, height, { edit = true, mirrored = false } = {}) {
      clearTimeout(timer);
      box = next;
      size = [width, height];
      editable = edit;
      frame.tabIndex = edit ? 0 : -1;
      paint(mirrored);
    },
  };
}
