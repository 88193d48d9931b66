// Over-fitting, seen: the same network on few and on many digits; and the sign lesson's trap.

import { number, t } from "../../page/words.js";
import { sharp } from "../paint.js";
import { handAddress, LETTERS, readHand } from "../hands.js";
import { seeInside } from "../open.js";
import { choice, el, prose, slider } from "../parts.js";

export const name = "overfitting";
const TRAP = [["own", 1], ["others", 0.189]]; // the shipped network: 7,172 of 7,172, and 25 of 132: see README
const HANDS = LETTERS.filter((_, index) => index % 4 === 0); // every fourth: nobody chose
// The lesson's network on 300 and on 4,800 digits: for each epoch loss and accuracy in training, then on 2,000 digits set
// aside. Measured with the recipe "lesson" but rate 0.001 and batches of 32, float32, seed 0.
const RUNS = new URL("../runs.json", import.meta.url);

export function mount(root, { parameters, link }) {
  let runs = null;
  let few = parameters.get("digits") !== "many";
  let epoch = 1e9;
  let compared = false;
  const charts = ["loss", "accuracy"].map((key) => {
    const canvas = el("canvas", { role: "img" });
    return { key, canvas, node: el("figure.panel", {}, el("figcaption", {}, t(`inside.overfitting.${key}`)), canvas) };
  });
  const said = el("p.here", { "aria-live": "polite" });
  const when = slider(t("inside.overfitting.epoch"), { min: 1, max: 40, value: 40, changed(value) {
    epoch = value;
    draw();
  } });
  const size = choice(t("inside.overfitting.digits"), [["few", t("inside.overfitting.few")], ["many", t("inside.overfitting.many")]], few ? "few" : "many", (value) => {
    few = value === "few";
    parameters.set("digits", value);
    link();
    draw();
  });

  const six = el("ul.hands", {}, HANDS.map((letter) => el("li", {},
    el("img", { src: handAddress(letter), alt: t("inside.overfitting.hand", { letter }), width: 120, height: 120, loading: "lazy" }),
    el("b", {}, letter),
    ["signs", "photos"].map((network) => el("button", { type: "button", "data-network": network, onclick: (event) => event.currentTarget.dataset.seen && seeInside({ picture: event.currentTarget.dataset.seen, network, station: "maps" }) }, "…")))));

  /** Both networks' answers, one after the other; a press looks inside at what that network saw. */
  async function compare() {
    for (const [index, letter] of HANDS.entries()) {
      for (const button of six.children[index].querySelectorAll("button")) {
        const found = await readHand(letter, button.dataset.network).catch(() => null);
        if (!six.isConnected) return;
        const read = found?.label ?? "?";
        Object.assign(button.dataset, { right: String(read === letter), seen: found?.seen ?? "" });
        button.replaceChildren(el("small", {}, t(`inside.overfitting.${button.dataset.network}`)), el("b", {}, read));
      }
    }
  }

  root.append(
    prose("inside.overfitting.lead"),
    el("div.workbench", {}, size, el("div.pair", {}, charts.map(({ node }) => node)),
      el("p.key", {}, el("span.training", {}, t("inside.overfitting.training")), el("span.validation", {}, t("inside.overfitting.validation"))), when, said),
    el("p", {}, el("a.button", { href: "?tab=train&task=mnist&recipe=lesson&share=0.00625" }, t("inside.overfitting.try"))),
    el("h3", {}, t("inside.overfitting.trap")),
    prose("inside.overfitting.trap.about"),
    el("div.workbench.trap", {}, TRAP.map(([key, share]) =>
      el("div.bar", {}, el("b", {}, number(share, { style: "percent", maximumFractionDigits: 0 })), el("span.track", {}, el(`i.${key}`, { style: `width: ${100 * share}%` })), el("span", {}, t(`inside.overfitting.${key}`))))),
    prose("inside.overfitting.hands"),
    el("div.workbench", {}, six),
    prose("inside.overfitting.why"),
    el("details", {}, el("summary", {}, t("inside.more")), ["stop", "remedies", "measured"].map((key) => prose(`inside.overfitting.${key}`))),
  );

  function draw() {
    if (!runs) return;
    const rows = runs[few ? "300" : "4800"];
    when.set(Math.min(epoch, rows.length), { max: rows.length });
    const at = Math.min(epoch, rows.length);
    charts.forEach(({ key, canvas }, index) => {
      const [width, height] = [380, 220];
      const paint = sharp(canvas, width, height);
      const style = getComputedStyle(canvas);
      paint.clearRect(0, 0, width, height);
      const columns = [index, index + 2];
      const [low, high] = index ? [0, 1] : [0, Math.max(1, ...rows.flatMap((row) => columns.map((column) => row[column])))];
      const x = (step) => 44 + (step / (rows.length - 1 || 1)) * (width - 54);
      const y = (value) => 8 + ((high - value) / (high - low)) * (height - 34);
      paint.font = "12px system-ui, sans-serif";
      paint.fillStyle = style.getPropertyValue("--quiet");
      for (const share of [0, 0.5, 1]) {
        const value = low + (high - low) * share;
        paint.fillRect(44, y(value), width - 54, 0.5);
        paint.textAlign = "right";
        paint.fillText(number(value, index ? { style: "percent", maximumFractionDigits: 0 } : { maximumFractionDigits: 1 }), 39, y(value) + 4);
      }
      paint.textAlign = "center";
      for (const step of [0, rows.length - 1]) paint.fillText(String(step + 1), x(step), height - 6);
      columns.forEach((column, kind) => {
        paint.strokeStyle = style.getPropertyValue(kind ? "--plus" : "--accent");
        paint.lineWidth = 2.2;
        paint.setLineDash(kind ? [6, 4] : []);
        paint.beginPath();
        rows.slice(0, at).forEach((row, step) => paint.lineTo(x(step), Math.min(height, y(row[column]))));
        paint.stroke();
        paint.setLineDash([]);
        paint.fillStyle = paint.strokeStyle;
        paint.beginPath();
        paint.arc(x(at - 1), y(rows[at - 1][column]), 4, 0, 7);
        paint.fill();
      });
      canvas.setAttribute("aria-label", t("inside.overfitting.chart", { what: t(`inside.overfitting.${key}`), training: rows[at - 1][columns[0]], validation: rows[at - 1][columns[1]] }));
    });
    const [loss, right, lossAside, rightAside] = rows[at - 1];
    const percent = (share) => number(share, { style: "percent", maximumFractionDigits: 1 });
    said.textContent = t("inside.overfitting.here", { epoch: at, right: percent(right), aside: percent(rightAside), loss: loss.toFixed(3), loss_aside: lossAside.toFixed(3) });
  }

  return {
    async show() {
      if (!compared) compare();
      compared = true;
      runs ??= await (await fetch(RUNS)).json().catch(() => null);
      draw();
    },
  };
}
