// The photo's part of the tab: chosen, dropped, pasted or taken; asked about; its frame drawn anew.

import { Trouble } from "../page/server.js";
import { say, write } from "../page/words.js";
import { noteOf } from "./answer.js";
import { asFile, drawnTo } from "./camera.js";

export const LONGEST = 1280; // pixels sent of a photo's longer side
const LARGEST = 25e6; // bytes the server takes

/** `tab` is what signs.js shares: root, find, panel, frame, ask, show, problem, released, answered. */
export function createPhotos(tab) {
  const { root, find, panel, frame } = tab;
  const [picture, canvas] = [find(".picture"), find("canvas.photo")];
  let photo = null; // { blob, width, height }: what is on the canvas, as sent
  let question = null; // AbortController of the newest question about a photo

  async function ask(box = null) {
    question?.abort();
    const mine = (question = new AbortController());
    root.classList.add("busy");
    tab.problem(null);
    try {
      const answer = await tab.ask(photo.blob, box, { signal: mine.signal });
      if (mine === question) await showAnswer(answer);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof Trouble)) console.error(error);
      tab.problem(error instanceof Trouble ? error : new Trouble("page.wrong"));
    } finally {
      if (mine === question) root.classList.remove("busy");
    }
  }

  async function showAnswer(answer) {
    tab.show("photo");
    if (!frame.busy()) frame.show(answer.box || [0, 0, photo.width, photo.height], photo.width, photo.height);
    if (!answer.box) say(find(".hint"), "sign.hint.none");
    write(find(".chip"), answer.label || "");
    panel.show({ ...answer, note: noteOf(answer) });
    panel.ring(answer.label ? answer.top[0][1] : 0);
    await panel.showCrop(answer.seen, answer.heat);
    tab.answered({ label: answer.label, share: answer.label ? answer.top[0][1] : 0, live: false });
  }

  async function take(file) {
    if (!file) return;
    const mine = tab.turn();
    tab.problem(null);
    root.classList.add("busy");
    try {
      const copy = await readable(file);
      if (mine === tab.newest()) await use(copy);
    } catch (error) {
      if (mine !== tab.newest()) return;
      root.classList.remove("busy");
      tab.problem(error instanceof Trouble ? error : new Trouble("sign.file.unreadable"));
    }
  }

  // The picture as a canvas of at most LONGEST pixels. What this browser cannot decode (HEIC, for one) the server may:
  // it then sends back a JPEG to show. Nothing on the page changes before all went well.
  async function readable(file) {
    const bitmap = await createImageBitmap(file).catch(() => null);
    if (!bitmap) return fromServer(file);
    const copy = drawnTo(bitmap, bitmap.width, bitmap.height, LONGEST);
    bitmap.close();
    return copy;
  }

  async function fromServer(file) {
    if (file.size > LARGEST) throw new Trouble("sign.file.large", { size: Math.round(file.size / 1e6), most: LARGEST / 1e6 });
    const answer = await tab.ask(file, null, { preview: true });
    const image = new Image();
    image.src = answer.preview;
    await image.decode();
    return drawnTo(image, image.naturalWidth, image.naturalHeight, LONGEST);
  }

  async function use(copy) {
    const small = Math.max(copy.width, copy.height) <= 400; // a JPEG would cost small pictures their detail
    const blob = await asFile(copy, small ? "image/png" : "image/jpeg", 0.92);
    tab.released();
    photo = { blob, width: copy.width, height: copy.height };
    drawnTo(copy, copy.width, copy.height, LONGEST, canvas);
    await show();
  }

  async function show() {
    const { width, height } = photo;
    picture.style.setProperty("--shape", width / height);
    frame.show(null, width, height);
    panel.clear();
    tab.show("photo");
    await ask();
  }

  return {
    there: () => photo !== null,
    ask: (box) => photo && ask(box),
    show,
    take,
    use,
    stopAsking() {
      question?.abort();
      root.classList.remove("busy");
    },
  };
}
