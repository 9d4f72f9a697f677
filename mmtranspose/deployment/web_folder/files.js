// Large files of the folder: fetched once, with progress, checked, and kept for use without a network.

const canCheck = Boolean(self.crypto?.subtle); // as below, on https and localhost only
const scope = new URL('.', self.location.href).pathname;
const address = ({ name, sha256 }) => `${name}?${sha256.slice(0, 16)}`;

/** The cache of this folder; null where the browser has none, or the user has blocked site data. */
async function storage() {
  try {
    return await self.caches.open(`mmtranspose files ${scope}`);
  } catch {
    return null;
  }
}

/** The bytes of one file, as an ArrayBuffer; `tell` is given the number of bytes whenever some more have come. */
export async function fetched(file, tell) {
  const files = await storage();
  const kept = await files?.match(address(file));
  if (kept) {
    const bytes = await kept.arrayBuffer();
    tell(file.bytes);
    if (await isWhole(bytes, file)) return bytes;
  }
  const bytes = await download(file, tell);
  if (!(await isWhole(bytes, file))) throw new Error(`${file.name} came damaged or is another file: load this page again`);
  await files?.put(address(file), new Response(bytes)).catch(() => {}); // the disk is full
  return bytes;
}

async function download(file, tell) {
  const response = await fetch(address(file)).catch(() => null);
  if (!response?.ok) throw new Error(`${file.name} cannot be loaded (${response?.status ?? 'no network'})`);
  const bytes = new Uint8Array(file.bytes);
  let length = 0;
  for (const reader = response.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (length + value.length > bytes.length) throw new Error(`${file.name} is another file: load this page again`);
    bytes.set(value, length);
    length += value.length;
    tell(length);
  }
  if (length < bytes.length) throw new Error(`${file.name} came incomplete: load this page again`);
  return bytes.buffer;
}

async function isWhole(bytes, { bytes: size, sha256 }) {
  if (bytes.byteLength !== size) return false;
  if (!canCheck) return true;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('') === sha256;
}

/** Deletes kept files that the folder no longer has; says whether the rest are all there. */
export async function tidy(wanted, all) {
  const files = await storage();
  if (!files) return false;
  const known = all.map((file) => new URL(address(file), self.location.href).href);
  for (const { url } of await files.keys()) if (!known.includes(url)) await files.delete(url);
  return (await Promise.all(wanted.map((file) => files.match(address(file))))).every(Boolean);
}
