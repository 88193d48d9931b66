// "See inside": a button under an answer that brings its picture here.

import { addressOf } from "../page/tabs.js";
import { packStrokes } from "./link.js";

let brought = null;

/** What another tab brought last, once: { strokes } or { pixels } or { picture }, and the network to look into. */
export function take() {
  const given = brought;
  brought = null;
  return given;
}

/**
 * Opens this tab with a picture: strokes as the pad keeps them, pixels (base64 of 28 x 28 bytes), or picture (base64
 * of a picture file, or its data: address), or with none of them, for what is drawn there. `network` is digits, lesson, signs, photos or run:ID.
 */
export function seeInside({ strokes = null, pixels = null, picture = null, network = "digits", station = "maps" }) {
  const url = new URL(addressOf(location.href, "inside"));
  url.searchParams.set("station", station);
  url.searchParams.set("network", network);
  if (strokes) url.searchParams.set("drawing", packStrokes(strokes));
  else if (pixels) brought = { pixels, network };
  else if (picture) brought = { picture: picture.replace(/^data:[^,]*,/, ""), network };
  history.pushState(null, "", url.href);
  document.getElementById("tab-inside").click();
  document.dispatchEvent(new Event("see-inside"));
}
