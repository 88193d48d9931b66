// Try: one's own drawing or photo, read by a run's network beside the shipped one.

function createTry(root, runs) {
  const area = root.querySelector(".try");
  const find = (selector) => area.querySelector(selector);
  const choice = find("select");
  let pad = null;
  let photo = null;
  let asked = 0;
  let later = 0;
  const columns = { own: find(".own"), shipped: find(".shipped") };

  const chosen = () => runs().find((run) => String(run.number) === choice.value);

  /** The runs whose networks are there; the newest is chosen unless somebody chose another. */
  function show(newest) {
    const able = runs().filter((run) => run.kept);
    const before = choice.value;
    area.hidden = !able.length;
    choice.replaceChildren(...able.toReversed().map((run) => new Option(`Run ${run.number}, ${bestOf(run)}`, run.number)));
    if (!newest && able.some((run) => String(run.number) === before)) choice.value = before;
    if (able.length) changed();
  }

  function changed() {
    const digits = chosen().settings.task === "mnist";
    find(".pad").hidden = !digits;
    find(".photo").hidden = digits;
    if (digits && !pad) pad = createPad(find("canvas"), drawn);
    ask();
  }

  function drawn() {
    find(".prompt").hidden = !pad.isBlank();
    clearTimeout(later);
    later = setTimeout(ask, 90);
  }

  async function ask() {
    const run = chosen();
    const mine = ++asked;
    const digits = run.settings.task === "mnist";
    const body = digits ? (pad.isBlank() ? null : drawing()) : photo;
    find(".trouble").textContent = "";
    if (!body) return fill({});
    try {
      const reply = await fetch(address(`train/try?run=${run.id}`), { method: "POST", body });
      const answer = await reply.json().catch(() => ({}));
      if (mine !== asked) return; // overtaken by a newer drawing
      if (!reply.ok) throw new Error(answer.error || "The server could not read this.");
      fill(answer);
    } catch (error) {
      if (mine !== asked) return;
      fill({});
      find(".trouble").textContent = error.message;
    }
  }

  function drawing() {
    const strokes = pad.strokes().map((stroke) => simplify(stroke.points));
    return JSON.stringify({ strokes, size: [SHEET.width, SHEET.height] });
  }

  function fill(answers) {
    for (const [name, column] of Object.entries(columns)) answer(column, answers[name]);
    area.dataset.answer = columns.own.querySelector(".letter").textContent;
  }

  function answer(column, { readings = [], error = "" } = {}) {
    const labels = CHOICES.tasks[chosen().settings.task].labels;
    column.querySelector(".letter").textContent = readings.map((reading) => reading.label ?? "?").join("");
    column.querySelector(".note").textContent = error || readings.at(-1)?.note || "";
    const top = Object.fromEntries(readings.at(-1)?.top ?? []);
    const best = readings.at(-1)?.top[0]?.[0];
    column.querySelector(".bars").replaceChildren(...(labels.length > 12 ? (readings.at(-1)?.top ?? []).slice(0, 8).map(([label]) => label) : labels).map((label) => {
      const bar = document.createElement("div");
      bar.className = "bar" + (label === best ? " best" : "");
      bar.innerHTML = '<span></span><span class="track"><i></i></span><span class="value"></span>';
      bar.children[0].textContent = label;
      bar.querySelector("i").style.width = 100 * (top[label] ?? 0) + "%";
      bar.children[2].textContent = top[label] >= 0.005 ? Math.round(100 * top[label]) + " %" : "";
      return bar;
    }));
  }

  choice.addEventListener("change", changed);
  find('[data-try="clear"]').addEventListener("click", () => pad?.clear());
  find("input[type=file]").addEventListener("change", ({ target }) => {
    photo = target.files[0] ?? photo;
    if (!photo) return;
    const shown = find(".photo img");
    URL.revokeObjectURL(shown.src);
    shown.src = URL.createObjectURL(photo);
    shown.hidden = false;
    ask();
  });
  return { show, choose(run) { choice.value = run.number; changed(); area.scrollIntoView({ behavior: "smooth", block: "nearest" }); }, redraw: () => pad?.redraw() };
}
