// The tab "Look inside": the picture at the left, the stations as a line at the top, one station below it.

import { createPad } from "../draw/pad.js";
import { apply, number, percent, say, sayTold, t, write } from "../page/words.js";
import { createLab } from "./lab.js";
import { packStrokes, unpackStrokes } from "./link.js";
import { take } from "./open.js";
import { drawPicture, sharp } from "./paint.js";
import { bars, el } from "./parts.js";
import { SAMPLES } from "./samples.js";
import { STATIONS } from "./stations.js";

const SHIPPED = ["lesson", "digits", "signs", "photos"];

export async function mount(root) {
  const $ = (selector) => root.querySelector(selector);
  const lab = createLab();
  const pad = createPad($(".ink"), drawn);
  let open = null; // the station that is shown: { name, node, station }
  let sample = 0;
  let top = null;
  let shown = ""; // of the drawing, so that the address changes only with it

  function drawn() {
    $(".change").classList.toggle("blank", pad.isBlank());
    $('[data-do="undo"]').disabled = !pad.canUndo();
    const strokes = pad.strokes().map(({ points }) => points);
    if (strokes.length || !lab.picture) lab.draw(strokes);
    if (strokes.length) bringNothing();
    if (!pad.drawing()) link();
  }

  function bringNothing() {
    lab.picture = null;
    $(".brought").hidden = true;
  }

  // ---- what the network says

  function view() {
    write($(".given > .problem"), "");
    const { view } = lab;
    const paint = sharp($(".seen canvas"), 112, 112);
    drawPicture(paint, view.pixels, view.shape, 0, 0, 112, 112);
    const answer = view.labels[view.answer];
    const best = view.probabilities.map((share, label) => [share, label]).sort((a, b) => b[0] - a[0]).slice(0, 3);
    write($(".answer-letter"), answer);
    if (!top) $(".verdict .top").replaceChildren((top = bars(best.map(() => ""))));
    top.set(best.map(([share]) => share), best.findIndex(([, label]) => label === view.answer), (share) => percent(share));
    top.querySelectorAll(".bar > span:first-child").forEach((name, place) => write(name, view.labels[best[place][1]]));
    if (!pad.drawing()) write($(".verdict .spoken"), t("inside.answer", { answer, share: percent(best[0][0]) }));
    $(".inside").dataset.state = "seen";
    learned();
    open?.station.show?.();
  }

  function nothing(state) {
    write($(".answer-letter"), "");
    $(".verdict .top").replaceChildren();
    top = null;
    $(".seen canvas").getContext("2d").clearRect(0, 0, 999, 999);
    $(".inside").dataset.state = state;
    open?.station.show?.();
  }

  function learned() {
    $(".learned").hidden = !lab.lessons.length;
    say($(".learned span"), "inside.learned", { count: lab.lessons.length });
  }

  // ---- the stations

  function go(name, focus = false) {
    const known = STATIONS.find((station) => station.name === name) ?? STATIONS.find(({ name: each }) => each === "convolution");
    open?.station.stop?.();
    const node = $(".station");
    node.replaceChildren();
    node.dataset.station = known.name;
    const index = STATIONS.indexOf(known);
    node.append(el("h2", {}, el("span.number", { "aria-hidden": "true" }, String(index + 1)), t(`inside.${known.name}.title`)));
    const body = el("div.body");
    node.append(body, onward(index));
    open = { name: known.name, station: {} };
    open.station = known.mount(body, { ...tools, parameters: lab.parameters }) ?? {};
    for (const item of root.querySelectorAll(".line a")) {
      const here = item.dataset.station === known.name;
      if (here) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
      if (here) item.scrollIntoView({ block: "nearest", inline: "center" });
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
      link(true);
    };
    return el("a", { href: `?tab=inside&station=${name}`, "data-station": name, onclick: follow, ...attributes }, ...children);
  }

  function line() {
    $(".line ol").replaceChildren(
      ...STATIONS.map(({ name }, index) =>
        el("li", {}, stationLink(name, {}, el("span.stop", { "aria-hidden": "true" }, String(index + 1)), el("span.name", {}, t(`inside.${name}.short`)))),
      ),
    );
  }

  // ---- the address

  /** Writes picture, network, station and what the station wants kept into the address. */
  function link(step = false) {
    if (!root.offsetParent || !open) return; // another tab is shown, or nothing yet
    const old = new URL(location.href);
    const url = new URL(old.href.split("?")[0]);
    url.searchParams.set("tab", "inside");
    url.searchParams.set("station", open.name);
    if (lab.network !== "lesson") url.searchParams.set("network", lab.network);
    for (const [name, value] of lab.parameters) url.searchParams.set(name, value);
    if (lab.strokes.length) url.searchParams.set("drawing", packStrokes(lab.strokes));
    if (old.searchParams.has("lang")) url.searchParams.set("lang", old.searchParams.get("lang"));
    if (url.href === old.href) return;
    history[step ? "pushState" : "replaceState"](null, "", url.href);
    shown = url.href;
  }

  /** Shows what the address names. */
  async function read() {
    const asked = new URL(location.href).searchParams;
    lab.parameters = new URLSearchParams([...asked].filter(([name]) => !["tab", "station", "network", "drawing", "lang"].includes(name)));
    const given = take();
    const wanted = given?.network ?? asked.get("network") ?? lab.network;
    if (wanted !== lab.network) Object.assign(lab, { network: wanted, lessons: [] });
    networks();
    go(asked.get("station"));
    const strokes = asked.get("drawing") ? unpackStrokes(asked.get("drawing")) : null;
    if (given) {
      const { pixels, picture } = given;
      lab.picture = pixels ? { pixels } : { picture };
      Object.assign($(".brought"), { src: picture ? `data:image/png;base64,${picture}` : "", hidden: !picture });
      pad.clear();
      lab.look();
    } else if (strokes) pad.put(strokes);
    else if (pad.isBlank() && !lab.picture) pad.put(SAMPLES[0]);
    else lab.look();
  }

  // ---- networks

  let ready = SHIPPED;
  function networks() {
    const select = $(".network");
    const names = [...SHIPPED, ...(lab.network.startsWith("run:") ? [lab.network] : [])];
    const key = (name) => (name.startsWith("run:") ? "run" : name);
    select.replaceChildren(
      ...names.map((name) =>
        el("option", { value: name, selected: name === lab.network, disabled: SHIPPED.includes(name) && !ready.includes(name) }, t(`inside.network.${key(name)}`)),
      ),
    );
    say($(".about"), `inside.about.${key(lab.network)}`);
  }

  $(".network").addEventListener("change", (event) => {
    lab.parameters = new URLSearchParams();
    lab.choose(event.target.value).then(() => go(open.name));
    say($(".about"), `inside.about.${event.target.value.startsWith("run:") ? "run" : event.target.value}`);
    link(true);
  });

  root.addEventListener("click", (event) => {
    const action = event.target.closest("[data-do]")?.dataset.do;
    if (action === "undo") pad.undo();
    if (action === "clear") {
      bringNothing();
      pad.clear();
      lab.look();
    }
    if (action === "another") pad.put(SAMPLES[(sample = (sample + 1) % SAMPLES.length)]);
    if (action === "unlearn") lab.unlearn();
  });
  $(".unfold").addEventListener("click", () => {
    const unfolded = $(".given").classList.toggle("open");
    $(".unfold").setAttribute("aria-expanded", String(unfolded));
    pad.fit();
  });

  lab.addEventListener("view", view);
  lab.addEventListener("blank", () => {
    write($(".given > .problem"), "");
    nothing("blank");
  });
  lab.addEventListener("trouble", ({ detail }) => {
    sayTold($(".given > .problem"), { error: detail.message, code: detail.code, values: detail.values });
    nothing("trouble");
  });
  document.addEventListener("language", () => {
    line();
    networks();
    go(open.name);
  });
  document.addEventListener("see-inside", read);
  window.addEventListener("popstate", () => {
    if (root.offsetParent && location.href !== shown) read();
  });
  const repaint = () => {
    pad.redraw();
    if (lab.view) view();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTimeout(repaint));

  const tools = { lab, link, go: (name) => go(name, true), stationLink };
  apply(root);
  line();
  ready = await lab.ready().catch(() => SHIPPED);
  if (!ready.includes("lesson")) lab.network = ready[0] ?? "digits";
  read();
}
