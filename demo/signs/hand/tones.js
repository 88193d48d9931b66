// Skin colours over the whole human range, as train/render/vary.py has them.

// The ten tones of the Monk Skin Tone Scale (Ellis Monk, 2019), from light to dark, sRGB.
const TONES = ["f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420"];

/** Colours of the back and the palm of a hand, sRGB 0..1, for a tone from 0 (light) to 1 (dark). */
export function skinColours(tone) {
  const place = tone * (TONES.length - 1);
  const [low, share] = [Math.min(Math.floor(place), TONES.length - 2), place - Math.min(Math.floor(place), TONES.length - 2)];
  const [a, b] = [TONES[low], TONES[low + 1]].map((name) => [0, 2, 4].map((i) => parseInt(name.slice(i, i + 2), 16) / 255));
  const redder = [1, 0.88, 0.84 + 0.12 * tone].map((value) => value * (1.02 - 0.12 * (1 - tone)));
  const back = a.map((value, k) => (value + share * (b[k] - value)) * redder[k]);
  return [back, back.map((value, k) => value + (0.16 + 0.3 * tone) * ([0.84, 0.6, 0.52][k] - value))];
}
