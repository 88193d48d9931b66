// One run, from Start to its end: its streamed events, the buttons that steer it, and the figures beside them.

import { Trouble, ask, post } from "../page/server.js";
import { number, percent, say, t, write } from "../page/words.js";
import { quota } from "./quota.js";

const BACK = 600_000; // milliseconds for which a run whose connection dropped is looked for
const WHY = { stop: "stopped", gone: "gone", deadline: "deadline", pause: "pause" };
const FACTS = ["epoch", "step", "speed", "left", "accuracy"];

/** The lines of a streamed answer, each a JSON object. */
async function* lines(reply) {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) if (part) yield JSON.parse(part);
  }
}

/** Seconds as a person says them. */
export function duration(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 60) return t("time.seconds", { seconds: whole });
  return whole % 60 ? t("time.both", { minutes: Math.floor(whole / 60), seconds: whole % 60 }) : t("time.minutes", { minutes: whole / 60 });
}

export function createRun(root, choices, { runs, sights, plot, problem, ended }) {
  const part = (selector) => root.querySelector(selector);
  const button = (name) => part(`[data-do="${name}"]`);
  let current = null; // { run, abort, state } of the run that this page follows now
  let unbegun = null; // the last run, if it ended before its first step: it is in no list

  /** Starts a run, follows it to its end, and finds it again when the connection drops. */
  async function start(settings, pace = "run") {
    if (current || root.dataset.data === "missing") return;
    problem(null);
    const mine = begin();
    state("starting");
    try {
      const options = { signal: mine.abort.signal };
      if (settings.gpu) options.headers = { "Content-Type": "application/json", ...(await quota()) };
      const reply = await post("train/run", { ...settings, pace }, options, "train.failed");
      mine.run = runs.add({ ...settings });
      sights.clear();
      await listen(mine, reply);
    } catch (error) {
      problem(error instanceof Trouble ? error : new Trouble("train.lost"));
    }
    leave(mine);
  }

  /** Follows a run that this page followed before it was reloaded. */
  async function again(run) {
    if (current || !run) return;
    const mine = begin(run);
    state("starting");
    await find(mine);
    leave(mine);
  }

  function begin(run = null) {
    root.dataset.points = 0;
    unbegun = null;
    return (current = { abort: new AbortController(), run, state: "starting", pressed: performance.now() });
  }

  async function listen(mine, reply) {
    try {
      for await (const event of lines(reply)) heard(mine, event);
    } catch (error) {
      if (error instanceof SyntaxError) throw error;
    }
    if (!mine.run.ended) await find(mine);
  }

  /** Asks for a run until it is found again or is known to be gone. */
  async function find(mine) {
    for (let wait = 500, since = performance.now(); mine.run.id && !mine.left && performance.now() - since < BACK; wait = Math.min(2 * wait, 10_000)) {
      try {
        const reply = await ask(`train/run?run=${mine.run.id}`, { signal: mine.abort.signal }, "train.lost");
        Object.assign(mine.run, { points: [], epochs: [] }); // all of it is told again
        problem(null);
        return await listen(mine, reply);
      } catch (error) {
        if (!error.retry) break; // it has ended and is forgotten
        problem(new Trouble("train.again"));
        await new Promise((done) => setTimeout(done, wait));
      }
    }
    if (!mine.left) problem(new Trouble("train.lost"));
  }

  function leave(mine) {
    if (mine.left) return;
    current = null;
    if (mine.run) {
      mine.run.ended ||= "lost";
      runs.finish(mine.run);
      if (!mine.run.points.length) unbegun = mine.run;
    }
    ended();
    state("idle");
  }

  function heard(mine, event) {
    const { run } = mine;
    if (event.kind === "run") {
      Object.assign(run, { id: event.run, parameters: event.parameters });
      runs.update(run);
      runs.save(); // so that it is found again
    }
    if (event.kind === "line") Object.assign(mine, { place: event.place, wait: event.seconds });
    else if (event.kind === "state") mine.state = event.state;
    else if (event.kind === "fitted") fitted(run, event);
    else if (event.kind === "shortened") shortened(run, event);
    else if (event.kind === "point") point(mine, event);
    else if (event.kind === "filters") event.filters && sights.filters(event.filters);
    else if (event.kind === "checking") say(part(".status"), "train.state.checking");
    else if (event.kind === "epoch") epoch(mine, event);
    else if (event.kind === "stuck") problem({ error: event.message, code: event.code });
    else if (event.kind === "end") end(run, event);
    if (["line", "state"].includes(event.kind)) {
      state(mine.place ? "waiting" : mine.state);
      run.state = root.dataset.state;
      runs.update(run);
    }
  }

  /** The host has fitted the recipe to its time. */
  function fitted(run, { epochs, of, share, takes, seconds }) {
    const less = share < run.settings.share;
    Object.assign(run.settings, { epochs, share });
    runs.show();
    const times = { takes: duration(takes), most: duration(seconds) };
    problem(less ? new Trouble("train.fitted.share", { ...times, share: percent(share) }) : new Trouble("train.fitted", { ...times, epochs, of }));
  }

  /** The host has turned slower on the way. */
  function shortened(run, { epochs, of }) {
    run.end = epochs;
    problem(new Trouble("train.shortened", { epochs: number(epochs), of }));
  }

  function point(mine, event) {
    const { run } = mine;
    const [loss, accuracy] = event.validation ?? [null, null];
    run.points.push([event.at, event.seconds, event.loss, event.accuracy, loss, accuracy]);
    run.seconds = event.seconds;
    if (run.points.length === 1) root.dataset.first = Math.round(performance.now() - mine.pressed);
    root.dataset.points = run.points.length;
    const done = Math.min(1, event.at / (run.end ?? run.settings.epochs));
    part(".progress i").style.width = 100 * done + "%";
    part(".progress").setAttribute("aria-valuenow", Math.round(100 * done));
    fact("epoch", t("train.of", { done: event.epoch, all: run.settings.epochs }));
    fact("step", t("train.of", { done: event.step, all: event.steps }));
    fact("speed", number(event.speed));
    const most = choices.limits.seconds - event.seconds;
    fact("left", event.left > most ? t("train.atmost", { time: duration(most) }) : duration(event.left));
    if (accuracy !== null) fact("accuracy", t("train.about", { share: percent(accuracy, 1) })); // of a few images
    plot();
  }

  function epoch(mine, event) {
    const { run } = mine;
    sights.epoch(event, choices.tasks[run.settings.task].labels);
    state(mine.state);
    run.epochs.push([event.at, event.seconds, ...event.train, ...event.validation]);
    run.best = Math.max(run.best ?? 0, event.validation[1]);
    fact("accuracy", percent(event.validation[1], 2));
    runs.update(run);
    say(part(".spoken"), "train.spoken", { epoch: event.epoch, share: percent(event.validation[1], 2) });
    plot();
  }

  function end(run, event) {
    run.ended = event.state === "finished" || event.state === "failed" ? event.state : (WHY[event.why] ?? "stopped");
    run.kept = Boolean(event.kept);
    run.estimate = event.estimate;
    if (event.best) run.best = event.best;
    if (event.seconds) run.seconds = event.seconds;
    if (event.message) problem({ error: event.message, code: event.code, values: event.values });
    else if (event.why === "deadline") problem(new Trouble("train.deadline", { seconds: choices.limits.seconds }));
    else if (event.why === "pause") problem(new Trouble("train.paused.long"));
  }

  function steer(wish) {
    if (current?.run?.id) post("train/steer", { run: current.run.id, do: wish }, {}, "train.failed").catch(problem);
  }

  function fact(name, text) {
    write(part(`[data-fact="${name}"]`), text);
  }

  function state(name) {
    root.dataset.state = name;
    const idle = name === "idle";
    const none = root.dataset.data === "missing";
    button("start").hidden = !idle;
    button("start").disabled = none;
    button("pause").hidden = idle || name === "paused";
    button("pause").disabled = name !== "training";
    button("resume").hidden = name !== "paused";
    button("step").disabled = !["idle", "training", "paused"].includes(name) || (idle && none);
    button("stop").disabled = idle || name === "starting";
    if (name === "starting") {
      for (const each of FACTS) fact(each, "–");
      part(".progress i").style.width = 0;
    }
    const last = unbegun ?? runs.all().at(-1);
    const status = part(".status");
    if (idle && unbegun?.ended === "stopped") say(status, "train.state.unbegun");
    else if (idle) say(status, last ? "train.state.idle" : "", { number: last?.number, ended: { code: `train.ended.${last?.ended || "stopped"}` } });
    else if (name === "waiting" && current?.place) say(status, "train.state.waiting", { place: current.place, time: duration(current.wait) });
    else say(status, `train.state.${name === "waiting" ? "starting" : name}`, { time: duration(choices.limits.pause), awaited: duration(choices.limits.pause_when_awaited) });
  }

  window.addEventListener("pagehide", () => {
    // the run goes on: this page may be on its way back
    runs.save();
    if (current) current.left = true;
    current?.abort.abort();
  });
  window.addEventListener("pageshow", ({ persisted }) => persisted && location.reload()); // it was kept as it was left
  document.addEventListener("language", () => state(root.dataset.state));

  return { start, again, steer, going: () => current !== null, refresh: () => current || state("idle") };
}
