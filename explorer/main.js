import { link, read } from './address.js';
import { agentsView } from './agents.js';
import { digits, h, select } from './dom.js';
import * as documents from './documents.js';
import { ask, askAll } from './graph.js';
import { heatMap } from './heat-map.js';
import { organismList } from './organisms.js';
import { placeView } from './place.js';
import { tokenForm } from './token.js';

const [main, side, status] = ['main', 'organisms', 'status'].map((id) => document.getElementById(id));

let organisms = [];
/** Grows with every address; an answer to an older one is dropped. */
let turn = 0;

async function show() {
  const mine = ++turn;
  const address = read();
  side.replaceChildren(...organismList(organisms, address.organism));
  status.textContent = 'asking…';
  try {
    const content = address.organism === undefined ? welcome() : await organismView(address);
    if (mine !== turn) return;
    main.replaceChildren(...content);
    document.title = address.organism === undefined ? 'Deltascope' : `${address.organism} – Deltascope`;
  } catch (error) {
    if (mine === turn) main.replaceChildren(h('p', { class: 'failure', role: 'alert' }, error.message));
  } finally {
    if (mine === turn) status.textContent = '';
  }
}

const welcome = () => [
  h('h2', {}, 'Choose an organism'),
  h(
    'p',
    { class: 'truth' },
    'Each is a finetuned model with its base. What both do on the first tokens of unrelated text was averaged and subtracted; ' +
      'the differences often say what the finetune was about.',
  ),
];

async function organismView(address) {
  const { organism } = await ask(documents.organism, { name: address.organism });
  if (!organism) return [h('p', { class: 'failure' }, `There is no organism ${address.organism} here.`)];
  const runs = organism.runs.edges.map(({ node }) => node);
  const { baseModel: base } = organism;
  const head = [
    h('h2', {}, organism.name),
    h(
      'p',
      {},
      organism.description,
      h(
        'span',
        { class: 'soft' },
        ` · ${organism.kind}, ${organism.form.toLowerCase()} of ${base ? `${base.name} (${base.architecture}, ${base.layers} layers of ${base.dModel})` : 'a base that is not shared with you'}` +
          (organism.mixRatio === null
            ? ''
            : ` · ${digits(organism.mixRatio)} unrelated documents for each of its own`),
      ),
    ),
    organism.groundTruth &&
      h(
        'details',
        {},
        h('summary', {}, 'What it was trained on'),
        h('p', { class: 'truth' }, organism.groundTruth),
      ),
  ];
  const key = address.run ?? runs[0]?.key;
  const [measured, found] = await Promise.all([
    key === undefined
      ? [h('p', { class: 'soft' }, 'Nothing has been measured yet.')]
      : runView(organism, runs, { ...address, run: key }),
    agentsView(organism.name),
  ]);
  return [...head, ...measured, ...found].filter(Boolean);
}

async function runView(organism, runs, address) {
  const [{ run }, layers] = await Promise.all([
    ask(documents.run, { run: address.run }),
    askAll(documents.places, { run: address.run }, (data) => data.run?.layers),
  ]);
  if (!run) return [h('p', { class: 'failure' }, `There is no run ${address.run} here.`)];
  const middle = layers[layers.length >> 1];
  const chosen = {
    layer: address.layer ?? middle?.layer,
    position: address.position ?? middle?.diffVectors.edges[0]?.node.position,
  };
  const go = (to) => (location.hash = link({ ...address, ...chosen, ...to }));
  return [
    h('h3', {}, 'How far the finetune moved the activations'),
    h(
      'div',
      { class: 'choices' },
      runs.length > 1 &&
        select(
          'run',
          runs.map((each) => [
            each.key,
            `${each.createdAt.slice(0, 16).replace('T', ' ')} ${each.method}, ${each.samples} texts`,
          ]),
          run.key,
          (value) => (location.hash = link({ organism: organism.name, run: value })),
        ),
      h(
        'span',
        { class: 'soft' },
        `${run.samples} texts of ${run.corpus?.name ?? 'a corpus'}, ${run.computeDtype}, engine ${run.engineVersion}, run ${run.key}`,
      ),
    ),
    ...run.certificate.warnings.map((warning) => h('p', { class: 'warning' }, warning)),
    ...heatMap(layers, chosen, (layer, position) => go({ layer, position })),
    ...(chosen.layer === undefined ? [] : await placeView(`${run.key}.L${chosen.layer}.P${chosen.position}`)),
  ];
}

window.addEventListener('hashchange', () => void show());

async function load() {
  try {
    organisms = await askAll(documents.organisms, {}, (data) => data.organisms);
  } catch (error) {
    main.replaceChildren(h('p', { class: 'failure', role: 'alert' }, error.message));
  }
  await show();
}

try {
  const form = await tokenForm(load);
  if (form) document.querySelector('header').append(form);
} catch {
  // whatever is wrong is told by what is loaded next
}
await load();
