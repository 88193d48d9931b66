// Small parts that the stations are built from.

import { currentLanguage, percent, t } from "../page/words.js";

/** An element: el("button.main", { type: "button", onclick }, "text", child...). Empty children are left out. */
export function el(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key in node && typeof value !== "string") node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** A paragraph of a station's text; **words** between stars are strong, `words` between ticks are code. */
export function prose(key, values) {
  return el("p", {}, ...rich(t(key, values)));
}

export function rich(text) {
  return text.split(/(\*\*.+?\*\*|`.+?`)/).map((part) => {
    if (part.startsWith("**")) return el("strong", {}, part.slice(2, -2));
    if (part.startsWith("`")) return el("code", { translate: "no" }, part.slice(1, -1));
    return part;
  });
}

/** A number as a figure writes it: short, with a real minus sign. */
export function short(value, digits = 2) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  const places = size >= 1000 ? 0 : size >= 100 ? Math.min(1, digits) : digits;
  const text = format(places).format(size);
  return (value < 0 && Number(size.toFixed(places)) !== 0 ? "−" : "") + text;
}

const formats = new Map(); // making one takes longer than a hundred numbers

function format(places) {
  const key = `${currentLanguage()} ${places}`;
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(currentLanguage(), { minimumFractionDigits: places, maximumFractionDigits: places }));
  return formats.get(key);
}

/** A slider with its name and value; `changed(value)` hears every move. */
export function slider(label, { min, max, step = 1, value, show = String, changed }) {
  const out = el("output", {}, show(value));
  const input = el("input", { type: "range", min: String(min), max: String(max), step: String(step), "aria-label": label });
  input.value = value;
  input.addEventListener("input", () => {
    out.textContent = show(Number(input.value));
    input.setAttribute("aria-valuetext", out.textContent);
    changed(Number(input.value));
  });
  const node = el("label.slide", {}, el("span", {}, label), out, input);
  node.set = (next, limits = {}) => {
    for (const [name, limit] of Object.entries(limits)) input[name] = limit;
    input.value = next;
    out.textContent = show(Number(next));
    input.setAttribute("aria-valuetext", out.textContent);
  };
  return node;
}

/** A row of which one is chosen: [[value, text], ...]. */
export function choice(label, options, chosen, changed, name = `choice-${++choices}`) {
  const inputs = options.map(([value, text]) => {
    const input = el("input", { type: "radio", name, value: String(value), checked: value === chosen });
    input.addEventListener("change", () => changed(value));
    return el("label", {}, input, el("span", {}, text));
  });
  const node = el("div.choice", { role: "radiogroup", "aria-label": label }, inputs);
  node.set = (value) => {
    for (const input of node.querySelectorAll("input")) input.checked = input.value === String(value);
  };
  return node;
}
let choices = 0;

/** A minus, a value and a plus, for small whole numbers. */
export function stepper(label, { min, max, value, changed }) {
  const out = el("output", { "aria-live": "polite" });
  const button = (sign, by, key) =>
    el("button.step", { type: "button", "aria-label": t(key, { what: label }), onclick: () => node.set(value + by, true) }, sign);
  const [less, more] = [button("−", -1, "inside.less"), button("+", 1, "inside.more.of")];
  const node = el("div.stepper", { role: "group", "aria-label": label }, el("span", {}, label), less, out, more);
  node.set = (next, told = false) => {
    value = Math.min(max, Math.max(min, next));
    out.textContent = String(value);
    less.disabled = value <= min;
    more.disabled = value >= max;
    if (told) changed(value);
  };
  node.set(value);
  return node;
}

/** Bars of one answer: [[label, probability], ...]; set(pairs, best) moves them. */
export function bars(labels) {
  const rows = labels.map((label) => {
    const [fill, value] = [el("i"), el("span.value")];
    return { fill, value, node: el("div.bar", {}, el("span", {}, label), el("span.track", {}, fill), value) };
  });
  const node = el("div.bars-list", {}, rows.map((row) => row.node));
  node.set = (probabilities, best) => {
    rows.forEach((row, index) => {
      row.fill.style.width = `${100 * probabilities[index]}%`;
      row.value.textContent = percent(probabilities[index]);
      row.node.classList.toggle("best", index === best);
    });
  };
  return node;
}

/** Where a pointer is within a node, in 0..1 of its width and height; dragging goes on hearing. */
export function dragged(node, hear) {
  const place = (event) => {
    const box = node.getBoundingClientRect();
    hear((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height, event);
  };
  node.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    node.setPointerCapture(event.pointerId);
    place(event);
  });
  node.addEventListener("pointermove", (event) => {
    if (node.hasPointerCapture(event.pointerId)) place(event);
  });
}

export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
