// The answer beside the picture: the letter, how sure, the bars, the crop the network saw and where it looked.

import { warmth } from "../page/heat.js";
import { number, percent, say, sayTold, t, write } from "../page/words.js";
import { drawnTo } from "./camera.js";

export const LETTERS = [..."ABCDEFGHIKLMNOPQRSTUVWXY"];
const LIKELIEST = 5;

/** An answer's note as the page says it: { error, code, values }, or null. */
export function noteOf({ note = "", note_code: code = "", note_values: values = {} }) {
  if (!note && !code) return null;
  return { error: note[0]?.toUpperCase() + note.slice(1) + (/[.!?]$/.test(note) ? "" : "."), code, values };
}

export function answerPanel(root) {
  const find = (selector) => root.querySelector(selector);
  const [letter, sure, note, spoken, bars] = [".letter", ".sure", ".note", ".spoken", ".bars"].map(find);
  const [seen, canvas, ring] = [find(".seen"), find(".seen canvas"), find(".ring")];
  let everything = false;
  let ranked = [];
  let crop = null;
  let heat = null;
  let wanted = 0; // the newest crop asked for: images decode out of order

  function paintBars() {
    const chances = new Map(ranked);
    const shown = everything ? LETTERS.map((label) => [label, chances.get(label) || 0]) : ranked.slice(0, LIKELIEST);
    while (bars.children.length < shown.length) {
      const row = document.createElement("div");
      row.className = "bar";
      row.setAttribute("role", "listitem");
      row.innerHTML = `<span class="bar-name"></span><span class="track"><i></i></span><span class="value"></span>`;
      bars.append(row);
    }
    while (bars.children.length > shown.length) bars.lastChild.remove();
    shown.forEach(([label, share], index) => {
      const row = bars.children[index];
      row.classList.toggle("best", ranked.length > 0 && label === ranked[0][0] && share >= 0.005);
      write(row.querySelector(".bar-name"), label);
      row.querySelector("i").style.width = `${100 * share}%`;
      write(row.querySelector(".value"), number(share, { style: "percent" }));
    });
    bars.classList.toggle("everything", everything);
    find('[data-do="all"]').disabled = ranked.length === 0;
  }

  function paintCrop() {
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, canvas.width, canvas.height);
    if (!crop) return;
    const small = Math.max(crop.width, crop.height) <= 48; // the lesson's 28 x 28: show its squares
    pen.imageSmoothingEnabled = !small;
    pen.drawImage(crop, 0, 0, canvas.width, canvas.height);
    if (!heat || !find('[data-do="heat"]').checked) return;
    pen.imageSmoothingEnabled = true;
    pen.drawImage(heat, 0, 0, canvas.width, canvas.height);
  }

  async function picture(address) {
    const image = new Image();
    image.src = address;
    await image.decode();
    return image;
  }

  async function heatLayer(address) {
    const image = await picture(address);
    const layer = drawnTo(image, image.width, image.height, 192);
    const pen = layer.getContext("2d");
    const pixels = pen.getImageData(0, 0, layer.width, layer.height);
    for (let at = 0; at < pixels.data.length; at += 4) pixels.data.set(warmth(pixels.data[at]), at);
    pen.putImageData(pixels, 0, 0);
    return layer;
  }

  let last = null;
  function show({ label, top, note: said = null, moved = false, speak = true }) {
    last = { label, top, note: said, moved };
    ranked = top;
    const share = percent(label ? (new Map(top).get(label) ?? 0) : 0);
    write(letter, label || (top.length ? "?" : "–"));
    root.classList.toggle("unsure", !label || Boolean(said));
    if (moved) say(sure, "sign.moved", { letter: label });
    else if (label) say(sure, said ? "sign.perhaps" : "sign.sure", { letter: label, share });
    else if (said) sayTold(sure, said);
    else say(sure, "sign.none");
    sayTold(note, label ? said : null);
    if (speak) write(spoken, `${sure.textContent} ${note.textContent}`.trim());
    paintBars();
  }
  document.addEventListener("language", () => last && show({ ...last, speak: false }));

  return {
    // label: a letter, or null for "no hand sign"; top: [[letter, share], ...], largest first; note: see noteOf;
    // moved: a J or Z, by its movement
    show,
    async showCrop(cropAddress, heatAddress) {
      const mine = ++wanted;
      const images = await Promise.all([cropAddress && picture(cropAddress), heatAddress && heatLayer(heatAddress)]);
      if (mine !== wanted) return;
      [crop, heat] = images;
      seen.classList.toggle("absent", !crop);
      find(".look").classList.toggle("absent", !heat);
      paintCrop();
    },
    // around the letter: how sure, for a photo; how long it was held, for the camera
    ring(share, done = false) {
      ring.style.strokeDashoffset = 100 * (1 - share);
      ring.classList.toggle("done", done);
    },
    say(key, values) { write(spoken, t(key, values)); },
    repaintCrop: paintCrop,
    crop: () => crop?.src ?? null, // the address of what the network saw
    toggleAll() {
      everything = !everything;
      const button = find('[data-do="all"]');
      button.setAttribute("aria-expanded", String(everything));
      say(button, everything ? "sign.bars.fewer" : "sign.bars.all");
      paintBars();
    },
    clear() {
      wanted += 1;
      [ranked, crop, heat, last] = [[], null, null, null];
      write(letter, "");
      say(sure, "sign.empty");
      say(note, "");
      seen.classList.add("absent");
      root.classList.remove("unsure");
      paintBars();
      this.ring(0);
    },
  };
}
