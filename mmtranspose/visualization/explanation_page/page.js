// Shows the data that the page carries. maps.js and viewer.js precede it in the same module.

async function start() {
  offerThemes();
  await view(JSON.parse($('data').textContent));
  window.explanation = { state, map: () => Array.from(mapOf(layer()), above) }; // for scripts and tests
}

start();
