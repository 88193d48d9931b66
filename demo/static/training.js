// Puts the training tab together. Runs with `element`, the tab's root, after the other training.*.js files.

const root = element.querySelector(".train");
const find = (selector) => root.querySelector(selector);
const button = (name) => find(`[data-do="${name}"]`);
const charts = { accuracy: createChart(find("canvas.accuracy")), loss: createChart(find("canvas.loss")) };
const sights = createSights(root);
const form = createForm(root, { missing: problem });
const runs = createRuns(root, { changed: plot, keep: keepCell });
const trial = createTry(root, runs.all);
let current = null; // { run, abort, state } of the run that this page follows now

// ---- asking the server

function address(path) {
  return new URL(path, location.href.split(/[?#]/)[0].replace(/\/?$/, "/"));
}

async function ask(path, body) {
  const reply = await fetch(address(path), { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } })
    .catch(() => { throw new Error("The server does not answer. Is it still running?"); });
  const answer = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Error(answer.error || `The server could not do this (error ${reply.status}).`);
  return answer;
}

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

// ---- a run

async function start(pace = "run") {
  if (current) return;
  problem("");
  const settings = form.read();
  const mine = (current = { abort: new AbortController(), run: null, state: "starting", pressed: performance.now() });
  root.dataset.points = 0;
  state("starting");
  try {
    const reply = await fetch(address("train/run"), { method: "POST", body: JSON.stringify({ ...settings, pace }), signal: mine.abort.signal })
      .catch(() => { throw new Error("The server does not answer. Is it still running?"); });
    if (!reply.ok) throw new Error((await reply.json().catch(() => ({}))).error || `The server could not start this (error ${reply.status}).`);
    mine.run = runs.add(settings);
    sights.clear();
    for await (const event of lines(reply)) heard(mine, event);
    if (!mine.run.ended) throw new Error("The connection to the server was lost, and the run has ended.");
  } catch (error) {
    problem(error.message);
    if (mine.run && !mine.run.ended) mine.run.ended = "connection lost";
  }
  current = null;
  if (mine.run) runs.finish(mine.run);
  trial.show(true);
  state("idle");
}

function heard(mine, event) {
  const { run } = mine;
  if (event.kind === "run") {
    Object.assign(run, { id: event.run, parameters: event.parameters });
    runs.update(run);
  }
  if (event.kind === "line") mine.place = event.place;
  else if (event.kind === "state") mine.state = event.state;
  else if (event.kind === "point") point(mine, event);
  else if (event.kind === "filters") event.filters && sights.filters(event.filters);
  else if (event.kind === "checking") find(".status").textContent = "Reading all validation images…";
  else if (event.kind === "epoch") epoch(mine, event);
  else if (event.kind === "end") end(run, event);
  if (["line", "state"].includes(event.kind)) state(mine.place ? "waiting" : mine.state);
}

function point(mine, event) {
  const { run } = mine;
  const [loss, accuracy] = event.validation ?? [null, null];
  run.points.push([event.at, event.seconds, event.loss, event.accuracy, loss, accuracy]);
  run.seconds = event.seconds;
  if (run.points.length === 1) root.dataset.first = Math.round(performance.now() - mine.pressed);
  root.dataset.points = run.points.length;
  const done = Math.min(1, event.at / run.settings.epochs);
  find(".progress i").style.width = 100 * done + "%";
  find(".progress").setAttribute("aria-valuenow", Math.round(100 * done));
  fact("epoch", `${event.epoch} / ${run.settings.epochs}`);
  fact("step", `${event.step} / ${event.steps}`);
  fact("speed", event.speed.toLocaleString("en"));
  const most = CHOICES.limits.seconds - event.seconds;
  fact("left", event.left > most ? `≤ ${clock(most)}` : clock(event.left));
  if (accuracy !== null) fact("accuracy", (100 * accuracy).toFixed(1) + " %");
  plot();
}

function epoch(mine, event) {
  const { run } = mine;
  sights.epoch(event, CHOICES.tasks[run.settings.task].labels);
  state(mine.state);
  run.epochs.push([event.epoch, event.seconds, ...event.train, ...event.validation]);
  run.best = Math.max(run.best ?? 0, event.validation[1]);
  fact("accuracy", percentOf(event.validation[1]));
  runs.update(run);
  find(".spoken").textContent = `Epoch ${event.epoch}: validation accuracy ${percentOf(event.validation[1])}`;
  plot();
}

const WHY = { stop: "stopped", gone: "page was closed", deadline: "time limit", pause: "paused too long" };

function end(run, event) {
  run.ended = event.state === "finished" ? "finished" : event.state === "failed" ? "failed" : WHY[event.why] ?? "stopped";
  run.kept = Boolean(event.kept);
  run.estimate = event.estimate;
  if (event.best) run.best = event.best;
  if (event.seconds) run.seconds = event.seconds;
  if (event.message) problem(event.message);
  if (event.why === "deadline") problem(`The run reached its time limit of ${CHOICES.limits.seconds} s. It keeps what it has learned.`);
  if (event.why === "pause") problem("The run was paused for too long and has ended. It keeps what it has learned.");
}

function steer(wish) {
  if (current?.run?.id) ask("train/steer", { run: current.run.id, do: wish }).catch((error) => problem(error.message));
}

// ---- showing

function problem(text) {
  find(".problem").textContent = text;
  find(".problem").hidden = !text;
}

function fact(name, text) {
  find(`[data-fact="${name}"]`).textContent = text;
}

const clock = (seconds) => (seconds < 60 ? `${Math.max(0, Math.ceil(seconds))} s` : `${Math.floor(seconds / 60)} min ${Math.ceil(seconds % 60)} s`.replace(" 0 s", ""));

function state(name) {
  root.dataset.state = name;
  const idle = name === "idle";
  button("start").hidden = !idle;
  button("pause").hidden = idle || name === "paused";
  button("pause").disabled = name !== "training";
  button("resume").hidden = name !== "paused";
  button("step").disabled = !["idle", "training", "paused"].includes(name);
  button("stop").disabled = idle || name === "starting";
  if (name === "starting") {
    for (const each of ["epoch", "step", "speed", "left", "accuracy"]) fact(each, "–");
    find(".progress i").style.width = 0;
  }
  const last = runs?.all().at(-1);
  find(".status").textContent = {
    idle: last ? `Run ${last.number}: ${last.ended}` : "",
    starting: "Starting…",
    waiting: current?.place ? `Waiting for a free slot: number ${current.place} in line` : "Starting…",
    loading: "Loading the images…",
    training: "Training",
    paused: `Paused. A pause may last ${clock(CHOICES.limits.pause)}.`,
  }[name];
}

function plot() {
  const shown = runs.shown();
  const zoom = find('[data-view="zoom"]').checked;
  const bySeconds = find('[data-view="seconds"]').checked;
  const at = bySeconds ? 1 : 0;
  const classes = Math.max(10, ...shown.map((run) => CHOICES.tasks[run.settings.task]?.labels.length ?? 10));
  const most = bySeconds ? Math.max(5, ...shown.map(wholeTime)) : Math.max(1, ...shown.map((run) => run.settings.epochs));
  const ticks = ticksTo(most, bySeconds ? 5 : Math.min(5, most));
  const x = { from: 0, to: bySeconds ? ticks.at(-1) : most, ticks: bySeconds ? ticks : ticks.filter((tick) => tick <= most && Number.isInteger(tick)), text: String, name: bySeconds ? "s" : most === 1 ? "epoch" : "epochs" };
  const accuracy = zoom ? { from: 0.9, to: 1, ticks: [0.9, 0.92, 0.94, 0.96, 0.98, 1] } : { from: 0, to: 1, ticks: [0, 0.2, 0.4, 0.6, 0.8, 1] };
  const worst = zoom ? 0.5 : Math.ceil(2 * Math.log(classes)) / 2;
  const steps = ticksTo(worst);
  const loss = { from: 0, to: steps.at(-1), ticks: steps, text: (value) => value.toFixed(1) };
  charts.accuracy.draw({ lines: shown.flatMap((run) => curves(run, at, 3, 5)), x, y: { ...accuracy, text: (value) => Math.round(100 * value) + " %" } });
  charts.loss.draw({ lines: shown.flatMap((run) => curves(run, at, 2, 4)), x, y: loss });
}

function curves(run, at, training, validation) {
  const pick = (points, k) => points.filter((point) => point[k] !== null).map((point) => [point[at], point[k]]);
  return [
    { points: pick(run.points, training), colour: colour(run), thin: true },
    { points: pick([...run.points, ...run.epochs].sort((a, b) => a[0] - b[0]), validation), colour: colour(run) },
    { points: pick(run.epochs, validation), colour: colour(run), dots: true },
  ];
}

/** Seconds that the run takes in all, by how far it has come; rounded up so that the axis seldom moves. */
function wholeTime(run) {
  const last = run.points.at(-1);
  if (!last) return 0;
  if (run.ended) return last[1];
  const whole = Math.min(CHOICES.limits.seconds, (last[1] * run.settings.epochs) / last[0]);
  return [5, 10, 20, 30, 60, 90, 120, 180, 240, 300, 600].find((seconds) => seconds >= whole) ?? whole;
}

function keepCell(run, cell) {
  if (!run.kept) return;
  cell.className = "keep";
  cell = cell.appendChild(document.createElement("div"));
  for (const [form, title] of [["safetensors", "Weights"], ["onnx", "ONNX"]]) {
    const link = Object.assign(document.createElement("a"), { href: address(`train/keep?run=${run.id}&form=${form}`), textContent: title });
    link.addEventListener("click", (event) => {
      event.preventDefault();
      download(link.href, `run-${run.number}.${form}`).catch((error) => problem(error.message));
    });
    cell.append(link);
  }
  const copy = (text, title, help) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "link", textContent: title, title: help });
    button.addEventListener("click", () => copied(button, text()));
    cell.append(button);
  };
  copy(() => commandLine(run.settings), "Command", commandLine(run.settings));
  const use = Object.assign(document.createElement("button"), { type: "button", className: "link", textContent: "Try" });
  use.addEventListener("click", () => trial.choose(run));
  cell.append(use);
}

/** Saves a file of the server's, or says why there is none: it forgets runs after a while. */
async function download(from, name) {
  const reply = await fetch(from).catch(() => { throw new Error("The server does not answer. Is it still running?"); });
  if (!reply.ok) throw new Error((await reply.json().catch(() => ({}))).error || "The server could not make this file.");
  save(name, await reply.blob(), "application/octet-stream");
}

async function copied(button, text) {
  const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  const title = button.textContent;
  button.textContent = done ? "Copied" : "Not allowed";
  if (!done) prompt("Copy this:", text);
  setTimeout(() => (button.textContent = title), 1500);
}

/** The command that trains the same network from a terminal. */
function commandLine(settings) {
  const usual = CHOICES.tasks[settings.task].recipes[settings.recipe];
  const words = ["python -m train", settings.task, "--recipe", settings.recipe, "--epochs", settings.epochs, "--batch-size", settings.batch_size, "--lr", settings.learning_rate, "--seed", settings.seed];
  for (const name of ["network", "optimizer", "schedule", "augment", "share"]) if (settings[name] !== usual[name]) words.push("--set", `${name}=${settings[name]}`);
  const { labels } = CHOICES.tasks[settings.task];
  const options = settings.options ? { ...settings.options, classes: labels.length } : {};
  for (const [name, value] of Object.entries(options)) words.push("--set", `options.${name}=${Array.isArray(value) ? value + "," : value}`);
  words.push("--out", `${settings.task}-own.safetensors`);
  return words.join(" ");
}

// ---- events

const actions = {
  start: () => start(),
  step: () => (current ? steer("step") : start("step")),
  pause: () => steer("pause"),
  resume: () => steer("run"),
  stop: () => steer("stop"),
  table: () => save("runs.csv", runs.table()),
  curves: () => save("curves.csv", runs.curves()),
  forget: () => runs.forget(),
  link() {
    history.replaceState(null, "", form.link());
    copied(button("link"), form.link());
  },
};
root.addEventListener("click", (event) => actions[event.target.closest("[data-do]")?.dataset.do]?.());
for (const view of root.querySelectorAll("[data-view]")) view.addEventListener("change", plot);
const redraw = () => [...Object.values(charts), sights, trial].forEach((each) => each.redraw());
new MutationObserver(redraw).observe(document.body, { attributeFilter: ["class"] });
window.addEventListener("pagehide", () => {
  // the run that trains now ends, and its network is kept as it is
  if (current?.run) Object.assign(current.run, { ended: WHY.gone, kept: current.run.points.length > 0 });
  runs.save();
  if (current?.run?.id) navigator.sendBeacon(address("train/steer"), JSON.stringify({ run: current.run.id, do: "stop" }));
  current?.abort.abort();
});

find(".limits").textContent = `A run may train for ${CHOICES.limits.seconds} s, with up to ${CHOICES.limits.epochs} epochs, batches of ${CHOICES.limits.batch_size.toLocaleString("en")} and ${(CHOICES.limits.parameters / 1e6).toFixed(0)} million parameters. It ends when this page is closed.`;
form.follow(location.search);
runs.show();
trial.show(true);
state("idle");
root.classList.add("ready");
