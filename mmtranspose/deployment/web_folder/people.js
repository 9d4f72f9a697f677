// From the outputs of an exported file to what viewer.js shows of a person (page.py documents it).

import { apply, compose, element, inverse, largest } from './viewer.js';

const SURE = 0.3; // keypoints with a lower score are drawn as uncertain
const DETAIL = 3; // pixels of the drawn crop for one pixel of the crop that the network sees
const WITHOUT = 'This file was exported without --dependency: it gives the pose alone, and cannot show what keypoints depend on.';

/** People of an image, one for each box; `outputs` are those of the file for all boxes. */
export function people(model, bitmap, boxes, outputs) {
  return boxes.map((box, index) => {
    const part = (name) => {
      const { values, shape } = outputs[name];
      const size = values.length / shape[0];
      return values.subarray(index * size, (index + 1) * size);
    };
    return person(model, bitmap, box, part, Boolean(outputs.dependency));
  });
}

function person(model, bitmap, bbox, part, hasMaps) {
  const [places, scores] = [part('keypoints'), Array.from(part('scores'))];
  const imageKeypoints = scores.map((_, each) => [places[2 * each], places[2 * each + 1]]);
  const cropToImage = hasMaps ? Array.from(part('crop_to_image')) : [1, 0, bbox[0], 0, 1, bbox[1]];
  const size = hasMaps ? model.input_size : [bbox[2] - bbox[0], bbox[3] - bbox[1]].map((side) => Math.max(1, Math.round(side)));
  return {
    names: model.keypoint_names, skeleton: model.skeleton,
    scores, uncertain: scores.map((score) => !(score >= SURE)), scoreThreshold: SURE,
    bbox, imageKeypoints, cropToImage,
    keypoints: imageKeypoints.map((place) => apply(inverse(cropToImage), place)),
    crop: { size, bitmap: crop(bitmap, cropToImage, size, hasMaps ? DETAIL : 1) },
    grid: hasMaps ? model.token_grid : [1, 1],
    tokenToCrop: hasMaps ? model.token_to_crop.flat() : [1, 0, 0, 0, 1, 0],
    kinds: [hasMaps ? dependency(model, part('dependency')) : nothing(scores.length)],
  };
}

/** A canvas with the crop that the network sees, at more detail. */
function crop(bitmap, cropToImage, [width, height], detail) {
  const canvas = element('canvas', { width: width * detail, height: height * detail });
  const toCanvas = [detail, 0, detail / 2, 0, detail, detail / 2]; // a pixel's middle lies half a pixel from its edge
  const [a, b, c, d, e, f] = compose(compose(toCanvas, inverse(cropToImage)), [1, 0, -0.5, 0, 1, -0.5]);
  const context = canvas.getContext('2d');
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.setTransform(a, d, b, e, c, f);
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0);
  return canvas;
}

function dependency({ num_layers: layers, keypoint_names: { length: keypoints }, token_grid: [rows, cols] }, values) {
  const maps = [...Array(layers * keypoints).keys()].map((each) => values.subarray(each * rows * cols, (each + 1) * rows * cols));
  const [low, high] = [maps.map(() => 0), maps.map(largest)];
  return { name: 'dependency', layers: true, shape: [layers, 1, keypoints], values, low, high };
}

function nothing(keypoints) {
  const zeros = new Float32Array(keypoints);
  return { name: 'pose', layers: false, shape: [1, 1, keypoints], values: zeros, low: [...zeros], high: [...zeros], note: WITHOUT };
}
