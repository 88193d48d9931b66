// How numbers become colours: warm above 0, cool below, the ground itself for 0; and pictures of them.

const dark = typeof matchMedia === "undefined" ? null : matchMedia("screen and (prefers-color-scheme: dark)");
const tables = new Map(); // for light and for dark: 511 colours from -1 to 1

/** The colours of the theme; asking the style for them takes longer than painting a map, so they are kept. */
function table() {
  if (!tables.has(dark.matches)) {
    const style = getComputedStyle(document.querySelector(".inside"));
    const [minus, zero, plus] = ["--minus", "--zero", "--plus"].map((name) => rgb(style.getPropertyValue(name).trim()));
    const colours = new Uint8ClampedArray(511 * 3);
    for (let i = 0; i < 511; i++) {
      const share = (i - 255) / 255;
      const [end, t] = [share < 0 ? minus : plus, Math.abs(share) ** 0.75];
      for (let c = 0; c < 3; c++) colours[3 * i + c] = zero[c] + (end[c] - zero[c]) * t;
    }
    tables.set(dark.matches, colours);
  }
  return tables.get(dark.matches);
}

function rgb(text) {
  const value = parseInt(text.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** The colour of a number, as CSS; `largest` and above is the full colour. */
export function colourOf(value, largest) {
  const colours = table();
  const i = 3 * (255 + Math.round(255 * Math.max(-1, Math.min(1, value / largest || 0))));
  return `rgb(${colours[i]} ${colours[i + 1]} ${colours[i + 2]})`;
}

/** Black or white, whichever is read better on the colour of a number: the larger contrast by WCAG's luminance. */
export function inkOn(value, largest) {
  const colours = table();
  const i = 3 * (255 + Math.round(255 * Math.max(-1, Math.min(1, value / largest || 0))));
  const [red, green, blue] = [0, 1, 2].map((c) => linear(colours[i + c]));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000" : "#fff";
}

/** The same on a grey of 0..255. */
export const inkOnGrey = (level) => (linear(level) > 0.179 ? "#000" : "#fff");

const linear = (level) => (level <= 10 ? level / 255 / 12.92 : ((level / 255 + 0.055) / 1.055) ** 2.4);

/** Writes a map into ImageData with its left upper corner at (left, top). */
export function putMap(image, map, largest, left = 0, top = 0) {
  const colours = table();
  for (let row = 0, index = 0; row < map.height; row++) {
    let to = 4 * ((top + row) * image.width + left);
    for (let column = 0; column < map.width; column++, index++, to += 4) {
      const from = 3 * (255 + Math.round(255 * Math.max(-1, Math.min(1, map.values[index] / largest))));
      image.data[to] = colours[from];
      image.data[to + 1] = colours[from + 1];
      image.data[to + 2] = colours[from + 2];
      image.data[to + 3] = 255;
    }
  }
}

/** A canvas as sharp as the screen, `width` x `height` in CSS pixels; returns its context, in CSS pixels too. */
export function sharp(canvas, width, height) {
  const scale = Math.max(1, devicePixelRatio || 1);
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  canvas.style.aspectRatio = `${width} / ${height}`;
  const paint = canvas.getContext("2d");
  paint.setTransform(w / width, 0, 0, h / height, 0, 0);
  paint.imageSmoothingEnabled = false;
  return paint;
}

const scratch = typeof document === "undefined" ? null : document.createElement("canvas");

/** Draws a map over a rectangle of a context, its pixels as squares. */
export function drawMap(paint, map, largest, left, top, width, height) {
  if (!map.width || !map.height) return;
  Object.assign(scratch, { width: map.width, height: map.height });
  const own = scratch.getContext("2d");
  const image = own.createImageData(map.width, map.height);
  putMap(image, map, largest);
  own.putImageData(image, 0, 0);
  paint.imageSmoothingEnabled = false;
  paint.drawImage(scratch, left, top, width, height);
}

/** Draws a picture of (channels, height, width) bytes 0..255: bright ink on black as the files have it, or in colour. */
export function drawPicture(paint, pixels, [channels, height, width], left, top, across, down) {
  Object.assign(scratch, { width, height });
  const own = scratch.getContext("2d");
  const image = own.createImageData(width, height);
  const plane = width * height;
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = pixels[channels === 3 ? c * plane + i : i];
    image.data[4 * i + 3] = 255;
  }
  own.putImageData(image, 0, 0);
  paint.imageSmoothingEnabled = width > across;
  paint.drawImage(scratch, left, top, across, down);
}

/** A frame around cells, seen on any ground: the accent, with a thin line of the ground's colour on either side. */
export function frame(paint, left, top, width, height, weight = 2) {
  const style = getComputedStyle(paint.canvas);
  paint.lineJoin = "round";
  for (const [colour, line] of [[style.getPropertyValue("--zero"), weight + 2], [style.getPropertyValue("--mark"), weight]]) {
    paint.strokeStyle = colour;
    paint.lineWidth = line;
    paint.strokeRect(left, top, width, height);
  }
}
