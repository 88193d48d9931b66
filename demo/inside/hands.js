// Rendered hands, for networks that read signs: no photo of anybody's.

import { ask } from "../page/server.js";

export const LETTERS = [..."ABCDEFGHIKLMNOPQRSTUVWXY"];
const READER = { signs: "lesson", photos: "photo" }; // the networks' names in the sign tab

/** Where the picture of a letter lies. */
export const handAddress = (letter) => new URL(`../assets/signs/light/${letter}.webp`, import.meta.url).href;

/** What a network, signs or photos, reads in the hand: { label, top, seen: data: address of what it saw, ... }. */
export async function readHand(letter, network) {
  const form = new FormData();
  form.append("file", await (await ask(handAddress(letter))).blob(), "picture");
  form.append("network", READER[network]);
  return (await ask("read/sign", { method: "POST", body: form })).json();
}

/** A hand as that network gets it, base64 of a picture file: found and cut out as for any photo. */
export async function seenHand(letter, network) {
  const { seen } = await readHand(letter, network);
  return seen.replace(/^data:[^,]*,/, "");
}
