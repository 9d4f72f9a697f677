// Images from files, drag and drop, the clipboard and cameras, as bitmaps.

const LONGEST = 4096; // pixels of the longer side; larger images are shrunk

/** `take` is called with a bitmap, `complain` with a sentence. */
export function offerFiles({ input, buttons, take, complain }) {
  const open = (file) => read(file).then(take, (error) => complain(error.message));
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
  return createImageBitmap(bitmap, { resizeWidth, resizeHeight, resizeQuality: 'high' });
}

export class Camera {
  constructor(video) {
    this.video = video;
    this.facing = 'environment';
  }

  /** Shows the camera's image in the video element. */
  async open() {
    this.close();
    if (!navigator.mediaDevices) throw new Error('Browsers give the camera to https:// and localhost pages only: serve this folder so.');
    const wanted = { video: { facingMode: this.facing, width: { ideal: 1280 }, height: { ideal: 960 } }, audio: false };
    const stream = await navigator.mediaDevices.getUserMedia(wanted).catch((error) => { throw new Error(cameraError(error)); });
    this.video.srcObject = stream;
    const { facingMode } = stream.getVideoTracks()[0].getSettings();
    this.video.classList.toggle('mirrored', (facingMode ?? this.facing) === 'user');
    await this.video.play();
  }

  async turn() {
    this.facing = this.facing === 'user' ? 'environment' : 'user';
    await this.open();
  }

  take() { return createImageBitmap(this.video); }

  close() {
    this.video.srcObject?.getTracks().forEach((track) => track.stop());
    this.video.srcObject = null;
  }
}

function cameraError({ name, message }) {
  if (name === 'NotAllowedError') return 'This page may not use the camera: allow it in the browser’s settings, or choose an image.';
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'No camera was found: choose an image instead.';
  if (name === 'NotReadableError') return 'The camera is used by another program: close that, or choose an image.';
  return `The camera cannot be used (${message}): choose an image instead.`;
}
