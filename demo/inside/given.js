// The picture that all stations look at, what the network sees of it, and its answer: the side beside every station.

import { createPad } from "../draw/pad.js";
import { percent, say, sayTold, t, write } from "../page/words.js";
import { LETTERS, seenHand } from "./hands.js";
import { drawPicture, sharp } from "./paint.js";
import { bars, el } from "./parts.js";
import { DOUBTFUL, SAMPLES, same } from "./samples.js";

const SHIPPED = ["lesson", "digits", "signs", "photos"];
const forHands = (network) => network === "signs" || network === "photos";
const kind = (network) => (network.startsWith("run:") ? "run" : network);

/** `changed()` hears that picture or network are others, `chosen()` that another network was chosen. */
export function createGiven(root, lab, { changed, chosen }) {
  const $ = (selector) => root.querySelector(selector);
  const pad = createPad($(".ink"), drawn);
  let ready = SHIPPED;
  let sample = 0; // of the digits or hands to begin with
  let top = null;

  function drawn() {
    $(".change").classList.toggle("blank", pad.isBlank());
    $('[data-do="undo"]').disabled = !pad.canUndo();
    const strokes = pad.strokes().map(({ points }) => points);
    if (!strokes.length && lab.picture) return; // the pad was emptied for a picture
    $(".brought").hidden = true;
    lab.draw(strokes);
    if (!pad.drawing()) changed();
  }

  /** Shows a picture in place of the drawing: { pixels } or { picture }, base64; `hand` names a rendered one. */
  function bring({ pixels, picture }, hand = "") {
    lab.picture = pixels ? { pixels } : { picture };
    pad.clear();
    Object.assign($(".brought"), { src: picture ? `data:image/png;base64,${picture}` : "", hidden: !picture });
    $(".change").classList.toggle("blank", !picture);
    return lab.bring(lab.picture, hand);
  }

  async function bringHand(letter) {
    try {
      await bring({ picture: await seenHand(letter, lab.network) }, letter);
    } catch (error) {
      troubled(error);
    }
    changed();
  }

  function another() {
    sample += 1;
    if (forHands(lab.network)) return bringHand(LETTERS[(sample * 5) % LETTERS.length]);
    return pad.put(SAMPLES[sample % SAMPLES.length]);
  }

  const untouched = () => [...SAMPLES, DOUBTFUL.strokes].some((sample) => same(lab.strokes, sample));

  /** There is nothing to learn from a digit that the network is sure of: that station begins with another. */
  function suit(station) {
    const swap = station === "learning" && !lab.picture && untouched() && !same(lab.strokes, DOUBTFUL.strokes);
    if (swap) pad.put(DOUBTFUL.strokes);
    return swap;
  }

  async function choose(network) {
    const hand = forHands(network);
    const swap = hand ? untouched() || lab.hand : lab.picture && forHands(lab.network); // a digit is no hand, a hand no digit
    lab.parameters = new URLSearchParams();
    Object.assign(lab, { network, lessons: [] });
    say($(".about"), `inside.about.${kind(network)}`);
    if (swap && hand) await bringHand(lab.hand || "L");
    else if (swap) pad.put(SAMPLES[0]);
    else await lab.look();
    chosen();
  }

  /** The networks to choose from; those that this server lacks cannot be. */
  function networks() {
    const names = [...SHIPPED, ...(SHIPPED.includes(lab.network) ? [] : [lab.network])];
    $(".network").replaceChildren(
      ...names.map((name) =>
        el("option", { value: name, selected: name === lab.network, disabled: SHIPPED.includes(name) && !ready.includes(name) }, t(`inside.network.${SHIPPED.includes(name) ? name : "run"}`)),
      ),
    );
    say($(".about"), `inside.about.${SHIPPED.includes(lab.network) ? lab.network : "run"}`);
  }

  // ---- what the network says

  function view() {
    const { view: seen } = lab;
    write($(".given > .problem"), "");
    drawPicture(sharp($(".seen canvas"), 112, 112), seen.pixels, seen.shape, 0, 0, 112, 112);
    const answer = seen.labels[seen.answer];
    const best = seen.probabilities.map((share, label) => [share, label]).sort((a, b) => b[0] - a[0]).slice(0, 3);
    write($(".answer-letter"), answer);
    if (!top) $(".verdict .top").replaceChildren((top = bars(best.map(() => ""))));
    top.set(best.map(([share]) => share), best.findIndex(([, label]) => label === seen.answer));
    top.querySelectorAll(".bar > span:first-child").forEach((name, place) => write(name, seen.labels[best[place][1]]));
    if (!pad.drawing()) write($(".verdict .spoken"), t("inside.answer", { answer, share: percent(best[0][0]) }));
    $(".learned").hidden = !lab.lessons.length;
    say($(".learned span"), "inside.learned", { count: lab.lessons.length });
    $(".inside").dataset.state = "seen";
  }

  function nothing(state) {
    write($(".answer-letter"), "");
    $(".verdict .top").replaceChildren();
    top = null;
    $(".seen canvas").getContext("2d").clearRect(0, 0, 999, 999);
    $(".inside").dataset.state = state;
  }

  function troubled(error) {
    sayTold($(".given > .problem"), { error: error.message, code: error.code, values: error.values });
    nothing("trouble");
  }

  $(".network").addEventListener("change", (event) => choose(event.target.value));
  root.addEventListener("click", (event) => {
    const action = event.target.closest("[data-do]")?.dataset.do;
    if (action === "undo") pad.undo();
    if (action === "clear") {
      lab.picture = null;
      pad.clear();
      drawn();
    }
    if (action === "another") another();
    if (action === "unlearn") lab.unlearn();
  });
  $(".unfold").addEventListener("click", () => {
    const unfolded = $(".given").classList.toggle("open");
    $(".unfold").setAttribute("aria-expanded", String(unfolded));
    pad.fit();
  });
  lab.addEventListener("view", view);
  lab.addEventListener("blank", () => {
    write($(".given > .problem"), "");
    nothing("blank");
  });
  lab.addEventListener("trouble", ({ detail }) => troubled(detail));

  return {
    networks,
    bring,
    bringHand,
    choose(network) {
      $(".network").value = network;
      return choose(network);
    },
    repaint() {
      pad.redraw();
      if (lab.view) view();
    },
    suit,
    /** Draws strokes, or with none what that station is to be begun with, unless there is something already. */
    draw(strokes, station) {
      if (strokes) pad.put(strokes);
      else if (!lab.blank()) suit(station) || lab.look();
      else if (forHands(lab.network)) bringHand("L");
      else pad.put(station === "learning" ? DOUBTFUL.strokes : SAMPLES[0]);
    },
    /** Asks which networks the server has; whether another one had to be chosen, for lack of the one to begin with. */
    async begin() {
      ready = await lab.ready().catch(() => SHIPPED);
      const lacking = lab.network === "lesson" && !ready.includes("lesson");
      if (lacking) lab.network = ready[0] ?? "digits";
      if (SHIPPED.some((name) => !ready.includes(name))) networks();
      return lacking;
    },
  };
}
