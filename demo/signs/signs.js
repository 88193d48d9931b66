// Puts the hand-sign tab together: a photo or the camera, asked about at read/sign, the answer shown beside it.

import { seeInside } from "../inside/open.js";
import { Trouble, address, ask as fetched } from "../page/server.js";
import { say, sayTold } from "../page/words.js";
import { answerPanel } from "./answer.js";
import { cropBox } from "./box.js";
import { exampleButtons } from "./examples.js";
import { createLive } from "./live.js";
import { createPhotos } from "./photo.js";

const touch = matchMedia("(pointer: coarse)");
const TRAIN = "python -m train asl";

export function mount(section) {
  const root = section.querySelector(".signs");
  const find = (selector) => root.querySelector(selector);
  const chooser = find("input[type=file]");
  const network = () => find("input[name=signs-network]:checked").value;
  let newest = 0; // counts what was chosen, taken or opened, so that a slow one never replaces a later one
  let answers = 0; // for tests and for seeing what is newest
  let networks = {};

  const tab = {
    root,
    find,
    panel: answerPanel(root),
    frame: cropBox(find(".picture"), find(".box"), (box) => photos.ask(box)),
    turn: () => ++newest,
    newest: () => newest,
    visible: () => root.isConnected && root.getClientRects().length > 0,
    released: () => live.release(),
    /** What was read, { label, share, live }: others on the page hear it as the event "read". */
    answered(read) {
      root.dataset.answers = ++answers;
      root.dispatchEvent(new CustomEvent("read", { detail: read }));
    },
    problem(trouble) {
      sayTold(find(".problem"), trouble);
    },
    show(state) {
      root.dataset.state = state;
      say(find(".hint"), { empty: "", photo: touch.matches ? "sign.hint.photo.touch" : "sign.hint.photo", camera: "sign.hint.camera" }[state]);
      find(".word").hidden = state !== "camera" && !live.word();
    },
    /** What the chosen network reads in a picture. Throws a Trouble, or an AbortError. */
    async ask(blob, box, { live: frame = false, preview = false, signal } = {}) {
      await known; // which networks there are
      const form = new FormData();
      form.append("file", blob, "picture");
      form.append("network", network());
      if (box) form.append("box", box.map((value) => value.toFixed(1)).join(","));
      if (frame) form.append("live", "1");
      if (preview) form.append("preview", "1");
      const reply = await fetched("read/sign", { method: "POST", body: form, signal }, "sign.failed");
      return reply.json().catch(() => { throw new Trouble("sign.failed", { status: reply.status }); });
    },
  };
  const photos = createPhotos(tab);
  const live = createLive(tab, photos);

  find(".examples").append(...exampleButtons(photos.take, tab.problem));

  const actions = {
    inside: () => tab.panel.crop() && seeInside({ picture: tab.panel.crop(), network: network() === "photo" ? "photos" : "signs" }),
    choose: () => chooser.click(),
    camera: live.start,
    stop: () => live.stop(),
    shoot: live.shoot,
    flip: live.flip,
    find: () => photos.ask(),
    space: live.space,
    backspace: live.backspace,
    clear: live.clear,
    copy: live.copy,
    all: () => tab.panel.toggleAll(),
  };

  root.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-do]");
    if (button) actions[button.dataset.do](button);
  });
  root.addEventListener("change", (event) => {
    if (event.target === chooser) {
      photos.take(chooser.files[0]);
      chooser.value = ""; // the same file may be chosen again
    } else if (event.target.name === "signs-network") {
      live.forgetFrames();
      describeNetwork();
      if (!live.on()) photos.ask(tab.frame.get());
    } else if (event.target.dataset.do === "heat") tab.panel.repaintCrop();
    else if (event.target.dataset.do === "mirror") live.mirror();
  });
  find(".drop").addEventListener("click", () => chooser.click());
  root.addEventListener("picture", (event) => photos.take(event.detail)); // others may hand a picture in, as a Blob
  whenDropped(root, photos.take, () => tab.problem(new Trouble("sign.drop.none")));
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files || [])][0];
    if (!file || !tab.visible()) return;
    event.preventDefault();
    photos.take(file);
  });

  const left = () => live.on() && (document.hidden || !tab.visible()) && live.stop("camera.left");
  new IntersectionObserver(left).observe(root);
  document.addEventListener("visibilitychange", left);
  window.addEventListener("pagehide", left);

  // ---- which networks there are

  function describeNetwork() {
    const about = find(".about-network");
    const ready = Boolean(networks[network()]?.ready);
    say(about, ready ? `sign.about.${network()}` : "");
    find(".about-alone").hidden = !(network() === "lesson" && ready && !networks.photo.ready);
  }

  async function askNetworks() {
    try {
      networks = await (await fetch(address("read/sign/networks"))).json();
    } catch {
      return; // the first question will say what is wrong
    }
    for (const input of root.querySelectorAll("input[name=signs-network]")) {
      input.disabled = !networks[input.value]?.ready;
    }
    if (!networks.photo.ready && networks.lesson.ready) find("input[value=lesson]").checked = true;
    const none = !networks.photo.ready && !networks.lesson.ready;
    say(find(".missing"), none ? "sign.untrained" : "", { command: TRAIN });
    describeNetwork();
  }

  if (touch.matches) for (const hint of root.querySelectorAll("[data-t-touch]")) say(hint, hint.dataset.tTouch);
  tab.panel.clear();
  tab.show("empty");
  const known = askNetworks();
  whenNear(find(".alphabet"), async (section) => (await import("./hand/stage.js")).mountAlphabet(section, root));
  root.classList.add("ready");
}

/** Calls `then` once, when a node comes near the screen: what it needs is loaded for those who see it. */
function whenNear(node, then) {
  const watch = new IntersectionObserver(([entry]) => {
    if (!entry.isIntersecting) return;
    watch.disconnect();
    then(node).catch((error) => console.error(error));
  }, { rootMargin: "200px" });
  watch.observe(node);
}

function whenDropped(root, taken, nothing) {
  let inside = 0;
  const veil = (on) => root.classList.toggle("dropping", on);
  root.addEventListener("dragenter", (event) => { event.preventDefault(); inside += 1; veil(true); });
  root.addEventListener("dragover", (event) => event.preventDefault());
  root.addEventListener("dragleave", () => { inside = Math.max(0, inside - 1); veil(inside > 0); });
  root.addEventListener("drop", (event) => {
    event.preventDefault();
    inside = 0;
    veil(false);
    const file = event.dataTransfer.files[0];
    if (file) taken(file);
    else nothing();
  });
}
