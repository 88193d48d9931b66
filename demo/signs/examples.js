// Rendered hands to press, for those who know no letter and have no photo at hand.

import { address, ask } from "../page/server.js";
import { say } from "../page/words.js";

const LETTERS = [..."ABLY"];
const pictureOf = (letter) => `static/assets/signs/light/${letter}.webp`;

/** A button for each hand; a press hands its picture over as a Blob, or failed() the Trouble of getting it. */
export function exampleButtons(taken, failed) {
  return LETTERS.map((letter) => {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.dataset.letter = letter;
    button.innerHTML = `<img src="${address(pictureOf(letter))}" alt="" width="320" height="320"><span class="unseen"></span><span aria-hidden="true">${letter}</span>`;
    say(button.querySelector(".unseen"), "sign.example", { letter });
    button.addEventListener("click", async () => {
      try {
        await taken(await (await ask(pictureOf(letter), {}, "sign.failed")).blob());
      } catch (error) {
        failed(error);
      }
    });
    return button;
  });
}
