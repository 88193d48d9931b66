// Every sentence that the page says, in the visitor's language; see words/en.json for the table.
//
// t("draw.sure", { share: percent(0.97) }) gives a sentence. say(node, key, values) writes it into a node and
// remembers it there, so that setLanguage("zh-TW") can write it anew. HTML does the same by data-t="key".

import { keep, recall } from "./memory.js";

const ATTRIBUTES = { label: "aria-label", title: "title", alt: "alt", placeholder: "placeholder", content: "content" };
const here = typeof document === "undefined" ? null : document;
const embedded = here?.getElementById("words");

let language = here?.documentElement.lang || "en";
let table = embedded ? JSON.parse(embedded.textContent) : {};

/** The sentence of that key, its {places} filled; the key itself where there is none. */
export const t = (key, values = {}) => (key in table ? fill(table[key], values, language, table) : key);

/** Whether there is such a sentence. */
export const known = (key) => key in table;

/** The language of the page, a BCP 47 tag. */
export const currentLanguage = () => language;

/**
 * A sentence with its places filled. One that depends on a number is a table of plural categories, chosen by
 * `values.count`. Numbers are written as the language does, lists as "a, b or c"; a word that has an entry of its own,
 * "place.word", is taken from there; a value that is itself { code, values, error } is said as a sentence.
 */
export function fill(sentence, values, tag, words = {}) {
  const form = typeof sentence === "string" ? sentence : sentence[new Intl.PluralRules(tag).select(values.count)] ?? sentence.other;
  return form.replace(/\{(\w+)\}/g, (place, name) => (name in values ? written(values[name], name, tag, words) : place));
}

function written(value, name, tag, words) {
  if (typeof value === "number") return new Intl.NumberFormat(tag, { maximumSignificantDigits: 12 }).format(value);
  if (name === "labels" && typeof value === "string") value = value.split(/, | or /); // as Python wrote them
  if (Array.isArray(value)) return listed(value.map((each) => written(each, "", tag, words)), tag);
  if (value?.code !== undefined) return value.code in words ? fill(words[value.code], value.values ?? {}, tag, words) : value.error ?? value.code;
  return words[`${name}.${String(value).replaceAll(" ", "_")}`] ?? String(value ?? "");
}

/** "a, b or c", as the language says it. */
export function listed(items, tag = language) {
  const list = new Intl.ListFormat(tag === "en" ? "en-GB" : tag, { type: "disjunction" }).format(items.map(String));
  return list.replace(/(?<=\w)或/, " 或").replace(/或(?=\w)/, "或 "); // Chinese keeps a digit or letter apart
}

/** A share of 0..1 as per cent; one that rounds to all or nothing, but is not, is said to be over or under. */
export function percent(share, digits = 0) {
  const text = (value) => new Intl.NumberFormat(language, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
  const step = 0.5 * 10 ** (-2 - digits);
  if (share < 1 && share > 1 - step) return t("number.over", { share: text(1 - 2 * step) });
  if (share > 0 && share < step) return t("number.under", { share: text(2 * step) });
  return text(share);
}

/** A number as the language writes it, with a real minus sign. */
export const number = (value, options) => new Intl.NumberFormat(language, options).format(value).replace("-", "−");

/** What the server said, { error, code, values }: by its code, or in its own English where there is none. */
export function told({ error = "", code = "", values = {} } = {}) {
  return code in table ? asSentence(t(code, values)) : error;
}

/** A capital letter first, a full stop last. */
function asSentence(text) {
  const stop = /[.!?…:。！？]$/.test(text) ? "" : language.startsWith("zh") ? "。" : ".";
  return text ? text[0].toUpperCase() + text.slice(1) + stop : "";
}

/** Writes a sentence into a node, now and whenever the language changes. An empty key empties it. */
export function say(node, key, values = {}) {
  if (!key) {
    delete node.dataset.t;
    write(node, "");
    return;
  }
  node.dataset.t = key;
  said.set(node, { values, as: (text) => text });
  write(node, t(key, values));
}
const said = new WeakMap(); // node -> the values of its sentence, and what becomes of the text

/** Writes a name into a node: by its code where the table has it, else as it is. */
export function sayName(node, code, name) {
  if (known(code)) say(node, code);
  else write(node, name);
}

/** Writes what the server said into a node, by its code where there is one; null empties it. */
export function sayTold(node, message) {
  if (message?.code && known(message.code)) {
    node.dataset.t = message.code;
    said.set(node, { values: message.values ?? {}, as: asSentence });
  } else delete node.dataset.t;
  write(node, message ? told(message) : "");
}

/** Writing what is there already would make the browser lay the page out again. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Fills data-t, data-t-label, data-t-title, data-t-alt and data-t-placeholder in and below a node. */
export function apply(root) {
  for (const node of root.querySelectorAll("[data-t]")) {
    const { values = {}, as = (text) => text } = said.get(node) ?? {};
    write(node, as(t(node.dataset.t, values)));
  }
  for (const [name, attribute] of Object.entries(ATTRIBUTES)) {
    for (const node of root.querySelectorAll(`[data-t-${name}]`)) node.setAttribute(attribute, t(node.getAttribute(`data-t-${name}`)));
  }
}

/** Turns the page into another language, and remembers it; document then hears the event "language". */
export async function setLanguage(wanted, { remember = true } = {}) {
  table = await load(wanted);
  language = wanted;
  document.documentElement.lang = wanted;
  if (remember) keep("language", wanted);
  apply(document);
  for (const link of document.querySelectorAll("[data-language]")) {
    if (link.dataset.language === wanted) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  document.dispatchEvent(new Event("language"));
}

/** The language this visitor wants, of those there are: by the address, by an earlier choice, by the browser. */
export function wantedLanguage(address, remembered, preferred, available) {
  const match = (tag) => available.find((each) => each.toLowerCase() === tag?.toLowerCase())
    ?? available.find((each) => each.split("-")[0] === tag?.toLowerCase().split("-")[0]);
  for (const tag of [new URL(address).searchParams.get("lang"), remembered, ...preferred]) if (tag && match(tag)) return match(tag);
  return "en";
}

/** Brings the page into the visitor's language, if it was served in another one. */
export async function begin() {
  const available = [...document.querySelectorAll("[data-language]")].map((link) => link.dataset.language);
  const asked = new URL(location.href).searchParams.get("lang");
  const wanted = wantedLanguage(location.href, recall("language"), navigator.languages, available.length ? available : ["en"]);
  if (asked === wanted) keep("language", wanted);
  if (wanted !== language || !embedded) await setLanguage(wanted, { remember: false });
}

async function load(wanted) {
  const reply = await fetch(new URL(`words/${encodeURIComponent(wanted)}.json`, import.meta.url));
  if (!reply.ok) throw new Error(`no table of words for ${wanted}`);
  return reply.json();
}
