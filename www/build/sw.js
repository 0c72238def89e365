// The build puts VERSION, a hash of all files, FILES, their paths, and POLICY, what they may do, in front. Everything is kept at once: the site
// is small, and a mixture of two versions would not run.
const CACHE = `sklens-${VERSION}`;
const home = new URL('./', self.location.href);

self.addEventListener('install', (event) => {
  const urls = ['./', ...FILES].map((name) => new URL(name, home).href);
  // The browser's own cache may hold an earlier version.
  const fresh = urls.map((url) => new Request(url, { cache: 'reload' }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(fresh)));
});

self.addEventListener('activate', (event) => {
  const old = (names) => names.filter((name) => name.startsWith('sklens-') && name !== CACHE);
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(old(names).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

// The engine's worker is bound by the policy of its own script's answer alone, and many hosts send none.
function underPolicy(response) {
  const headers = new Headers(response.headers);
  headers.set('Content-Security-Policy', POLICY);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

self.addEventListener('fetch', (event) => {
  const { method, url } = event.request;
  if (method !== 'GET' || !url.startsWith(home.href)) return;
  event.respondWith(
    caches
      .open(CACHE)
      .then((cache) => cache.match(event.request, { ignoreSearch: true }))
      .then((kept) => (kept ? underPolicy(kept) : fetch(event.request))),
  );
});
