// The camera: opened on request, its frames read one at a time, released on stop.

const CAMERA_TROUBLE = {
  NotAllowedError: "The camera was refused. Allow it in the browser’s address bar, then press “Use the camera” again; or choose a photo.",
  NotFoundError: "No camera was found. Plug one in, or choose a photo.",
  NotReadableError: "The camera is in use by another program. Close that one, then try again; or choose a photo.",
  OverconstrainedError: "This camera cannot be used. Choose a photo.",
  AbortError: "The camera did not start. Try again, or choose a photo.",
};

function cameraTrouble(error) {
  return CAMERA_TROUBLE[error.name] || "The camera could not be used. Choose a photo.";
}

async function openCamera(facing) {
  if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) {
    const why = window.isSecureContext
      ? "This browser gives pages no camera."
      : "Browsers give the camera only to secure pages: open this one by https:// or as http://127.0.0.1.";
    throw Object.assign(new Error(why + " You can choose a photo."), { plain: true });
  }
  return navigator.mediaDevices.getUserMedia({
    audio: false,
    video: { facingMode: facing, width: { ideal: 1280 }, height: { ideal: 720 } },
  });
}

async function cameraCount() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter((device) => device.kind === "videoinput").length;
}

// Draw a picture or a video's frame no longer than `longest` on a canvas.
function drawnTo(source, width, height, longest, canvas = document.createElement("canvas")) {
  const scale = Math.min(1, longest / Math.max(width, height));
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.fillStyle = "#fff"; // transparent parts show white
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function asFile(canvas, type, quality) {
  return new Promise((done, fail) => {
    canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error("no picture"))), type, quality);
  });
}

// Ask about frames one after the other until `running()` is false: never two questions under way, at most
// `rate` a second. A question that fails is reported, and the next waits longer.
async function readFrames({ video, longest = 480, rate = 6, running, ask, failed }) {
  const canvas = document.createElement("canvas");
  let failures = 0;
  while (running()) {
    const began = performance.now();
    try {
      if (video.videoWidth && !document.hidden) {
        drawnTo(video, video.videoWidth, video.videoHeight, longest, canvas);
        const frame = await asFile(canvas, "image/jpeg", 0.85);
        if (!running()) return; // stopped while the frame was packed
        await ask(frame, canvas.width, canvas.height);
        failures = 0;
      }
    } catch (error) {
      if (!running()) return;
      failures += 1;
      failed(error, failures);
    }
    const pause = failures ? Math.min(500 * 2 ** failures, 8000) : 1000 / rate;
    await new Promise((done) => setTimeout(done, Math.max(pause - (performance.now() - began), 20)));
  }
}
