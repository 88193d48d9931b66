// The answer's side of the tab: the number, the bars, and what the network saw.

const percent = (p) => (p > 0.995 ? ">99 %" : p < 0.01 ? "<1 %" : Math.round(100 * p) + " %");

function createAnswer(root) {
  const find = (selector) => root.querySelector(selector);
  const [number, words, tiles, which] = [".number", ".words", ".tiles", ".which"].map(find);
  const bars = Array.from({ length: 10 }, (_, digit) => {
    const bar = document.createElement("div");
    bar.className = "bar";
    bar.innerHTML = "<div><i><b></b></i></div><span>" + digit + "</span>";
    find(".bars").append(bar);
    return { bar, column: bar.querySelector("i"), percent: bar.querySelector("b") };
  });
  let readings = [];
  let chosen = null; // the digit whose bars the user asked for; the last one otherwise

  function confidenceInWords(reading) {
    if (reading.note) return reading.note;
    const [first, second] = ranked(reading.probabilities);
    if (reading.label === null) return "Not sure. This does not look like a digit.";
    if (reading.confidence >= 0.95) return "Sure, " + percent(reading.confidence);
    if (reading.confidence >= 0.7) return "Fairly sure, " + percent(reading.confidence);
    return "Not sure: " + first + " or " + second + "?";
  }

  function wordsFor(list) {
    if (list.length === 1) return confidenceInWords(list[0]);
    if (list.every((reading) => reading.label === null)) return "This does not look like a number.";
    const doubtful = list.filter((reading) => reading.label === null || reading.confidence < 0.7);
    if (!doubtful.length) return list.length === 2 ? "Sure of both digits" : `Sure of all ${list.length} digits`;
    return doubtful.length === 1 ? "Not sure of one digit" : "Not sure of " + doubtful.length + " digits";
  }

  function showBars() {
    const reading = readings[Math.min(chosen ?? readings.length - 1, readings.length - 1)];
    const best = reading ? ranked(reading.probabilities)[0] : -1;
    bars.forEach(({ bar, column, percent: above }, digit) => {
      const p = reading ? reading.probabilities[digit] : 0;
      column.style.height = (100 * p).toFixed(1) + "%";
      write(above, p >= 0.01 ? percent(p) : "");
      bar.classList.toggle("best", digit === best && reading.label !== null);
    });
    const place = readings.indexOf(reading) + 1;
    write(which, readings.length > 1 ? "Digit " + place + " of " + readings.length : "");
    [...tiles.children].forEach((tile, i) => tile.setAttribute("aria-pressed", i === place - 1));
  }

  function showTiles() {
    const count = Math.max(1, readings.length);
    while (tiles.children.length > count) tiles.lastChild.remove();
    while (tiles.children.length < count) tiles.append(makeTile());
    tiles.style.setProperty("--tiles", count);
    root.classList.toggle("several", count > 1);
    [...tiles.children].forEach((tile, i) => fillTile(tile, readings[i], readings.length > 1));
  }

  function makeTile() {
    const tile = document.createElement("button");
    tile.type = "button";
    tile.className = "tile";
    tile.innerHTML = '<canvas class="seen" width="28" height="28"></canvas><canvas class="heat"></canvas><span></span>';
    tile.addEventListener("click", () => {
      chosen = [...tiles.children].indexOf(tile);
      showBars();
    });
    return tile;
  }

  function show(list) {
    readings = list;
    if (chosen !== null && chosen >= list.length) chosen = null;
    write(number, list.map((reading) => reading.label ?? "?").join(""));
    number.style.setProperty("--digits", Math.max(1, list.length));
    number.classList.toggle("unsure", list.some((r) => r.label === null || r.confidence < 0.7));
    write(words, list.length ? wordsFor(list) : "");
    root.dataset.answer = number.textContent;
    showTiles();
    showBars();
  }

  find(".look input").addEventListener("change", (event) => {
    root.classList.toggle("plain", !event.target.checked);
  });
  show([]);
  return {
    show,
    spoken: () => (readings.length ? "Read as " + number.textContent + ". " + words.textContent : ""),
    forget() {
      chosen = null;
      show([]);
    },
  };
}

/** Writing what is there already would make the browser lay the page out again. */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function ranked(probabilities) {
  return probabilities.map((_, digit) => digit).sort((a, b) => probabilities[b] - probabilities[a]);
}

function fillTile(tile, reading, several) {
  const [seen, heat, label] = tile.children;
  tile.disabled = !several;
  write(label, several ? (reading.label ?? "?") : "");
  const name = reading ? (reading.label ?? "something unknown") : "nothing yet";
  tile.setAttribute("aria-label", "What the network sees: " + name);
  drawPixels(seen, reading?.seen, (v) => [v, v, v, 255]);
  drawPixels(heat, reading?.heat, warmth);
}

/** Heat 0..255 as a colour laid over the picture: nothing, then rose, then amber. */
function warmth(v) {
  const t = v / 255;
  return [255, 40 + 150 * t * t, 110 - 90 * t, 215 * Math.min(1, 1.15 * t * t * (3 - 2 * t))];
}

/** Draws {width, height, bytes} (base64, a byte a pixel) one canvas pixel for each, or wipes the canvas. */
function drawPixels(canvas, picture, colour) {
  const { width, height } = picture ?? canvas;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const paint = canvas.getContext("2d");
  paint.clearRect(0, 0, width, height);
  if (!picture) return;
  const image = paint.createImageData(width, height);
  const bytes = atob(picture.bytes);
  for (let i = 0; i < bytes.length; i++) image.data.set(colour(bytes.charCodeAt(i)), 4 * i);
  paint.putImageData(image, 0, 0);
}
