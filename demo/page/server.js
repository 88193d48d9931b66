// How the page asks its server: relative addresses, and troubles that can be said in any language.

import { known, t } from "./words.js";

/** A trouble as the page says it: an Error with a code of the table and its values. */
export class Trouble extends Error {
  constructor(code, values = {}, error = "") {
    super(known(code) ? t(code, values) : error || code);
    Object.assign(this, { code, values, error: error || this.message });
  }
}

/** An address of the server's, wherever the page is mounted. */
export function address(path) {
  return new URL(path, location.href.split(/[?#]/)[0].replace(/[^/]*$/, ""));
}

/** fetch(), but a server that is away is a Trouble, and so is a refusal: with the server's own code and values. */
export async function ask(path, options = {}, failed = "server.failed") {
  let reply;
  try {
    reply = await fetch(address(path), options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw Object.assign(new Trouble("server.away"), { retry: true });
  }
  if (reply.ok) return reply;
  const said = await reply.json().catch(() => ({}));
  const trouble = said.error ? new Trouble(said.code ?? "", said.values ?? {}, said.error) : new Trouble(failed, { status: reply.status });
  throw Object.assign(trouble, { status: reply.status, retry: reply.status >= 500 });
}

/** Posts an object as JSON. */
export const post = (path, body, options = {}, failed) =>
  ask(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, ...options }, failed);

/** Saves data as a file of the visitor's. */
export function save(name, data, type = "text/csv") {
  const place = URL.createObjectURL(new Blob([data], { type }));
  Object.assign(document.createElement("a"), { href: place, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(place), 10000);
}
