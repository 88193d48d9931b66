// The settings: what is chosen, what the recipe says, the layers of the network, and the link that carries it all.

import { address, post } from "../page/server.js";
import { known, number as written, say, sayName, sayTold, t, write } from "../page/words.js";

const FIELDS = ["network", "epochs", "batch_size", "learning_rate", "optimizer", "schedule", "augment", "share", "seed"];
const LINK_NAMES = { learning_rate: "lr", batch_size: "batch" }; // shorter in links
const FIRST = "sprint"; // the recipe of the first run, where a task has it: good, and over in seconds

/** `choices` is what the server offers; missing(message) hears that a task has no images, or null that it has. */
export function createForm(root, choices, { missing, started }) {
  const form = root.querySelector(".columns");
  const field = (name) => form.elements[name];
  const editor = form.querySelector(".editor");
  const wrong = form.querySelector(".wrong");
  let asked = 0;
  let later = 0;

  const chosen = (name) => form.querySelector(`[data-name="${name}"] input:checked`)?.value;
  const task = () => choices.tasks[chosen("task")];
  const recipe = () => task().recipes[chosen("recipe")];
  const networkKey = (name) => {
    // where the lesson's recipe and ours share a network, it is the lesson's
    const of = Object.keys(task().recipes).findLast((key) => task().recipes[key].network === name);
    return name === "custom" ? "network.custom" : `network.${of}`;
  };

  function offer(name, keys, value) {
    form.querySelector(`[data-name="${name}"]`).replaceChildren(...keys.map((key) => {
      const label = document.createElement("label");
      const input = Object.assign(document.createElement("input"), { type: "radio", name: "train-" + name, value: key, checked: key === value });
      const title = document.createElement("span");
      sayName(title, `${name}.${key}`, key);
      label.append(input, title);
      return label;
    }));
  }

  function fill(select, values, keyOf) {
    select.replaceChildren(...values.map((value) => {
      const option = new Option("", value);
      sayName(option, keyOf(value), value);
      return option;
    }));
  }

  function setTask(name) {
    offer("task", Object.keys(choices.tasks), name);
    const { recipes, networks } = task();
    offer("recipe", Object.keys(recipes), FIRST in recipes ? FIRST : Object.keys(recipes)[0]);
    fill(field("network"), networks, networkKey);
    setRecipe();
    showData(name);
  }

  /** Has the server make the images ready, and says so where there are none. */
  async function showData(name) {
    const note = form.querySelector(".data-note");
    say(note, "");
    const slow = setTimeout(() => say(note, "train.data.looking"), 1000);
    const reply = await fetch(address("train/data?task=" + name)).then((reply) => reply.json(), () => ({}));
    clearTimeout(slow);
    if (chosen("task") !== name) return;
    say(note, reply.error ? "train.data.missing" : reply.rendered ? "train.data.rendered" : "");
    missing(reply.error ? reply : null);
  }

  function setRecipe() {
    const values = recipe();
    sayTold(form.querySelector(".explanation"), { code: `recipe.${chosen("task")}.${chosen("recipe")}`, error: values.explanation });
    for (const name of FIELDS) if (name in values) put(name, values[name]);
    update();
  }

  function put(name, value) {
    field(name).value = name === "share" ? Math.round(100 * value) : value;
  }

  /** A field's number; what is no number goes to the server as it is, which says what is wrong with it. */
  function number(name) {
    const text = field(name).value.trim().replace(",", ".");
    return text !== "" && Number.isFinite(+text) ? +text : text;
  }

  const channelsOf = () => field("channels").value.split(/[\s,;]+/).filter(Boolean);

  function options() {
    const channels = channelsOf().map((text) => (Number.isFinite(+text) ? +text : text));
    return { channels, kernel: number("kernel"), batchnorm: field("batchnorm").checked, dropout: number("dropout"), hidden: number("hidden") };
  }

  function read() {
    const settings = { task: chosen("task"), recipe: chosen("recipe") };
    for (const name of FIELDS) settings[name] = field(name).tagName === "SELECT" ? field(name).value : number(name);
    settings.share /= 100;
    if (settings.network === "custom") settings.options = options();
    if (field("gpu").checked) settings.gpu = true;
    return settings;
  }

  function update() {
    form.elements["share-text"].value = written(field("share").value / 100, { style: "percent" });
    editor.hidden = field("network").value !== "custom";
    clearTimeout(later);
    later = setTimeout(showLayers, 120);
  }

  async function showLayers() {
    const mine = ++asked;
    const settings = read();
    const body = choices.gpu ? { ...settings, gpu: true } : { task: settings.task, network: settings.network, options: settings.options };
    const reply = await post("train/layers", body, {}, "train.failed").then((reply) => reply.json()).catch((error) => error);
    if (mine !== asked) return; // overtaken
    const failed = reply instanceof Error;
    sayTold(wrong, failed ? reply : null);
    form.querySelector(".layers").classList.toggle("stale", failed);
    if (choices.gpu) say(form.querySelector(".gpu-cost"), failed ? "" : "train.gpu.cost", { seconds: reply.gpu_seconds });
    say(form.querySelector(".size"), failed ? "" : "train.layers.size", { count: reply.parameters });
    if (!failed) form.querySelector(".layers").replaceChildren(layerTable(reply));
    root.dataset.layers = failed ? "wrong" : reply.parameters;
  }

  /** The number of blocks and the list of channels say the same thing twice: each follows the other. */
  function blocksChanged() {
    const wanted = Math.round(+field("blocks").value);
    if (!(wanted >= 1 && wanted <= 8)) return;
    const channels = channelsOf().slice(0, wanted);
    while (channels.length < wanted) channels.push(Math.min(512, 2 * (+channels.at(-1) || 16)));
    field("channels").value = channels.join(", ");
  }

  function link() {
    const url = new URL(location.href.split(/[?#]/)[0]);
    const settings = read();
    const usual = recipe();
    url.searchParams.set("tab", "train");
    for (const [name, value] of Object.entries(settings)) {
      if (name === "options") for (const [key, each] of Object.entries(value)) url.searchParams.set(key, Array.isArray(each) ? each.join("-") : each);
      else if (value !== usual[name]) url.searchParams.set(LINK_NAMES[name] ?? name, value);
    }
    return url.href;
  }

  function follow(search) {
    const wanted = new URLSearchParams(search);
    setTask(wanted.get("task") in choices.tasks ? wanted.get("task") : Object.keys(choices.tasks)[0]);
    const preset = wanted.get("recipe");
    if (preset in task().recipes) {
      form.querySelector(`[data-name="recipe"] input[value="${preset}"]`).checked = true;
      setRecipe();
    }
    for (const name of FIELDS) {
      const value = wanted.get(LINK_NAMES[name] ?? name) ?? wanted.get(name);
      if (value === null) continue;
      if (field(name).tagName === "SELECT" && ![...field(name).options].some((option) => option.value === value)) continue;
      put(name, value);
    }
    for (const name of ["channels", "kernel", "dropout", "hidden"]) if (wanted.has(name)) field(name).value = wanted.get(name).replaceAll("-", ", ");
    if (wanted.has("channels")) field("blocks").value = channelsOf().length;
    if (wanted.has("batchnorm")) field("batchnorm").checked = wanted.get("batchnorm") !== "false";
    if (field("network").value === "custom") form.querySelector(".network").open = true;
    update();
  }

  for (const each of form.querySelectorAll(".gpu")) each.hidden = !choices.gpu;
  fill(field("optimizer"), choices.optimizers, (name) => `optimizer.${name}`);
  fill(field("schedule"), choices.schedules, (name) => `schedule.${name}`);
  fill(field("augment"), choices.augmentations, (name) => `augment.${name}`);
  form.addEventListener("input", ({ target }) => {
    if (!target.name) return;
    if (target.name === "train-task") setTask(target.value);
    else if (target.name === "train-recipe") setRecipe();
    else if (target.name === "blocks") blocksChanged();
    else if (target.name === "channels") field("blocks").value = channelsOf().length;
    else if (target.name === "network" && target.value === "custom") form.querySelector(".network").open = true;
    update();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches("input:not([type=checkbox])")) return;
    event.preventDefault();
    started();
  });
  document.addEventListener("language", update);
  return { read, link, follow };
}

function layerTable({ rows, parameters }) {
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const key of ["train.layers.layer", "train.layers.output", "train.layers.parameters"]) {
    head.append(Object.assign(document.createElement("th"), { textContent: t(key), scope: "col" }));
  }
  head.lastChild.className = "number";
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    const [name, kernel] = row.layer.replace("->", " → ").split(", ");
    write(line.insertCell(), name);
    if (kernel) line.cells[0].append(Object.assign(document.createElement("small"), { textContent: kernelInWords(kernel) }));
    const output = line.insertCell();
    output.append(Object.assign(document.createElement("span"), { textContent: row.output.join(" × ") }));
    if (row.formula) output.append(Object.assign(document.createElement("small"), { textContent: row.formula.replaceAll("*", " × ").replaceAll("-", "−") }));
    Object.assign(line.insertCell(), { className: "number", textContent: row.parameters ? written(row.parameters) : "" });
  }
  const last = body.insertRow();
  write(last.insertCell(), t("train.layers.all"));
  last.insertCell();
  Object.assign(last.insertCell(), { className: "number", textContent: written(parameters) });
  return table;
}

const kernelInWords = (kernel) => kernel.replace(/^kernel (.*)$/, (text, size) => (known("train.layers.kernel") ? t("train.layers.kernel", { size }) : text));
