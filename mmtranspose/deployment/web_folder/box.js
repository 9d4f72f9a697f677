// Draws and changes a box over the image: by mouse, finger or pen, and by keys.

import { clamp, outline, prepared, stroke } from './viewer.js';

const LEAST = 8; // pixels of the screen: a shorter drag is a click
const REACH = { mouse: 10, pen: 14, touch: 24 }; // around corners, in pixels of the screen
const OPPOSITE = [[2, 3], [0, 3], [0, 1], [2, 1]]; // of the corners, clockwise: where in the box their x and y stand

export class BoxEditor {
  /** `drawn` is called when a new box has been drawn, `changed` whenever the box has changed, `entered` at the key Enter. */
  constructor(canvas, { drawn, changed, entered }) {
    Object.assign(this, { canvas, drawn, changed, entered, box: null, others: [], bitmap: null, drag: null });
    canvas.addEventListener('pointerdown', (event) => this.press(event));
    canvas.addEventListener('pointermove', (event) => this.move(event));
    canvas.addEventListener('pointerup', (event) => this.release(event));
    canvas.addEventListener('pointercancel', () => this.set(this.drag ? this.drag.before : this.box));
    canvas.addEventListener('keydown', (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(canvas.parentElement);
    window.addEventListener('resize', () => this.draw());
  }

  /** Shows an image with one box to change (or null) and the boxes of others. */
  show(bitmap, box, others) {
    Object.assign(this, { bitmap, others, drag: null });
    this.set(box);
  }

  set(box) {
    this.box = box;
    this.drag = null;
    this.draw();
    this.changed(box);
  }

  get scale() { return this.canvas.clientWidth / this.bitmap.width; } // pixels of the screen for one of the image

  at(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    const { width, height } = this.bitmap;
    return [clamp((event.clientX - left) / this.scale, 0, width), clamp((event.clientY - top) / this.scale, 0, height)];
  }

  press(event) {
    if (event.button) return;
    const [x, y] = this.at(event);
    const corner = this.cornerAt([x, y], event.pointerType);
    const isInside = this.box && x > this.box[0] && x < this.box[2] && y > this.box[1] && y < this.box[3];
    const fixed = corner === null ? [x, y] : OPPOSITE[corner].map((index) => this.box[index]);
    this.drag = { kind: corner === null && isInside ? 'move' : 'span', isNew: corner === null, fixed, before: this.box, started: [x, y] };
    this.canvas.setPointerCapture(event.pointerId);
  }

  cornerAt([x, y], pointer) {
    if (!this.box) return null;
    const [left, top, right, bottom] = this.box;
    const reach = (REACH[pointer] ?? REACH.mouse) / this.scale;
    const near = [[left, top], [right, top], [right, bottom], [left, bottom]].findIndex(([u, v]) => Math.hypot(u - x, v - y) <= reach);
    return near < 0 ? null : near;
  }

  move(event) {
    if (!this.drag || !this.bitmap) return;
    const [x, y] = this.at(event);
    const { kind, fixed: [u, v], before, started } = this.drag;
    if (kind === 'move') this.box = this.inside(before, x - started[0], y - started[1]);
    else this.box = [Math.min(u, x), Math.min(v, y), Math.max(u, x), Math.max(v, y)];
    this.draw();
  }

  release() {
    if (!this.drag) return;
    const { kind, isNew, before } = this.drag;
    const isShort = this.box && Math.min(this.box[2] - this.box[0], this.box[3] - this.box[1]) * this.scale < LEAST;
    const isDrawn = kind === 'span' && isNew && !isShort && this.box !== before;
    this.set(isShort ? before : this.box);
    if (isDrawn) this.drawn(this.box);
  }

  /** The box moved by (x, y), and held inside the image. */
  inside([left, top, right, bottom], x, y) {
    const [across, down] = [clamp(x, -left, this.bitmap.width - right), clamp(y, -top, this.bitmap.height - bottom)];
    return [left + across, top + down, right + across, bottom + down];
  }

  key(event) {
    const moves = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Enter' && this.box && !event.repeat) this.entered();
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    const { width, height } = this.bitmap;
    const step = Math.max(1, Math.round(Math.max(width, height) / 80));
    const [x, y] = move.map((each) => each * step);
    if (!this.box) this.set([0.25 * width, 0.1 * height, 0.75 * width, 0.9 * height]);
    else if (event.shiftKey) this.set(this.resized(x, y, step));
    else this.set(this.inside(this.box, x, y));
  }

  resized(x, y, least) {
    const [left, top, right, bottom] = this.box;
    return [left, top, clamp(right + x, left + least, this.bitmap.width), clamp(bottom + y, top + least, this.bitmap.height)];
  }

  draw() {
    const stage = this.canvas.parentElement;
    if (!this.bitmap || !stage.clientWidth) return;
    const tallest = Math.max(0.62 * window.innerHeight, 260);
    const scale = Math.min(stage.clientWidth / this.bitmap.width, tallest / this.bitmap.height);
    const [width, height] = [this.bitmap.width, this.bitmap.height].map((side) => Math.max(1, Math.floor(side * scale)));
    const context = prepared(this.canvas, width, height);
    context.drawImage(this.bitmap, 0, 0, width, height);
    const toView = [width / this.bitmap.width, 0, 0, 0, height / this.bitmap.height, 0];
    for (const other of this.others) {
      outline(context, toView, ...other);
      stroke(context, 1.4, 'rgb(255 255 255 / 0.85)');
    }
    if (this.box) this.drawBox(context, toView, width, height);
  }

  drawBox(context, toView, width, height) {
    outline(context, toView, ...this.box);
    context.rect(width, 0, -width, height); // what lies outside the box is darkened
    context.fillStyle = 'rgb(0 0 0 / 0.45)';
    context.fill('evenodd');
    outline(context, toView, ...this.box);
    stroke(context, 2.2, '#ffd166');
    const [left, top, right, bottom] = this.box.map((side) => side * toView[0]);
    for (const [x, y] of [[left, top], [right, top], [right, bottom], [left, bottom]]) {
      context.beginPath();
      context.arc(x, y, 6, 0, 2 * Math.PI);
      context.fillStyle = '#ffd166';
      context.fill();
      stroke(context, 1, '#1b120d', 'rgb(255 255 255 / 0.8)');
    }
  }
}
