// The frame around the hand: shown over the picture, moved, resized or drawn anew by mouse, finger or keys.
// Boxes are [left, top, right, bottom] in pixels of the picture; the frame's CSS is in per cent of it.

import { dragged, isWhole, shifted, tidyBox } from "./frame.js";

const HOLD = 300; // milliseconds that a finger rests before it moves the frame: a swipe scrolls the page

export function cropBox(picture, frame, changed) {
  let box = null;
  let size = [1, 1];
  let editable = false;
  let mirrored = false; // the picture is shown so
  let drag = null;
  let timer = 0;

  // a frame around nearly everything leaves no room beside it: dragging within draws a new one
  const whole = () => isWhole(box, ...size);

  function paint() {
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
    const resting = event.pointerType === "touch" && !edge; // a corner is only ever meant
    drag = { id: event.pointerId, edge: edge || (inside ? "move" : "new"), from: at(event), box, moved: false, ready: !resting };
    if (resting) {
      drag.timer = setTimeout(() => {
        drag.ready = true;
        frame.classList.add("held");
        navigator.vibrate?.(15);
      }, HOLD);
      return;
    }
    picture.setPointerCapture(event.pointerId);
    event.preventDefault();
    if (edge || inside) frame.focus({ preventScroll: true });
  }

  function move(event) {
    if (!drag || event.pointerId !== drag.id) return;
    const [x, y] = at(event);
    const wide = (Math.abs(x - drag.from[0]) / size[0]) * picture.clientWidth;
    const high = (Math.abs(y - drag.from[1]) / size[1]) * picture.clientHeight;
    if (!drag.moved && Math.max(wide, high) < 4) return; // a click is not a drag
    if (!drag.ready) return forget(); // a swipe
    drag.moved = true;
    box = dragged(drag.edge, drag.box, drag.from, [x, y], ...size);
    paint();
  }

  function forget() {
    clearTimeout(drag?.timer);
    frame.classList.remove("held");
    drag = null;
  }

  function end(event) {
    if (!drag || event.pointerId !== drag.id) return;
    const { moved, box: was } = drag;
    forget();
    if (event.type === "pointercancel") {
      box = was;
      paint();
    } else if (moved) changed(box);
  }

  function key(event) {
    const step = 0.02 * Math.max(...size);
    const way = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (!editable || !box || !way) return;
    event.preventDefault();
    box = event.shiftKey
      ? tidyBox([box[0], box[1], Math.max(box[2] + way[0], box[0] + 1), Math.max(box[3] + way[1], box[1] + 1)], ...size)
      : shifted(box, ...way, ...size);
    paint();
    clearTimeout(timer);
    timer = setTimeout(() => box && changed(box), 250); // one question for a run of key presses
  }

  picture.addEventListener("pointerdown", start);
  picture.addEventListener("pointermove", move);
  picture.addEventListener("pointerup", end);
  picture.addEventListener("pointercancel", end);
  picture.addEventListener("touchmove", (event) => drag?.ready && event.preventDefault(), { passive: false });
  picture.addEventListener("contextmenu", (event) => drag && event.preventDefault());
  frame.addEventListener("keydown", key);
  paint();

  return {
    get: () => box,
    busy: () => drag !== null,
    show(next, width, height, { edit = true, mirrored: turned = false } = {}) {
      clearTimeout(timer);
      box = next;
      size = [width, height];
      editable = edit;
      mirrored = turned;
      frame.tabIndex = edit ? 0 : -1;
      paint();
    },
    mirror(on) {
      mirrored = on;
      paint();
    },
  };
}
