import { link } from './address.js';
import { h } from './dom.js';

/** The list at the side: organisms by base model, those whose words contain what is typed. */
export function organismList(organisms, current) {
  const input = h('input', {
    type: 'search',
    placeholder: 'name, kind, words',
    'aria-label': 'show organisms that contain',
    oninput: () => fill(),
  });
  const groups = h('div');
  function fill() {
    const words = input.value.toLowerCase().split(/\s+/);
    const shown = organisms.filter(({ name, kind, description }) => {
      const text = `${name} ${kind} ${description}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
    const baseOf = ({ baseModel }) => baseModel?.name ?? 'a base that is not shared with you';
    const bases = [...new Set(shown.map(baseOf))].sort();
    groups.replaceChildren(
      ...bases.flatMap((base) => [
        h('h3', {}, base),
        h(
          'ul',
          {},
          ...shown
            .filter((organism) => baseOf(organism) === base)
            .map(({ name, description, latestRun }) =>
              h(
                'li',
                {},
                h(
                  'a',
                  {
                    href: link({ organism: name }),
                    title: description,
                    'aria-current': name === current ? 'page' : null,
                  },
                  name,
                  !latestRun && h('span', { class: 'soft' }, ' (no run)'),
                ),
              ),
            ),
        ),
      ]),
      shown.length === 0
        ? h('p', { class: 'soft' }, organisms.length === 0 ? 'Nothing is registered yet.' : 'None of them.')
        : '',
    );
  }
  fill();
  return [input, groups];
}
