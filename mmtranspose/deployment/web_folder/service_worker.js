// Serves this folder's small files without a network, and lets WebAssembly use several threads: browsers allow these to
// pages with two headers, which a static server does not send. FOLDER precedes: { shell, version, policy }.
// The large files are kept by files.js.

const scope = new URL(self.registration.scope).pathname;
const PREFIX = `mmtranspose shell ${scope} `;
const HEADERS = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Content-Security-Policy': FOLDER.policy,
};
const MARK = '<meta name="generator" content="mmtranspose web">';

self.addEventListener('install', (event) => {
  self.skipWaiting();
  event.waitUntil(keepShell());
});

async function keepShell() {
  const shell = await caches.open(PREFIX + FOLDER.version);
  await shell.addAll(FOLDER.shell.map((name) => new Request(name, { cache: 'reload' })));
}

self.addEventListener('activate', (event) => event.waitUntil(takeOver()));

async function takeOver() {
  for (const name of await caches.keys()) {
    if (name.startsWith(PREFIX) && name !== PREFIX + FOLDER.version) await caches.delete(name);
  }
  await self.clients.claim();
}

self.addEventListener('fetch', (event) => {
  const { pathname, origin } = new URL(event.request.url);
  const name = pathname.slice(scope.length) || 'index.html';
  const isOurs = origin === self.location.origin && pathname.startsWith(scope) && FOLDER.shell.includes(name);
  if (isOurs && event.request.method === 'GET') event.respondWith(answer(event.request, name));
});

/** From the server, so that a changed folder is seen; from what is kept where the server does not answer. */
async function answer(request, name) {
  const response = await fetch(request).catch(() => null);
  if (response) return name === 'index.html' ? ownPage(response) : withHeaders(response, response.body);
  const kept = await (await caches.open(PREFIX + FOLDER.version)).match(name);
  return kept ? withHeaders(kept, kept.body) : Response.error();
}

/** Another program may serve other pages from this address later: those stay as they are, and this worker goes. */
async function ownPage(response) {
  if (!response.ok || response.redirected) return response;
  const text = await response.text();
  if (text.includes(MARK)) return withHeaders(response, text);
  self.registration.unregister();
  return new Response(text, response);
}

function withHeaders(response, body) {
  const headers = new Headers(response.headers);
  headers.delete('Content-Length');
  headers.delete('Content-Encoding');
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(body, { status: response.status, statusText: response.statusText, headers });
}
