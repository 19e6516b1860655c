/**
 * An element. Whatever comes from the store goes in as text, never as HTML: names, tokens and samples are strangers' words.
 * @param {string} tag
 * @param {Record<string, unknown>} [properties] attributes; functions are listeners (`onclick`), `false`, null and undefined are left out
 * @param {...(Node | string | number | null | undefined | false)} children
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A table of rows of cells; a cell is what `h` takes as a child, or a `td` made already. */
export const table = (className, head, rows) =>
  h(
    'table',
    { class: className },
    h('thead', {}, h('tr', {}, ...head.map((cell) => h('th', { scope: 'col' }, cell)))),
    h(
      'tbody',
      {},
      ...rows.map((cells) =>
        h(
          'tr',
          {},
          ...cells.map((cell) =>
            cell instanceof HTMLElement && /^T[DH]$/.test(cell.tagName) ? cell : h('td', {}, cell),
          ),
        ),
      ),
    ),
  );

/** A labelled choice; `options` are [value, label]. */
export function select(label, options, value, onChange) {
  const element = h(
    'select',
    { onchange: () => onChange(element.value) },
    ...options.map(([each, text]) => h('option', { value: each, selected: each === value }, text)),
  );
  return h('label', {}, `${label} `, element);
}

/** Four significant digits, as tables of the command line have them; null is a dash. */
export function digits(number, count = 4) {
  if (number === null || number === undefined) return '–';
  const size = Math.abs(number);
  return size !== 0 && (size < 1e-3 || size >= 1e6)
    ? number.toExponential(count - 1)
    : String(Number(number.toPrecision(count)));
}

const controls = {
  '\n': '⏎',
  '\t': '⇥',
  '\r': '␍',
};

/** A token's text with what cannot be seen made visible; null is bytes that are no text. */
export const visible = (text, id) =>
  text === null
    ? `#${id}`
    : text
        // eslint-disable-next-line no-control-regex
        .replace(/[\n\t\r]|[\u0000-\u001f\u007f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/g, (c) => {
          return controls[c] ?? `\\u{${c.codePointAt(0).toString(16)}}`;
        })
        .replace(/ /g, '␣');

/** A long text with what would disturb its reading made visible: controls but for line breaks, and marks that turn its direction. */
export const readable = (text) =>
  text.replace(
    // eslint-disable-next-line no-control-regex
    /[\u0000-\u0008\u000b-\u001f\u007f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u{${c.codePointAt(0).toString(16)}}`,
  );
