import { link } from './address.js';
import { digits, h, select, table, visible } from './dom.js';
import * as documents from './documents.js';
import { ask } from './graph.js';

const nodes = (connection) => connection.edges.map(({ node }) => node);
const words = (constant) => constant.toLowerCase().replaceAll('_', ' ');

/** Everything about one vector: its figures, what was read out of it, what steering by it and removing it does, who is near. */
export async function placeView(key) {
  const { diffVector: place } = await ask(documents.place, { key });
  if (!place) return [h('p', { class: 'failure' }, `There is no diff vector ${key} here.`)];
  return [
    h('h3', {}, `Layer ${key.match(/\.L(\d+)\./)[1]}, position ${place.position}`),
    place.aboveNoise === false && h('p', { class: 'warning' }, `Not above noise: ${place.noiseRule}`),
    figures(place),
    ...(await readings(key)),
    ...effects(nodes(place.causalEffects)),
    ...steering(nodes(place.steeringExperiments)),
    ...near(key),
  ].filter(Boolean);
}

function figures(place) {
  const rows = [
    ['norm of the mean diff', place.norm],
    ['norm ÷ typical activation of the base', place.relativeNorm],
    ['norm when base and finetuned are swapped at random', place.swapNormMean, place.swapNormDeviation],
    ['norm of its standard error', place.standardErrorNorm],
    ['cosine of the diffs of two halves of the texts', place.splitHalfCosine],
    ['cosine between the two means', place.cosineBaseFinetuned],
    ['texts', place.samples],
  ];
  return h(
    'details',
    { open: true },
    h('summary', {}, 'Figures'),
    table(
      'figures',
      [],
      rows.map(([name, value, deviation]) => [
        h('th', { scope: 'row' }, name),
        digits(value) + (deviation === undefined || deviation === null ? '' : ` ± ${digits(deviation)}`),
      ]),
    ),
    h(
      'p',
      {},
      h('a', { href: place.diff.npyUrl }, 'the vector as .npy'),
      ', ',
      h('a', { href: place.diff.url }, 'raw float32'),
      h('span', { class: 'soft' }, ` · key ${place.key}`),
    ),
  );
}

async function readings(key) {
  const box = h('div', { class: 'readings' });
  const asked = { variant: 'DIFF', sign: 'PROMOTED' };
  async function draw() {
    const { diffVector } = await ask(documents.readings, { key, ...asked });
    const found = nodes(diffVector.projections);
    box.replaceChildren(
      ...found.map(({ method, scale, mode, tokens, grades }) => {
        const list = nodes(tokens);
        const judged = nodes(grades).filter((grade) => grade.scale === 'SHARE' && grade.value !== null);
        const labels = judged.findLast(({ tokenLabels }) => tokenLabels !== null)?.tokenLabels ?? [];
        const most = Math.max(...list.map(({ probability }) => probability ?? 0), Number.MIN_VALUE);
        return h(
          'section',
          {},
          h(
            'h3',
            {},
            method +
              (scale === null ? '' : ` at ${digits(scale)}`) +
              (mode === 'EXACT' ? '' : `, ${words(mode)}`),
          ),
          ...judged.map(({ value, grader }) =>
            h(
              'p',
              { class: 'soft' },
              `${digits(100 * value, 3)} % relevant (${grader.name} ${grader.version})`,
            ),
          ),
          table(
            'tokens',
            [],
            list.map(({ tokenId, text, probability }, rank) => [
              h(
                'code',
                {
                  title: `token ${tokenId}${labels[rank] ? `, ${words(labels[rank])}` : ''}`,
                  class: labels[rank] === 'RELEVANT' && 'relevant',
                },
                visible(text, tokenId),
              ),
              h('meter', { value: probability ?? 0, max: most, 'aria-hidden': 'true' }),
              h('td', { class: 'number' }, probability === null ? '–' : `${digits(100 * probability, 3)} %`),
            ]),
          ),
        );
      }),
      found.length === 0 ? h('p', { class: 'soft' }, 'Nothing was read out of it this way.') : '',
    );
  }
  const choose = (name) => (value) => {
    asked[name] = value;
    void draw();
  };
  await draw();
  return [
    h('h3', {}, 'What it says'),
    h(
      'div',
      { class: 'choices' },
      select(
        'of the',
        [
          ['DIFF', 'diff'],
          ['BASE', 'base mean'],
          ['FINETUNED', 'finetuned mean'],
        ],
        'DIFF',
        choose('variant'),
      ),
      select(
        'tokens that it',
        [
          ['PROMOTED', 'promotes'],
          ['SUPPRESSED', 'suppresses'],
        ],
        'PROMOTED',
        choose('sign'),
      ),
    ),
    box,
  ];
}

const effects = (found) =>
  found.length === 0
    ? []
    : [
        h('h3', {}, 'What happens without it'),
        table(
          'figures',
          [
            'what was done',
            'predictions',
            'texts',
            'loss rises by, nats',
            'of the difference',
            'beyond a random direction, nats',
          ],
          found.map((effect) => [
            words(effect.direction),
            words(effect.subset),
            effect.corpusName,
            digits(effect.increase),
            digits(effect.relativeIncrease),
            digits(effect.increaseOverControl),
          ]),
        ),
      ];

const steering = (found) =>
  found.flatMap(({ key, strength, judge, klFromUnsteered }) => {
    const box = h('div');
    const open = async (event) => {
      if (!event.target.open || box.firstChild) return;
      const { steeringExperiment } = await ask(documents.samples, { key });
      const byPrompt = new Map();
      for (const sample of nodes(steeringExperiment.samples)) {
        const row = byPrompt.get(sample.promptIndex) ?? { prompt: sample.prompt, steered: [], unsteered: [] };
        row[sample.steered ? 'steered' : 'unsteered'].push(sample);
        byPrompt.set(sample.promptIndex, row);
      }
      const texts = (samples) =>
        samples
          .map(({ text, coherent }) => (coherent === false ? `(not coherent) ${text}` : text))
          .join('\n—\n');
      box.replaceChildren(
        table(
          'samples',
          ['prompt', 'steered', 'unsteered'],
          [...byPrompt.values()].map(({ prompt, steered, unsteered }) => [
            prompt,
            texts(steered),
            texts(unsteered),
          ]),
        ),
      );
    };
    return [
      h(
        'details',
        { ontoggle: open },
        h(
          'summary',
          {},
          `Steered by ${digits(strength)} typical activations of it (judge: ${judge}` +
            (klFromUnsteered === null ? ')' : `; ${digits(klFromUnsteered)} nats from unsteered)`),
        ),
        box,
      ),
    ];
  });

/** Asked for only when opened: it reads the vectors of all other organisms. */
function near(key) {
  const box = h('div');
  const open = async (event) => {
    if (!event.target.open || box.firstChild) return;
    const { neighbours } = (await ask(documents.neighbours, { key })).diffVector;
    box.replaceChildren(
      neighbours.length === 0
        ? h('p', { class: 'soft' }, 'No other organism of this base has a vector at this layer.')
        : table(
            'figures',
            ['organism', 'layer', 'position', 'cosine'],
            neighbours.map(({ cosine, diffVector: { position, layer } }) => [
              h(
                'a',
                {
                  href: link({
                    organism: layer.run.organism.name,
                    run: layer.run.key,
                    layer: layer.layer,
                    position,
                  }),
                },
                layer.run.organism.name,
              ),
              String(layer.layer),
              String(position),
              digits(cosine),
            ]),
          ),
    );
  };
  return [h('details', { ontoggle: open }, h('summary', {}, 'Nearest vectors of other organisms'), box)];
}
