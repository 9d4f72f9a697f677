// Shows the data that the page carries. maps.js and viewer.js precede it in the same module.

/**
 * What a fragment such as `#keypoint=left_wrist&layer=2` asks for, as page.py documents it: changes of the state, and in
 * `missing` what the page does not have.
 */
function linked(fragment, { people }, chosen) {
  const wanted = new URLSearchParams(fragment.replace(/^#/, ''));
  const [changes, missing] = [{}, []];
  const take = (name, field, indexOf, value = (index) => index) => {
    const text = wanted.get(name);
    const index = text ? indexOf(text) : null;
    if (index === -1) missing.push(`${name} “${text}”`);
    else if (index !== null) changes[field] = value(index);
  };
  const counted = (count) => (text) => (/^[1-9]\d*$/.test(text) && Number(text) <= count ? Number(text) - 1 : -1);
  take('person', 'person', counted(people.length));
  const { names, kinds } = people[changes.person ?? chosen.person];
  take('keypoint', 'keypoint', (text) => names.map(spoken).indexOf(spoken(text)));
  take('map', 'kind', (text) => kinds.findIndex(({ name }) => name === text), (index) => kinds[index].name);
  const shown = kinds.find(({ name }) => name === (changes.kind ?? chosen.kind)) ?? kinds[0];
  take('layer', 'layer', counted(shown.layers ? shown.shape[0] : 0));
  return { changes, missing };
}

/** What the page opens with: the first person with a certain keypoint, and of them the keypoint of the strongest map. */
function opening({ people }, { person = Math.max(0, people.findIndex(({ uncertain }) => !uncertain.every(Boolean))) }) {
  return { person, keypoint: strongest(people[person]) };
}

function sayMissing(missing) {
  $('missing').hidden = missing.length === 0;
  $('missing').textContent = `The link asks for ${missing.join(', ')}, which this page does not have.`;
}

function follow() {
  const { changes, missing } = linked(window.location.hash, data, state);
  sayMissing(missing);
  update({ keypoint: state.keypoint, preview: null, cell: null, ...changes }); // a link shows the keypoint in the list
}

async function start() {
  offerThemes();
  const given = JSON.parse($('data').textContent);
  const { changes, missing } = linked(window.location.hash, given, { ...state, ...opening(given, {}) });
  $('hint').textContent = howToChoose(given.people.some(({ kinds }) => kinds.some(({ layers, shape }) => layers && shape[0] > 1)));
  sayMissing(missing);
  await view(given, { ...opening(given, changes), ...changes });
  window.addEventListener('hashchange', follow);
  const drawn = (ofLayer) => (ofLayer === null ? null : Array.from(mapOf(ofLayer), above));
  window.explanation = { state, map: () => drawn(layer()), beside: () => drawn(beside()) }; // for scripts and tests
}

start();
