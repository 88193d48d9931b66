// How often J and Z are named, and how often something else is taken for one, on tracks that
// `python -m train.render.tracks --out FILE` wrote: node tests/js/judge_movement.mjs FILE... [--all]

import { readFileSync } from "node:fs";

import { movements } from "../../demo/signs/movement.js";

const files = process.argv.slice(2).filter((name) => !name.startsWith("--"));
const all = process.argv.includes("--all");
const films = files.flatMap((file) => readFileSync(file, "utf8").trim().split("\n").map((line) => JSON.parse(line)));
const tally = {};
let [seconds, wrong] = [0, 0];
for (const { sign, kind, rate, from, frames } of films) {
  const follow = movements();
  const named = frames.flatMap(([time, box, , shares]) => {
    const letter = follow.add({ box, top: Object.entries(shares) }, time);
    return letter ? [{ letter, time }] : [];
  });
  if (sign) {
    const band = `${sign} at ${rate < 8 ? "5-8" : rate < 11 ? "8-11" : "11-15"} frames a second`;
    tally[band] ??= { films: 0, named: 0, otherwise: 0 };
    tally[band].films += 1;
    tally[band].named += named.some(({ letter }) => letter === sign) ? 1 : 0;
    tally[band].otherwise += named.filter(({ letter, time }) => letter !== sign || time < from).length;
    if (all && !named.some(({ letter }) => letter === sign)) console.log(`missed ${sign} at ${rate} frames a second`, named);
  } else {
    seconds += frames.length ? frames.at(-1)[0] : 0;
    wrong += named.length;
    if (all && named.length) console.log(`taken for a sign: ${kind}`, named);
  }
}
for (const [band, { films: count, named, otherwise }] of Object.entries(tally).sort()) {
  console.log(`${band}: ${named} of ${count} named, ${otherwise} false`);
}
for (const sign of "JZ") {
  const bands = Object.entries(tally).filter(([band]) => band.startsWith(sign)).map(([, each]) => each);
  const sum = (name) => bands.reduce((total, each) => total + each[name], 0);
  if (bands.length) console.log(`${sign}: ${sum("named")} of ${sum("films")} named, ${sum("otherwise")} false`);
}
if (seconds) console.log(`other signing: ${wrong} false in ${(seconds / 60).toFixed(1)} minutes`);
