// The page's end of worker.js.

const CLOSED = 'the device was changed';

export class Estimator {
  /** `tell` is given { come, total } bytes while files load. */
  constructor(folder, backend, tell) {
    this.tasks = new Map();
    this.count = 0;
    this.worker = new Worker('worker.js', { type: 'module' });
    this.worker.addEventListener('message', ({ data }) => (data.progress ? tell(data.progress) : this.answer(data)));
    this.worker.addEventListener('error', (event) => this.fail(event.message || 'the worker could not be started'));
    this.ready = this.ask('load', { folder, backend });
  }

  ask(task, given = {}, moved = []) {
    if (!this.worker) return Promise.reject(new Error(CLOSED));
    this.count += 1;
    return new Promise((resolve, reject) => {
      this.tasks.set(this.count, { resolve, reject });
      this.worker.postMessage({ id: this.count, task, ...given }, moved);
    });
  }

  answer({ id, result, error }) {
    const { resolve, reject } = this.tasks.get(id);
    this.tasks.delete(id);
    if (error === undefined) resolve(result);
    else reject(new Error(error));
  }

  fail(why) {
    for (const { reject } of this.tasks.values()) reject(new Error(why));
    this.tasks.clear();
  }

  /** Sets the image that the next poses are estimated in: a copy of the bitmap goes to the worker. */
  async look(bitmap) {
    await this.ready;
    const copy = await createImageBitmap(bitmap);
    return this.ask('image', { bitmap: copy }, [copy]);
  }

  /** Outputs of the exported file for boxes (N * 4), xyxy in pixels of the image. */
  pose(boxes) { return this.ask('pose', { boxes: Float32Array.from(boxes) }); }

  /** Boxes [x1, y1, x2, y2] of people whose score is at least `threshold`, the surest first. */
  async detect(threshold, most = 20) {
    const { boxes, scores } = await this.ask('detect');
    const found = Array.from(scores.values, (score, each) => ({ score, box: Array.from(boxes.values.slice(4 * each, 4 * each + 4)) }));
    const sure = found.filter(({ score }) => score >= threshold).sort((one, other) => other.score - one.score);
    return sure.slice(0, most).map(({ box }) => box);
  }

  /** Ends the worker; what it was asked for, or is asked for later, fails. */
  close() {
    this.worker.terminate();
    this.worker = null;
    this.fail(CLOSED);
  }
}
