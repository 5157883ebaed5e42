/** Long work in pieces. */

/** Resolves in a task of its own: the browser answers input and draws in between. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
