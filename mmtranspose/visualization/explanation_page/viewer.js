// Draws the maps of people, and lets one choose among them. maps.js precedes it in the same module; `view` starts it.

let data = { heat: null, threshold: 0, image: null, people: [] }; // page.py documents it
let heat = null;
const canvas = $('map');
const byTouch = matchMedia('(hover: none)').matches;
const CHECKS = ['smooth', 'grey', 'pose', 'two'];
const MANY = 30; // keypoints, more of which have a search
const narrow = matchMedia('(max-width: 900px)'); // as in page.css: the stage stays in sight while the rest scrolls

const state = {
  person: 0, kind: 'dependency', keypoint: 0, layer: Infinity, head: null, // null: the heads' mean
  view: 'crop', scale: 'map', smooth: true, grey: true, pose: true, two: true, opacity: 1,
  thresholds: {}, // by kind: their units differ
  preview: null, // the keypoint under the pointer
  cell: null, // [row, col] of the token whose value is shown
};

// ---- What is chosen

const person = () => data.people[state.person];
const kind = () => person().kinds.find(({ name }) => name === state.kind) ?? person().kinds[0];
const keypoint = () => state.preview ?? state.keypoint;
const layer = () => (kind().layers ? state.layer : 0);
const head = () => (kind().shape[1] > 1 ? state.head : null);
const threshold = () => state.thresholds[kind().name] ?? 0;
const above = (value) => (value > threshold() ? value : 0);
const tokens = () => person().grid[0] * person().grid[1];
const mapOf = (ofLayer) => readMap(kind(), tokens(), ofLayer, head(), keypoint());

/** The keypoint of a person whose map has the highest weight in the last layer, among those that are certain if any is. */
function strongest({ kinds: [shown], grid: [rows, cols], uncertain }) {
  const all = [...uncertain.keys()];
  const certain = all.filter((each) => !uncertain[each]);
  const height = (each) => largest(readMap(shown, rows * cols, shown.shape[0] - 1, null, each));
  return (certain.length ? certain : all).reduce((best, each) => (height(each) > height(best) ? each : best));
}

/** The value that is drawn in the brightest colour. */
function topOf(ofLayer) {
  return state.scale === 'map' ? largest(mapOf(ofLayer)) : layerTop(kind(), tokens(), ofLayer, head());
}

/** The affine map from pixels of the crop to a view of crop or image that is `width` CSS pixels wide. */
function cropToView(view, width) {
  const scale = width / (view === 'crop' ? person().crop : data.image).size[0];
  const toView = [scale, 0, scale / 2, 0, scale, scale / 2]; // a pixel's middle lies half a pixel from its edge
  return view === 'crop' ? toView : compose(toView, person().cropToImage);
}

/** The layer that could be shown beside the chosen one: the first, and the last beside the first; null if there is one. */
function otherLayer() {
  const last = kind().layers ? kind().shape[0] - 1 : 0;
  if (last === 0) return null;
  return layer() === 0 ? last : 0;
}

const stageToView = () => cropToView(state.view, canvas.clientWidth);

// ---- Drawing

function drawMap(context, ofLayer, toView, detail) {
  const [rows, cols] = person().grid;
  const factor = state.smooth ? Math.ceil(detail / rows) : 1;
  const values = mapOf(ofLayer).map(above);
  const drawn = coloured(values, [rows, cols], topOf(ofLayer), heat, state.opacity, factor, 1);
  const [a, b, c, d, e, f] = compose(toView, person().tokenToCrop);
  context.save();
  outline(context, toView, -0.5, -0.5, person().crop.size[0] - 0.5, person().crop.size[1] - 0.5);
  context.clip();
  context.imageSmoothingEnabled = state.smooth;
  context.transform(a, d, b, e, c, f);
  context.drawImage(drawn, -1.5, -1.5, cols + 2, rows + 2);
  context.restore();
}

function drawLimbs(context, points) {
  context.beginPath();
  for (const [from, to] of person().skeleton) {
    context.moveTo(...points[from]);
    context.lineTo(...points[to]);
  }
  stroke(context, 1, 'rgb(255 255 255 / 0.55)', 'rgb(0 0 0 / 0.25)');
}

function drawKeypoint(context, point, each) {
  const chosen = each === keypoint();
  const isUncertain = person().uncertain[each];
  const radius = person().names.length > 40 ? 2 : 3.5;
  context.beginPath();
  context.arc(...point, chosen ? 9 : radius, 0, 2 * Math.PI);
  context.fillStyle = chosen || isUncertain ? 'transparent' : '#fff';
  context.fill();
  context.setLineDash(isUncertain ? [3, 2.5] : []);
  stroke(context, chosen ? 2.5 : 1.2, '#fff');
  context.setLineDash([]);
}

function drawPose(context, toView, width, height) {
  const points = person().keypoints.map((point) => apply(toView, point));
  if (state.pose) {
    drawLimbs(context, points);
    points.forEach((point, each) => drawKeypoint(context, point, each));
  } else {
    drawKeypoint(context, points[keypoint()], keypoint());
  }
  drawLabel(context, spoken(person().names[keypoint()]), points[keypoint()], width, height);
}

function drawBoxes(context, width, weight) {
  const scale = width / data.image.size[0];
  data.people.forEach(({ bbox: [left, top, right, bottom] }, index) => {
    const chosen = index === state.person;
    outline(context, [scale, 0, scale / 2, 0, scale, scale / 2], left, top, right, bottom);
    stroke(context, (chosen ? 2.2 : 1.4) * weight, chosen ? '#ffd166' : 'rgb(255 255 255 / 0.85)');
  });
}

function drawCell(context, toView, [row, col]) {
  outline(context, compose(toView, person().tokenToCrop), col - 0.5, row - 0.5, col + 0.5, row + 0.5);
  stroke(context, 1.5, '#7df9ff');
}

const SMALLEST = 0.7; // of its size alone that a map keeps beside another one

/** [width, height] of a map in CSS pixels, and whether there is room for two of them side by side. */
function stageSize() {
  const { size } = state.view === 'crop' ? person().crop : data.image;
  const around = document.querySelector('main').offsetTop + 205; // what stands above, and the bar and layers below
  const tallest = narrow.matches ? 0.42 * window.innerHeight : Math.max(window.innerHeight - around, 320);
  const alone = fitted(size, $('stage'), tallest);
  const half = fitted(size, { clientWidth: ($('stage').clientWidth - 12) / 2 }, tallest); // 12: the gap in page.css
  const hasRoom = !narrow.matches && half[0] >= SMALLEST * alone[0];
  return { alone, half, hasRoom };
}

/** The layer that is shown beside the chosen one, or null. */
const beside = () => (state.two && stageSize().hasRoom ? otherLayer() : null);

function drawView(target, ofLayer, [width, height]) {
  const context = prepared(target, width, height);
  const toView = cropToView(state.view, width);
  drawImage(context, state.view === 'crop' ? person().crop : data.image, width, height, state.grey && heat);
  drawMap(context, ofLayer, toView, 480);
  if (state.view === 'image') drawBoxes(context, width, 1);
  drawPose(context, toView, width, height);
  if (state.cell) drawCell(context, toView, state.cell);
  target.nextElementSibling.textContent = `Layer ${ofLayer + 1}`;
}

/** Draws the map of the chosen layer, and that of another layer beside it where there is room. */
function drawStage() {
  const { alone, half, hasRoom } = stageSize();
  const other = beside();
  $('two-row').hidden = otherLayer() === null || !hasRoom;
  for (const id of ['stage', 'bar-box']) {
    $(id).classList.toggle('two', other !== null);
    $(id).classList.toggle('reversed', other !== null && other < layer()); // the lower layer stands to the left
  }
  const shown = [[canvas, $('bar'), layer()], [$('beside'), $('beside-bar'), other]];
  for (const [target, bar, ofLayer] of shown.slice(0, other === null ? 1 : 2)) {
    drawView(target, ofLayer, other === null ? alone : half);
    drawBar(bar, ofLayer);
  }
}

function drawBar(bar, ofLayer) {
  const [width, top] = [bar.parentNode.clientWidth, topOf(ofLayer)];
  const context = prepared(bar, width, 12);
  const steps = Float64Array.from({ length: 256 }, (_, i) => (top * i) / 255);
  context.fillStyle = grey(heat.darkest + 128 * heat.contrast); // as over an image in grey
  context.fillRect(0, 0, width, 12);
  context.drawImage(coloured(steps.map(above), [1, 256], top, heat, state.opacity, 1), 0, 0, width, 12);
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => short(share * Math.max(top, 0)));
  bar.nextElementSibling.replaceChildren(...ticks.map((textContent) => element('span', { textContent })));
}

function drawOverview() {
  const [width, height] = fitted(data.image.size, $('overview-box'), 260);
  const context = prepared($('overview'), width, height);
  drawImage(context, data.image, width, height);
  drawBoxes(context, width, 0.9);
}

/** Draws a small image of the map in every layer. */
function drawStrip() {
  [...$('strip').children].forEach((button, each) => {
    const [width, height] = fitted(person().crop.size, button, 104);
    const context = prepared(button.firstChild, width, height);
    drawImage(context, person().crop, width, height, state.grey && heat);
    drawMap(context, each, cropToView('crop', width), 96);
    button.setAttribute('aria-pressed', String(each === layer()));
  });
}

function draw() {
  drawStage();
  drawOverview();
  drawStrip();
}

// ---- Words

function howToChoose(hasLayers) {
  if (byTouch) return `Tap a keypoint to see what it depends on.${hasLayers ? ' Below, tap a layer.' : ''}`;
  const keys = `Keys: ← → for keypoints${hasLayers ? ', ↑ ↓ for layers' : ''}.`;
  return `Click a keypoint, or hover over it, to see what it depends on. ${keys}`;
}

function lead(name) {
  if (kind().name === 'dependency') return `What ${name} attends to: the row of attention at its peak.`;
  if (kind().name === 'affect') return `What attends to ${name}: the column of attention at its peak.`;
  return `What ${name} depends on according to ${spoken(kind().name)}, in the unit of that method.`;
}

function about(values, name) {
  if (kind().note) return kind().note;
  const drawn = values.map(above);
  const cells = `${drawn.filter(Boolean).length} of ${values.length} cells drawn`;
  const share = total(values) > 0 ? `, ${percent(total(drawn) / total(values))} of the sum` : '';
  return `${lead(name)} Sum ${short(total(values))}; ${cells}${share}.`;
}

function reading(values, name) {
  if (kind().note) return `${name} · score ${short(person().scores[keypoint()])}`;
  const peak = values.indexOf(largest(values));
  const cols = person().grid[1];
  const [row, col] = state.cell ?? [Math.floor(peak / cols), peak % cols];
  const value = values[row * cols + col];
  const share = values[peak] > 0 && state.cell ? `, ${percent(value / values[peak])} of the map’s largest` : '';
  const which = state.cell ? '' : 'largest weight at ';
  const hidden = value > threshold() ? '' : ', not drawn';
  const other = beside();
  const also = other === null ? '' : `; in layer ${other + 1}: ${short(mapOf(other)[row * cols + col])}`;
  return `${name} · ${which}row ${row}, column ${col}: ${short(value)}${share}${hidden}${also}`;
}

function describe() {
  const [values, name] = [mapOf(layer()), spoken(person().names[keypoint()])];
  const doubt = person().uncertain[keypoint()] ? ', uncertain' : '';
  for (const [target, ofLayer] of [[canvas, layer()], [$('beside'), beside()]]) {
    const where = kind().layers ? `, layer ${ofLayer + 1}` : '';
    target.setAttribute('aria-label', `${spoken(kind().name)}${kind().note ? '' : ' map'} of ${name}${doubt}${where}`);
  }
  $('about').textContent = about(values, name);
  if ($('readout').textContent !== reading(values, name)) $('readout').textContent = reading(values, name);
  $('uncertain-note').textContent = person().uncertain.some(Boolean)
    ? `Dashed: score below ${short(person().scoreThreshold)}, so the place itself is uncertain.` : '';
  Object.assign(canvas.dataset, {
    person: state.person, keypoint: keypoint(), layer: layer(), head: head() ?? 'mean', direction: kind().name,
    view: state.view,
  });
}

// ---- Controls

/** Fills `box` with radio buttons, one an option; `choose` is called with the value of the chosen option. */
function radios(box, group, options, choose) {
  const labels = options.map(({ value, text, content = [], isUncertain = false }) => {
    const input = element('input', { type: 'radio', name: group, value });
    input.addEventListener('change', () => choose(value));
    const label = element('label', {}, input, element('span', { className: 'name', textContent: text }), ...content);
    label.classList.toggle('uncertain', isUncertain);
    return label;
  });
  box.replaceChildren(...labels);
  return labels;
}

const options = (texts) => Object.entries(texts).map(([value, text]) => ({ value, text }));

function buildPeople() {
  const shown = data.people.map(({ crop }, value) => {
    const [width, height] = [Math.round((56 * crop.size[0]) / crop.size[1]), 56];
    const thumbnail = element('canvas', {});
    drawImage(prepared(thumbnail, width, height), crop, width, height);
    return { value, text: `Person ${value + 1}`, content: [thumbnail] };
  });
  radios($('people'), 'person', shown, (index) => update({ person: index }));
  $('people').hidden = data.people.length === 1;
}

function buildKeypoints() {
  const { names, scores, uncertain } = person();
  const shown = names.map((name, value) => {
    const textContent = scores[value] === null ? '–' : scores[value].toFixed(2);
    const title = uncertain[value] ? 'score, below the threshold' : 'score';
    return { value, text: spoken(name), content: [element('span', { className: 'score', textContent, title })],
      isUncertain: uncertain[value] };
  });
  const labels = radios($('keypoints'), 'keypoint', shown, (index) => update({ keypoint: index, preview: null, cell: null }));
  labels.forEach((label, index) => {
    label.addEventListener('pointerenter', (event) => event.pointerType === 'mouse' && update({ preview: index }));
    label.addEventListener('pointerleave', () => update({ preview: null }));
  });
  $('search').hidden = names.length <= MANY;
  $('search').placeholder = `Search ${names.length} keypoints`;
  findKeypoints('');
}

/** Lists the keypoints whose names hold all words of a text, in any order; all others are hidden. */
function findKeypoints(text) {
  const words = spoken(text.toLowerCase()).split(' ');
  const labels = [...$('keypoints').children];
  person().names.forEach((name, index) => {
    labels[index].hidden = !words.every((word) => spoken(name.toLowerCase()).includes(word));
  });
  const count = labels.filter((label) => !label.hidden).length;
  $('search').value = text;
  $('found').textContent = text ? `${count} of ${labels.length} keypoints` : '';
  return labels.findIndex((label) => !label.hidden);
}

/** Scrolls the list of keypoints, and nothing else, to the chosen one, unless the search hides it. */
function revealKeypoint() {
  const [list, label] = [$('keypoints'), $('keypoints').children[state.keypoint]];
  if (label.hidden) return;
  const top = label.offsetTop - list.offsetTop;
  if (top < list.scrollTop) list.scrollTop = top;
  const bottom = top + label.offsetHeight - list.clientHeight;
  if (bottom > list.scrollTop) list.scrollTop = bottom;
}

function buildKinds() {
  const shown = person().kinds.map(({ name }) => ({ value: name, text: spoken(name) }));
  radios($('kinds'), 'kind', shown, (name) => update({ kind: name }));
}

function buildLayers() {
  const [layers, heads] = kind().shape;
  const shown = kind().layers && layers > 1 ? layers : 0;
  const buttons = [...Array(shown).keys()].map((index) => {
    const number = element('span', { textContent: index + 1 });
    const button = element('button', { type: 'button' }, element('canvas', {}), number);
    button.setAttribute('aria-label', `Layer ${index + 1}`);
    button.addEventListener('click', () => update({ layer: index }));
    return button;
  });
  $('strip').replaceChildren(...buttons);
  Object.assign($('layer'), { max: layers, disabled: shown === 0 });
  Object.assign($('head'), { max: heads, disabled: heads === 1 });
  $('head-row').hidden = person().kinds.every(({ shape }) => shape[1] === 1);
}

function show(id, value, words) {
  $(id).value = value;
  $(id).setAttribute('aria-valuetext', words);
  const output = $(`${id}-value`);
  if (output !== document.activeElement) output.value = words;
}

function showChoices() {
  const [layers, heads] = kind().shape;
  const top = largest(kind().high);
  show('layer', layer() + 1, kind().layers ? `${layer() + 1} of ${layers}` : '–');
  show('head', head() === null ? 0 : head() + 1, head() === null ? 'mean' : `${head() + 1} of ${heads}`);
  show('opacity', 100 * state.opacity, percent(state.opacity));
  show('threshold', top > 0 ? 1000 * Math.cbrt(clamp(threshold() / top, 0, 1)) : 0, short(threshold()));
  for (const name of CHECKS) $(name).checked = state[name];
  for (const group of ['kind', 'person', 'keypoint', 'view', 'scale']) {
    for (const input of document.getElementsByName(group)) input.checked = input.value === String(state[group]);
  }
}

// ---- State

let built = {};
let frame = null;

/** Changes the state, corrects what does not fit the person and kind of map, and draws the page again. */
function update(changes) {
  Object.assign(state, changes);
  if ('person' in changes) Object.assign(state, { preview: null, cell: null });
  state.kind = kind().name;
  state.keypoint = clamp(state.keypoint, 0, person().names.length - 1);
  if (kind().layers) state.layer = clamp(state.layer, 0, kind().shape[0] - 1);
  if (head() >= kind().shape[1]) state.head = null;
  const reveals = 'keypoint' in changes || built.person !== person(); // else the list would move while it is scrolled
  if (built.person !== person()) { buildKeypoints(); buildKinds(); }
  if (built.kind !== kind()) buildLayers();
  built = { person: person(), kind: kind() };
  showChoices();
  if (reveals) revealKeypoint();
  describe();
  frame ??= requestAnimationFrame(() => { frame = null; draw(); });
}

const setThreshold = (value) => update({ thresholds: { ...state.thresholds, [kind().name]: value } });

const SLIDERS = {
  layer: (value) => update({ layer: value - 1 }),
  head: (value) => update({ head: value ? value - 1 : null }),
  opacity: (value) => update({ opacity: value / 100 }),
  threshold: (value) => setThreshold(largest(kind().high) * (value / 1000) ** 3), // fine near 0, where most weights are
  'threshold-value': (value) => setThreshold(Math.max(value, 0)),
};

function stepKeypoint(by) {
  const count = person().names.length;
  update({ keypoint: (state.keypoint + by + count) % count, preview: null, cell: null });
}

function stepLayer(by) {
  if (kind().layers) update({ layer: state.layer + by });
}

// ---- Pointer and keys

/** [x, y] of an event in CSS pixels of a canvas. */
function place(event, target) {
  const box = target.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

/** The keypoint nearest to a point of the stage; null if none is within `reach` CSS pixels. */
function keypointAt([x, y], reach) {
  const distances = person().keypoints.map((point) => {
    const [u, v] = apply(stageToView(), point);
    return Math.hypot(u - x, v - y);
  });
  const nearest = distances.indexOf(Math.min(...distances));
  return distances[nearest] <= reach ? nearest : null;
}

/** [row, col] of the token at a point of the stage; null outside the crop. */
function cellAt(point) {
  if (kind().note) return null;
  const { grid: [rows, cols], crop: { size: [width, height] }, tokenToCrop } = person();
  const [x, y] = apply(inverse(stageToView()), point);
  if (x < -0.5 || y < -0.5 || x > width - 0.5 || y > height - 0.5) return null;
  const [col, row] = apply(inverse(tokenToCrop), [x, y]).map(Math.round);
  return [clamp(row, 0, rows - 1), clamp(col, 0, cols - 1)];
}

/** The person whose box contains a point of the image: the current person, else the one with the smallest box. */
function personAt([x, y], width) {
  const scale = data.image.size[0] / width;
  const area = ({ bbox: [left, top, right, bottom] }) => (right - left) * (bottom - top);
  const holds = ({ bbox: [left, top, right, bottom] }) =>
    x * scale >= left && x * scale <= right && y * scale >= top && y * scale <= bottom;
  if (holds(person())) return state.person;
  const [found] = data.people.filter(holds).sort((one, other) => area(one) - area(other));
  return found ? data.people.indexOf(found) : null;
}

function hover(event) {
  if (event.pointerType !== 'mouse') return;
  const point = place(event, event.currentTarget);
  update({ preview: keypointAt(point, 9), cell: cellAt(point) });
}

function choose(event) {
  const point = place(event, event.currentTarget);
  const near = keypointAt(point, event.pointerType === 'mouse' ? 14 : 24);
  const whose = state.view === 'image' && near === null ? personAt(point, canvas.clientWidth) : null;
  if (near !== null) update({ keypoint: near, preview: null });
  else if (whose !== null && whose !== state.person) update({ person: whose });
  else update({ cell: cellAt(point) });
}

/** Enter in the search chooses the first keypoint that is found; it must not send the form. */
function enterFound(event) {
  if (event.key !== 'Enter') return;
  event.preventDefault();
  const first = findKeypoints($('search').value);
  if (first >= 0) update({ keypoint: first, preview: null, cell: null });
}

function moveCell([down, right]) {
  const [rows, cols] = person().grid;
  const values = mapOf(layer());
  const peak = values.indexOf(largest(values));
  const [row, col] = state.cell ?? [Math.floor(peak / cols), peak % cols];
  update({ cell: [clamp(row + down, 0, rows - 1), clamp(col + right, 0, cols - 1)] });
}

function arrows(event) {
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const move = moves[event.key];
  if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  if (event.shiftKey) moveCell(move);
  else if (move[1]) stepKeypoint(move[1]);
  else stepLayer(-move[0]);
}

/** Keys outside the image: brackets, but not where one writes; left and right, where nothing else takes them. */
function keysAnywhere(event) {
  if (['number', 'search'].includes(event.target.type) || event.ctrlKey || event.metaKey) return;
  if (event.key === '[') stepLayer(-1);
  if (event.key === ']') stepLayer(1);
  if (event.target !== document.body || !['ArrowLeft', 'ArrowRight'].includes(event.key)) return;
  canvas.focus({ preventScroll: true });
  arrows(event);
}

function listen() {
  for (const target of [canvas, $('beside')]) {
    target.addEventListener('pointermove', hover);
    target.addEventListener('pointerleave', () => update({ preview: null, cell: null }));
    target.addEventListener('click', choose);
  }
  $('beside').addEventListener('click', () => canvas.focus({ preventScroll: true })); // for the arrow keys
  canvas.addEventListener('keydown', arrows);
  document.addEventListener('keydown', keysAnywhere);
  $('overview').addEventListener('click', (event) => {
    const whose = personAt(place(event, $('overview')), $('overview').clientWidth);
    if (whose !== null) update({ person: whose });
  });
  for (const [id, take] of Object.entries(SLIDERS)) {
    $(id).addEventListener('input', () => take(Number($(id).value)));
  }
  $('search').addEventListener('input', () => findKeypoints($('search').value));
  $('search').addEventListener('keydown', enterFound);
  for (const name of CHECKS) {
    $(name).addEventListener('change', () => update({ [name]: $(name).checked }));
  }
  new ResizeObserver(() => { describe(); draw(); }).observe($('stage'));
}

async function loadImage(image) {
  image.bitmap ??= element('img', { src: image.src });
  await image.bitmap.decode?.();
}

/**
 * Shows data, at first or in place of what was shown; `chosen` changes the state. A kind of maps whose `note` is a text
 * has nothing to draw, and the note says why.
 */
async function view(given, chosen = {}) {
  const isFirst = heat === null;
  await Promise.all([given.image, ...given.people.map(({ crop }) => crop)].map(loadImage));
  [data, heat] = [given, { ...given.heat, palette: bytes(given.heat.palette) }];
  if (isFirst) {
    state.opacity = heat.opacity;
    for (const name of ['dependency', 'affect']) state.thresholds[name] = data.threshold;
    const [views, scales] = [{ crop: 'Crop', image: 'Whole' }, { layer: 'Layer', map: 'Map' }];
    radios($('view'), 'view', options(views), (wanted) => update({ view: wanted }));
    radios($('scale'), 'scale', options(scales), (scale) => update({ scale }));
  }
  buildPeople();
  update({ preview: null, cell: null, ...chosen });
  if (isFirst) listen();
}
