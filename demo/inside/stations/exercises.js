// Exercises: the lessons' own gaps, and more; answered and checked in the page.

import { t } from "../../page/words.js";
import { outputSize } from "../arithmetic.js";
import { el, rich } from "../parts.js";
import { EXERCISES } from "../exercises.js";

export const name = "exercises";

export function mount(root, { stationLink }) {
  const done = new Set();
  const progress = el("p.here", { "aria-live": "polite" });
  const list = el("ol.exercises");
  root.append(el("p", {}, ...rich(t("inside.exercises.lead"))), progress, list);

  function count() {
    progress.textContent = t("inside.exercises.done", { done: done.size, count: EXERCISES.length });
  }

  function exercise({ key, code, blanks, right, see }) {
    const verdict = el("p.verdict-line", { role: "status" });
    const fields = blanks.map((blank, index) => field(blank, `${key}-${index}`));
    const check = () => {
      const answers = fields.map(({ value }) => value());
      if (answers.some((answer) => answer === "")) {
        verdict.textContent = t("inside.exercises.empty");
        return;
      }
      const fine = right(answers, outputSize);
      node.dataset.right = String(fine);
      verdict.replaceChildren(el("b", {}, t(fine ? "inside.exercises.right" : "inside.exercises.wrong")), " ", ...rich(t(`inside.exercise.${key}.${fine ? "because" : "hint"}`)));
      if (fine) done.add(key);
      else done.delete(key);
      count();
    };
    const node = el("li", {},
      el("p.task", {}, ...rich(t(`inside.exercise.${key}`))),
      code ? el("pre", { translate: "no" }, el("code", {}, code)) : null,
      el("form", {
        class: "answers",
        onsubmit(event) {
          event.preventDefault();
          check();
        },
      }, fields.map(({ node: each }) => each), el("button.button", { type: "submit" }, t("inside.exercises.check"))),
      verdict,
      see ? el("p.quiet", {}, stationLink(see, {}, t("inside.exercises.see", { station: t(`inside.${see}.title`) }))) : null,
    );
    return node;
  }

  list.append(...EXERCISES.map(exercise));
  count();
  return {};
}

/** A blank: { label: code shown before it } to type into, or { options: [...] } to choose from. */
function field({ label, options }, name) {
  const text = label ? el("code", { translate: "no" }, label) : null;
  if (options) {
    const inputs = options.map((option) => el("input", { type: "radio", name, value: option }));
    const node = el("div.choice", { role: "radiogroup", "aria-label": label ?? t("inside.exercises.answer") }, inputs.map((input) => el("label", {}, input, el("span", { translate: "no" }, input.value))));
    return { node: text ? el("div.labelled", {}, text, node) : node, value: () => inputs.find(({ checked }) => checked)?.value ?? "" };
  }
  const input = el("input", { type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: false, "aria-label": label ?? t("inside.exercises.answer") });
  return { node: el("label.labelled", {}, text, input), value: () => input.value.trim() };
}
