// A station's address: what a teacher links to is what the class sees, drawing and all.

const UNIT = 2; // of the pad's 600 x 480; finer is not seen

/** Strokes [[x0, y0, x1, y1, ...], ...] as text for an address: each point by its distance from the last, mostly a byte. */
export function packStrokes(strokes) {
  const bytes = [];
  const put = (value) => {
    while (value > 127) {
      bytes.push((value & 127) | 128);
      value >>>= 7;
    }
    bytes.push(value);
  };
  for (const points of strokes) {
    put(points.length / 2);
    let last = [0, 0];
    for (let i = 0; i < points.length; i += 2) {
      const point = [Math.round(points[i] / UNIT), Math.round(points[i + 1] / UNIT)];
      point.forEach((value, axis) => put(zigzag(value - last[axis])));
      last = point;
    }
  }
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The strokes again, or null if the text is none of ours. */
export function unpackStrokes(text) {
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
    const strokes = [];
    let next = 0;
    const take = () => {
      let [value, shift] = [0, 0];
      for (;;) {
        if (next >= bytes.length || shift > 21) throw new RangeError("cut short");
        const byte = bytes[next++];
        value |= (byte & 127) << shift;
        if (byte < 128) return value;
        shift += 7;
      }
    };
    while (next < bytes.length) {
      const points = [];
      let last = [0, 0];
      for (let count = take(); count > 0; count--) {
        last = last.map((value) => value + unzigzag(take()));
        points.push(last[0] * UNIT, last[1] * UNIT);
      }
      if (points.length) strokes.push(points);
    }
    return strokes.length && strokes.flat().every((value) => value >= 0 && value <= 10000) ? strokes : null;
  } catch {
    return null;
  }
}

const zigzag = (value) => (value < 0 ? -2 * value - 1 : 2 * value);
const unzigzag = (value) => (value & 1 ? -(value + 1) / 2 : value / 2);

/** A whole number from an address, within limits, or `otherwise`. */
export function whole(text, low, high, otherwise) {
  const value = Number(text);
  return text !== null && text !== "" && Number.isInteger(value) && value >= low && value <= high ? value : otherwise;
}
