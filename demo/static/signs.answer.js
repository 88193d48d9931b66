// The answer beside the picture: the letter, how sure, the bars, the crop the network saw and where it looked.

const LETTERS = [..."ABCDEFGHIKLMNOPQRSTUVWXY"];
const percent = (share) => (share > 0.995 ? "over 99 %" : share < 0.005 ? "under 1 %" : `${Math.round(100 * share)} %`);

function oneOf(letters) {
  return letters.length < 2 ? letters.join("") : `${letters.slice(0, -1).join(", ")} or ${letters.at(-1)}`;
}

/** Heat 0..255 as a colour laid over the picture: nothing, then rose, then amber. */
function warmth(value) {
  const t = value / 255;
  return [255, 40 + 150 * t * t, 110 - 90 * t, 215 * Math.min(1, 1.15 * t * t * (3 - 2 * t))];
}

const sentence = (words) => (words ? words[0].toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? "" : ".") : "");

function answerPanel(root) {
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
    const shown = everything
      ? LETTERS.map((label) => [label, chances.get(label) || 0])
      : ranked.slice(0, 5);
    while (bars.children.length < shown.length) {
      const row = document.createElement("div");
      row.className = "bar";
      row.setAttribute("role", "listitem");
      row.innerHTML = `<span class="bar-name"></span><span class="bar-track"><i></i></span><span class="bar-value"></span>`;
      bars.append(row);
    }
    while (bars.children.length > shown.length) bars.lastChild.remove();
    shown.forEach(([label, share], index) => {
      const row = bars.children[index];
      row.classList.toggle("best", ranked.length > 0 && label === ranked[0][0] && share >= 0.005);
      row.querySelector(".bar-name").textContent = label;
      row.querySelector("i").style.width = `${100 * share}%`;
      row.querySelector(".bar-value").textContent = `${Math.round(100 * share)} %`;
    });
    bars.classList.toggle("everything", everything);
    find('[data-do="all"]').hidden = ranked.length === 0;
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

  return {
    // label: a letter, or null for "no hand sign"; top: [[letter, share], ...], largest first
    show({ label, top, note: said, speak = true }) {
      const words = sentence(said);
      ranked = top;
      const share = label ? new Map(top).get(label) ?? 0 : 0;
      letter.textContent = label || (top.length ? "?" : "–");
      root.classList.toggle("unsure", !label || Boolean(words));
      sure.textContent = !label ? words || "No hand sign found." : `${words ? "Perhaps " : ""}${label}, ${percent(share)} sure`;
      note.textContent = label ? words : "";
      if (speak) spoken.textContent = `${sure.textContent} ${note.textContent}`.trim();
      paintBars();
    },
    async showCrop(cropAddress, heatAddress) {
      const mine = ++wanted;
      const images = await Promise.all([cropAddress && picture(cropAddress), heatAddress && heatLayer(heatAddress)]);
      if (mine !== wanted) return;
      [crop, heat] = images;
      seen.hidden = !crop;
      find(".look").hidden = !heat;
      paintCrop();
    },
    // around the letter: how sure, for a photo; how long it was held, for the camera
    ring(share, done = false) {
      ring.style.strokeDashoffset = 100 * (1 - share);
      ring.classList.toggle("done", done);
    },
    say(words) { spoken.textContent = words; },
    repaintCrop: paintCrop,
    toggleAll() {
      everything = !everything;
      const button = find('[data-do="all"]');
      button.setAttribute("aria-expanded", String(everything));
      button.textContent = everything ? "Show the likeliest only" : "Show all 24 letters";
      paintBars();
    },
    clear() {
      wanted += 1;
      [ranked, crop, heat] = [[], null, null];
      letter.textContent = "";
      sure.textContent = "The letter appears here";
      note.textContent = "";
      seen.hidden = true;
      root.classList.remove("unsure");
      paintBars();
      this.ring(0);
    },
  };
}
