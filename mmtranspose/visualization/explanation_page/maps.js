// Functions without state: affine maps, values of a map, colours, canvases. page.js follows in the same module.
// `heat` says how weights look: a palette of 256 colours (RGB), opacity and growth, and darkest and contrast of an image
// in grey, as in the package's heat.py.
// Coordinates of pixels and tokens are as in the Python package: whole numbers are their middles.

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const largest = (values) => values.reduce((top, value) => Math.max(top, value), -Infinity);
const total = (values) => values.reduce((sum, value) => sum + value, 0);

// ---- Affine maps [a, b, c, d, e, f]: x' = a x + b y + c, y' = d x + e y + f

const apply = ([a, b, c, d, e, f], [x, y]) => [a * x + b * y + c, d * x + e * y + f];

function compose([a, b, c, d, e, f], [g, h, i, j, k, l]) { // applies the second map first
  return [a * g + b * j, a * h + b * k, a * i + b * l + c, d * g + e * j, d * h + e * k, d * i + e * l + f];
}

function inverse([a, b, c, d, e, f]) {
  const det = a * e - b * d;
  return [e / det, -b / det, (b * f - c * e) / det, -d / det, a / det, (c * d - a * f) / det];
}

// ---- Values

/**
 * Values (h * w) of one map: from `kind.values`, numbers (L, heads, K, h, w); or decoded from `kind.codes` as packing.py's
 * `quantise` documents. `head` null averages the heads.
 */
function readMap(kind, size, layer, head, keypoint) {
  const [, heads, keypoints] = kind.shape;
  const chosen = head === null ? [...Array(heads).keys()] : [head];
  const values = new Float64Array(size);
  if (!kind.values) kind.bytes ??= bytes(kind.codes);
  for (const each of chosen) {
    const index = (layer * heads + each) * keypoints + keypoint;
    const [low, extent] = [kind.low[index], kind.high[index] - kind.low[index]];
    for (let i = index * size, to = 0; to < size; i++, to++) {
      const value = kind.values ? kind.values[i] : low + extent * (kind.bytes[i] / 255) ** 2;
      values[to] += value / chosen.length;
    }
  }
  return values;
}

/** The largest value in the maps of all keypoints of a layer. */
function layerTop(kind, size, layer, head) {
  const key = `${layer} ${head}`;
  kind.tops ??= new Map();
  if (!kind.tops.has(key)) {
    const keypoints = [...Array(kind.shape[2]).keys()];
    kind.tops.set(key, largest(keypoints.map((keypoint) => largest(readMap(kind, size, layer, head, keypoint)))));
  }
  return kind.tops.get(key);
}

function bilinear(values, rows, cols, y, x) {
  const [top, left] = [Math.floor(y), Math.floor(x)];
  const [bottom, right] = [Math.min(top + 1, rows - 1), Math.min(left + 1, cols - 1)];
  const along = (row) => values[row * cols + left] * (left + 1 - x) + values[row * cols + right] * (x - left);
  return along(top) * (top + 1 - y) + along(bottom) * (y - top);
}

// ---- Colours

/**
 * A canvas with `factor` pixels a token and a margin of `margin` tokens, which repeats the outermost values. The value
 * `top` gets the last colour and the full opacity; smaller values are more transparent.
 */
function coloured(values, [rows, cols], top, heat, opacity, factor, margin = 0) {
  const image = new ImageData((cols + 2 * margin) * factor, (rows + 2 * margin) * factor);
  for (let i = 0, at = 0; i < image.height; i++) {
    const y = clamp((i + 0.5) / factor - 0.5 - margin, 0, rows - 1);
    for (let j = 0; j < image.width; j++, at += 4) {
      const x = clamp((j + 0.5) / factor - 0.5 - margin, 0, cols - 1);
      const share = top > 0 ? clamp(bilinear(values, rows, cols, y, x) / top, 0, 1) : 0;
      const colour = 3 * Math.round(255 * share);
      for (let c = 0; c < 3; c++) image.data[at + c] = heat.palette[colour + c];
      image.data[at + 3] = 255 * opacity * share ** heat.growth;
    }
  }
  const drawn = element('canvas', { width: image.width, height: image.height });
  drawn.getContext('2d').putImageData(image, 0, 0);
  return drawn;
}

// ---- Elements and canvases

const grey = (level, opacity = 1) => `rgb(${level} ${level} ${level} / ${opacity})`;

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** [width, height] in CSS pixels, scaled to fit the width of `place` and the height `tallest`. */
function fitted([width, height], place, tallest) {
  const scale = Math.min(place.clientWidth / width, tallest / height);
  return [Math.max(1, Math.floor(width * scale)), Math.max(1, Math.floor(height * scale))];
}

/** Sets the size of `canvas` at the screen's resolution and clears it; returns a context that counts in CSS pixels. */
function prepared(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  const context = canvas.getContext('2d');
  context.scale(ratio, ratio);
  context.imageSmoothingQuality = 'high';
  return context;
}

/** Draws an image, in grey if `heat` is given. */
function drawImage(context, image, width, height, heat = null) {
  context.drawImage(image.bitmap, 0, 0, width, height);
  if (!heat) return;
  context.globalCompositeOperation = 'saturation';
  context.fillStyle = '#888';
  context.fillRect(0, 0, width, height);
  context.globalCompositeOperation = 'source-over';
  context.fillStyle = grey(heat.darkest / (1 - heat.contrast), 1 - heat.contrast);
  context.fillRect(0, 0, width, height);
}

/** Makes the path of a rectangle that goes through an affine map. */
function outline(context, toView, left, top, right, bottom) {
  context.beginPath();
  for (const corner of [[left, top], [right, top], [right, bottom], [left, bottom]]) {
    context.lineTo(...apply(toView, corner));
  }
  context.closePath();
}

function stroke(context, width, colour, halo = 'rgb(0 0 0 / 0.55)') {
  for (const [extra, style] of [[1.5, halo], [0, colour]]) {
    context.lineWidth = width + extra;
    context.strokeStyle = style;
    context.stroke();
  }
}

/** Writes text beside a point, inside an image of the given size. */
function drawLabel(context, text, [x, y], width, height) {
  context.font = '600 13px system-ui, sans-serif';
  const shown = text.length > 36 ? `${text.slice(0, 35)}…` : text;
  const wide = context.measureText(shown).width + 14;
  const left = clamp(x + 16 + wide > width ? x - 16 - wide : x + 16, 2, Math.max(2, width - wide - 2));
  const middle = clamp(y, 13, height - 13);
  context.beginPath();
  context.roundRect(left, middle - 11, wide, 22, 6);
  context.fillStyle = 'rgb(12 14 20 / 0.82)';
  context.fill();
  context.fillStyle = '#fff';
  context.textBaseline = 'middle';
  context.fillText(shown, left + 7, middle + 0.5);
}

// ---- Words

const $ = (id) => document.getElementById(id);
const short = (value) => String(Number(value.toPrecision(3)));
const percent = (value) => `${short(100 * value)} %`;
const spoken = (name) => name.replaceAll('_', ' ');

// ---- Light and dark, by a button with the id `theme`

const prefersDark = matchMedia('(prefers-color-scheme: dark)');
const isDark = () => (document.documentElement.dataset.theme ?? (prefersDark.matches ? 'dark' : 'light')) === 'dark';
const nameTheme = () => { $('theme').textContent = isDark() ? 'Light theme' : 'Dark theme'; };

function switchTheme() {
  document.documentElement.dataset.theme = isDark() ? 'light' : 'dark';
  nameTheme();
}

function offerThemes() {
  nameTheme();
  $('theme').addEventListener('click', switchTheme);
  prefersDark.addEventListener('change', nameTheme);
}
