// The lessons' arithmetic: convolution, pooling, softmax. Maps are { values: Float32Array, width, height }, row by row.

/** Pixels along one side after a convolution or pooling; below 1 there is no place for the kernel. */
export const outputSize = (size, kernel, stride = 1, padding = 0) => Math.floor((size - kernel + 2 * padding) / stride) + 1;

/** The value at a place of a map; outside it is padding, 0. */
export const at = (map, row, column) =>
  row < 0 || column < 0 || row >= map.height || column >= map.width ? 0 : map.values[row * map.width + column];

/** What lies under the kernel when it makes the output's place (row, column): kernel x kernel values. */
export function window(map, row, column, { kernel, stride = 1, padding = 0 }) {
  const values = new Float64Array(kernel * kernel);
  for (let y = 0; y < kernel; y++) {
    for (let x = 0; x < kernel; x++) values[y * kernel + x] = at(map, row * stride - padding + y, column * stride - padding + x);
  }
  return values;
}

/** One place of a convolution, each product by itself. */
export function products(map, row, column, weights, how) {
  return window(map, row, column, how).map((value, index) => value * weights[index]);
}

export const total = (values) => values.reduce((sum, value) => sum + value, 0);

/** The whole convolution of one map with one kernel, as torch's Conv2d does it (it does not turn the kernel). */
export function convolve(map, weights, { kernel, stride = 1, padding = 0, bias = 0 }) {
  const [width, height] = [map.width, map.height].map((size) => Math.max(0, outputSize(size, kernel, stride, padding)));
  const values = new Float32Array(width * height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      let sum = bias;
      for (let y = 0; y < kernel; y++) {
        for (let x = 0; x < kernel; x++) {
          sum += at(map, row * stride - padding + y, column * stride - padding + x) * weights[y * kernel + x];
        }
      }
      values[row * width + column] = sum;
    }
  }
  return { values, width, height };
}

export const relu = (map) => ({ ...map, values: map.values.map((value) => Math.max(0, value)) });

/** 2 x 2 max pooling, and where in the map each winner stands (its index); an odd last row or column is left out. */
export function pool(map, size = 2) {
  const [width, height] = [Math.floor(map.width / size), Math.floor(map.height / size)];
  const values = new Float32Array(width * height);
  const winners = new Uint32Array(width * height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      let best = row * size * map.width + column * size;
      for (let y = 0; y < size; y++) {
        for (let x = 0; x < size; x++) {
          const index = (row * size + y) * map.width + column * size + x;
          if (map.values[index] > map.values[best]) best = index;
        }
      }
      values[row * width + column] = map.values[best];
      winners[row * width + column] = best;
    }
  }
  return { values, width, height, winners };
}

/** The map with `side` pixels on either side, each the mean of those that it stands for. */
export function shrink(map, side) {
  const values = new Float32Array(side * side);
  const edge = (index, size) => Math.floor((index * size) / side);
  for (let index = 0; index < values.length; index++) {
    const [row, column] = [Math.floor(index / side), index % side];
    const [top, left] = [edge(row, map.height), edge(column, map.width)];
    const [bottom, right] = [Math.max(top + 1, edge(row + 1, map.height)), Math.max(left + 1, edge(column + 1, map.width))];
    for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) values[index] += at(map, y, x);
    values[index] /= (bottom - top) * (right - left);
  }
  return { values, width: side, height: side };
}

/** The map moved by whole pixels; what comes in is 0. */
export function moved(map, right, down) {
  const values = new Float32Array(map.values.length);
  for (let row = 0; row < map.height; row++) {
    for (let column = 0; column < map.width; column++) values[row * map.width + column] = at(map, row - down, column - right);
  }
  return { ...map, values };
}

/** How much two maps differ: the length of their difference, as a share of the first one's length. */
export function difference(one, other) {
  const lengthOf = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return lengthOf(one.values.map((value, index) => value - other.values[index])) / (lengthOf(one.values) || 1);
}

/** Scores as probabilities; a temperature above 1 evens them out. */
export function softmax(scores, temperature = 1) {
  const most = Math.max(...scores);
  const powers = Array.from(scores, (score) => Math.exp((score - most) / temperature));
  const sum = total(powers);
  return powers.map((power) => power / sum);
}

/** Pixels 0..255 as a network takes them. */
export const normalise = (pixels, mean, std) => Float32Array.from(pixels, (pixel) => (pixel / 255 - mean) / std);

/** Counts of values in `bins` equal parts of low..high; what is beyond counts in the outermost. */
export function histogram(values, low, high, bins) {
  const counts = new Array(bins).fill(0);
  for (const value of values) counts[Math.min(bins - 1, Math.max(0, Math.floor(((value - low) / (high - low)) * bins)))] += 1;
  return counts;
}

export const mean = (values) => total(Array.from(values)) / values.length;

export function deviation(values) {
  const middle = mean(values);
  return Math.sqrt(mean(Array.from(values, (value) => (value - middle) ** 2)));
}

/** Kernels to begin with, for any size, row by row. */
export const PRESETS = {
  vertical: (size) => each(size, (y, x) => Math.sign(x - (size - 1) / 2) * (size === 1 ? 1 : hat(y, size))),
  horizontal: (size) => each(size, (y, x) => Math.sign(y - (size - 1) / 2) * (size === 1 ? 1 : hat(x, size))),
  blur: (size) => each(size, () => 1 / size ** 2),
  sharpen: (size) => each(size, (y, x) => 2 * middle(y, x, size) - 1 / size ** 2),
  outline: (size) => each(size, (y, x) => (size === 1 ? 1 : size ** 2 * middle(y, x, size) - 1)),
  same: (size) => each(size, (y, x) => middle(y, x, size)),
};
const each = (size, value) => Array.from({ length: size * size }, (_, index) => value(Math.floor(index / size), index % size));
const middle = (y, x, size) => Number(y === Math.floor(size / 2) && x === Math.floor(size / 2));
const hat = (place, size) => (size === 3 && place === 1 ? 2 : 1); // Sobel's, for the usual size
