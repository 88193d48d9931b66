// The runs of this browser tab: remembered over a reload, listed, chosen for the plot, kept as CSV.

const KEPT_AS = "digits-and-signs.runs";
const MOST_RUNS = 24;
const MOST_POINTS = 240; // of one run, when it has ended

function createRuns(root, { changed, keep }) {
  const body = root.querySelector(".runs tbody");
  let runs = [];
  try {
    runs = JSON.parse(sessionStorage.getItem(KEPT_AS)) ?? [];
  } catch {
    runs = []; // a private window, or somebody else's data
  }
  if (!Array.isArray(runs)) runs = [];

  function save() {
    try {
      sessionStorage.setItem(KEPT_AS, JSON.stringify(runs));
    } catch {
      // no room, or not allowed: they last as long as the page
    }
  }

  function add(settings) {
    const number = Math.max(0, ...runs.map((run) => run.number)) + 1;
    const run = { number, settings, id: "", parameters: 0, points: [], epochs: [], best: null, seconds: 0, ended: "", kept: false, shown: true };
    runs = [...runs, run].slice(-MOST_RUNS);
    show();
    return run;
  }

  function finish(run) {
    if (!run.points.length) runs = runs.filter((other) => other !== run); // it never began
    run.points = thinned(run.points);
    save();
    show();
  }

  function show() {
    root.querySelector(".runs").hidden = !runs.length;
    body.replaceChildren(...runs.toReversed().map(row));
    runs.forEach(update);
    changed();
  }

  function row(run) {
    const line = document.createElement("tr");
    line.dataset.run = run.number;
    const check = Object.assign(document.createElement("input"), { type: "checkbox", checked: run.shown, ariaLabel: "Plot run " + run.number });
    check.addEventListener("change", () => {
      run.shown = check.checked;
      save();
      changed();
    });
    line.insertCell().append(check);
    const name = line.insertCell();
    name.innerHTML = '<span class="swatch"></span>';
    name.firstChild.style.background = colour(run);
    name.append(String(run.number));
    line.insertCell().textContent = inWords(run.settings);
    for (let i = 0; i < 3; i++) line.insertCell().className = "number";
    line.insertCell().textContent = run.ended || "running";
    keep(run, line.insertCell());
    return line;
  }

  /** Brings the row of a run that trains up to date, and leaves the others alone: somebody may be clicking there. */
  function update(run) {
    const row = body.querySelector(`[data-run="${run.number}"]`);
    [run.parameters ? run.parameters.toLocaleString("en") : "", bestOf(run), run.seconds.toFixed(1)].forEach((text, i) => (row.cells[3 + i].textContent = text));
  }

  return {
    add,
    update,
    finish,
    show,
    save,
    all: () => runs,
    shown: () => runs.filter((run) => run.shown),
    forget() {
      runs = runs.filter((run) => !run.ended);
      save();
      show();
    },
    table: () => csv(["run", "task", "recipe", "network", "epochs", "batch_size", "learning_rate", "optimizer", "schedule", "augment", "share", "seed", "options", "parameters", "best_validation_accuracy", "seconds", "ended"],
      runs.map((run) => ({ ...run.settings, options: run.settings.options && JSON.stringify(run.settings.options), run: run.number, parameters: run.parameters, best_validation_accuracy: run.best, seconds: run.seconds, ended: run.ended }))),
    curves: () => csv(["run", "kind", "epoch", "seconds", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"],
      runs.flatMap((run) => [["step", run.points], ["epoch", run.epochs]].flatMap(([kind, points]) =>
        points.map(([epoch, seconds, train_loss, train_accuracy, validation_loss, validation_accuracy]) =>
          ({ run: run.number, kind, epoch, seconds, train_loss, train_accuracy, validation_loss, validation_accuracy }))))),
  };
}

const colour = (run) => COLOURS[(run.number - 1) % COLOURS.length];
const percentOf = (share) => (100 * share).toFixed(2) + " %";
const bestOf = (run) => (run.best !== null ? percentOf(run.best) : run.estimate ? "≈ " + (100 * run.estimate).toFixed(1) + " %" : "–");

/** A run's settings in one line: what differs from its recipe stands out by being there. */
function inWords(settings) {
  const usual = { ...CHOICES.tasks[settings.task]?.recipes[settings.recipe], seed: 0 };
  const words = [settings.task, settings.recipe, settings.epochs + (settings.epochs === 1 ? " epoch" : " epochs"), "batch " + settings.batch_size, "rate " + settings.learning_rate];
  if (settings.network !== usual.network) words.push(settings.options ? "own network " + settings.options.channels.join("-") : settings.network);
  for (const name of ["optimizer", "schedule"]) if (settings[name] !== usual[name]) words.push(settings[name]);
  if (settings.augment !== usual.augment) words.push("augmentation " + settings.augment);
  if (settings.share !== usual.share) words.push(Math.round(100 * settings.share) + " % of the data");
  if (settings.seed) words.push("seed " + settings.seed);
  return words.join(", ");
}

/** Fewer points with the same course: neighbours are averaged. */
function thinned(points) {
  while (points.length > MOST_POINTS) {
    const half = [];
    for (let i = 0; i < points.length; i += 2) {
      const pair = points.slice(i, i + 2);
      const last = pair.at(-1);
      half.push([last[0], last[1], ...[2, 3, 4, 5].map((k) => {
        const values = pair.map((point) => point[k]).filter((value) => value !== null);
        return values.length ? +(values.reduce((a, b) => a + b) / values.length).toPrecision(5) : null;
      })]);
    }
    points = half;
  }
  return points;
}

function csv(columns, rows) {
  const cell = (value) => {
    const text = value === undefined || value === null ? "" : String(value);
    return /[",\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  };
  return [columns, ...rows.map((row) => columns.map((name) => row[name]))].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

function save(name, data, type = "text/csv") {
  const address = URL.createObjectURL(new Blob([data], { type }));
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
