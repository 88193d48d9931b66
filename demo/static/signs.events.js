// Buttons, dropping, pasting, leaving; and which networks there are.

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
  const file = event.dataTransfer.files[0];
  if (file) takeFile(file);
  else problem("Only a picture file can be dropped here. Save the picture first, or copy and paste it.");
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
