// Practice without a page: which letter is asked for, whether it was seen, and what to change if another was.

const HELD = 0.6; // seconds that the camera must read the letter
const PUZZLED = 1.2; // seconds of another letter before advice is given
const SURE = 0.6; // how sure the network must be

/** Letters that a picture shows: J and Z move, and want the camera. */
export const STILL = [..."ABCDEFGHIKLMNOPQRSTUVWXY"];
export const ALL = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];

// What to change when the first letter was wanted and the second was read: keys hand.advice.<wanted>.<read>.
// J and Z begin as a still letter: then it is time to move.
const ADVICE = new Set(["J.I", "Z.D", "Z.X", "A.S", "A.T", "A.Y", "A.E", "B.F", "B.E", "C.O", "D.C", "D.L", "D.R", "D.X", "E.S", "E.M", "E.N", "E.O",
  "F.O", "F.B", "F.W", "G.H", "G.Q", "G.P", "H.G", "H.U", "H.P", "I.Y", "I.A", "K.V", "K.P", "K.U", "L.D", "L.G", "M.N", "M.T", "M.S",
  "M.E", "N.M", "N.T", "N.S", "O.C", "O.E", "P.H", "P.Q", "P.K", "P.G", "Q.P", "Q.G", "R.U", "R.D", "R.V", "S.A", "S.T", "S.E", "S.N",
  "T.N", "T.A", "T.S", "T.M", "U.R", "U.V", "U.H", "V.K", "V.U", "V.W", "W.F", "W.V", "W.B", "X.D", "X.S", "X.T", "Y.A", "Y.I", "Y.L"]);

/** The key of what to change, or of the plain answer where the two are not neighbours. */
export const adviceFor = (wanted, read) => (ADVICE.has(`${wanted}.${read}`) ? `hand.advice.${wanted}.${read}` : "hand.advice.other");

/** All pairs that have advice of their own, "A.S". */
export const pairs = () => [...ADVICE];

/** The letters of a word that can be practised, capitals; others are left out. */
export const lettersOf = (word) => [...word.toUpperCase()].filter((letter) => ALL.includes(letter));

/** All letters in an order that `random` (0..1) gives. */
export function shuffled(letters = ALL, random = Math.random) {
  const out = [...letters];
  for (let i = out.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

/**
 * Goes through letters. add({ label, share, live, moved }, seconds) takes what was read and says what came of it: "hit",
 * "done", { advice, read } or null. A photo counts at once, the camera's letter when it is held, J and Z when they were
 * drawn (`moved`).
 */
export function createPractice(letters, begun) {
  let [at, hits, tries, since, seen, told] = [0, 0, 0, begun, null, null];

  function next() {
    [at, seen, told] = [at + 1, null, null];
    return at >= letters.length ? "done" : "hit";
  }

  return {
    wanted: () => letters[at] ?? null,
    score: (now) => ({ hits, tries, count: letters.length, at, seconds: Math.round(now - begun) }),
    skip: () => next(),
    add({ label, share, live, moved = false }, now) {
      if (moved && label !== letters[at]) return null; // perhaps on the way to another letter
      if (at >= letters.length || !label || share < SURE) {
        if (!label) seen = null;
        return null;
      }
      if (label !== seen) [seen, since] = [label, now];
      const held = live && !moved ? now - since : Infinity;
      if (label === letters[at]) {
        if (held < HELD) return null;
        [hits, tries] = [hits + 1, tries + 1];
        return next();
      }
      if (held < PUZZLED || told === label) return null;
      told = live ? label : null;
      tries += 1;
      return { advice: adviceFor(letters[at], label), read: label };
    },
  };
}
