// The camera's part of the tab: frame by frame asked about, smoothed, spelled into a word.

import { keep, recall } from "../page/memory.js";
import { Trouble } from "../page/server.js";
import { say, write } from "../page/words.js";
import { noteOf } from "./answer.js";
import { cameraCount, cameraTrouble, drawnTo, filmsUser, openCamera, readFrames } from "./camera.js";
import { movements, SIGNS } from "./movement.js";
import { LONGEST } from "./photo.js";
import { smoother, speller } from "./spell.js";

const SURELY_A_SIGN = 0.5; // of the smoothed probabilities together
const SURE = 0.6; // of one letter; below it the panel says what else it may be
const WORTH_NAMING = 0.12;
const [RATE, CLOSELY] = [6, 12]; // frames a second at most, and while a hand may be about to draw a J or Z
const SHOWN = 1.6; // seconds that a J or Z stays on the panel once it is drawn

/** `tab` is what signs.js shares; see photo.js. */
export function createLive(tab, photos) {
  const { root, find, panel, frame } = tab;
  const [picture, film] = [find(".picture"), find("video")];
  const words = speller();
  const smooth = smoother();
  const moves = movements();
  let drawn = -Infinity; // when the newest J or Z was
  let stream = null; // the camera's, while it is on
  let facing = recall("camera") === "environment" ? "environment" : "user";
  let mirror = null; // what is remembered of the camera that is on: "mirror.user" or "mirror.environment"

  async function start() {
    const turn = tab.turn();
    tab.problem(null);
    release();
    let mine;
    try {
      mine = await openCamera(facing);
    } catch (error) {
      if (turn === tab.newest()) tab.problem(cameraTrouble(error));
      return;
    }
    if (turn !== tab.newest() || !tab.visible()) { // the person went on while the browser asked for leave
      mine.getTracks().forEach((track) => track.stop());
      return;
    }
    stream = mine;
    mine.getVideoTracks()[0].addEventListener("ended", () => mine === stream && stop("camera.off"));
    film.srcObject = mine;
    await film.play().catch(() => {});
    if (mine !== stream) return;
    photos.stopAsking();
    picture.style.setProperty("--shape", film.videoWidth / film.videoHeight || 4 / 3);
    const self = filmsUser(mine, facing);
    mirror = `mirror.${self ? "user" : "environment"}`;
    showMirrored(recall(mirror) ? recall(mirror) === "on" : self); // one's own picture is expected as in a mirror
    tab.problem(null);
    write(find(".chip"), "");
    frame.show(null, 1, 1);
    panel.clear();
    forgetFrames();
    words.release();
    tab.show("camera");
    find('[data-do="flip"]').hidden = (await cameraCount().catch(() => 1)) < 2;
    readFrames({
      video: film,
      rate: () => (moves.watching(performance.now() / 1000) ? CLOSELY : RATE),
      running: () => stream === mine && root.isConnected,
      ask: askFrame,
      failed: (error, count) => count > 1 && tab.problem(error instanceof Trouble ? error : new Trouble("camera.frame")),
    });
  }

  async function askFrame(blob, width, height) {
    const mine = stream;
    const taken = performance.now() / 1000;
    const answer = await tab.ask(blob, null, { live: true, signal: AbortSignal.timeout(15000) });
    if (stream !== mine) return;
    tab.problem(null);
    const now = performance.now() / 1000;
    const moved = moves.add(answer, taken);
    if (moved) return showDrawn(moved, now);
    const ranked = smooth.add(answer.label ? answer.top : [], now);
    const there = ranked.reduce((sum, [, share]) => sum + share, 0);
    const [best, share] = there > SURELY_A_SIGN ? ranked[0] : [null, 0];
    const labels = ranked.slice(0, 3).filter(([, other]) => other > WORTH_NAMING).map(([label]) => label);
    const note = !best ? noteOf(answer) : share < SURE ? { code: "sign.maybe", values: { labels } } : null;
    frame.show(answer.box, width, height, { edit: false, mirrored: mirrored() });
    const { progress, added } = words.add(best, share, now);
    if (now - drawn > SHOWN) {
      panel.show({ label: best, top: best ? ranked : [], note, speak: false });
      write(find(".chip"), best || "");
      panel.ring(progress, progress === 1);
    }
    if (added) spelled("sign.word.added", { letter: added });
    panel.showCrop(answer.seen, answer.heat);
    tab.answered({ label: best, share, live: true });
  }

  /** J or Z, seen by its movement: it joins the word at once, in place of the I or D that it began as. */
  function showDrawn(letter, now) {
    drawn = now;
    smooth.reset();
    panel.show({ label: letter, top: [], moved: true, speak: false });
    panel.ring(1, true);
    write(find(".chip"), letter);
    words.drawn(letter, SIGNS[letter].shows, now);
    spelled("sign.word.added", { letter });
    tab.answered({ label: letter, share: 1, live: true, moved: true });
  }

  function forgetFrames() {
    smooth.reset();
    moves.reset();
    drawn = -Infinity;
  }

  const mirrored = () => find(".mirror input").checked;

  /** How the film is shown; the frames that are read stay as the camera gives them. */
  function showMirrored(on) {
    find(".mirror input").checked = on;
    picture.classList.toggle("mirrored", on);
    frame.mirror(on);
  }

  function release() {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    film.srcObject = null;
  }

  /** Stops the camera; `why` is the key of the reason, if it was not asked for. */
  function stop(why) {
    if (!stream) return;
    tab.turn();
    release();
    panel.clear();
    if (photos.there()) photos.show();
    else tab.show("empty");
    tab.problem(why ? new Trouble(why) : null);
  }

  // ---- the word

  function spelled(key, values = {}) {
    const word = words.word();
    const text = find(".word-text");
    write(text, word);
    text.animate([{ background: "var(--accent-soft)" }, {}], 400);
    find(".word").hidden = root.dataset.state !== "camera" && !word;
    panel.say(word ? key : "sign.word.none", { ...values, word: word.trim() });
  }

  async function copy(button) {
    try {
      await navigator.clipboard.writeText(words.word());
      say(button, "sign.word.copied");
    } catch {
      getSelection().selectAllChildren(find(".word-text")); // the person can copy the selection
      say(button, "sign.word.selected");
    }
    setTimeout(() => say(button, "sign.word.copy"), 1500);
  }

  return {
    start,
    stop,
    release,
    on: () => stream !== null,
    word: words.word,
    forgetFrames,
    shoot: () => film.videoWidth && photos.use(drawnTo(film, film.videoWidth, film.videoHeight, LONGEST)),
    flip() {
      facing = facing === "user" ? "environment" : "user";
      keep("camera", facing);
      return start();
    },
    mirror() {
      keep(mirror, mirrored() ? "on" : "off");
      showMirrored(mirrored());
    },
    space() { words.space(); spelled("sign.word.space"); },
    backspace() { words.backspace(); spelled("sign.word.removed"); },
    clear() { words.clear(); spelled("sign.word.none"); },
    copy,
  };
}
