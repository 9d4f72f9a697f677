// Runs the exported files with onnxruntime-web, away from the page, which therefore never freezes.
// Each message is { id, task, ... }; the answer is { id, result } or { id, error }; { progress } comes in between.

import { fetched, tidy } from './files.js';

let runtime = null; // onnxruntime-web
let pose = null;
let detector = null;
let image = null; // a tensor (H, W, 3), uint8, RGB

const TASKS = {
  load,
  image: async ({ bitmap }) => { image = pixels(bitmap); },
  pose: async ({ boxes }) => numbers(await pose.run({ image, boxes: new runtime.Tensor('float32', boxes, [boxes.length / 4, 4]) })),
  detect: async () => numbers(await detector.run({ image })),
};

/** Loads runtime and files; falls back to WebAssembly where WebGPU cannot run them. */
async function load({ folder, backend }) {
  const hasGpu = Boolean(await navigator.gpu?.requestAdapter().catch(() => null));
  const wanted = backend || (hasGpu ? 'webgpu' : 'wasm');
  try {
    return { hasGpu, ...(await loadOn(wanted, folder)) };
  } catch (error) {
    if (wanted === 'wasm') throw error;
    return { hasGpu, ...(await loadOn('wasm', folder)), instead: error.message };
  }
}

async function loadOn(backend, folder) {
  const { script, binary } = folder.runtime[backend];
  const files = [binary, folder.model, ...(folder.detector ? [folder.detector] : [])];
  const [wasmBinary, ...models] = await withProgress(files);
  runtime = await import(`./${script}`);
  Object.assign(runtime.env.wasm, { wasmBinary, numThreads: threads() });
  runtime.env.logLevel = 'error';
  [pose, detector] = [];
  for (const bytes of models) {
    const session = await runtime.InferenceSession.create(bytes, { executionProviders: [backend], logSeverityLevel: 3 });
    if (pose) detector = session;
    else pose = session;
  }
  await warmUp();
  const all = [folder.model, folder.detector, ...Object.values(folder.runtime).map((one) => one.binary)];
  const isKept = await tidy(files, all.filter(Boolean)).catch(() => false);
  return { backend, threads: threads(), isKept };
}

/** Where there are many cores, half of them are slow ones or twins of others. */
function threads() {
  const cores = navigator.hardwareConcurrency || 1;
  return self.crossOriginIsolated ? Math.min(cores > 4 ? Math.ceil(cores / 2) : cores, 8) : 1;
}

/** Fetches files side by side, and tells the page how many bytes of how many have come. */
async function withProgress(files) {
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const come = files.map(() => 0);
  return Promise.all(files.map((file, index) => fetched(file, (length) => {
    come[index] = length;
    postMessage({ progress: { come: come.reduce((sum, each) => sum + each), total } });
  })));
}

/** The first run prepares memory and shaders, and shows whether the device computes numbers at all. */
async function warmUp() {
  const black = new runtime.Tensor('uint8', new Uint8Array(32 * 32 * 3), [32, 32, 3]);
  const boxes = new runtime.Tensor('float32', Float32Array.of(4, 4, 28, 28), [1, 4]);
  const { keypoints } = await pose.run({ image: black, boxes });
  if (!(await keypoints.getData()).every(Number.isFinite)) throw new Error('the first run gave no finite numbers');
}

/** The pixels of a bitmap as a tensor, transparent ones on white. */
function pixels(bitmap) {
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  context.fillStyle = '#fff';
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    rgb[to] = data[from];
    rgb[to + 1] = data[from + 1];
    rgb[to + 2] = data[from + 2];
  }
  return new runtime.Tensor('uint8', rgb, [height, width, 3]);
}

/** Values and shapes of outputs, by name. */
async function numbers(outputs) {
  const named = {};
  for (const [name, tensor] of Object.entries(outputs)) {
    named[name] = { values: (await tensor.getData()).slice(), shape: tensor.dims };
    tensor.dispose();
  }
  return named;
}

let last = Promise.resolve(); // one task after the other
self.addEventListener('message', ({ data: { id, task, ...given } }) => {
  last = last.then(async () => {
    try {
      postMessage({ id, result: await TASKS[task](given) });
    } catch (error) {
      postMessage({ id, error: error?.message ?? String(error) });
    }
  });
});
