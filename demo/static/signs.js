// The hand-sign tab: a photo or the camera, asked about at read/sign, the answer shown beside it.
// Runs with `element`, the tab's root, in one function with the other signs.*.js: the parts before it, signs.live.js
// and signs.events.js after it.

const root = element.querySelector(".signs");
const find = (selector) => root.querySelector(selector);
const [picture, canvas, film, chooser] = [".picture", "canvas.photo", "video", "input[type=file]"].map(find);
const LONGEST = 1280; // pixels sent of a photo's longer side
const LARGEST = 25e6; // bytes the server takes

const panel = answerPanel(root);
const words = speller();
const smooth = smoother();
const frame = cropBox(picture, find(".box"), (box) => photo && askPhoto(box));

let photo = null; // { blob, width, height }: what is on the canvas, as sent
let stream = null; // the camera's, while it is on
let facing = "user";
let newest = 0; // counts what was chosen, taken or opened, so that a slow one never replaces a later one
let question = null; // AbortController of the newest question about a photo
let answers = 0; // for tests and for seeing what is newest

const network = () => find("input[name=signs-network]:checked").value;

function problem(text) {
  find(".problem").textContent = text || "";
  find(".problem").hidden = !text;
}

function show(state) {
  root.dataset.state = state;
  find(".hint").textContent = {
    empty: "",
    photo: "Drag the frame to move it, a corner to resize it, or draw a new one anywhere on the photo.",
    camera: "Hold a sign still for a second and its letter joins the word. For a double letter, lower your hand in between.",
  }[state];
  find(".word").hidden = state !== "camera" && !words.word();
}

// ---- asking

async function ask(blob, box, { live = false, preview = false, signal } = {}) {
  await known; // which networks there are
  const form = new FormData();
  form.append("file", blob, "picture");
  form.append("network", network());
  if (box) form.append("box", box.map((value) => value.toFixed(1)).join(","));
  if (live) form.append("live", "1");
  if (preview) form.append("preview", "1");
  let reply;
  try {
    reply = await fetch("read/sign", { method: "POST", body: form, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw plain("The server does not answer. Is it still running?");
  }
  const answer = await reply.json().catch(() => null);
  if (!reply.ok || !answer) throw plain(answer?.error || `The server could not read this (error ${reply.status}).`);
  return answer;
}

const plain = (text) => Object.assign(new Error(text), { plain: true });

async function askPhoto(box = null) {
  question?.abort();
  const mine = (question = new AbortController());
  root.classList.add("busy");
  problem("");
  try {
    const answer = await ask(photo.blob, box, { signal: mine.signal });
    if (mine === question) await showPhotoAnswer(answer);
  } catch (error) {
    if (error.name === "AbortError") return;
    problem(error.plain ? error.message : "Something went wrong in this page. Reload it and try again.");
    if (!error.plain) console.error(error);
  } finally {
    if (mine === question) root.classList.remove("busy");
  }
}

async function showPhotoAnswer(answer) {
  show("photo");
  if (!frame.busy()) {
    const whole = [0, 0, photo.width, photo.height];
    frame.show(answer.box || whole, photo.width, photo.height);
  }
  if (!answer.box) find(".hint").textContent = "Is there a hand? Draw a frame around it.";
  find(".chip").textContent = answer.label || "";
  panel.show(answer);
  panel.ring(answer.label ? answer.top[0][1] : 0);
  await panel.showCrop(answer.seen, answer.heat);
  root.dataset.answers = ++answers;
}

// ---- a photo: chosen, dropped, pasted or taken

async function takeFile(file) {
  if (!file) return;
  const mine = ++newest;
  problem("");
  root.classList.add("busy");
  try {
    const copy = await readable(file);
    if (mine === newest) await usePhoto(copy);
  } catch (error) {
    if (mine !== newest) return;
    root.classList.remove("busy");
    problem(error.plain ? error.message : "This file could not be opened as a picture.");
  }
}

// The picture as a canvas and a blob of at most LONGEST pixels. What this browser cannot decode (HEIC, for
// one) the server may: it then sends back a JPEG to show. Nothing on the page changes before all went well.
async function readable(file) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return fromServer(file);
  const copy = drawnTo(bitmap, bitmap.width, bitmap.height, LONGEST);
  bitmap.close();
  return copy;
}

async function fromServer(file) {
  if (file.size > LARGEST) throw plain(`This file has ${Math.round(file.size / 1e6)} MB; at most 25 MB can be read.`);
  const answer = await ask(file, null, { preview: true });
  const image = new Image();
  image.src = answer.preview;
  await image.decode();
  return drawnTo(image, image.naturalWidth, image.naturalHeight, LONGEST);
}

async function usePhoto(copy) {
  const small = Math.max(copy.width, copy.height) <= 400; // a JPEG would cost small pictures their detail
  const blob = await asFile(copy, small ? "image/png" : "image/jpeg", 0.92);
  releaseCamera();
  photo = { blob, width: copy.width, height: copy.height };
  drawnTo(copy, copy.width, copy.height, LONGEST, canvas);
  await showPhoto();
}

async function showPhoto() {
  const { width, height } = photo;
  picture.style.setProperty("--shape", width / height);
  frame.show(null, width, height);
  panel.clear();
  show("photo");
  await askPhoto();
}
