/** What the browser remembers for this page; nothing where its visitor forbids that, and then reading itself throws. */

export function recall(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Forgotten with the page where the browser does not allow it or has no room. */
export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    return;
  }
}
