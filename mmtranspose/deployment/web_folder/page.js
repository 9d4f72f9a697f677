// The page: from an image to boxes, poses and maps. One of its screens is shown at a time: start, camera, box, poses.

import { BoxEditor } from './box.js';
import { Estimator } from './estimator.js';
import { Camera, newest, offerFiles } from './intake.js';
import { remember, remembered } from './memory.js';
import { registered } from './offline.js';
import { people } from './people.js';
import { byTouch, drawnMap, howToChoose, offerThemes, state, strongest, update, view } from './viewer.js';

const $ = (id) => document.getElementById(id);
const folder = JSON.parse($('folder').textContent);
// `run` is the number of the newest thing that was asked for: what comes of earlier ones is left aside.
const app = { bitmap: null, people: [], changing: null, estimator: null, run: 0 };
const started = {}; // its promise is kept once the worker is there
started.promise = new Promise((resolve) => { started.resolve = resolve; });
const camera = new Camera($('video'));
const editor = new BoxEditor($('box-canvas'), { drawn: () => estimate(), changed: describeBox, entered: () => $('estimate').click() });

const HINTS = {
  start: '',
  camera: 'Point the camera at people, then take the image.',
  box: `Draw a box around a person: ${byTouch ? 'touch' : 'press at'} one corner and drag to the other. Or take the whole image.`,
  change: 'Drag the corners or the box itself, then estimate the pose. Or draw another box.',
  poses: howToChoose(true),
  pose: byTouch ? 'Tap a keypoint to see its score.' : 'Click a keypoint, or hover over it, to see its score. Keys: ← → for keypoints.',
};

// ---- Screens and messages

function screen(name, hint = name) {
  document.body.dataset.screen = name;
  if (name !== 'camera') camera.close();
  $('tools').hidden = name === 'start';
  $('hint').textContent = HINTS[hint];
  $('hint').hidden = !HINTS[hint];
  complain('');
  const shown = { add: 'poses', change: 'poses', remove: 'poses', whole: 'box', estimate: 'box' };
  for (const [id, where] of Object.entries(shown)) $(id).hidden = where !== name;
  $('back').hidden = name !== 'box' && name !== 'camera' || !app.people.length;
}

let byKeys = false; // whether a key was the last thing used: only then does a focus need a ring
for (const kind of ['keydown', 'pointerdown']) document.addEventListener(kind, () => { byKeys = kind === 'keydown'; }, true);
const focus = (id) => $(id).focus({ preventScroll: true, focusVisible: byKeys });

function complain(sentence) {
  $('alert').textContent = sentence;
  $('alert').hidden = !sentence;
}

/** Says what is being done. While poses are estimated, no button asks for them once more. */
function working(text, isPose = false) {
  $('working').hidden = !text;
  $('working-text').textContent = text;
  $('whole').disabled = isPose;
  offerEstimate();
}

function offerEstimate() { $('estimate').disabled = !editor.box || $('whole').disabled; }

function engine(mode, text) {
  $('engine').dataset.state = mode;
  $('engine-text').textContent = text;
}

// ---- The model

async function startEngine() {
  engine('loading', 'Loading the model …');
  app.ready = null;
  app.estimator?.close();
  const estimator = new Estimator(folder, $('backend').value, showProgress);
  app.estimator = estimator;
  try {
    const loaded = await estimator.ready;
    if (estimator !== app.estimator) return;
    app.ready = loaded;
    $('backend-box').hidden = !loaded.hasGpu;
    engine('ready', about(loaded));
  } catch (error) {
    if (estimator === app.estimator) engine('failed', `The model cannot be run: ${error.message}.`);
  }
}

function showProgress({ come, total }) {
  if ($('engine').dataset.state !== 'loading') return; // one file has failed, others still come
  $('engine-progress').value = come / total;
  const text = come < total ? `Loading the model: ${(come / 1e6).toFixed(0)} of ${(total / 1e6).toFixed(0)} MB` : 'Starting the model …';
  if ($('engine-text').textContent !== text) engine('loading', text);
}

function about({ backend, threads, isKept, instead }) {
  const device = backend === 'webgpu' ? 'WebGPU' : `WebAssembly, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
  const why = instead ? ` (WebGPU cannot run this file: ${instead})` : '';
  const isServed = isKept && navigator.serviceWorker?.controller;
  return `Ready: runs on this device (${device})${why}${isServed ? '. Works without a network from now on.' : '.'}`;
}

// ---- Image, boxes, poses

/** Leaves aside what is being done; returns the number of what is done next. */
function begin() {
  working('');
  app.run += 1;
  return app.run;
}

async function take(bitmap) {
  document.body.dataset.run = begin();
  Object.assign(app, { bitmap, people: [], changing: null });
  screen('box');
  editor.show(bitmap, null, []);
  look();
  if (folder.detector) await findPeople();
  else focus('box-canvas');
}

/** Gives the image to the estimator, after an earlier one, which would else come last where it is larger. */
function look() {
  const { bitmap } = app;
  const looked = Promise.allSettled([started.promise, app.looked]).then(() => app.estimator.look(bitmap));
  app.looked = looked;
  looked.catch((error) => { if (looked === app.looked) complain(`The image cannot be used: ${error.message}.`); });
}

async function findPeople() {
  const boxes = await busy('Looking for people …', async () => {
    await app.looked;
    return app.estimator.detect(folder.detector.least);
  });
  if (!boxes) return;
  if (boxes.length) await addPeople(boxes);
  else complain('No people were found: draw a box around a person.');
}

/** Runs a piece of work while the page says so; undefined where it is left aside or failed, which the page says too. */
async function busy(text, work, isPose = false) {
  const run = begin();
  working(app.ready ? text : 'The model is still loading …', isPose);
  try {
    const result = await work();
    return run === app.run ? result : undefined;
  } catch (error) {
    if (run === app.run) complain(`That did not work: ${error.message}.`);
    return undefined;
  } finally {
    if (run === app.run) working('');
  }
}

async function estimate(box = editor.box) {
  if (box) await addPeople([box]);
}

/** Estimates the poses in boxes: one of them in place of the person whose box is changed, or further people. */
async function addPeople(boxes) {
  const { changing } = app;
  const outputs = await busy('Estimating the pose …', async () => {
    await app.looked;
    return app.estimator.pose(boxes.flat());
  }, true);
  if (!outputs) return;
  const found = people(folder.model.meta, app.bitmap, boxes, outputs);
  const at = changing ?? app.people.length;
  app.people.splice(at, changing === null ? 0 : 1, ...found);
  await showPeople(at);
}

async function showPeople(index) {
  const person = app.people[index];
  const hasMaps = !person.kinds[0].note;
  document.body.classList.toggle('no-maps', !hasMaps);
  document.body.classList.toggle('one-person', app.people.length === 1);
  screen('poses', hasMaps ? 'poses' : 'pose');
  const image = { bitmap: app.bitmap, size: [app.bitmap.width, app.bitmap.height] };
  const chosen = { person: index, keypoint: strongest(person), layer: person.kinds[0].shape[0] - 1 };
  if (!window.web.isShown) Object.assign(chosen, { view: 'image', grey: hasMaps });
  await view({ heat: folder.heat, threshold: 0, image, people: app.people }, chosen);
  window.web.isShown = true;
  focus('map');
}

function drawBox(changing) {
  begin();
  app.changing = changing;
  const others = app.people.filter((_, index) => index !== changing).map(({ bbox }) => bbox);
  screen('box', changing === null ? 'box' : 'change');
  editor.show(app.bitmap, changing === null ? null : app.people[changing].bbox, others);
  focus('box-canvas');
}

function removePerson() {
  app.people.splice(state.person, 1);
  if (app.people.length) showPeople(Math.min(state.person, app.people.length - 1));
  else drawBox(null);
}

function describeBox(box) {
  offerEstimate();
  if (!box) return;
  const [left, top, right, bottom] = box.map(Math.round);
  const canvas = $('box-canvas');
  canvas.setAttribute('aria-valuetext', `${right - left} by ${bottom - top} pixels, from ${left}, ${top}`);
  canvas.dataset.box = [left, top, right, bottom].join(' ');
}

// ---- Camera

async function openCamera(open) {
  const run = begin();
  screen('camera');
  try {
    await open();
  } catch (error) {
    if (run !== app.run) return;
    leave();
    complain(error.message);
  }
}

/** Leaves the camera, or a box: back to the poses if there are any. */
function leave() {
  begin();
  if (app.people.length) showPeople(Math.min(state.person, app.people.length - 1));
  else if (app.bitmap) drawBox(null);
  else screen('start');
}

// ---- Start

function listen() {
  const show = newest(take, complain);
  const on = (id, action) => $(id).addEventListener('click', action);
  on('add', () => drawBox(null));
  on('change', () => drawBox(state.person));
  on('remove', removePerson);
  on('whole', () => estimate([0, 0, app.bitmap.width, app.bitmap.height]));
  on('estimate', () => estimate());
  on('back', leave);
  on('take', () => show(camera.take()));
  on('turn', () => openCamera(() => camera.turn()));
  on('close-camera', leave);
  on('update-button', () => window.location.reload());
  document.querySelectorAll('button.camera').forEach((button) => button.addEventListener('click', () => openCamera(() => camera.open())));
  document.addEventListener('keydown', ({ key }) => { if (key === 'Escape' && !$('back').hidden) $('back').click(); });
  $('backend').addEventListener('change', () => {
    remember('backend', $('backend').value);
    startEngine();
    if (app.bitmap) look();
  });
  offerFiles({ input: $('file'), buttons: document.querySelectorAll('button.choose'), show, complain });
}

function filesChanged() {
  if (app.bitmap) $('update').hidden = false;
  else window.location.reload();
}

async function start() {
  offerThemes();
  window.web = { app, state, update, map: drawnMap, isShown: false }; // for scripts and tests
  $('backend').value = remembered('backend') ?? '';
  listen();
  const isLeaving = await registered({ changed: filesChanged, isIdle: () => !app.bitmap && document.body.dataset.screen === 'start' });
  if (isLeaving) return;
  const engineStarts = startEngine();
  started.resolve();
  await engineStarts;
}

start();
