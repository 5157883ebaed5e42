/** Light or dark: what the visitor chose, or else what the system says. */

export type Theme = "auto" | "light" | "dark";
const KEY = "doppel-theme";

/** The visitor's choice. */
export function theme(): Theme {
  try {
    const chosen = localStorage.getItem(KEY);
    return chosen === "light" || chosen === "dark" ? chosen : "auto";
  } catch {
    return "auto";
  }
}

/** Chooses, and remembers it where the browser lets the page do so. */
export function setTheme(chosen: Theme): void {
  document.documentElement.dataset["theme"] = chosen;
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // It holds until the page is left.
  }
}
