// One place of a convolution as an equation: what lies under the kernel, times the kernel, is the products; their sum.

import { t } from "../../page/words.js";
import { total } from "../arithmetic.js";
import { colourOf, inkOn, inkOnGrey } from "../paint.js";
import { el, short } from "../parts.js";

const TERMS = 12; // written out at most

/** `weigh(index, value)` hears that a weight was edited. */
export function createSum(weigh) {
  const grids = ["window", "weights", "products"].map((key) => {
    const cells = el("div.cells");
    return { cells, node: el("figure.grid", {}, el("figcaption", {}, t(`inside.sum.${key}`)), cells) };
  });
  const result = el("output.result");
  const written = el("p.written", { translate: "no" });
  const sign = (text) => el("span.sign", { "aria-hidden": "true" }, text);
  const node = el("div.sum", {},
    el("div.equation", {}, grids[0].node, sign("×"), grids[1].node, sign("="), grids[2].node, sign("Σ"), result),
    written,
  );
  let size = 0;

  function resize(kernel) {
    size = kernel;
    node.style.setProperty("--kernel", kernel);
    for (const [index, { cells }] of grids.entries()) {
      cells.replaceChildren(
        ...Array.from({ length: kernel ** 2 }, (_, place) => {
          if (index !== 1) return el("span");
          const label = t("inside.sum.weight", { row: Math.floor(place / kernel) + 1, column: (place % kernel) + 1 });
          const field = el("input", { type: "text", inputmode: "decimal", "aria-label": label });
          field.addEventListener("change", () => {
            const value = Number(field.value.replace("−", "-").replace(",", "."));
            if (field.value.trim() && Math.abs(value) <= 1000) {
              field.dataset.kept = field.value;
              weigh(place, value);
            } else field.value = field.dataset.kept;
          });
          return field;
        }),
      );
    }
  }

  function paint(cell, value, largest) {
    cell.style.background = colourOf(value, largest);
    cell.style.color = inkOn(value, largest);
  }

  return {
    node,
    /** kernel; values, greys, weights, products: kernel x kernel numbers each; bias; result; normalised. */
    show({ kernel, values, greys, weights, products, bias, result: sum, normalised }) {
      if (kernel !== size) resize(kernel);
      // in small cells .02 in place of 0.02
      const figure = (value) => (kernel > 4 ? short(value, Math.abs(value) < 0.995 ? 2 : 1).replace(/^(−?)0\./, "$1.") : short(value));
      const [heaviest, most] = [weights, products].map((each) => Math.max(1e-6, ...each.map(Math.abs)));
      for (let i = 0; i < kernel ** 2; i++) {
        const level = Math.round(255 * greys[i]);
        const [under, weight, product] = grids.map(({ cells }) => cells.children[i]);
        under.textContent = figure(values[i]);
        under.style.background = `rgb(${level} ${level} ${level})`;
        under.style.color = inkOnGrey(level);
        if (weight !== document.activeElement) weight.value = weight.dataset.kept = Number.isInteger(weights[i]) ? short(weights[i], 0) : figure(weights[i]);
        paint(weight, weights[i], heaviest);
        product.textContent = figure(products[i]);
        paint(product, products[i], most);
      }
      result.textContent = short(sum);
      result.classList.toggle("below", sum < 0);
      const terms = Array.from(products, (product, i) => [product, values[i], weights[i]]).filter(([product]) => product);
      const each = terms.slice(0, TERMS).map(([, value, weight]) => `${short(value)} × ${weight < 0 ? `(${short(weight)})` : short(weight)}`);
      if (terms.length > TERMS) each.push(t("inside.sum.more", { count: terms.length - TERMS, rest: short(total(terms.slice(TERMS).map(([product]) => product))) }));
      if (bias) each.push(t("inside.sum.bias", { bias: short(bias) }));
      written.textContent = `${each.join(" + ") || "0"} = ${short(sum)}`;
      node.dataset.normalised = String(normalised);
    },
  };
}
