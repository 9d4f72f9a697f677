// The service worker: for use without a network, and for more than one thread.

import { remember, remembered } from './memory.js';

const PATIENCE = 4000; // milliseconds, until the page goes on without it

/**
 * Registers the service worker. Resolves to true where the page is about to be loaded again under its control, which
 * happens once, while `isIdle()`; `changed` is called when the folder's files have become others later on.
 */
export async function registered({ changed, isIdle }) {
  const workers = navigator.serviceWorker;
  if (!workers) return false; // neither https nor localhost
  const wasControlled = Boolean(workers.controller);
  try {
    await workers.register('service_worker.js', { updateViaCache: 'none' });
  } catch {
    return false; // no network, or a private window: an older worker may still serve
  }
  if (wasControlled) workers.addEventListener('controllerchange', changed);
  if (self.crossOriginIsolated || remembered('loaded again', 'sessionStorage')) return false;
  if (!wasControlled && !(await controlled(workers))) return false;
  if (!isIdle()) return false;
  if (!remember('loaded again', 'yes', 'sessionStorage')) return false; // or an unisolated page would go round for ever
  window.location.reload();
  return true;
}

function controlled(workers) {
  return new Promise((resolve) => {
    workers.addEventListener('controllerchange', () => resolve(true), { once: true });
    setTimeout(() => resolve(Boolean(workers.controller)), PATIENCE);
  });
}
