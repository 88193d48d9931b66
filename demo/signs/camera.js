// The camera: opened on request, its frames read one at a time, released on stop.

import { Trouble } from "../page/server.js";

const TROUBLES = {
  NotAllowedError: "camera.refused",
  NotFoundError: "camera.none",
  NotReadableError: "camera.busy",
  OverconstrainedError: "camera.unfit",
  AbortError: "camera.stuck",
};

/** Why the camera did not open, as a Trouble that says what to do. */
export const cameraTrouble = (error) => (error instanceof Trouble ? error : new Trouble(TROUBLES[error.name] ?? "camera.unknown"));

export async function openCamera(facing) {
  if (!window.isSecureContext) throw new Trouble("camera.insecure");
  if (!navigator.mediaDevices?.getUserMedia) throw new Trouble("camera.missing");
  return navigator.mediaDevices.getUserMedia({
    audio: false,
    video: { facingMode: facing, width: { ideal: 1280 }, height: { ideal: 720 } },
  });
}

/** Whether it films whoever holds the device: as the camera says, else as it was asked for ("user", "environment"). */
export const filmsUser = (stream, asked) => (stream.getVideoTracks()[0]?.getSettings?.().facingMode || asked) !== "environment";

export async function cameraCount() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter((device) => device.kind === "videoinput").length;
}

// Draw a picture or a video's frame no longer than `longest` on a canvas.
export function drawnTo(source, width, height, longest, canvas = document.createElement("canvas")) {
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

export function asFile(canvas, type, quality) {
  return new Promise((done, fail) => {
    canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error("no picture"))), type, quality);
  });
}

// Ask about frames one after the other until `running()` is false: never two questions under way, at most
// `rate` a second, which may be a function. A question that fails is reported, and the next waits longer.
export async function readFrames({ video, longest = 480, rate = 6, running, ask, failed }) {
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
    const pause = failures ? Math.min(500 * 2 ** failures, 8000) : 1000 / (typeof rate === "function" ? rate() : rate);
    await new Promise((done) => setTimeout(done, Math.max(pause - (performance.now() - began), 20)));
  }
}
