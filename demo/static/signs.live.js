// The camera's part of the tab: frame by frame asked about, smoothed, spelled into a word.

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
  if (photo) showPhoto();
  else show("empty");
  problem(reason);
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
