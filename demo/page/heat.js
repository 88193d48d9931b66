// Pictures that come as bytes, and the colours of "where it looked".

/** Heat 0..255 as a colour laid over the picture: nothing, then rose, then amber. */
export function warmth(value) {
  const t = value / 255;
  return [255, 40 + 150 * t * t, 110 - 90 * t, 215 * Math.min(1, 1.15 * t * t * (3 - 2 * t))];
}

export const grey = (value) => [value, value, value, 255];

/** Draws {width, height, bytes} (base64, a byte a pixel) one canvas pixel for each, or wipes the canvas. */
export function drawPixels(canvas, picture, colour) {
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
