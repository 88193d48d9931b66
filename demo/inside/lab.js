// What all stations look at: the picture, the network, what the network makes of the picture, and the steps it learned.

import { SHEET, simplify } from "../draw/strokes.js";
import { ask, post } from "../page/server.js";
import { known, t } from "../page/words.js";
import { base64Of, viewOf } from "./unpack.js";

export const MOST_LESSONS = 60;

/** Events: "view" when what the network makes of the picture is another, "blank", "trouble" with an error in detail. */
export function createLab() {
  const lab = new EventTarget();
  let asking = false;
  let again = false;
  Object.assign(lab, {
    network: "lesson",
    strokes: [],
    picture: null, // { pixels: base64 } or { picture: base64 } in place of strokes: a hand, or one digit of several
    hand: "", // the letter of that picture, where it is a rendered hand
    lessons: [], // [{ pixels: base64, label, rate }]
    view: null,
    parameters: new URLSearchParams(), // of the station, in the address
    blank: () => !lab.picture && !lab.strokes.length,
  });

  const tell = (name, detail) => lab.dispatchEvent(Object.assign(new Event(name), { detail }));

  /** The body of a question about what is shown now; `more` is the question's own. */
  lab.question = (more = {}) => {
    const pictures = [...new Set(lab.lessons.map(({ pixels }) => pixels))];
    const lessons = lab.lessons.map(({ pixels, label, rate }) => [pictures.indexOf(pixels), label, rate]);
    const drawn = lab.picture ?? { strokes: lab.strokes.map((points) => simplify(points)), size: [SHEET.width, SHEET.height] };
    return { network: lab.network, ...drawn, pictures, lessons, ...more };
  };

  /** Asks the server about what the network sees now, as JSON; the very pixels are sent, so that all speak of one picture. */
  lab.ask = async (path, more = {}) => {
    const reply = await post(`inside/${path}`, lab.question({ ...exact(), ...more }));
    return reply.json();
  };

  lab.askBytes = async (path, more = {}) => {
    const reply = await post(`inside/${path}`, lab.question({ ...exact(), ...more }));
    return reply.arrayBuffer();
  };

  const exact = () => (lab.view ? { pixels: base64Of(lab.view.pixels), strokes: undefined, picture: undefined } : {});

  /** Looks at the picture anew; while an answer is on its way the newest drawing waits, older ones are left out. */
  lab.look = async () => {
    if (lab.blank()) {
      lab.view = null;
      tell("blank");
      return;
    }
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    try {
      do {
        again = false;
        const from = performance.now();
        const reply = await post("inside/look", lab.question());
        const buffer = await reply.arrayBuffer();
        if (lab.blank()) break;
        lab.view = viewOf(buffer);
        lab.view.labels = lab.view.labels.map((label) => (known(`label.${label}`) ? t(`label.${label}`) : label));
        lab.bytes = buffer.byteLength;
        tell("view");
        lab.took = performance.now() - from;
      } while (again);
    } catch (error) {
      lab.view = null;
      tell("trouble", error);
    } finally {
      asking = false;
    }
  };

  lab.draw = (strokes) => {
    Object.assign(lab, { strokes, picture: null, hand: "" });
    return lab.look();
  };

  lab.bring = (picture, hand = "") => {
    Object.assign(lab, { strokes: [], picture, hand });
    return lab.look();
  };

  lab.choose = (network) => {
    Object.assign(lab, { network, lessons: [] });
    return lab.look();
  };

  lab.learn = (label, rate) => {
    lab.lessons = [...lab.lessons, { pixels: base64Of(lab.view.pixels), label, rate }].slice(0, MOST_LESSONS);
    return lab.look();
  };

  lab.unlearn = (count = Infinity) => {
    lab.lessons = lab.lessons.slice(0, Math.max(0, lab.lessons.length - count));
    return lab.look();
  };

  lab.ready = async () => (await (await ask("inside/networks")).json()).networks;
  return lab;
}
