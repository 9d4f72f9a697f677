// Draw the poses of people into a photograph, and what a keypoint depends on: with Node, without Python.
//
// node poses.js pose.onnx photo.jpg poses.png --detector detector.onnx --keypoint left_wrist
'use strict';
const fs = require('node:fs');
const { parseArgs } = require('node:util');
const ort = require('onnxruntime-node');
const sharp = require('sharp');

const SURE = 0.3; // keypoints of lower scores are not drawn
const COLOURS = ['#00c8ff', '#ff5a3c', '#5ad25a', '#ffc800', '#be78ff', '#ff78b4'];

function stop(message) {
  console.error(message);
  process.exit(1);
}

// The photograph as people see it: upright, RGB, 8 bits, without transparency.
async function readImage(path) {
  // as OpenCV reads it, which the networks have learnt from: without its colour profile
  const upright = sharp(path, { ignoreIcc: true }).autoOrient().removeAlpha().toColourspace('srgb');
  const { data, info } = await upright.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const pixels = new Uint8Array(width * height * 3);
  for (let i = 0; i < pixels.length; i++) {
    pixels[i] = channels === 3 ? data[i] : data[Math.floor(i / 3) * channels];
  }
  return { pixels, width, height, tensor: new ort.Tensor('uint8', pixels, [height, width, 3]) };
}

// The length of a record, or a number, at `at` in protobuf's encoding, and where it ends.
function varint(bytes, at) {
  let value = 0;
  for (let power = 1; ; power *= 128) {
    const byte = bytes[at++];
    value += (byte % 128) * power;
    if (byte < 128) return [value, at];
  }
}

// The records of a protobuf message, by the number of their field; of its other values nothing is wanted.
function* records(bytes) {
  for (let at = 0; at < bytes.length; ) {
    const [key, start] = varint(bytes, at);
    const [value, end] = varint(bytes, start);
    const length = key % 8 === 2 ? value : 0;
    if (key % 8 === 2) yield [Math.floor(key / 8), bytes.subarray(end, end + length)];
    at = key % 8 === 1 ? start + 8 : key % 8 === 5 ? start + 4 : end + length;
  }
}

// A session of ONNX Runtime, and what the file says about itself: metadata_props is field 14 of an ONNX file.
async function openFile(path, kind) {
  const bytes = fs.readFileSync(path);
  let meta = {};
  for (const [field, entry] of records(bytes)) {
    if (field !== 14) continue;
    const [name, text] = [...records(entry)].map(([, value]) => value.toString('utf8'));
    if (name === 'mmtranspose') meta = JSON.parse(text);
  }
  if (meta.kind !== kind && meta.graph !== kind) {
    stop(`${path} is no file with kind or graph '${kind}' that mmtranspose has exported`);
  }
  return { session: await ort.InferenceSession.create(bytes), meta };
}

// A box, xyxy in pixels, from its text.
function parseBox(text) {
  const numbers = text.split(',').map((word) => (word.trim() ? Math.fround(Number(word)) : NaN));
  if (numbers.length !== 4 || !numbers.every(Number.isFinite)) {
    stop(`--boxes ${text} is no box: four numbers are wanted, X1,Y1,X2,Y2`);
  }
  return numbers;
}

// Boxes of people, xyxy in pixels: given, detected, or the whole image.
async function findBoxes(options, image) {
  if (options.boxes) return Float32Array.from(options.boxes);
  if (!options.detector) return Float32Array.of(0, 0, image.width, image.height);
  const { session } = await openFile(options.detector, 'detector');
  return (await session.run({ image: image.tensor })).boxes.data;
}

// Part `index` of a tensor, along its first dimension.
function part(tensor, index) {
  const size = tensor.dims.slice(1).reduce((product, length) => product * length, 1);
  return tensor.data.subarray(index * size, (index + 1) * size);
}

// A heatmap, RGBA, of what a keypoint of every person depends on, in the last layer.
function heatmap(image, found, meta, name) {
  const keypoint = meta.keypoint_names.indexOf(name);
  if (keypoint < 0 || !found.dependency) {
    stop(`no map of ${name}: export with --dependency, and choose from ${meta.keypoint_names.join(', ')}`);
  }
  const [people, layers, keypoints, rows, columns] = found.dependency.dims;
  const heat = new Float32Array(image.width * image.height);
  const [[sx, , ox], [, sy, oy]] = meta.token_to_crop; // along the axes
  for (let person = 0; person < people; person++) {
    const start = ((layers - 1) * keypoints + keypoint) * rows * columns;
    const map = part(found.dependency, person).subarray(start, start + rows * columns);
    const [cx, , left, , cy, top] = part(found.crop_to_image, person);
    const most = Math.max(...map);
    const at = (row, column) => (row < 0 || column < 0 || row >= rows || column >= columns ? 0 : map[row * columns + column]);
    for (let y = 0; y < image.height; y++) {
      const row = ((y - top) / cy - oy) / sy;
      for (let x = 0; x < image.width; x++) {
        const column = ((x - left) / cx - ox) / sx;
        const [r, c] = [Math.floor(row), Math.floor(column)];
        if (r < -1 || c < -1 || r >= rows || c >= columns) continue;
        const above = at(r, c) * (c + 1 - column) + at(r, c + 1) * (column - c);
        const below = at(r + 1, c) * (c + 1 - column) + at(r + 1, c + 1) * (column - c);
        const value = (above * (r + 1 - row) + below * (row - r)) / most;
        heat[y * image.width + x] = Math.max(heat[y * image.width + x], value);
      }
    }
  }
  const layer = Buffer.alloc(heat.length * 4);
  heat.forEach((value, i) => layer.set([255, 255 * value, 0, 255 * 0.8 * value ** 0.7], i * 4)); // red to yellow
  return { input: layer, raw: { width: image.width, height: image.height, channels: 4 } };
}

// Limbs and keypoints, as SVG.
function drawing(image, found, meta) {
  const size = Math.max(image.width, image.height) / 200;
  const shapes = [];
  for (let person = 0; person < found.scores.dims[0]; person++) {
    const [points, scores] = [part(found.keypoints, person), part(found.scores, person)];
    const colour = COLOURS[person % COLOURS.length];
    for (const [a, b] of meta.skeleton.filter((limb) => limb.every((end) => scores[end] >= SURE))) {
      const ends = `x1="${points[2 * a]}" y1="${points[2 * a + 1]}" x2="${points[2 * b]}" y2="${points[2 * b + 1]}"`;
      shapes.push(`<line ${ends} stroke="${colour}" stroke-width="${size / 1.5}"/>`);
    }
    scores.forEach((score, k) => {
      const [x, y] = points.subarray(2 * k, 2 * k + 2);
      if (score >= SURE) shapes.push(`<circle cx="${x}" cy="${y}" r="${size}" fill="white" stroke="${colour}"/>`);
    });
  }
  const [width, height] = [image.width, image.height];
  return { input: Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${shapes.join('')}</svg>`) };
}

async function main() {
  const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: { detector: { type: 'string' }, boxes: { type: 'string', multiple: true }, keypoint: { type: 'string' } },
  });
  const [pose, photo, output] = positionals;
  if (positionals.length !== 3) {
    stop('node poses.js POSE.onnx PHOTO OUTPUT [--detector FILE] [--boxes X1,Y1,X2,Y2]... [--keypoint NAME]');
  }
  options.boxes &&= options.boxes.flatMap(parseBox);
  const { session, meta } = await openFile(pose, 'image');
  const image = await readImage(photo);
  const data = await findBoxes(options, image);
  const boxes = new ort.Tensor('float32', data, [data.length / 4, 4]);
  const people = boxes.dims[0]; // not every runtime can run on nobody
  const found = people ? await session.run({ image: image.tensor, boxes }) : { scores: boxes };
  const layers = people && options.keypoint ? [heatmap(image, found, meta, options.keypoint)] : [];
  const raw = { width: image.width, height: image.height, channels: 3 };
  await sharp(image.pixels, { raw }).composite([...layers, drawing(image, found, meta)]).toFile(output);
  const pairs = (points) => meta.keypoint_names.map((_, k) => Array.from(points.subarray(2 * k, 2 * k + 2)));
  const results = Array.from({ length: people }, (_, person) => ({
    bbox: Array.from(part(boxes, person)),
    keypoints: pairs(part(found.keypoints, person)),
    scores: Array.from(part(found.scores, person)),
  }));
  console.log(JSON.stringify(results));
}

main().catch((error) => stop(error.message));
