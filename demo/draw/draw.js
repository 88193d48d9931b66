// Puts the Draw tab together: the pad, what is asked about it, and the answer.

import { say, sayTold, write } from "../page/words.js";
import { packStrokes, unpackStrokes } from "../inside/link.js";
import { seeInside } from "../inside/open.js";
import { addressOf, tabIn } from "../page/tabs.js";
import { createAnswer } from "./answer.js";
import { createAsker } from "./ask.js";
import { EXAMPLES } from "./examples.js";
import { createKeyPen } from "./keypen.js";
import { createPad } from "./pad.js";
import { SHEET, placed, simplify } from "./strokes.js";

export function mount(panel) {
  const root = panel.querySelector(".draw");
  const $ = (selector) => root.querySelector(selector);
  const canvas = $(".ink");
  const trouble = $(".trouble");
  const hint = $(".hint");
  const answer = createAnswer(root);
  const pad = createPad(canvas, changed);
  const asker = createAsker(question, { answered, troubled });
  const widths = [...root.querySelectorAll("[data-width]")];
  const onScreen = () => root.isConnected && root.offsetParent !== null;
  let hadPicture = false;

  /** What to ask about the drawing as it is now; the key tells one drawing from another. */
  function question(seq) {
    const picture = pad.picture();
    if (picture) return { path: "read/digit", body: picture.file, type: "application/octet-stream", key: picture.key };
    const drawn = pad.strokes();
    if (!drawn.length) return null;
    const strokes = drawn.map((stroke) => simplify(stroke.points));
    const sheet = { strokes, size: [SHEET.width, SHEET.height], width: drawn.at(-1).width };
    return {
      path: "read/strokes",
      body: JSON.stringify({ ...sheet, seq }),
      type: "application/json",
      key: JSON.stringify(sheet),
    };
  }

  function changed(finished) {
    const blank = pad.isBlank();
    $('[data-do="undo"]').disabled = !pad.canUndo();
    $('[data-do="redo"]').disabled = !pad.canRedo();
    $('[data-do="clear"]').disabled = blank;
    root.classList.toggle("blank", blank);
    root.classList.toggle("drawing", pad.drawing());
    const picture = Boolean(pad.picture());
    if (hadPicture && !picture && !blank) say(hint, "draw.replaced"); // a stroke put the picture away
    else if (finished) say(hint, "");
    hadPicture = picture;
    if (blank) return nothing();
    if (root.dataset.state === "empty") root.dataset.state = "reading";
    asker.ask(finished);
  }

  /** One digit goes there as it was drawn, so that its link tells all; of several, or of a picture, the chosen one's pixels. */
  function inside() {
    const { reading, several } = answer.chosen();
    if (!several && !pad.picture()) seeInside({ strokes: pad.strokes().map(({ points }) => simplify(points)) });
    else if (reading?.seen) seeInside({ pixels: reading.seen.bytes });
  }

  function nothing() {
    asker.forget();
    answer.forget();
    boxes([]);
    say(trouble, "");
    root.dataset.state = "empty";
    write($(".spoken"), "");
  }

  function answered({ readings }, { seq, finished }) {
    say(trouble, "");
    answer.show(readings);
    boxes(readings);
    root.dataset.state = readings.every((reading) => reading.label !== null) ? "read" : "unsure";
    root.dataset.seq = seq;
    if (finished || !pad.drawing()) say($(".spoken"), "draw.spoken", answer.spoken());
  }

  function troubled(error) {
    root.dataset.state = "trouble";
    answer.show([]);
    boxes([]);
    sayTold(trouble, error);
  }

  /** Marks on the sheet which ink was taken for which digit; a lone drawn digit needs no mark. */
  function boxes(readings) {
    const picture = pad.picture();
    const [left, top, width] = picture ? placed(picture.bitmap) : [0, 0, SHEET.width];
    const scale = picture ? width / picture.bitmap.width : 1;
    const wanted = picture ? picture.marked : readings.length > 1;
    const marks = wanted ? readings.filter((reading) => reading.box) : [];
    if (!marks.length && !$(".boxes").firstChild) return;
    $(".boxes").replaceChildren(
      ...marks.map((reading) => {
        const mark = document.createElement("span");
        const [x0, y0, x1, y1] = reading.box;
        mark.style.left = (100 * (left + x0 * scale)) / SHEET.width + "%";
        mark.style.width = (100 * (x1 - x0) * scale) / SHEET.width + "%";
        mark.style.top = (100 * (top + y0 * scale)) / SHEET.height + "%";
        mark.style.height = (100 * (y1 - y0) * scale) / SHEET.height + "%";
        mark.dataset.label = reading.label ?? "?";
        return mark;
      }),
    );
  }

  async function open(file) {
    if (!file) return;
    const shown = await createImageBitmap(file).catch(() => null);
    const bitmap = shown ?? drawnNote(file.name);
    pad.show({ file, bitmap, marked: Boolean(shown), key: file.name + file.size + performance.now() });
  }

  function setBrush(button) {
    if (!button) return;
    for (const other of widths) {
      other.setAttribute("aria-checked", String(other === button));
      other.tabIndex = other === button ? 0 : -1;
    }
    pad.setBrush(Number(button.dataset.width));
  }

  const brush = () => widths.findIndex((button) => button.getAttribute("aria-checked") === "true");

  const keys = {
    "ctrl+z": pad.undo,
    "ctrl+shift+z": pad.redo,
    "ctrl+y": pad.redo,
    delete: pad.clear,
    backspace: pad.clear,
    "[": () => setBrush(widths[brush() - 1]),
    "]": () => setBrush(widths[brush() + 1]),
  };

  root.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.do === "inside") inside();
    else if (button?.dataset.do) pad[button.dataset.do]();
    if (button?.dataset.width) setBrush(button);
    if (button?.dataset.example) pad.put(EXAMPLES[button.dataset.example]);
  });
  $(".brushes").addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const next = widths[(brush() + by + widths.length) % widths.length];
    setBrush(next);
    next.focus();
  });
  $(".upload input").addEventListener("change", (event) => {
    open(event.target.files[0]);
    event.target.value = ""; // so that the same file can be opened again
  });

  const typing = (target) => target.closest?.("input:not([type=checkbox]):not([type=file]), textarea, select, [contenteditable]");
  document.addEventListener("keydown", (event) => {
    if (!onScreen() || typing(event.target) || event.altKey) return;
    const held = event.ctrlKey || event.metaKey ? (event.shiftKey ? "ctrl+shift+" : "ctrl+") : "";
    const key = held + event.key.toLowerCase();
    // what wipes the sheet is meant for it only when the sheet has the focus
    if (!keys[key] || (keys[key] === pad.clear && ![canvas, document.body].includes(document.activeElement))) return;
    event.preventDefault();
    keys[key]();
  });
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
    if (!file || !onScreen() || typing(event.target)) return;
    event.preventDefault();
    open(file);
  });
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    root.addEventListener(name, (event) => {
      event.preventDefault();
      root.classList.toggle("dropping", name.startsWith("drage") || name === "dragover");
      if (name === "drop") open(event.dataTransfer.files[0]);
    });
  }

  document.addEventListener("share", ({ detail }) => {
    if (!onScreen()) return;
    detail.url = new URL(addressOf(location.href, "draw"));
    if (pad.strokes().length) detail.url.searchParams.set("drawing", packStrokes(pad.strokes().map(({ points }) => simplify(points))));
    else detail.url.searchParams.delete("drawing");
  });

  createKeyPen(canvas, $(".cross"), pad, (key) => say($(".spoken"), key));
  // ink follows the page between light and dark, and the screen's sharpness
  matchMedia("screen and (prefers-color-scheme: dark)").addEventListener("change", pad.redraw); // paper is light, too
  window.addEventListener("resize", pad.fit);
  if (/Mac|iPhone|iPad/.test(navigator.platform)) {
    for (const key of root.querySelectorAll("kbd")) if (key.textContent === "Ctrl") key.textContent = "⌘";
  }
  setBrush(widths[1]);
  root.classList.add("blank", "ready");
  const shared = unpackStrokes(new URL(location.href).searchParams.get("drawing") ?? "");
  if (shared && tabIn(location.href) !== "inside") pad.put(shared);
}

/** A picture that this browser cannot show (HEIC, TIFF) is read by the server all the same. */
function drawnNote(name) {
  const note = Object.assign(document.createElement("canvas"), { width: SHEET.width, height: SHEET.height });
  const paint = note.getContext("2d");
  paint.fillStyle = "#888";
  paint.font = "24px sans-serif";
  paint.textAlign = "center";
  paint.fillText(name, SHEET.width / 2, SHEET.height / 2, SHEET.width - 40);
  return note;
}
