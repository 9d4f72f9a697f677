// Images from files, drag and drop, the clipboard and cameras, as bitmaps.

const LONGEST = 4096; // pixels of the longer side; larger images are shrunk

/**
 * Returns a function of a promise of a bitmap: calls `take` with the bitmap, or `complain` with a sentence. A promise
 * that comes true after a later one was given is left aside: a large image takes longer than the small one after it.
 */
export function newest(take, complain) {
  let count = 0;
  return async (promise) => {
    count += 1;
    const number = count;
    const { bitmap, error } = await promise.then((made) => ({ bitmap: made }), (failure) => ({ error: failure }));
    if (number !== count) bitmap?.close();
    else if (error) complain(error.message);
    else take(bitmap);
  };
}

/** `show` is called with the promise of a bitmap, `complain` with a sentence. */
export function offerFiles({ input, buttons, show, complain }) {
  const open = (file) => show(read(file));
  buttons.forEach((button) => button.addEventListener('click', () => input.click()));
  input.addEventListener('change', () => {
    if (input.files.length) open(input.files[0]);
    input.value = ''; // or the same file could not be chosen again
  });
  document.addEventListener('paste', ({ clipboardData }) => {
    const file = [...clipboardData.files].find(({ type }) => type.startsWith('image/'));
    if (file) open(file);
    else if (!clipboardData.getData('text')) complain('The clipboard has no image.');
  });
  offerDrops(open, complain);
}

function offerDrops(open, complain) {
  let depth = 0; // of the elements that the pointer has entered
  const show = (by) => {
    depth = Math.max(0, depth + by);
    document.body.classList.toggle('dropping', depth > 0);
  };
  document.addEventListener('dragenter', () => show(1));
  document.addEventListener('dragleave', () => show(-1));
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    show(-depth);
    const [file] = event.dataTransfer.files;
    if (file) open(file);
    else complain('Nothing was dropped that is a file: save the image first, then drop the file.');
  });
}

/** The pixels of a file as other programs read them: turned as a camera asks, colour profiles left aside. */
async function read(file) {
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: 'none' }).catch(() => null);
  if (!bitmap) throw new Error(`${file.name || 'This file'} is no image that this browser can read: choose a JPEG, PNG or WebP file.`);
  const scale = LONGEST / Math.max(bitmap.width, bitmap.height);
  if (scale >= 1) return bitmap;
  const [resizeWidth, resizeHeight] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  return createImageBitmap(bitmap, { resizeWidth, resizeHeight, resizeQuality: 'high' }).finally(() => bitmap.close());
}

export class Camera {
  constructor(video) {
    this.video = video;
    this.facing = 'environment';
    this.closed = 0; // how many times
  }

  /** Shows the camera's image in the video element, unless it is closed before the camera is there. */
  async open() {
    this.close();
    const { closed } = this;
    if (!navigator.mediaDevices) throw new Error('Browsers give the camera to https:// and localhost pages only: serve this folder so.');
    const wanted = { video: { facingMode: this.facing, width: { ideal: 1280 }, height: { ideal: 960 } }, audio: false };
    const stream = await navigator.mediaDevices.getUserMedia(wanted).catch((error) => { throw new Error(cameraError(error)); });
    if (closed !== this.closed) {
      stop(stream);
      return;
    }
    this.video.srcObject = stream;
    const { facingMode } = stream.getVideoTracks()[0].getSettings();
    this.video.classList.toggle('mirrored', (facingMode ?? this.facing) === 'user');
    await this.video.play();
  }

  async turn() {
    this.facing = this.facing === 'user' ? 'environment' : 'user';
    await this.open();
  }

  async take() {
    return createImageBitmap(this.video).catch(() => { throw new Error('The camera shows no image yet: take it once you see one.'); });
  }

  close() {
    this.closed += 1;
    if (this.video.srcObject) stop(this.video.srcObject);
    this.video.srcObject = null;
  }
}

const stop = (stream) => stream.getTracks().forEach((track) => track.stop());

function cameraError({ name, message }) {
  if (name === 'NotAllowedError') return 'This page may not use the camera: allow it in the browser’s settings, or choose an image.';
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'No camera was found: choose an image instead.';
  if (name === 'NotReadableError') return 'The camera is used by another program: close that, or choose an image.';
  return `The camera cannot be used (${message}): choose an image instead.`;
}
