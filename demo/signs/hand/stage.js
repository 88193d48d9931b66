// The alphabet's part of the tab: the hand that signs, the chart of the letters, and practice.

import { known, percent, say, t, write } from "../../page/words.js";
import { canDraw, createHand } from "./hand.js";
import { ALL, createPractice, lettersOf, shuffled, STILL } from "./practice.js";

const SIGNS = new URL("../../assets/signs/", import.meta.url);
const dark = matchMedia("(prefers-color-scheme: dark)");
const reduced = matchMedia("(prefers-reduced-motion: reduce)");

/** A letter's picture; those of J and Z have an arrow along their movement. */
export const pictureOf = (letter, ground = dark.matches ? "dark" : "light") => new URL(`${ground}/${letter}.webp`, SIGNS);

/** `section` is .alphabet; `signs` is .signs, which hears "picture" and says "read". */
export function mountAlphabet(section, signs) {
  const find = (selector) => section.querySelector(selector);
  const [canvas, still, chart, field] = [find("canvas"), find(".alphabet-still"), find(".alphabet-chart"), find(".alphabet-word input")];
  let [hand, letter, chosen, asked, practice] = [null, "A", null, null, null]; // chosen in the chart, asked of the network

  // ---- the hand, or its pictures

  async function begin() {
    const first = letter;
    try {
      if (!canDraw()) throw new Error("WebGL 2");
      hand = await createHand(canvas, { letter, tone: Number(find("[name=tone]").value), onLetter: showLetter, onDone: () => mark(letter) });
      section.dataset.shows = "moving";
      if (letter !== first) hand.setLetter(letter); // chosen while the hand was on its way
    } catch {
      section.dataset.shows = "still";
      canvas.hidden = true;
      still.hidden = false;
      find(".alphabet-settings").hidden = true;
      say(find(".alphabet-how"), "hand.still");
    }
    showLetter(letter);
  }

  function showLetter(name) {
    letter = name;
    write(find(".alphabet-letter"), letter);
    still.src = pictureOf(letter);
    still.alt = t(`hand.letter.${letter}`);
    canvas.removeAttribute("data-t-label"); // from now on it says which letter
    canvas.setAttribute("aria-label", t("hand.canvas", { letter, shape: t(`hand.letter.${letter}`) }));
    say(find(".alphabet-shape"), `hand.letter.${letter}`);
    mark(letter);
  }

  function mark(name) {
    for (const tile of chart.children) tile.classList.toggle("now", tile.dataset.letter === name);
  }

  const go = (name) => {
    showLetter(name);
    hand?.setLetter(name);
  };

  function spell(word) {
    const letters = [...word.toUpperCase()].filter((each) => ALL.includes(each) || each === " ").join("");
    say(find(".alphabet-trouble"), letters.trim() ? "" : "hand.word.none");
    if (!letters.trim()) return;
    if (hand) hand.spell(letters);
    else [...letters.replaceAll(" ", "")].forEach((each, i) => setTimeout(() => showLetter(each), 1100 * i));
  }

  // ---- the chart: a letter's picture goes to the network, as a photo would

  for (const name of ALL) {
    const tile = document.createElement("button");
    Object.assign(tile, { type: "button", className: "alphabet-tile" });
    tile.dataset.letter = name;
    tile.innerHTML = `<img alt="" width="320" height="320" loading="lazy"><span>${name}</span>`;
    chart.append(tile);
  }
  function labelTiles() {
    for (const tile of chart.children) {
      const name = tile.dataset.letter;
      tile.querySelector("img").src = pictureOf(name);
      tile.setAttribute("aria-label", t("hand.tile", { letter: name, shape: t(`hand.letter.${name}`) }));
      if (!STILL.includes(name)) tile.dataset.badge = t("hand.moves"); // to see; its label says how it moves
    }
    if (known(`hand.letter.${letter}`)) showLetter(letter);
    if (practice) ask();
  }

  /** On a phone the hand is far above the chart: it is brought back, and the focus stays where it is. */
  function reveal() {
    const stage = find(".alphabet-stage");
    const { top, bottom, height } = stage.getBoundingClientRect();
    if (top >= 0 && bottom <= innerHeight) return;
    stage.scrollIntoView({ block: height > innerHeight ? "start" : "nearest", behavior: reduced.matches ? "auto" : "smooth" });
  }

  async function choose(name) {
    go(name);
    reveal();
    [chosen, asked] = [name, null]; // an answer still on its way is about another picture
    say(find(".alphabet-read"), STILL.includes(name) ? "" : "hand.moves.try", { letter: name });
    if (!STILL.includes(name) || practice || signs.dataset.state === "camera") return;
    const picture = await (await fetch(pictureOf(name))).blob();
    if (chosen !== name) return;
    asked = name;
    signs.dispatchEvent(new CustomEvent("picture", { detail: picture }));
  }

  signs.addEventListener("read", ({ detail: { label, share, live, moved } }) => {
    if (practice) judge({ label, share, live, moved });
    else if (asked && !live) say(find(".alphabet-read"), label ? "hand.read" : "hand.read.none", { letter: label ?? "", share: percent(share ?? 0) });
    if (!live) asked = null;
  });

  // ---- practice

  const now = () => performance.now() / 1000;

  function practise() {
    const letters = find("[name=practice-what]:checked").value === "word" ? lettersOf(field.value) : shuffled();
    say(find(".practice-trouble"), letters.length ? "" : "hand.practice.word");
    if (!letters.length) return field.focus();
    practice = createPractice(letters, now());
    section.classList.add("practising");
    say(find(".practice-advice"), signs.dataset.state === "camera" ? "" : "hand.practice.how");
    showFilm();
    return ask();
  }

  function ask() {
    const wanted = practice.wanted();
    if (!wanted) return finish();
    say(find(".practice-task"), STILL.includes(wanted) ? "hand.practice.show" : "hand.practice.draw", { letter: wanted });
    find(".practice-picture").src = pictureOf(wanted);
    find(".practice-picture").alt = t(`hand.letter.${wanted}`);
    score();
    return go(wanted);
  }

  /** Beside the letter, in practice, oneself: the camera's picture is far above. */
  function showFilm() {
    const [theirs, picture] = [signs.querySelector(".picture video"), signs.querySelector(".picture")];
    find(".practice-views video")?.remove();
    if (!practice || signs.dataset.state !== "camera") return;
    const film = Object.assign(document.createElement("video"), { muted: true, playsInline: true, autoplay: true, srcObject: theirs.srcObject });
    film.setAttribute("aria-hidden", "true");
    if (find(".practice-advice").dataset.t === "hand.practice.how") say(find(".practice-advice"), ""); // done
    film.classList.toggle("mirrored", picture.classList.contains("mirrored"));
    find(".practice-views").append(film);
  }
  const changed = new MutationObserver(showFilm);
  changed.observe(signs, { attributeFilter: ["data-state"] });
  changed.observe(signs.querySelector(".picture"), { attributeFilter: ["class"] });

  function score() {
    const { hits, count, at, seconds } = practice.score(now());
    say(find(".practice-score"), "hand.practice.score", { hits, at, all: count, seconds });
  }

  function judge(read) {
    const came = practice.add(read, now());
    if (came === "hit" || came === "done") {
      say(find(".practice-advice"), "hand.practice.hit", { letter: read.label });
      section.querySelector(".practice-task").animate([{ background: "var(--accent-soft)" }, {}], 700);
      ask();
    } else if (came) {
      const wanted = practice.wanted();
      say(find(".practice-advice"), came.advice, { letter: wanted, read: came.read, shape: t(`hand.letter.${wanted}`) });
    }
    if (practice) score();
  }

  function finish() {
    const { hits, count, seconds } = practice.score(now());
    practice = null;
    section.classList.remove("practising");
    showFilm();
    say(find(".practice-task"), "hand.practice.done", { hits, all: count, seconds });
    for (const name of [".practice-advice", ".practice-score"]) say(find(name), "");
  }

  const actions = {
    spell: () => spell(field.value),
    again: () => go(letter),
    practise,
    skip() { practice.skip(); say(find(".practice-advice"), ""); ask(); },
    finish,
    camera: () => signs.querySelector('[data-do="camera"]').click(),
    photo: () => signs.querySelector('[data-do="choose"]').click(),
  };
  section.addEventListener("click", (event) => {
    const tile = event.target.closest(".alphabet-tile");
    if (tile) choose(tile.dataset.letter);
    const button = event.target.closest("button[data-hand]");
    if (button) actions[button.dataset.hand]();
  });
  find(".alphabet-word").addEventListener("submit", (event) => { event.preventDefault(); spell(field.value); });
  find(".alphabet-settings").addEventListener("input", ({ target }) => {
    if (target.name === "tone") hand?.setTone(Number(target.value));
    if (target.name === "speed") hand?.setSpeed(2 ** Number(target.value));
    if (target.name === "left") hand?.setMirror(target.checked);
  });
  document.addEventListener("language", labelTiles);
  dark.addEventListener("change", labelTiles);
  labelTiles();
  return begin();
}
