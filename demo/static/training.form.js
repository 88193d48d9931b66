// The settings: what is chosen, what the recipe says, the layers of the network, and the link that carries it all.

const FIELDS = ["network", "epochs", "batch_size", "learning_rate", "optimizer", "schedule", "augment", "share", "seed"];
const LINK_NAMES = { learning_rate: "lr", batch_size: "batch" }; // shorter in links
const TASK_TITLES = { mnist: "Digits", asl: "Hand signs" };
const TITLES = { best: "Best", sprint: "Sprint", lesson: "The lesson’s", custom: "My own…" };
const NETWORK_TITLES = { best: "Our network", sprint: "Our smallest network", lesson: "The lesson’s network" };

function createForm(root, { missing }) {
  const form = root.querySelector(".settings");
  const field = (name) => form.elements[name];
  const editor = form.querySelector(".editor");
  const wrong = form.querySelector(".wrong");
  let asked = 0;
  let later = 0;

  const chosen = (name) => form.querySelector(`[data-name="${name}"] input:checked`)?.value;
  const task = () => CHOICES.tasks[chosen("task")];
  const recipe = () => task().recipes[chosen("recipe")];

  function offer(name, choices, value) {
    const rows = Object.entries(choices).map(([key, title]) => {
      const label = document.createElement("label");
      const input = Object.assign(document.createElement("input"), { type: "radio", name: "train-" + name, value: key, checked: key === value });
      label.append(input, Object.assign(document.createElement("span"), { textContent: title }));
      return label;
    });
    form.querySelector(`[data-name="${name}"]`).replaceChildren(...rows);
  }

  function fill(select, values, title = (value) => value) {
    select.replaceChildren(...values.map((value) => new Option(title(value), value)));
  }

  function networkTitle(name) {
    const { recipes } = task();
    if (name === "custom") return TITLES.custom;
    // where the lesson's recipe and ours share a network, it is the lesson's
    const recipe = Object.keys(recipes).findLast((key) => recipes[key].network === name);
    return NETWORK_TITLES[recipe] ?? name;
  }

  function setTask(name) {
    offer("task", Object.fromEntries(Object.keys(CHOICES.tasks).map((key) => [key, TASK_TITLES[key] ?? key])), name);
    const { recipes, networks } = task();
    offer("recipe", Object.fromEntries(Object.keys(recipes).map((key) => [key, TITLES[key] ?? key])), Object.keys(recipes)[0]);
    fill(field("network"), networks, networkTitle);
    setRecipe();
    showData(name);
  }

  /** Has the server make the images ready, and says so where there are none. */
  async function showData(name) {
    const note = form.querySelector(".data-note");
    note.textContent = "";
    const slow = setTimeout(() => (note.textContent = "Looking for the images…"), 1000);
    const reply = await fetch(address("train/data?task=" + name)).then((reply) => reply.json(), () => ({}));
    clearTimeout(slow);
    if (chosen("task") !== name) return;
    note.textContent = reply.error ? "Its images are not on this machine." : "";
    missing(reply.error ?? "");
    root.dataset.data = reply.error ? "missing" : "ready";
  }

  function setRecipe() {
    const values = recipe();
    form.querySelector(".explanation").textContent = values.explanation;
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

  function options() {
    const channels = field("channels").value.split(/[\s,;]+/).filter(Boolean).map((text) => (Number.isFinite(+text) ? +text : text));
    return { channels, kernel: number("kernel"), batchnorm: field("batchnorm").checked, dropout: number("dropout"), hidden: number("hidden") };
  }

  function read() {
    const settings = { task: chosen("task"), recipe: chosen("recipe") };
    for (const name of FIELDS) settings[name] = field(name).tagName === "SELECT" ? field(name).value : number(name);
    settings.share /= 100;
    if (settings.network === "custom") settings.options = options();
    return settings;
  }

  function update() {
    form.elements["share-text"].value = field("share").value + " %";
    editor.hidden = field("network").value !== "custom";
    clearTimeout(later);
    later = setTimeout(showLayers, 120);
  }

  async function showLayers() {
    const mine = ++asked;
    const settings = read();
    const reply = await ask("train/layers", { task: settings.task, network: settings.network, options: settings.options }).catch((error) => error);
    if (mine !== asked) return; // overtaken
    const failed = reply instanceof Error;
    wrong.textContent = failed ? reply.message : "";
    form.querySelector(".layers").classList.toggle("stale", failed);
    form.querySelector(".size").textContent = failed ? "" : `${reply.parameters.toLocaleString("en")} parameters`;
    if (!failed) form.querySelector(".layers").replaceChildren(layerTable(task(), reply));
    root.dataset.layers = failed ? "wrong" : reply.parameters;
  }

  /** The number of blocks and the list of channels say the same thing twice: each follows the other. */
  function blocksChanged() {
    const wanted = Math.round(+field("blocks").value);
    if (!(wanted >= 1 && wanted <= 8)) return;
    const channels = field("channels").value.split(/[\s,;]+/).filter(Boolean).slice(0, wanted);
    while (channels.length < wanted) channels.push(Math.min(512, 2 * (+channels.at(-1) || 16)));
    field("channels").value = channels.join(", ");
  }

  function link() {
    const address = new URL(location.href.split(/[?#]/)[0]);
    const settings = read();
    const usual = { ...recipe(), seed: 0 };
    for (const [name, value] of Object.entries(settings)) {
      if (name === "options") for (const [key, each] of Object.entries(value)) address.searchParams.set(key, Array.isArray(each) ? each.join("-") : each);
      else if (value !== usual[name]) address.searchParams.set(LINK_NAMES[name] ?? name, value);
    }
    return address.href;
  }

  function follow(search) {
    const wanted = new URLSearchParams(search);
    setTask(wanted.get("task") in CHOICES.tasks ? wanted.get("task") : Object.keys(CHOICES.tasks)[0]);
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
    if (wanted.has("channels")) field("blocks").value = field("channels").value.split(",").length;
    if (wanted.has("batchnorm")) field("batchnorm").checked = wanted.get("batchnorm") !== "false";
    if (field("network").value === "custom") form.querySelector(".network").open = true;
    update();
  }

  fill(field("optimizer"), CHOICES.optimizers);
  fill(field("schedule"), CHOICES.schedules);
  fill(field("augment"), CHOICES.augmentations);
  form.addEventListener("input", ({ target }) => {
    if (target.name === "train-task") setTask(target.value);
    else if (target.name === "train-recipe") setRecipe();
    else if (target.name === "blocks") blocksChanged();
    else if (target.name === "channels") field("blocks").value = target.value.split(/[\s,;]+/).filter(Boolean).length;
    else if (target.name === "network" && target.value === "custom") form.querySelector(".network").open = true;
    update();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  return { read, link, follow, task, title: () => task().title };
}

function layerTable(task, { rows, parameters }) {
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const title of ["Layer", "Output", "Parameters"]) head.append(Object.assign(document.createElement("th"), { textContent: title, scope: "col" }));
  head.lastChild.className = "number";
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    const [name, kernel] = row.layer.replace("->", " → ").split(", ");
    line.insertCell().textContent = name;
    if (kernel) line.cells[0].append(Object.assign(document.createElement("small"), { textContent: kernel }));
    const output = line.insertCell();
    output.textContent = row.output.join(" × ");
    if (row.formula) output.append(Object.assign(document.createElement("small"), { textContent: row.formula.replaceAll("*", " × ").replaceAll("-", "−") }));
    Object.assign(line.insertCell(), { className: "number", textContent: row.parameters ? row.parameters.toLocaleString("en") : "" });
  }
  const last = body.insertRow();
  last.insertCell().textContent = "In all";
  last.insertCell();
  Object.assign(last.insertCell(), { className: "number", textContent: parameters.toLocaleString("en") });
  return table;
}
