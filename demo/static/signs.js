// The hand-sign tab: a photo or the camera, asked about at read/sign, the answer shown beside it.
// Runs with `element`, the tab's root, after signs.box.js, signs.spell.js, signs.camera.js and signs.answer.js.

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
  try {
    const answer = await ask(photo.blob, box, { signal: mine.signal });
    if (mine === question) await showPhotoAnswer(answer);
    problem("");
  } catch (error) {
    if (error.name === "AbortError") return;
    problem(error.plain ? error.message : "Something went wrong in this page. Reload it and try again.");
    if (!error.plain) console.error(error);
  } finally {
    if (mine === question) root.classList.remove("busy");
  }
}

async function showPhotoAnswer(answer) {
  if (!frame.busy()) {
    const whole = [0, 0, photo.width, photo.height];
    frame.show(answer.box || whole, photo.width, photo.height);
  }
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

// ---- the camera

async function startCamera() {
  const turn = ++newest;
  problem("");
  releaseCamera();
  let mine;
  try {
    mine = await openCamera(facing);
  } catch (error) {
    if (turn === newest) problem(error.plain ? error.message : cameraTrouble(error));
    return;
  }
  if (turn !== newest || !visible()) { // the person went on while the browser asked for leave
    mine.getTracks().forEach((track) => track.stop());
    return;
  }
  stream = mine;
  mine.getVideoTracks()[0].addEventListener("ended", () => mine === stream && stopCamera("The camera was switched off."));
  film.srcObject = mine;
  await film.play().catch(() => {});
  if (mine !== stream) return;
  question?.abort();
  root.classList.remove("busy");
  picture.style.setProperty("--shape", film.videoWidth / film.videoHeight || 4 / 3);
  picture.classList.toggle("mirrored", facing === "user");
  [".problem", ".chip"].forEach((selector) => { find(selector).textContent = ""; });
  frame.show(null, 1, 1);
  panel.clear();
  smooth.reset();
  words.release();
  show("camera");
  find('[data-do="flip"]').hidden = (await cameraCount().catch(() => 1)) < 2;
  readFrames({
    video: film,
    running: () => stream === mine && root.isConnected,
    ask: askFrame,
    failed: (error, count) => count > 1 && problem(error.plain ? error.message : "The camera’s picture could not be read."),
  });
}

async function askFrame(blob, width, height) {
  const mine = stream;
  const answer = await ask(blob, null, { live: true, signal: AbortSignal.timeout(15000) });
  if (stream !== mine) return;
  problem("");
  const now = performance.now() / 1000;
  const ranked = smooth.add(answer.label ? answer.top : [], now);
  const there = ranked.reduce((sum, [, share]) => sum + share, 0);
  const [best, share] = there > 0.5 ? ranked[0] : [null, 0];
  const close = ranked.slice(0, 3).filter(([, other]) => other > 0.12).map(([label]) => label);
  const unsure = `Not sure: maybe ${oneOf(close)}. Hold still, come closer, or find a plainer ground.`;
  panel.show({ label: best, top: best ? ranked : [], note: !best ? answer.note : share < 0.6 ? unsure : "", speak: false });
  frame.show(answer.box, width, height, { edit: false, mirrored: facing === "user" });
  find(".chip").textContent = best || "";
  const { progress, added } = words.add(best, share, now);
  panel.ring(progress, progress === 1);
  if (added) spell(`${added} added`);
  panel.showCrop(answer.seen, answer.heat);
  root.dataset.answers = ++answers;
}

function releaseCamera() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  film.srcObject = null;
}

function stopCamera(reason) {
  if (!stream) return;
  newest += 1;
  releaseCamera();
  panel.clear();
  problem(reason);
  if (photo) showPhoto();
  else show("empty");
}

// ---- the word

function spell(said) {
  const word = words.word();
  const text = find(".word-text");
  text.textContent = word;
  text.animate([{ background: "var(--color-accent-soft)" }, {}], 400);
  find(".word").hidden = root.dataset.state !== "camera" && !word;
  panel.say(word ? `${said}. The word is ${word.trim()}` : said);
}

async function copyWord(button) {
  try {
    await navigator.clipboard.writeText(words.word());
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(find(".word-text")); // the person can copy the selection
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

// ---- events

const actions = {
  choose: () => chooser.click(),
  camera: startCamera,
  stop: () => stopCamera(),
  shoot: () => film.videoWidth && usePhoto(drawnTo(film, film.videoWidth, film.videoHeight, LONGEST)),
  flip: () => { facing = facing === "user" ? "environment" : "user"; startCamera(); },
  find: () => photo && askPhoto(),
  space: () => { words.space(); spell("Space"); },
  backspace: () => { words.backspace(); spell("Last letter removed"); },
  clear: () => { words.clear(); spell("Word cleared"); },
  copy: copyWord,
  all: () => panel.toggleAll(),
};

root.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-do]");
  if (button) actions[button.dataset.do](button);
});
root.addEventListener("change", (event) => {
  if (event.target === chooser) {
    takeFile(chooser.files[0]);
    chooser.value = ""; // the same file may be chosen again
  } else if (event.target.name === "signs-network") {
    smooth.reset();
    describeNetwork();
    if (photo && !stream) askPhoto(frame.get());
  } else if (event.target.dataset.do === "heat") panel.repaintCrop();
});
find(".drop").addEventListener("click", () => chooser.click());

let dragsInside = 0;
const veil = (on) => root.classList.toggle("dropping", on);
root.addEventListener("dragenter", (event) => { event.preventDefault(); dragsInside += 1; veil(true); });
root.addEventListener("dragover", (event) => event.preventDefault());
root.addEventListener("dragleave", () => { dragsInside = Math.max(0, dragsInside - 1); veil(dragsInside > 0); });
root.addEventListener("drop", (event) => {
  event.preventDefault();
  dragsInside = 0;
  veil(false);
  takeFile(event.dataTransfer.files[0]);
});

const visible = () => root.isConnected && root.getClientRects().length > 0;
const pasted = (event) => {
  if (!root.isConnected) { document.removeEventListener("paste", pasted); return; }
  const file = [...(event.clipboardData?.files || [])][0];
  if (!file || !visible()) return;
  event.preventDefault();
  takeFile(file);
};
document.addEventListener("paste", pasted);

const left = () => stream && (document.hidden || !visible()) && stopCamera("The camera was stopped when you left.");
new IntersectionObserver(left).observe(root);
document.addEventListener("visibilitychange", left);
window.addEventListener("pagehide", left);

// ---- which networks there are

let networks = {};
function describeNetwork() {
  find(".about-network").textContent = networks[network()]?.about || "";
}

async function askNetworks() {
  try {
    networks = await (await fetch("read/sign/networks")).json();
  } catch {
    return; // the first question will say what is wrong
  }
  for (const input of root.querySelectorAll("input[name=signs-network]")) {
    input.disabled = !networks[input.value]?.ready;
  }
  if (!networks.photo.ready && networks.lesson.ready) find("input[value=lesson]").checked = true;
  const none = !networks.photo.ready && !networks.lesson.ready;
  find(".missing").hidden = !none;
  find(".missing").textContent = none ? networks.photo.about : "";
  describeNetwork();
}

panel.clear();
show("empty");
const known = askNetworks();
