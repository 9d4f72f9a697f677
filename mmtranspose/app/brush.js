// The brush: a canvas over the image. It lies there while the brush's controls are shown, and sends each stroke to the
// server as text (mmtranspose/app/painting.py reads it). gradio's own editor needs eval, which the page forbids.
'use strict';
(() => {
  const MOST_POINTS = 1500; // of a stroke; the server takes 2000
  const MOST_AT_ONCE = 8; // strokes; as in painting.py
  const find = (selector) => document.querySelector(selector);
  const canvas = document.createElement('canvas');
  canvas.id = 'brush-canvas';
  canvas.tabIndex = 0;
  canvas.setAttribute('role', 'application');
  canvas.setAttribute(
    'aria-label', 'Paint over the image: drag, or move the brush by the arrow keys and paint by the space bar');

  let stroke = null; // being painted: its image, and its points [x, y] as shares of the image's width and height
  let pointer = null; // id of the pointer that paints it; another finger neither continues nor ends it
  let sent = []; // strokes whose answer is not seen yet
  let seen = ''; // id of the image that is seen
  let number = 0; // of the last stroke that was sent
  let brush = null; // where the brush is, as points are
  let shown = null; // left, top, width and height of the image, in pixels of the page, from the corner of its host

  const image = () => find('#image img');
  /** What the facts say, out of sight: the id of the image, and the number of the last stroke that was answered. */
  const answered = () => (find('#facts .answered')?.textContent ?? '').trim().split(' ');
  const painting = () => Boolean(find('#brush')?.offsetParent && image());
  const radius = () => Number(find('#brush-size input[type=number]')?.value ?? 3) / 100;
  const longer = () => Math.max(shown.width, shown.height);
  const onPage = ([x, y]) => [x * shown.width, y * shown.height];
  const share = (value) => Math.min(1, Math.max(0, value));

  /** Puts the canvas over the image, whose box may be larger than what is seen (object-fit: scale-down). */
  function place() {
    canvas.hidden = !painting();
    if (canvas.hidden) return;
    const [host, box] = [find('#image'), image().getBoundingClientRect()];
    if (canvas.parentNode !== host) host.append(canvas);
    const [width, height] = [image().naturalWidth, image().naturalHeight];
    if (!width) return;
    const scale = Math.min(box.width / width, box.height / height, 1);
    const corner = host.getBoundingClientRect();
    shown = {
      left: box.left - corner.left - host.clientLeft + (box.width - scale * width) / 2,
      top: box.top - corner.top - host.clientTop + (box.height - scale * height) / 2,
      width: scale * width,
      height: scale * height,
    };
    for (const side of ['left', 'top', 'width', 'height']) canvas.style[side] = `${shown[side]}px`;
    draw();
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1;
    [canvas.width, canvas.height] = [shown.width, shown.height].map((side) => Math.round(side * ratio));
    const context = canvas.getContext('2d');
    context.scale(ratio, ratio);
    context.lineCap = context.lineJoin = 'round';
    context.strokeStyle = 'rgba(236, 72, 153, 0.6)';
    for (const one of [...sent, ...(stroke ? [{ ...stroke, radius: radius() }] : [])]) {
      context.lineWidth = 2 * one.radius * longer();
      context.beginPath();
      const [x, y] = onPage(one.points[0]);
      context.moveTo(x, y);
      context.lineTo(x + 0.1, y); // of a dot, too: a path without length is not drawn
      for (const point of one.points) context.lineTo(...onPage(point));
      context.stroke();
    }
    if (brush) ring(context);
  }

  function ring(context) {
    for (const [colour, width] of [['#000', 3], ['#fff', 1.5]]) {
      [context.strokeStyle, context.lineWidth] = [colour, width];
      context.beginPath();
      context.arc(...onPage(brush), radius() * longer(), 0, 2 * Math.PI);
      context.stroke();
    }
  }

  function at(event) {
    const box = canvas.getBoundingClientRect();
    return [share((event.clientX - box.left) / box.width), share((event.clientY - box.top) / box.height)];
  }

  const begin = (point) => { stroke = { image: seen, points: [point] }; };

  function finish() {
    const points = stroke.points.map((point) => point.map((value) => Number(value.toFixed(4))));
    number += 1;
    sent.push({ number, radius: radius(), points });
    // gradio reads the text a little later: strokes that follow each other closely must all be in it.
    const text = JSON.stringify({ image: stroke.image, strokes: sent.slice(-MOST_AT_ONCE) });
    stroke = null;
    const field = find('#stroke textarea');
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value').set
      .call(field, text);
    field.dispatchEvent(new Event('input', { bubbles: true }));
    field.dispatchEvent(new KeyboardEvent('keypress', { key: 'Enter', bubbles: true, cancelable: true }));
    draw();
  }

  /** Forgets strokes that are answered, and those of other images, once the image that holds the answer is there. */
  function settle() {
    if (image() && !image().complete) return;
    const [id, last] = answered();
    if (id !== seen) [seen, stroke, sent] = [id, null, []];
    sent = sent.filter((one) => one.number > Number(last));
  }

  canvas.addEventListener('pointerdown', (event) => {
    if (event.button || stroke) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    brush = at(event);
    pointer = event.pointerId;
    begin(brush);
    draw();
  });
  canvas.addEventListener('pointermove', (event) => {
    if (stroke && event.pointerId !== pointer) return;
    brush = at(event);
    if (stroke) {
      const [from, to] = [onPage(stroke.points.at(-1)), onPage(brush)];
      const isFar = Math.hypot(to[0] - from[0], to[1] - from[1]) >= Math.max(1, (radius() * longer()) / 4);
      if (isFar) stroke.points.push(brush);
      if (stroke.points.length >= MOST_POINTS) {
        finish();
        begin(brush); // the drag goes on
      }
    }
    draw();
  });
  canvas.addEventListener('pointerup', (event) => { if (stroke && event.pointerId === pointer) finish(); });
  canvas.addEventListener('pointercancel', (event) => {
    if (event.pointerId !== pointer) return;
    stroke = null;
    draw();
  });
  canvas.addEventListener('pointerleave', () => { if (!stroke) { brush = null; draw(); } });
  canvas.addEventListener('blur', () => { brush = null; draw(); });
  canvas.addEventListener('keydown', (event) => {
    const step = Math.max(radius() / 2, 0.005) * longer();
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!way && event.key !== ' ' && event.key !== 'Enter') return;
    event.preventDefault();
    if (stroke || (event.repeat && !way)) return; // a key that is held down would paint the same place again and again
    brush ??= [0.5, 0.5];
    if (way) brush = [share(brush[0] + (way[0] * step) / shown.width), share(brush[1] + (way[1] * step) / shown.height)];
    else {
      begin(brush);
      finish();
    }
    draw();
  });

  const again = () => {
    settle();
    requestAnimationFrame(place);
  };
  document.addEventListener('load', again, true); // of images, too: gradio has shown another one
  window.addEventListener('resize', again);
  new MutationObserver((changes) => {
    if (changes.some(({ target }) => target !== canvas)) again();
  }).observe(document, { subtree: true, childList: true, characterData: true });
})();
