// The tab "Look inside": the picture at the left, the stations as a line at the top, one station below it.

import { apply, t } from "../page/words.js";
import { createGiven } from "./given.js";
import { createLab } from "./lab.js";
import { packStrokes, unpackStrokes } from "./link.js";
import { take } from "./open.js";
import { el } from "./parts.js";
import { LETTERS } from "./hands.js";
import { STATIONS } from "./stations.js";

const OURS = ["tab", "station", "network", "drawing", "hand", "lang"]; // in the address; what else is there, is a station's

export async function mount(root) {
  const $ = (selector) => root.querySelector(selector);
  const lab = createLab();
  const given = createGiven(root, lab, {
    changed: () => link(),
    chosen() {
      go(open.name);
      link(true);
    },
  });
  let open = null; // the station that is shown: { name, station }

  // ---- the stations

  function go(name, focus = false) {
    const known = STATIONS.find((station) => station.name === name) ?? STATIONS.find(({ name: each }) => each === "convolution");
    const index = STATIONS.indexOf(known);
    open?.station.stop?.();
    const node = $(".station");
    const body = el("div.body");
    node.replaceChildren(
      el("h2", {}, el("span.number", { "aria-hidden": "true" }, String(index + 1)), t(`inside.${known.name}.title`)),
      body,
      onward(index),
    );
    node.dataset.station = known.name;
    open = { name: known.name, station: {} };
    open.station = known.mount(body, { lab, link, stationLink, chooseNetwork, parameters: lab.parameters }) ?? {};
    for (const item of root.querySelectorAll(".line a")) {
      const here = item.dataset.station === known.name;
      if (here) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
      if (!here) continue;
      const [row, stop] = [$(".line").getBoundingClientRect(), item.getBoundingClientRect()];
      $(".line").scrollLeft += stop.left + stop.width / 2 - row.left - row.width / 2;
    }
    open.station.show?.();
    if (focus) node.focus({ preventScroll: true });
  }

  function onward(index) {
    const to = (by, key) => {
      const station = STATIONS[index + by];
      return station && stationLink(station.name, { class: key }, t(`inside.${key}`, { station: t(`inside.${station.name}.title`) }));
    };
    return el("nav.onward", { "aria-label": t("inside.onward") }, to(-1, "back"), to(1, "next"));
  }

  function stationLink(name, attributes, ...children) {
    const follow = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      lab.parameters = new URLSearchParams();
      go(name, true);
      given.suit(name);
      link(true);
      if ($(".station").getBoundingClientRect().top < 0) $(".station").scrollIntoView();
    };
    return el("a", { href: `?tab=inside&station=${name}`, "data-station": name, onclick: follow, ...attributes }, ...children);
  }

  async function chooseNetwork(network) {
    await given.choose(network);
    $(".station").focus({ preventScroll: true }); // the button that was pressed is gone
  }

  function line() {
    $(".line ol").replaceChildren(
      ...STATIONS.map(({ name }, index) =>
        el("li", {}, stationLink(name, {}, el("span.stop", { "aria-hidden": "true" }, String(index + 1)), el("span.name", {}, t(`inside.${name}.short`)))),
      ),
    );
  }

  // ---- the address

  /** Writes picture, network, station and what the station wants kept into the address; a `step` can be gone back from. */
  function link(step = false) {
    if (!root.offsetParent || !open) return; // another tab is shown, or nothing yet
    const old = new URL(location.href);
    const url = new URL(old.href.split("?")[0]);
    url.searchParams.set("tab", "inside");
    url.searchParams.set("station", open.name);
    if (lab.network !== "lesson") url.searchParams.set("network", lab.network);
    for (const [name, value] of lab.parameters) url.searchParams.set(name, value);
    if (lab.strokes.length) url.searchParams.set("drawing", packStrokes(lab.strokes));
    if (lab.hand) url.searchParams.set("hand", lab.hand);
    if (old.searchParams.has("lang")) url.searchParams.set("lang", old.searchParams.get("lang"));
    if (url.href !== old.href) history[step ? "pushState" : "replaceState"](null, "", url.href);
  }

  /** Shows what the address names, and what another tab has brought. */
  function read() {
    const asked = new URL(location.href).searchParams;
    lab.parameters = new URLSearchParams([...asked].filter(([name]) => !OURS.includes(name)));
    const brought = take();
    const wanted = brought?.network ?? asked.get("network") ?? lab.network;
    if (wanted !== lab.network) Object.assign(lab, { network: wanted, lessons: [] });
    given.networks();
    go(asked.get("station"));
    if (brought) given.bring(brought);
    else if (LETTERS.includes(asked.get("hand")) && ["signs", "photos"].includes(wanted)) given.bringHand(asked.get("hand"));
    else given.draw(asked.has("drawing") ? unpackStrokes(asked.get("drawing")) : null, open.name);
  }

  for (const name of ["view", "blank", "trouble"]) lab.addEventListener(name, () => open?.station.show?.());
  document.addEventListener("language", () => {
    line();
    given.networks();
    given.repaint();
    go(open.name);
  });
  document.addEventListener("see-inside", read);
  window.addEventListener("popstate", () => {
    if (root.offsetParent && new URL(location.href).searchParams.get("tab") === "inside") read();
  });
  matchMedia("screen and (prefers-color-scheme: dark)").addEventListener("change", () => {
    given.repaint();
    open?.station.show?.();
  });

  apply(root);
  line();
  read(); // the station and its words at once: a server that has to load torch first answers seconds later
  if (await given.begin()) read();
}
