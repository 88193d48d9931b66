// J and Z from a camera's answers: where the hand was in the last seconds, and which letter it showed meanwhile.
// Knows neither the camera nor the page; times are in seconds, boxes [left, top, right, bottom] in pixels of the frame.
//
// A movement is a part of the track between two rests. Points of it, equally far apart, are compared with those of a
// drawn J or Z by their cosine, as Protractor does (Li, 2010), but not turned: a Z on its side is an N.

const KEPT = 4; // seconds of track
const POINTS = 16; // of a path that is compared
const [SHORTEST, LONGEST] = [0.5, 2.8]; // seconds of a movement
const AFTER = 0.22; // seconds that are waited for, to see that it has ended
const GAP = 0.7; // seconds without a hand that end a track
const RESTING = 0.6; // of the movement's mean speed: slower is rest

// Paths of the box of a right hand as the person opposite sees it, y downwards, each with the mean at 0 and the length
// 1; a left hand's are their mirror images. `shows`: what the hand is read as before it moves; `may`: on its way as
// well, while it turns; `size`: of the path, at least, in hands; `alike`: the cosine, at least.
export const SIGNS = {
  J: {
    path: [[-0.16, -0.39], [-0.16, -0.32], [-0.16, -0.26], [-0.16, -0.19], [-0.16, -0.13], [-0.12, -0.07], [-0.08, -0.02], [-0.04, 0.03],
      [0, 0.08], [0.03, 0.14], [0.06, 0.19], [0.11, 0.24], [0.14, 0.24], [0.19, 0.2], [0.24, 0.15], [0.29, 0.11]],
    shows: "I", may: "IGYO", size: 0.28, alike: 0.87,
  },
  Z: {
    path: [[0.26, -0.22], [0.15, -0.22], [0.03, -0.22], [-0.08, -0.22], [-0.2, -0.22], [-0.22, -0.19], [-0.13, -0.11], [-0.04, -0.04],
      [0.04, 0.04], [0.13, 0.11], [0.22, 0.19], [0.2, 0.22], [0.08, 0.22], [-0.03, 0.22], [-0.15, 0.22], [-0.26, 0.22]],
    shows: "DXGL", may: "DXGL", size: 0.35, alike: 0.88,
  },
};
const BEFORE = 0.4; // of what is shown at the start, at least
const MEANWHILE = 0.4; // and on the way

const LARGER = 1.7; // times the hand's usual size: a box that holds more than the hand says nothing of its place
const WATCHING = 1.2; // seconds that a letter which may begin a movement is worth a closer look
const BLUR = 0.11; // seconds to either side that a place is the mean of: boxes jump where a finger is left out

const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1);
const middle = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** Points equally far apart along a path. */
export function resampled(places, count = POINTS) {
  const far = [0];
  for (let i = 1; i < places.length; i += 1) far.push(far[i - 1] + distance(places[i], places[i - 1]));
  const step = far.at(-1) / (count - 1);
  let at = 1;
  return Array.from({ length: count }, (_, k) => {
    while (at < places.length - 1 && far[at] < k * step) at += 1;
    const share = (k * step - far[at - 1]) / Math.max(far[at] - far[at - 1], 1e-9);
    return places[at].map((value, axis) => places[at - 1][axis] + Math.min(share, 1) * (value - places[at - 1][axis]));
  });
}

/** The cosine of the angle between two paths of as many points, wherever they are and however large: -1 to 1. */
export function likeness(places, path) {
  const centre = [0, 1].map((axis) => mean(places.map((place) => place[axis])));
  let [inside, square, other] = [0, 0, 0];
  places.forEach((place, i) => {
    for (const axis of [0, 1]) {
      const value = place[axis] - centre[axis];
      inside += value * path[i][axis];
      square += value * value;
      other += path[i][axis] * path[i][axis];
    }
  });
  return inside / Math.max(Math.sqrt(square * other), 1e-9);
}

const mirrored = (path) => path.map(([x, y]) => [-x, y]);

/** How likely one of those letters is shown, by the frame's probabilities. */
const shown = (frame, letters) => [...letters].reduce((sum, letter) => sum + (frame.shares[letter] ?? 0), 0);

/** Units of length a second between two places of a track, 0 where it has fewer than two there. */
function speed(track, from, to) {
  let far = 0;
  for (let i = from + 1; i <= to; i += 1) far += distance(track[i].place, track[i - 1].place);
  return to > from ? far / (track[to].time - track[from].time) : 0;
}

/** The track with each place as the mean of those at nearly its time. */
function smoothed(track) {
  return track.map((frame) => {
    const near = track.filter(({ time }) => Math.abs(time - frame.time) <= BLUR);
    return { ...frame, place: [0, 1].map((axis) => mean(near.map(({ place }) => place[axis]))) };
  });
}

/** The likeness of the track from one frame to another with that sign, 0 where it cannot be one. */
function judged(track, from, to, sign) {
  const part = track.slice(from, to + 1);
  const seconds = part.at(-1).time - part[0].time;
  if (seconds < SHORTEST || seconds > LONGEST || part.length < 5) return 0;
  const hand = middle(part.map((frame) => frame.size));
  const extent = Math.max(...[0, 1].map((axis) => Math.max(...part.map((f) => f.place[axis])) - Math.min(...part.map((f) => f.place[axis]))));
  if (extent < sign.size * hand || extent > 4 * hand) return 0;
  const [start, end] = [part[0].time, part.at(-1).time];
  const before = track.filter((frame) => frame.time > start - 0.4 && frame.time < start + 0.35 * seconds);
  if (mean(before.map((frame) => shown(frame, sign.shows))) < BEFORE) return 0;
  if (mean(part.map((frame) => shown(frame, sign.may))) < MEANWHILE) return 0;
  const pace = speed(track, from, to);
  const first = track.findIndex((frame) => frame.time >= start - 0.35);
  const last = track.findLastIndex((frame) => frame.time <= end + 0.35);
  if (speed(track, first, from) > RESTING * pace || speed(track, to, last) > RESTING * pace) return 0;
  const places = resampled(part.map((frame) => frame.place));
  return Math.max(likeness(places, sign.path), likeness(places, mirrored(sign.path)));
}

/** Follows a hand. add({ box, top }, seconds) takes an answer and says "J" or "Z" when one has surely been drawn, else null. */
export function movements(signs = SIGNS) {
  let track = []; // { time, place, size, shares }, oldest first
  return {
    add({ box, top = [] }, time) {
      if (track.length && time - track.at(-1).time > GAP) track = [];
      const [left, up, right, down] = box ?? [0, 0, 0, 0];
      const size = Math.max(right - left, down - up);
      if (size > 0 && (track.length < 3 || size < LARGER * middle(track.slice(-9).map((frame) => frame.size)))) {
        track.push({ time, place: [(left + right) / 2, (up + down) / 2], size, shares: Object.fromEntries(top) });
      }
      track = track.filter((frame) => time - frame.time < KEPT);
      let best = { score: 0, letter: null };
      const smooth = smoothed(track);
      for (const [letter, sign] of Object.entries(signs)) {
        for (let to = track.length - 1; to > 3 && time - track[to].time < 1; to -= 1) {
          if (time - track[to].time < AFTER) continue;
          for (let from = to - 4; from >= 0; from -= 1) {
            const score = judged(smooth, from, to, sign);
            if (score >= sign.alike && score > best.score) best = { score, letter };
          }
        }
      }
      if (best.letter) track = [];
      return best.letter;
    },
    /** Whether the hand shows, or just showed, what may become a J or Z: then frames are worth more. */
    watching: (time) => track.some((frame) => time - frame.time < WATCHING && Object.values(signs).some(({ shows }) => shown(frame, shows) > BEFORE)),
    reset() { track = []; },
  };
}
