// Maps from the server's bytes: see train/inside/pack.py for their form.

/** ArrayBuffer -> { header, arrays: { name: { values: Float32Array, shape: [maps, height, width] } } }. */
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const arrays = {};
  for (const { name, shape, at } of header.arrays) {
    const [maps, height, width] = shape;
    const start = 4 + length + at;
    const scales = new Float32Array(buffer, start, maps);
    const steps = new Int16Array(buffer, start + 4 * maps, maps * height * width);
    const values = new Float32Array(steps.length);
    for (let map = 0, index = 0; map < maps; map++) {
      for (let place = 0; place < height * width; place++, index++) values[index] = steps[index] * scales[map];
    }
    arrays[name] = { values, shape };
  }
  return { header, arrays };
}

/** One map of an array, as arithmetic.js has them. */
export function mapOf({ values, shape: [, height, width] }, number) {
  return { values: values.subarray(number * height * width, (number + 1) * height * width), width, height };
}

export const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

export function base64Of(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** What inside/look sends, as the stations use it. */
export function viewOf(buffer) {
  const { header, arrays } = unpack(buffer);
  const pixels = bytesOf(header.pixels);
  let last = null;
  const layers = header.layers.map((layer, index) => {
    const array = arrays[`${index}.maps`];
    if (!array) return { ...layer, index, same: last }; // it gives on what it gets
    const matters = arrays[`${index}.matters`].values;
    const flat = layer.shape[1] === 1 && layer.shape[2] === 1;
    const numbers = layer.shown ?? Array.from({ length: layer.shape[0] }, (_, number) => number);
    const places = numbers.map((_, place) => place).sort((a, b) => Math.abs(matters[b]) - Math.abs(matters[a]));
    last = { ...layer, index, flat, array, matters, numbers, places, largest: largestOf(array.values) };
    return last;
  });
  return { ...header, pixels, layers, filters: arrays.filters ?? null, biases: arrays.biases?.values ?? null };
}

export function largestOf(values) {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most || 1;
}

/** The number of the map of a layer that matters most for the answer. */
export function mostImportant(view, layer) {
  // what matters is told behind ReLU: of a map that it cuts off there is little to see
  const judge = view.layers.slice(layer.index).find(({ kind, array }) => kind === "ReLU" && array) ?? layer;
  return judge.numbers[judge.places[0]];
}
