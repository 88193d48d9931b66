// Keep and load: what is in a checkpoint, and the same answer before saving and after loading.

import { number, t } from "../../page/words.js";
import { el, prose, rich, short } from "../parts.js";

export const name = "checkpoint";

export function mount(root, { lab }) {
  let asked = 0;
  const table = el("table.layers");
  const facts = el("p");
  const same = el("p.here", { "aria-live": "polite" });
  const scores = el("table.layers.scores");
  const about = el("dl.about-file");

  root.append(
    prose("inside.checkpoint.lead"),
    el("div.workbench", {}, facts, el("div.wide", {}, table)),
    el("h3", {}, t("inside.checkpoint.trip")),
    prose("inside.checkpoint.trip.about"),
    el("div.workbench", {}, el("pre", { translate: "no" }, el("code", {}, 'torch.save(model.state_dict(), "model.pth")\nmodel.load_state_dict(torch.load("model.pth"))\nmodel.eval()')), el("div.wide", {}, scores), same),
    el("h3", {}, t("inside.checkpoint.header")),
    el("div.workbench", {}, about),
    el("details", {}, el("summary", {}, t("inside.more")), ["safe", "buffers"].map((key) => prose(`inside.checkpoint.${key}`))),
  );

  /** A tensor's name, which may go on in a new line after a dot. */
  function named(key) {
    const [first, ...others] = key.split(".");
    return el("code", { translate: "no" }, first, others.map((part) => [".", el("wbr"), part]));
  }

  async function ask() {
    const turn = ++asked;
    const found = await lab.ask("contents").catch(() => null);
    if (turn !== asked || !found || !lab.view) return;
    const values = (shape) => shape.reduce((product, side) => product * side, 1);
    const whole = (value) => number(value);
    const biggest = Math.max(...found.tensors.map(({ size }) => size));
    facts.replaceChildren(...rich(t("inside.checkpoint.facts", { tensors: found.tensors.length, numbers: found.tensors.reduce((sum, { shape }) => sum + values(shape), 0), size: number(found.size / 1e6, { maximumFractionDigits: 2 }) })));
    table.replaceChildren(
      el("thead", {}, el("tr", {}, ["name", "shape", "numbers", "bytes"].map((key) => el("th", { scope: "col" }, t(`inside.checkpoint.${key}`))))),
      el("tbody", {}, found.tensors.map(({ name: key, shape, size, learned }) =>
        el(learned ? "tr" : "tr.quiet", {}, el("th", { scope: "row" }, named(key)),
          el("td", { translate: "no" }, shape.length ? shape.join(" × ") : "1"), el("td", {}, whole(values(shape))),
          el("td", {}, el("span.meter", { "aria-hidden": "true" }, el("i", { style: `width: ${(100 * size) / biggest}%` })), el("span.figure", {}, whole(size)))))),
    );
    const { labels } = lab.view;
    scores.replaceChildren(
      el("thead", {}, el("tr", {}, el("td"), labels.map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, ["before", "after"].map((key) => el("tr", {}, el("th", { scope: "row" }, t(`inside.checkpoint.${key}`)), found[key].map((score) => el("td", {}, short(score)))))),
    );
    const furthest = Math.max(...found.before.map((score, index) => Math.abs(score - found.after[index])));
    same.textContent = furthest === 0 ? t("inside.checkpoint.same") : t("inside.checkpoint.other", { difference: String(furthest) });
    about.replaceChildren(...Object.entries(found.about).filter(([, value]) => value !== null && value !== "")
      .flatMap(([key, value]) => [el("dt", {}, el("code", { translate: "no" }, key)), el("dd", { translate: "no" }, String(value))]));
  }

  return {
    show() {
      root.classList.toggle("nothing", !lab.view);
      if (lab.view) ask();
    },
    stop: () => (asked += 1),
  };
}
