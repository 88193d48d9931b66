// Puts the training tab together: settings, runs, curves, and what can be done with a trained network.

import { seeInside } from "../inside/open.js";
import { address, ask, save } from "../page/server.js";
import { number, say, sayTold, t } from "../page/words.js";
import { createChart } from "./chart.js";
import { commandLine, epochAxis, linesOf, secondsAxis, ticksTo, wholeTime } from "./curves.js";
import { createForm } from "./form.js";
import { createRun } from "./run.js";
import { bestOf, colour, createRuns } from "./runs.js";
import { createSights } from "./sights.js";
import { createTry } from "./try.js";

export async function mount(section) {
  const root = section.querySelector(".train");
  const find = (selector) => root.querySelector(selector);
  const button = (name) => find(`[data-do="${name}"]`);
  const choices = await (await ask("train/choices", {}, "train.failed")).json();
  const charts = { accuracy: createChart(find("canvas.accuracy")), loss: createChart(find("canvas.loss")) };
  const sights = createSights(root);
  const runs = createRuns(root, choices, { changed: plot, keep: keepCell });
  const trial = createTry(root, choices, runs.all);
  const run = createRun(root, choices, { runs, sights, plot, problem, ended: () => trial.show(true) });
  const form = createForm(root, choices, { missing, started: () => run.start(form.read()) });

  function problem(trouble) {
    sayTold(find(".problem"), trouble);
    find(".problem").hidden = !trouble;
  }

  /** A task without its images: nothing can be started, and it is said why. */
  function missing(reply) {
    root.dataset.data = reply ? "missing" : "ready";
    const none = find(".no-data");
    none.hidden = !reply;
    sayTold(find(".no-data .for-host"), reply);
    run.refresh();
  }

  let due = 0;

  /** Draws the curves anew, once a frame however often it is asked for. */
  function plot() {
    due ||= requestAnimationFrame(drawCurves);
  }

  function drawCurves() {
    due = 0;
    const shown = runs.shown();
    const zoom = find('[data-view="zoom"]').checked;
    const bySeconds = find('[data-view="seconds"]').checked;
    const at = bySeconds ? 1 : 0;
    const classes = Math.max(10, ...shown.map((each) => choices.tasks[each.settings.task]?.labels.length ?? 10));
    const most = bySeconds ? Math.max(5, ...shown.map((each) => wholeTime(each, choices.limits.seconds))) : Math.max(1, ...shown.map((each) => each.settings.epochs));
    const x = { ...(bySeconds ? secondsAxis(most) : epochAxis(most)), text: (value) => number(value), name: t(bySeconds ? "train.axis.seconds" : "train.axis.epochs") };
    const accuracy = zoom ? { from: 0.9, to: 1, ticks: [0.9, 0.92, 0.94, 0.96, 0.98, 1] } : { from: 0, to: 1, ticks: [0, 0.2, 0.4, 0.6, 0.8, 1] };
    const steps = ticksTo(zoom ? 0.5 : Math.ceil(2 * Math.log(classes)) / 2);
    const loss = { from: 0, to: steps.at(-1), ticks: steps, text: (value) => number(value, { minimumFractionDigits: 1 }) };
    charts.accuracy.draw({ lines: shown.flatMap((each) => linesOf(each, at, 3, 5, colour(each))), x, y: { ...accuracy, text: (value) => number(value, { style: "percent" }) } });
    charts.loss.draw({ lines: shown.flatMap((each) => linesOf(each, at, 2, 4, colour(each))), x, y: loss });
    describe("accuracy", shown, bestOf);
    describe("loss", shown, (each) => number([...each.points].reverse().find((point) => point[2] !== null)?.[2] ?? 0, { maximumFractionDigits: 3 }));
  }

  function describe(name, shown, value) {
    const list = shown.map((each) => t("train.chart.run", { number: each.number, value: value(each) })).join(", ");
    find(`canvas.${name}`).setAttribute("aria-label", list ? t(`train.chart.${name}.said`, { list }) : t(`train.chart.${name}`));
  }

  function keepCell(each, cell) {
    if (!each.kept) return;
    cell.className = "keep";
    const row = cell.appendChild(document.createElement("div"));
    for (const [kind, key] of [["safetensors", "train.keep.weights"], ["onnx", "train.keep.onnx"]]) {
      const link = Object.assign(document.createElement("a"), { href: address(`train/keep?run=${each.id}&form=${kind}`), className: "link" });
      say(link, key);
      link.addEventListener("click", (event) => {
        event.preventDefault();
        download(link.href, `run-${each.number}.${kind}`).catch(problem);
      });
      row.append(link);
    }
    const { task, recipe } = each.settings;
    const command = commandLine(each.settings, choices.tasks[task].recipes[recipe], choices.tasks[task].labels.length);
    row.append(
      linkButton("train.keep.command", (self) => copied(self, "train.keep.command", command), command),
      linkButton("train.keep.try", () => trial.choose(each)),
      linkButton("inside.see", () => seeInside({ network: `run:${each.id}` })),
    );
  }

  function linkButton(key, does, title = "") {
    const made = Object.assign(document.createElement("button"), { type: "button", className: "link", title });
    say(made, key);
    made.addEventListener("click", () => does(made));
    return made;
  }

  const actions = {
    start: () => run.start(form.read()),
    step: () => (run.going() ? run.steer("step") : run.start(form.read(), "step")),
    pause: () => run.steer("pause"),
    resume: () => run.steer("run"),
    stop: () => run.steer("stop"),
    table: () => save("runs.csv", runs.table()),
    curves: () => save("curves.csv", runs.curves()),
    forget: () => confirm(t("train.forget.ask")) && runs.forget(),
    link() {
      history.replaceState(null, "", form.link());
      copied(button("link"), "train.link", form.link());
    },
  };
  document.addEventListener("share", ({ detail }) => section.hidden || (detail.url = new URL(form.link())));
  root.addEventListener("click", (event) => actions[event.target.closest("[data-do]")?.dataset.do]?.());
  for (const view of root.querySelectorAll("[data-view]")) view.addEventListener("change", plot);
  const redraw = () => [...Object.values(charts), sights, trial].forEach((each) => each.redraw());
  matchMedia("screen and (prefers-color-scheme: dark)").addEventListener("change", redraw);
  if (matchMedia("(max-width: 56.25em)").matches) find(".more").open = false; // there Start comes first

  const { seconds, epochs, batch_size: batch, parameters } = choices.limits;
  say(find(".limits"), "train.limits", { seconds, epochs, batch, parameters: parameters / 1e6 });
  form.follow(location.search);
  runs.show();
  trial.show(true);
  run.refresh();
  root.classList.add("ready");
  run.again(runs.all().findLast((each) => each.id && !each.ended));
}

/** Saves a file of the server's, or says why there is none: it forgets runs after a while. */
async function download(from, name) {
  const reply = await ask(from, {}, "train.keep.failed");
  save(name, await reply.blob(), "application/octet-stream");
}

async function copied(button, key, text) {
  const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  say(button, done ? "page.copied" : "train.copy.refused");
  if (!done) prompt(t("train.copy.this"), text);
  setTimeout(() => say(button, key), 1500);
}
