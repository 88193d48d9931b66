// Starts the page: its language, its tabs, and what is around them.

import { seeInside } from "../inside/open.js";
import { address } from "./server.js";
import { createTabs, tabIn } from "./tabs.js";
import { begin, say, setLanguage } from "./words.js";

await begin();

const tabs = createTabs(document.querySelector('[role="tablist"]'), {
  load: (folder) => import(`../${folder}/${folder}.js`),
  failed(panel, error) {
    console.error(error);
    const trouble = panel.querySelector(":scope > .problem") ?? Object.assign(document.createElement("p"), { className: "problem" });
    trouble.setAttribute("role", "alert");
    panel.prepend(trouble);
    say(trouble, "page.broken");
  },
});
const openNamed = () => tabs.open(tabIn(location.href) ?? "draw", { address: false });
addEventListener("popstate", openNamed); // before the tabs' own listeners: they look whether they are shown
openNamed();

document.querySelector(".languages").addEventListener("click", (event) => {
  const link = event.target.closest("[data-language]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const url = new URL(location.href);
  url.searchParams.set("lang", link.dataset.language);
  history.replaceState(null, "", url.href);
  setLanguage(link.dataset.language);
});

// a file that is dropped beside a pad must not take the page's place
for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());

document.addEventListener("click", async (event) => {
  const how = event.target.closest("a[data-inside]");
  if (how && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    seeInside({ station: how.dataset.inside, network: how.dataset.network });
  }
  const opener = event.target.closest("[data-open]");
  if (opener) document.getElementById(opener.dataset.open).showModal();
  const button = event.target.closest("[data-share]");
  if (!button) return;
  // the tab that is open adds what it shows: a drawing, settings
  const seen = { url: new URL(location.href) };
  document.dispatchEvent(new CustomEvent("share", { detail: seen }));
  const url = seen.url.href;
  const shared = await (navigator.share?.({ title: document.title, url }) ?? navigator.clipboard.writeText(url))
    .then(() => true, () => false);
  if (!shared || navigator.share) return;
  say(button, "page.copied");
  setTimeout(() => say(button, "page.share"), 1500);
});

const SAMPLES = {
  python: (url) => `from gradio_client import Client, handle_file

api = Client("${url}")
print(api.predict(handle_file("digit.png"), api_name="/digit"))
print(api.predict(handle_file("hand.jpg"), api_name="/sign"))`,
  train: (url) => `from gradio_client import Client

for event in Client("${url}").submit({"task": "mnist", "recipe": "sprint"}, api_name="/train"):
    print(event)`,
  strokes: (url) => `curl ${url}read/strokes -H "Content-Type: application/json" \\
  -d '{"strokes": [[300, 100, 300, 400]], "size": [600, 480]}'`,
};
for (const sample of document.querySelectorAll("[data-sample]")) sample.textContent = SAMPLES[sample.dataset.sample](address("").href);
