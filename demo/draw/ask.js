// Questions to the server, newest first: an answer that a newer one has overtaken is never shown.

import { ask as fetched, Trouble } from "../page/server.js";

const LIVE_GAP = 70; // milliseconds between readings while the pen is down, and
const LIVE_SHARE = 3; // so many times as long as a reading takes: a busy server is left in peace until pen-up
const RETRY = 2000;

/**
 * `prepare(seq)` returns {path, body, type, key} for the drawing as it is now, or null when there is nothing to ask.
 * ask(finished) follows the drawing: at once when the pen is up, at a steady pace while it is down.
 */
export function createAsker(prepare, { answered, troubled }) {
  let seq = 0;
  let shown = 0;
  let flight = null; // {seq, key, abort, timer}
  let later = 0;
  let lastAsked = 0;
  let took = 0;

  function ask(finished) {
    if (flight && !finished) return; // it asks again when the answer is here
    clearTimeout(later);
    const wait = finished ? 0 : lastAsked + Math.max(LIVE_GAP, LIVE_SHARE * took) - performance.now();
    if (wait > 0) later = setTimeout(send, wait, false);
    else send(finished);
  }

  async function send(finished) {
    const question = prepare(seq + 1);
    if (flight && question && flight.key === question.key) {
      flight.finished ||= finished; // exactly this drawing is being read already
      return;
    }
    flight?.abort.abort();
    flight = null;
    if (!question) return;
    const mine = { seq: ++seq, key: question.key, abort: new AbortController(), finished };
    flight = mine;
    lastAsked = performance.now();
    try {
      const answer = await asked(question, mine.abort);
      if (flight !== mine) return;
      flight = null;
      took = performance.now() - lastAsked;
      if (mine.seq < shown) return;
      shown = mine.seq;
      answered(answer, mine);
    } catch (error) {
      if (flight !== mine) return; // overtaken: nobody waits for it
      flight = null;
      troubled(error);
      if (error.retry) later = setTimeout(send, RETRY, true);
      return;
    }
    if (prepare(seq)?.key !== mine.key) ask(false); // the pen moved on meanwhile
  }

  return {
    ask,
    forget() {
      clearTimeout(later);
      flight?.abort.abort();
      flight = null;
      shown = ++seq;
    },
  };
}

async function asked({ path, body, type }, abort) {
  const timer = setTimeout(() => abort.abort(), 15000);
  try {
    const reply = await fetched(path, { method: "POST", body, headers: { "Content-Type": type }, signal: abort.signal }, "draw.failed");
    return await reply.json();
  } catch (error) {
    if (error instanceof Trouble && error.code !== "server.away") throw error;
    throw Object.assign(new Trouble("draw.away"), { retry: true });
  } finally {
    clearTimeout(timer);
  }
}
