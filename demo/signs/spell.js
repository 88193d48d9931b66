// From frame to frame: probabilities smoothed over time, and a sign held still becomes a letter of the word.
// Neither knows the camera or the page; times are in seconds.

// Exponential average with a time constant, so that slow and fast machines smooth alike. A frame without
// a hand counts as all zeros: the sum of the averages says how surely there is a sign at all.
export function smoother(constant = 0.35) {
  let average = {};
  let last = null;
  return {
    add(top, now) {
      const weight = last === null ? 1 : 1 - Math.exp(-Math.max(now - last, 0) / constant);
      last = now;
      const fresh = Object.fromEntries(top);
      for (const label of new Set([...Object.keys(average), ...Object.keys(fresh)])) {
        const before = average[label] || 0;
        average[label] = before + weight * ((fresh[label] || 0) - before);
      }
      return Object.entries(average).sort((one, other) => other[1] - one[1]);
    },
    reset() { average = {}; last = null; },
  };
}

const DRAWING = 4; // seconds from a letter that stands to the end of the one that is drawn from it

// A letter counts once it led for `hold` seconds; the same letter counts again after it was let go. It takes
// `enough` probability to begin and less to go on, so that one wrong frame in between does no harm.
export function speller(hold = 1.0, enough = 0.6, still = 0.4) {
  let word = "";
  let held = null; // { label, since, done }
  let newest = null; // { label, at }: what was added last, and when
  return {
    word: () => word,
    add(label, probability, now) {
      const least = held && held.label === label ? still : enough;
      if (!label || probability < least) { held = null; return { progress: 0, added: null }; }
      if (!held || held.label !== label) held = { label, since: now, done: false };
      if (held.done) return { progress: 1, added: null };
      const progress = Math.min((now - held.since) / hold, 1);
      if (progress < 1) return { progress, added: null };
      held.done = true;
      word += label;
      newest = { label, at: now };
      return { progress: 1, added: label };
    },
    /** A letter that was drawn in the air; what the hand showed as it began, one of `starts`, was not meant. */
    drawn(label, starts, now) {
      if (newest && now - newest.at < DRAWING && starts.includes(newest.label) && word.endsWith(newest.label)) word = word.slice(0, -1);
      word += label;
      [newest, held] = [{ label, at: now }, null];
    },
    space() { if (word && !word.endsWith(" ")) word += " "; },
    backspace() { word = word.slice(0, -1); },
    clear() { word = ""; },
    release() { held = null; },
  };
}
