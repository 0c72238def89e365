/** The page's side of its Content-Security-Policy. */

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL: (url: string) => string }): unknown;
}

/** Under Trusted Types scripts of workers may only come from this site, and nothing else may become a script or markup. */
export function trustOwnScripts(): void {
  const { trustedTypes } = window as unknown as { trustedTypes?: TrustedTypes };
  trustedTypes?.createPolicy('default', { createScriptURL: ownScript });
}

/** `url` if it is this site's; throws otherwise. */
export function ownScript(url: string): string {
  if (new URL(url, document.baseURI).origin !== new URL(document.baseURI).origin) {
    throw new TypeError(`the script ${url} is not this site's`);
  }
  return url;
}

/** Keeps the site for use without a network, where it was built for that. */
export function keepOffline(): void {
  if (!import.meta.env.VITE_OFFLINE || !('serviceWorker' in navigator)) return;
  // A browser may refuse, for example in a private window: the page then needs the network each time.
  void navigator.serviceWorker.register(new URL('sw.js', document.baseURI).href).catch(() => undefined);
}
