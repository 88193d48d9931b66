// Arithmetic of runs and their curves. A point is [epochs done, seconds, training loss, training accuracy, validation
// loss, validation accuracy]; the last two are null where nobody looked.

const MOST_POINTS = 240; // of one run, when it has ended
const ROUND_TIMES = [5, 10, 20, 30, 60, 90, 120, 180, 240, 300, 600];

/** Round numbers from 0 to at least `most`, about `count` of them. */
export function ticksTo(most, count = 5) {
  const rough = most / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough * 0.999);
  const ticks = [];
  for (let i = 0; i * step < most - step * 1e-6; i++) ticks.push(+(i * step).toPrecision(6));
  return [...ticks, +(ticks.length * step).toPrecision(6)];
}

/** The axis of epochs, whole numbers only, which ends where the longest run does. */
export function epochAxis(most) {
  return { from: 0, to: most, ticks: ticksTo(most, Math.min(5, most)).filter((tick) => tick <= most && Number.isInteger(tick)) };
}

/** The axis of seconds, which ends at a round number. */
export function secondsAxis(most) {
  const ticks = ticksTo(most, 5);
  return { from: 0, to: ticks.at(-1), ticks };
}

/** Fewer points with the same course: neighbours are averaged. */
export function thinned(points, most = MOST_POINTS) {
  while (points.length > most) {
    const half = [];
    for (let i = 0; i < points.length; i += 2) half.push(merged(points.slice(i, i + 2)));
    points = half;
  }
  return points;
}

function merged(pair) {
  const [at, seconds] = pair.at(-1);
  const means = [2, 3, 4, 5].map((k) => {
    const values = pair.map((point) => point[k]).filter((value) => value !== null);
    return values.length ? +(values.reduce((a, b) => a + b) / values.length).toPrecision(5) : null;
  });
  return [at, seconds, ...means];
}

/** Seconds that the run takes in all, by how far it has come; rounded up so that the axis seldom moves. */
export function wholeTime(run, limit) {
  const last = run.points.at(-1);
  if (!last) return 0;
  if (run.ended) return last[1];
  const whole = Math.min(limit, (last[1] * (run.end ?? run.settings.epochs)) / last[0]);
  return ROUND_TIMES.find((seconds) => seconds >= whole) ?? whole;
}

/** The lines of a chart for one run: its training and validation values `k` over column `at` of its points. */
export function linesOf(run, at, training, validation, colour) {
  const pick = (points, k) => points.filter((point) => point[k] !== null).map((point) => [point[at], point[k]]);
  return [
    { points: pick(run.points, training), colour, thin: true },
    { points: pick([...run.points, ...run.epochs].sort((a, b) => a[0] - b[0]), validation), colour },
    { points: pick(run.epochs, validation), colour, dots: true },
  ];
}

/** Rows, objects with the columns' names as keys, as a CSV file with a header. */
export function csv(columns, rows) {
  const cell = (value) => {
    const text = value === undefined || value === null ? "" : String(value);
    return /[",\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  };
  return [columns, ...rows.map((row) => columns.map((name) => row[name]))].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

/** The command that trains the same network from a terminal; `usual` is the recipe, `classes` how many labels. */
export function commandLine(settings, usual, classes) {
  const words = ["python -m train", settings.task, "--recipe", settings.recipe, "--epochs", settings.epochs, "--batch-size", settings.batch_size, "--lr", settings.learning_rate, "--seed", settings.seed];
  for (const name of ["network", "optimizer", "schedule", "augment", "share"]) if (settings[name] !== usual[name]) words.push("--set", `${name}=${settings[name]}`);
  const options = settings.options ? { ...settings.options, classes } : {};
  for (const [name, value] of Object.entries(options)) words.push("--set", `options.${name}=${Array.isArray(value) ? value + "," : value}`);
  words.push("--out", `${settings.task}-own.safetensors`);
  return words.join(" ");
}
