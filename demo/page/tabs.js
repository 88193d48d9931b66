// The row of tabs: opened by mouse or keys, named in the address, each tab's script loaded when first opened.

/**
 * `load(folder)` gives the module of a tab, which has mount(root). A tab that cannot be loaded is reported to
 * `failed(panel, error)`. The tabs are those in the HTML: a [role=tab] with data-folder controls its panel.
 */
export function createTabs(row, { load, failed }) {
  const tabs = [...row.querySelectorAll('[role="tab"]')];
  const panelOf = (tab) => document.getElementById(tab.getAttribute("aria-controls"));
  const named = (name) => tabs.find((tab) => tab.id === `tab-${name}`);
  const mounted = new Set();

  async function open(tab, { address = true } = {}) {
    for (const each of tabs) {
      each.setAttribute("aria-selected", String(each === tab));
      each.tabIndex = each === tab ? 0 : -1;
      panelOf(each).hidden = each !== tab;
    }
    const url = addressOf(location.href, nameOf(tab));
    if (address && url !== location.href) history.pushState(null, "", url); // Back leads to the tab before
    if (mounted.has(tab)) return;
    mounted.add(tab);
    try {
      const { mount } = await load(tab.dataset.folder);
      await mount(panelOf(tab));
    } catch (error) {
      mounted.delete(tab); // another click tries again
      failed(panelOf(tab), error);
    }
  }

  row.addEventListener("click", (event) => {
    const tab = event.target.closest('[role="tab"]');
    if (tab) open(tab);
  });
  row.addEventListener("keydown", (event) => {
    const next = nextTab(event.key, tabs.indexOf(document.activeElement), tabs.length);
    if (next === null) return;
    event.preventDefault();
    tabs[next].focus();
    open(tabs[next]);
  });
  return {
    open: (name, how) => open(named(name) ?? tabs[0], how),
    has: (name) => Boolean(named(name)),
  };
}

const nameOf = (tab) => tab.id.replace("tab-", "");

/** The place of the tab that a key goes to, or null: arrows go around, Home and End to the ends. */
export function nextTab(key, at, count) {
  const places = { ArrowRight: (at + 1) % count, ArrowLeft: (at + count - 1) % count, Home: 0, End: count - 1 };
  return at >= 0 && key in places ? places[key] : null;
}

/** The tab that an address names. Links to settings of a training may leave it out. */
export function tabIn(address) {
  const names = new URL(address).searchParams;
  return names.get("tab") ?? (names.has("task") ? "train" : null);
}

/** The address with another tab in it; what belongs to one tab alone does not go along. */
export function addressOf(address, name) {
  const url = new URL(address);
  if (tabIn(address) === name) return url.href;
  const language = url.searchParams.get("lang");
  url.search = "";
  url.searchParams.set("tab", name);
  if (language) url.searchParams.set("lang", language);
  return url.href;
}
