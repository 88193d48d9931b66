// Try: one's own drawing or photo, read by a run's network beside the shipped one.

import { createPad } from "../draw/pad.js";
import { SHEET, simplify } from "../draw/strokes.js";
import { Trouble, ask as fetched } from "../page/server.js";
import { percent, sayTold, t, write } from "../page/words.js";
import { exampleButtons } from "../signs/examples.js";
import { bestOf } from "./runs.js";

const MOST_BARS = 12; // of more labels only the likeliest are shown

/** `choices` is what the server offers; `runs()` lists the runs of this browser tab. */
export function createTry(root, choices, runs) {
  const area = root.querySelector(".try");
  const find = (selector) => area.querySelector(selector);
  const choice = find("select");
  let pad = null;
  let photo = null;
  let asked = 0;
  let later = 0;
  const columns = { own: find(".own"), shipped: find(".shipped") };

  const chosen = () => runs().find((run) => String(run.number) === choice.value);

  /** The runs whose networks are there; the newest is chosen unless somebody chose another. */
  function show(newest) {
    const able = runs().filter((run) => run.kept);
    const before = choice.value;
    area.hidden = !able.length;
    choice.replaceChildren(...able.toReversed().map((run) => new Option(t("train.try.run", { number: run.number, best: bestOf(run) }), run.number)));
    if (!newest && able.some((run) => String(run.number) === before)) choice.value = before;
    if (able.length) changed();
  }

  function changed() {
    const digits = chosen().settings.task === "mnist";
    find(".pad").hidden = !digits;
    find(".photo").hidden = find(".examples").hidden = digits;
    if (digits && !pad) pad = createPad(find("canvas"), drawn);
    ask();
  }

  function drawn() {
    find(".prompt").hidden = !pad.isBlank();
    clearTimeout(later);
    later = setTimeout(ask, 90);
  }

  async function ask() {
    const run = chosen();
    const mine = ++asked;
    const digits = run.settings.task === "mnist";
    const body = digits ? (pad.isBlank() ? null : drawing()) : photo;
    sayTold(find(".trouble"), null);
    if (!body) return fill({});
    try {
      const reply = await fetched(`train/try?run=${run.id}`, { method: "POST", body, headers: { "Content-Type": "application/octet-stream" } }, "train.try.failed");
      const answer = await reply.json();
      if (mine === asked) fill(answer); // else overtaken by a newer drawing
    } catch (error) {
      if (mine !== asked) return;
      fill({});
      trouble(error);
    }
  }

  function trouble(error) {
    sayTold(find(".trouble"), error instanceof Trouble ? error : new Trouble("train.try.failed"));
  }

  /** Reads a picture, a Blob, and shows it. */
  function use(picture) {
    if (!picture) return;
    photo = picture;
    const shown = find(".photo img");
    URL.revokeObjectURL(shown.src);
    shown.src = URL.createObjectURL(photo);
    shown.hidden = false;
    ask();
  }

  function drawing() {
    const strokes = pad.strokes().map((stroke) => simplify(stroke.points));
    return JSON.stringify({ strokes, size: [SHEET.width, SHEET.height] });
  }

  function fill(answers) {
    for (const [name, column] of Object.entries(columns)) answer(column, answers[name]);
    area.dataset.answer = columns.own.querySelector(".letter").textContent;
  }

  function answer(column, { readings = [], error = "", code = "", values = {} } = {}) {
    const { labels } = choices.tasks[chosen().settings.task];
    const last = readings.at(-1);
    write(column.querySelector(".letter"), readings.map((reading) => reading.label ?? "?").join(""));
    sayTold(column.querySelector(".note"), error ? { error, code, values } : { error: last?.note, code: last?.note_code, values: last?.note_values });
    const top = Object.fromEntries(last?.top ?? []);
    const shown = labels.length > MOST_BARS ? (last?.top ?? []).slice(0, 8).map(([label]) => label) : labels;
    column.querySelector(".bars").replaceChildren(...shown.map((label) => barOf(label, top[label] ?? 0, label === last?.top[0]?.[0])));
  }

  choice.addEventListener("change", changed);
  find('[data-try="clear"]').addEventListener("click", () => pad?.clear());
  find("input[type=file]").addEventListener("change", ({ target }) => {
    use(target.files[0]);
    target.value = ""; // the same file may be chosen again
  });
  find(".examples").append(...exampleButtons(use, trouble));
  document.addEventListener("language", () => show(false));
  return { show, choose(run) { choice.value = run.number; changed(); area.scrollIntoView({ block: "nearest" }); }, redraw: () => pad?.redraw() };
}

function barOf(label, share, best) {
  const bar = document.createElement("div");
  bar.className = "bar" + (best ? " best" : "");
  bar.innerHTML = '<span></span><span class="track"><i></i></span><span class="value"></span>';
  bar.children[0].textContent = label;
  bar.querySelector("i").style.width = 100 * share + "%";
  bar.children[2].textContent = share >= 0.005 ? percent(share) : "";
  return bar;
}
