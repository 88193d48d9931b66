// The runs of this browser tab: remembered over a reload, listed, chosen for the plot, kept as CSV.

import { number, percent, say, t } from "../page/words.js";
import { COLOURS } from "./chart.js";
import { csv, thinned } from "./curves.js";

const KEPT_AS = "digits-and-signs.runs";
const MOST_RUNS = 24;

/** `choices` is what the server offers; keep(run, cell) fills the cell of what can be done with a run's network. */
export function createRuns(root, choices, { changed, keep }) {
  const body = root.querySelector(".runs tbody");
  let runs = recalled();

  function save() {
    try {
      sessionStorage.setItem(KEPT_AS, JSON.stringify(runs));
    } catch {
      // no room, or not allowed: they last as long as the page
    }
  }

  function add(settings) {
    const next = Math.max(0, ...runs.map((run) => run.number)) + 1;
    const run = { number: next, settings, id: "", parameters: 0, points: [], epochs: [], best: null, seconds: 0, ended: "", state: "", kept: false, shown: true };
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
    const check = Object.assign(document.createElement("input"), { type: "checkbox", checked: run.shown, ariaLabel: t("train.runs.plot", { number: run.number }) });
    check.addEventListener("change", () => {
      run.shown = check.checked;
      save();
      changed();
    });
    const target = Object.assign(document.createElement("label"), { className: "check" });
    target.append(check);
    line.insertCell().append(target);
    const name = line.insertCell();
    name.innerHTML = '<span class="swatch"></span>';
    name.firstChild.style.background = colour(run);
    name.append(String(run.number));
    line.insertCell().textContent = inWords(run.settings, choices);
    for (let i = 0; i < 3; i++) line.insertCell().className = "number";
    line.insertCell();
    keep(run, line.insertCell());
    return line;
  }

  /** Brings the row of a run that trains up to date, and leaves the others alone: somebody may be clicking there. */
  function update(run) {
    const { cells } = body.querySelector(`[data-run="${run.number}"]`);
    cells[3].textContent = run.parameters ? number(run.parameters) : "";
    cells[4].textContent = bestOf(run);
    cells[5].textContent = number(run.seconds, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
    say(cells[6], `train.ended.${run.ended || run.state || "running"}`);
  }

  document.addEventListener("language", show);
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
    table: () => csv(TABLE, runs.map((run) => ({ ...run.settings, options: run.settings.options && JSON.stringify(run.settings.options), run: run.number, parameters: run.parameters, best_validation_accuracy: run.best, seconds: run.seconds, ended: run.ended }))),
    curves: () => csv(CURVES, runs.flatMap((run) => [...run.points.map((point) => ["step", point]), ...run.epochs.map((point) => ["epoch", point])].map(([kind, point]) => {
      const [epoch, seconds, train_loss, train_accuracy, validation_loss, validation_accuracy] = point;
      return { run: run.number, kind, epoch, seconds, train_loss, train_accuracy, validation_loss, validation_accuracy };
    }))),
  };
}

const TABLE = ["run", "task", "recipe", "network", "epochs", "batch_size", "learning_rate", "optimizer", "schedule", "augment", "share", "seed", "options", "parameters", "best_validation_accuracy", "seconds", "ended"];
const CURVES = ["run", "kind", "epoch", "seconds", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"];

function recalled() {
  try {
    const runs = JSON.parse(sessionStorage.getItem(KEPT_AS));
    return Array.isArray(runs) ? runs.filter((run) => run.ended || run.id) : [];
  } catch {
    return []; // a private window, or somebody else's data
  }
}

export const colour = (run) => COLOURS[(run.number - 1) % COLOURS.length];
export const bestOf = (run) => (run.best !== null ? percent(run.best, 2) : run.estimate ? t("train.about", { share: percent(run.estimate, 1) }) : "–");

/** A run's settings in one line: what differs from its recipe stands out by being there. */
function inWords(settings, choices) {
  const usual = choices.tasks[settings.task]?.recipes[settings.recipe] ?? {};
  const words = [t(`task.${settings.task}`), t(`recipe.${settings.recipe}`), t("train.run.epochs", { count: settings.epochs }), t("train.run.batch", settings), t("train.run.rate", settings)];
  if (settings.network !== usual.network) words.push(settings.options ? t("train.run.own", { channels: settings.options.channels.join("-") }) : settings.network);
  for (const name of ["optimizer", "schedule"]) if (settings[name] !== usual[name]) words.push(t(`${name}.${settings[name]}`));
  if (settings.augment !== usual.augment) words.push(t("train.run.augment", { name: t(`augment.${settings.augment}`) }));
  if (settings.share !== usual.share) words.push(t("train.run.share", { share: percent(settings.share) }));
  if (settings.seed) words.push(t("train.run.seed", settings));
  return words.join(t("train.run.between"));
}
