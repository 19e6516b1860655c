import { digits, h, select } from './dom.js';

/** What a map can show: its number, whether more is stronger colour from 0 on, and what it is. */
const measures = {
  relativeNorm: ['norm ÷ typical activation', ({ relativeNorm }) => relativeNorm],
  norm: ['norm', ({ norm }) => norm],
  splitHalfCosine: ['cosine of the diffs of two halves', ({ splitHalfCosine }) => splitHalfCosine],
  standardErrorNorm: ['norm of the standard error', ({ standardErrorNorm }) => standardErrorNorm],
};

/** Layers by positions of one run, coloured by a measure; a cell chooses its place. ~ and italics: not above noise. */
export function heatMap(layers, chosen, onChoose) {
  const box = h('div', { class: 'wide' });
  const positions = [
    ...new Set(layers.flatMap(({ diffVectors }) => diffVectors.edges.map(({ node }) => node.position))),
  ].sort((a, b) => a - b);

  function draw(measure) {
    const [, valueOf] = measures[measure];
    const all = layers.flatMap(({ diffVectors }) => diffVectors.edges.map(({ node }) => valueOf(node) ?? 0));
    const most = Math.max(...all, Number.MIN_VALUE);
    const cell = (layer, place) => {
      const value = valueOf(place);
      const noise = place.aboveNoise === false;
      const here = layer === chosen.layer && place.position === chosen.position;
      const button = h(
        'button',
        {
          class: noise ? 'noise' : null,
          'aria-pressed': String(here),
          'aria-label': `layer ${layer}, position ${place.position}: ${digits(value)}${noise ? ', not above noise' : ''}`,
          onclick: () => onChoose(layer, place.position),
        },
        (noise ? '~' : '') + digits(value, 3),
      );
      button.style.setProperty('--share', String(Math.max(0, (value ?? 0) / most)));
      return h('td', {}, button);
    };
    box.replaceChildren(
      h(
        'table',
        { class: 'heat' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            h('th', {}, 'layer'),
            ...positions.map((position) => h('th', { scope: 'col' }, `position ${position}`)),
          ),
        ),
        h(
          'tbody',
          {},
          ...layers.map(({ layer, diffVectors }) => {
            const byPosition = new Map(diffVectors.edges.map(({ node }) => [node.position, node]));
            return h(
              'tr',
              {},
              h('th', { scope: 'row' }, String(layer)),
              ...positions.map((position) =>
                byPosition.has(position) ? cell(layer, byPosition.get(position)) : h('td'),
              ),
            );
          }),
        ),
      ),
    );
  }
  draw('relativeNorm');
  return [
    h(
      'div',
      { class: 'choices' },
      select(
        'show',
        Object.entries(measures).map(([name, [label]]) => [name, label]),
        'relativeNorm',
        draw,
      ),
      h('span', { class: 'soft' }, '~ not above what random swaps of base and finetuned give'),
    ),
    box,
  ];
}
