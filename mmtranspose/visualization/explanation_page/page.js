// Shows the data that the page carries. maps.js and viewer.js precede it in the same module.

/** What the address asks for: `#keypoint=9` opens the keypoint with that number, from 0 on. */
function addressed() {
  const number = new URLSearchParams(location.hash.slice(1)).get('keypoint') ?? '';
  return /^\d+$/.test(number) ? { keypoint: Number(number) } : {};
}

async function start() {
  offerThemes();
  await view(JSON.parse($('data').textContent), addressed());
  window.explanation = { state, map: () => Array.from(mapOf(layer()), above) }; // for scripts and tests
}

start();
