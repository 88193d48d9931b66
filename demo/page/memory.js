// What the page remembers between visits: choices of the visitor, in this browser only.

const PREFIX = "digits-and-signs.";

/** What was kept under a name, a string; null where there is nothing, or where the browser allows no memory. */
export function recall(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

/** Keeps a string under a name. Where the browser does not allow it, it lasts as long as the page. */
export function keep(name, value) {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // not allowed
  }
}
