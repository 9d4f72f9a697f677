// Draws the report from the data that the page carries, which report.py documents. maps.js precedes it in the same module.

const data = JSON.parse($('data').textContent);
const heat = { ...data.heat, palette: bytes(data.heat.palette) };
const { summary, cases, cards } = data;
const ERRORS = ['jitter', 'inversion', 'swap', 'miss'];
const KINDS = ['good', ...ERRORS];
const STEP = 24; // cards that are drawn at a time
const COUNTED = { 'other part': 'on the part of somebody else', 'other body': "on other people's other keypoints",
  own: 'on its own place', 'own body': "on the person's other keypoints", counterpart: 'on the other side',
  predicted: 'around the prediction', 'rejected place': 'on the rejected place', entropy: 'entropy (0 one cell, 1 even)' };
const MAPS = { attention: 'last layer', rollout: 'rollout', 'attention - radial average': 'beyond nearness' };
const ORDERS = {
  oks: ['Lowest OKS first', ({ card }) => card.oks ?? 1],
  error: ['Largest error first', ({ card, keypoint }) => -(card.errors[keypoint] ?? 0)],
  sure: ['Wrong with the highest score first', ({ card, keypoint }) => -(card.scores[keypoint] ?? 0)],
};
const MEASURES = { deletion: 'lower', insertion: 'higher', road: 'higher', 'share of tokens': 'higher', 'share of edges': 'higher' };

const state = { keypoint: null, kind: null, order: 'oks', most: STEP };

// ---- Words and elements

const rate = (share) => `${(100 * share).toFixed(1)} %`;
const fixed = (value, digits = 3) => (value === null ? '–' : value.toFixed(digits).replace('-', '−'));
const signed = (value) => (value === null ? '–' : `${value < 0 ? '' : '+'}${fixed(value)}`);
const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;
const named = (kind, keypoint) => `${kind === 'inversion' ? 'an' : 'a'} ${kind === 'wrong' ? `wrong ${keypoint}` : `${kind} of ${keypoint === 'keypoint' ? 'a keypoint' : keypoint}`}`;
const between = ({ low, high }, write = fixed) => (low === null ? '' : ` [${write(low)}, ${write(high)}]`);
const part = (kind, share, title = '') => Object.assign(element('div', { className: kind, title }), { style: `width: ${100 * share}%` });
const mark = (kind) => element('i', { className: `mark ${kind}` });

function row(cells, tag = 'td') {
  return element('tr', {}, ...cells.map((cell, index) => {
    const head = tag === 'th' || index === 0;
    const made = element(head ? 'th' : 'td', {}, ...[cell].flat());
    if (head) made.setAttribute('scope', tag === 'th' ? 'col' : 'row');
    return made;
  }));
}

function table(id, heads, rows) {
  $(id).replaceChildren(element('thead', {}, row(heads, 'th')), element('tbody', {}, ...rows));
}

function drawn(tag, attributes, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// ---- Summary

function showTiles() {
  const [now] = cases.costs;
  const labelled = cases.types.reduce((sum, { keypoints }) => sum + keypoints, 0);
  const tiles = [[summary.people === 1 ? 'person' : 'people', summary.people], ['keypoints', labelled], ['occluded', summary.keypoints.occluded],
    ['person OKS', fixed(cases.mean_person_oks)], ['AP', fixed(now.AP)], ['AP50', fixed(now.AP50)], ['AP75', fixed(now.AP75)]];
  $('tiles').replaceChildren(...tiles.map(([name, value]) => element('div', {},
    element('dt', { textContent: name }), element('dd', { textContent: value }))));
}

function showTypes() {
  const gains = Object.fromEntries(cases.costs.map((cost) => [cost.corrected, cost.gain]));
  const top = Math.max(...ERRORS.map((kind) => gains[kind]), 0.001);
  const rows = cases.types.map(({ type, keypoints, mean, low, high }) => {
    const share = mean === null ? '–' : rate(mean);
    const interval = low === null ? '' : ` [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`;
    const bar = element('div', { className: 'bar' });
    if (type in gains) bar.append(part(type, Math.max(0, gains[type]) / top));
    const made = row([[mark(type), type], String(keypoints), share + interval, type in gains ? signed(gains[type]) : '', bar]);
    made.lastChild.classList.add('stack');
    return made;
  });
  const made = element('table', { id: 'type-table' });
  $('types').replaceChildren(made);
  table('type-table', ['Error', 'Keypoints', 'Share [95 %]', 'AP gained', ''], rows);
  const stages = cases.costs.filter(({ corrected }) => corrected === 'miss' || corrected.includes('+'));
  const steps = stages.map(({ corrected, AP }) => `${corrected.split(' + ').at(-1)} ${fixed(AP)}`);
  $('stages').textContent = `AP with one kind after the other corrected: now ${fixed(cases.costs[0].AP)}, ${steps.join(', ')}.`;
}

function showHistogram() {
  const top = Math.max(...cases.oks, 1);
  const [width, height, base] = [400, 190, 170];
  const step = width / cases.oks.length;
  const bars = cases.oks.map((count, index) => {
    const tall = (count / top) * (base - 16);
    const from = index / cases.oks.length;
    const title = drawn('title', {}, `OKS ${fixed(from, 2)} to ${fixed(from + 1 / cases.oks.length, 2)}: ${plural(count, 'person', 'people')}`);
    return drawn('rect', { x: index * step + 1, y: base - tall, width: step - 2, height: tall }, title);
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => drawn('text', { x: share * width, y: base + 15,
    'text-anchor': share === 0 ? 'start' : share === 1 ? 'end' : 'middle' }, String(share)));
  $('histogram').replaceChildren(drawn('svg', { viewBox: `0 0 ${width} ${height}`, class: 'histogram', role: 'img',
    'aria-label': `OKS of ${plural(summary.people, 'person', 'people')}; at most ${top} in a twentieth` },
  drawn('line', { x1: 0, y1: base, x2: width, y2: base }), ...bars, ...ticks, drawn('text', { x: 0, y: 10 }, String(top))));
}

// ---- Tables

function showKeypoints() {
  const rows = cases.keypoints.filter(({ labelled }) => labelled).map((each) => {
    const button = element('button', { type: 'button', textContent: spoken(each.keypoint) });
    button.setAttribute('aria-label', `Show people with a wrong ${spoken(each.keypoint)}`);
    button.addEventListener('click', () => { update({ keypoint: summary.names.indexOf(each.keypoint) }); toCards(); });
    const bar = element('div', { className: 'bar' });
    bar.append(...KINDS.map((kind) => part(kind, each[kind] / each.labelled, `${kind}: ${each[kind]}`)));
    const rates = KINDS.map((kind) => rate(each[kind] / each.labelled));
    const made = row([button, String(each.labelled), ...rates, `${fixed(each.error_sigma, 2)} σ`, fixed(each.score, 2), bar]);
    made.lastChild.classList.add('stack');
    return made;
  });
  table('keypoint-table', ['Keypoint', 'Labelled', ...KINDS.map((kind) => [mark(kind), kind]), 'Median error', 'Mean score', ''], rows);
}

function linkCell(link) {
  if (!link.enough) return [element('span', { className: 'few', textContent: `too few (n = ${link.n})` })];
  const tag = link.low > 0 || link.high < 0 ? 'b' : 'span';
  return [element(tag, { textContent: signed(link.mean) + between(link, signed) })];
}

function showLinks() {
  const groups = new Map();
  for (const link of cases.links) {
    const key = `${link.error} ${link.quantity}`;
    groups.set(key, { ...groups.get(key), [link.map]: link });
  }
  const rows = [...groups.values()].map((links) => {
    const { error, quantity, n, keypoints, of_errors: ofErrors, of_good: ofGood } = links.attention;
    return row([[mark(error), error], COUNTED[quantity], `${keypoints} in ${plural(n, 'person', 'people')}`, fixed(ofErrors), fixed(ofGood),
      ...Object.keys(MAPS).map((name) => (links[name] ? linkCell(links[name]) : ''))]);
  });
  table('link-table', ['Error', 'Share of the map', 'Keypoints', 'Wrong', 'Good', ...Object.values(MAPS).map((name) => `Difference, ${name}`)], rows);
  for (const each of $('link-table').querySelectorAll('tr > :nth-child(2)')) each.classList.add('text');
}

function showFaithfulness() {
  $('faithfulness').hidden = summary.faithfulness.length === 0;
  const methods = [...new Set(summary.faithfulness.map(({ method }) => method))];
  const found = (method, measure) => summary.faithfulness.find((each) => each.method === method && each.measure === measure);
  const rows = methods.map((method) => row([method, ...Object.keys(MEASURES).map((measure) => {
    const each = found(method, measure);
    return each ? fixed(each.mean) + between(each) : '–';
  })]));
  table('faithfulness-table', ['Method', ...Object.entries(MEASURES).map(([name, better]) => `${name} (${better} is better)`)], rows);
}

function showFigures() {
  $('figures').hidden = data.figures.length === 0;
  $('figure-list').replaceChildren(...data.figures.map(({ name, src }) => element('figure', { className: 'box' },
    element('figcaption', { textContent: spoken(name) }), element('img', { src, alt: `Figure: ${name}` }))));
}

// ---- Cards

/** The wrong keypoint of a card that the filters ask for: of the highest score if that is the order, else of the largest error. */
function keypointOf(card) {
  const fits = (kind, k) => (state.keypoint === null || k === state.keypoint)
    && (state.kind === null ? ERRORS.includes(kind) : kind === state.kind);
  const found = card.kinds.map((kind, k) => (fits(kind, k) ? k : null)).filter((k) => k !== null);
  const values = state.order === 'sure' ? card.scores : card.errors;
  found.sort((one, other) => values[other] - values[one]);
  return found[0] ?? null;
}

function poseOf(card, chosen) {
  const [width, height] = card.crop.size;
  const size = Math.max(width, height) / 100;
  const svg = drawn('svg', { viewBox: `-0.5 -0.5 ${width} ${height}`, class: 'pose', role: 'img',
    'aria-label': `The person with predicted and true pose; ${spoken(summary.names[chosen])} is marked` },
  drawn('image', { href: card.crop.src, x: -0.5, y: -0.5, width, height, preserveAspectRatio: 'none' }));
  const line = (from, to, name, wide) => from && to && svg.append(drawn('line',
    { x1: from[0], y1: from[1], x2: to[0], y2: to[1], class: name, 'stroke-width': wide * size }));
  for (const [points, name] of [[card.truth, 'truth'], [card.predicted, 'predicted']]) {
    for (const [from, to] of data.skeleton) line(points[from], points[to], 'halo', 1.5);
    for (const [from, to] of data.skeleton) line(points[from], points[to], name, 0.9);
  }
  card.kinds.forEach((kind, k) => {
    if (!ERRORS.includes(kind)) return;
    const [cx, cy] = card.predicted[k];
    svg.append(drawn('circle', { cx, cy, r: 1.6 * size, class: kind, 'stroke-width': 0.3 * size }));
  });
  line(card.predicted[chosen], card.truth[chosen], 'off', 0.5);
  const [cx, cy] = card.predicted[chosen];
  svg.append(drawn('circle', { cx, cy, r: 3.4 * size, class: 'chosen', 'stroke-width': 0.7 * size }));
  return svg;
}

async function drawCardMap(canvas, card, chosen) {
  const image = { bitmap: element('img', { src: card.crop.src }) };
  await image.bitmap.decode();
  const [width, height] = card.crop.size;
  const [scale, [rows, cols]] = [320 / Math.max(width, height), card.grid];
  Object.assign(canvas, { width: Math.round(width * scale), height: Math.round(height * scale) });
  const context = canvas.getContext('2d');
  drawImage(context, image, canvas.width, canvas.height, heat);
  const values = readMap(card.maps, rows * cols, 0, 0, card.mapped.indexOf(chosen));
  const toView = [scale, 0, scale / 2, 0, scale, scale / 2];
  const [a, b, c, d, e, f] = compose(toView, card.tokenToCrop);
  context.save();
  context.transform(a, d, b, e, c, f);
  context.drawImage(coloured(values, [rows, cols], largest(values), heat, heat.opacity, 8, 1), -1.5, -1.5, cols + 2, rows + 2);
  context.restore();
  for (const [point, radius, colour] of [[card.truth[chosen], 4, '#3fe0ff'], [card.predicted[chosen], 8, '#fff']]) {
    context.beginPath();
    context.arc(...apply(toView, point), radius, 0, 2 * Math.PI);
    stroke(context, 2, colour);
  }
}

function mapOf(card, chosen) {
  const canvas = element('canvas', { width: card.crop.size[0], height: card.crop.size[1] });
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', card.mapped.includes(chosen)
    ? `What ${spoken(summary.names[chosen])} attends to in the last layer` : 'No map: this person has larger errors');
  if (card.mapped.includes(chosen)) drawCardMap(canvas, card, chosen);
  return canvas;
}

function about(card, chosen) {
  const kind = card.kinds[chosen];
  const whose = card.mistakenFor[chosen] === null ? '' : ` with ${card.mistakenFor[chosen]}`;
  return `${spoken(summary.names[chosen])}: ${kind}${whose}, ${fixed(card.errors[chosen], 1)} σ, score ${fixed(card.scores[chosen], 2)}`;
}

function cardOf({ card, keypoint }) {
  const counts = ERRORS.map((kind) => [kind, card.kinds.filter((each) => each === kind).length]).filter(([, count]) => count);
  const map = card.mapped.includes(keypoint) ? '' : ' · no map';
  const made = element('article', { className: 'card', tabIndex: -1 },
    element('div', { className: 'panels' }, element('div', {}, poseOf(card, keypoint)), element('div', {}, mapOf(card, keypoint))),
    element('h3', { textContent: card.file, dir: 'auto' }),
    element('p', { textContent: `annotation ${card.annotation} · OKS ${fixed(card.oks, 2)} · score ${fixed(card.score, 2)}` }),
    element('p', { className: 'worst' }, mark(card.kinds[keypoint]), about(card, keypoint) + map),
    element('p', { textContent: counts.map(([kind, count]) => `${count} ${kind}`).join(' · ') }));
  if (card.page) {
    const link = element('a', { href: `${card.page}#keypoint=${encodeURIComponent(summary.names[keypoint])}`, textContent: 'Open the maps' });
    link.setAttribute('aria-label', `Open the maps of annotation ${card.annotation}`);
    made.append(link);
  }
  return made;
}

/** The people whom the filters ask for, each with the keypoint to mark, in the chosen order. */
function matching() {
  const found = cards.map((card) => ({ card, keypoint: keypointOf(card) })).filter(({ keypoint }) => keypoint !== null);
  const value = ORDERS[state.order][1];
  return found.sort((one, other) => value(one) - value(other));
}

/** Adds the cards from a place on up to `state.most`, and returns them. */
function addCards(found, first) {
  const made = found.slice(first, state.most).map(cardOf);
  $('cards').append(...made);
  const what = [state.kind ?? 'wrong', state.keypoint === null ? 'keypoint' : spoken(summary.names[state.keypoint])];
  $('count').textContent = `${found.length} of ${plural(cards.length, 'person', 'people')} with ${named(...what)}`;
  $('more').hidden = found.length <= state.most;
  $('more').textContent = `Show ${Math.min(STEP, found.length - state.most)} more`;
  return made;
}

/** Adds cards, and moves the focus to the first of them: the button may be gone. */
function showMore() {
  state.most += STEP;
  const [first] = addCards(matching(), state.most - STEP);
  (first.querySelector('a') ?? first).focus();
}

function update(changes) {
  Object.assign(state, { most: STEP }, changes);
  $('keypoint').value = state.keypoint ?? '';
  $('order').value = state.order;
  for (const input of document.getElementsByName('kind')) input.checked = input.value === (state.kind ?? '');
  $('cards').replaceChildren();
  addCards(matching(), 0);
}

const toCards = () => { $('people-title').scrollIntoView(); $('keypoint').focus({ preventScroll: true }); };

function offerFilters() {
  const keypoints = cases.keypoints.filter(({ labelled }) => labelled).map(({ keypoint }) => element('option',
    { value: summary.names.indexOf(keypoint), textContent: spoken(keypoint) }));
  $('keypoint').replaceChildren(element('option', { value: '', textContent: 'all' }), ...keypoints);
  $('order').replaceChildren(...Object.entries(ORDERS).map(([value, [textContent]]) => element('option', { value, textContent })));
  $('kinds').replaceChildren(...['', ...ERRORS].map((value) => {
    const input = element('input', { type: 'radio', name: 'kind', value });
    input.addEventListener('change', () => update({ kind: value || null }));
    return element('label', {}, input, element('span', { className: 'name', textContent: value || 'any' }));
  }));
  $('keypoint').addEventListener('change', () => update({ keypoint: $('keypoint').value === '' ? null : Number($('keypoint').value) }));
  $('order').addEventListener('change', () => update({ order: $('order').value }));
  $('more').addEventListener('click', showMore);
  document.querySelector('.marks').replaceChildren(...ERRORS.map((kind) => element('span', {}, mark(kind), kind)));
  $('shown').textContent = cards.length < summary.people
    ? `${cards.length} of ${plural(summary.people, 'person', 'people')}: those with the lowest OKS, and those with most errors of each kind.`
    : 'All people that were measured.';
}

offerThemes();
showTiles();
showTypes();
showHistogram();
showKeypoints();
showLinks();
showFaithfulness();
showFigures();
offerFilters();
update({});
