import * as documents from './documents.js';
import { h } from './dom.js';
import { ask, useToken } from './graph.js';

/**
 * Where a token is given, on a server that has some. It stays in this page's memory: a reload forgets it, and no other page or
 * visit finds it.
 * @param {() => Promise<void>} onChange called when another token is in use
 */
export async function tokenForm(onChange) {
  const { viewer, serviceConfig } = await ask(documents.viewer);
  if (!serviceConfig.features.includes('TOKENS')) return undefined;
  const said = h('span', { class: 'soft' }, whoIs(viewer));
  const field = h('input', {
    type: 'password',
    autocomplete: 'off',
    'aria-label': 'token',
    placeholder: 'dscp_…',
    size: 12,
  });
  const form = h('form', { class: 'token' }, said, field, h('button', {}, 'Use token'));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void use(field.value.trim());
  });

  async function use(token) {
    useToken(token === '' ? undefined : token);
    field.value = '';
    try {
      said.textContent = whoIs((await ask(documents.viewer)).viewer);
    } catch (error) {
      useToken(undefined);
      said.textContent = error.message;
    }
    await onChange();
  }

  return form;
}

const whoIs = ({ kind, team }) =>
  kind === 'ANONYMOUS'
    ? 'what is shared with everybody'
    : team === null
      ? 'as an administrator'
      : `as team ${team}`;
