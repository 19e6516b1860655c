import { expect, test } from 'vitest';
import type { Answer } from '../harness/ask.ts';
import { serve } from '../harness/serve.ts';
import { seedRun } from '../harness/synthetic-run.ts';
import { seedToken } from '../harness/teams.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const errors = 'userErrors { code message field }';
const idOf = (type: string, key: string): string => Buffer.from(`${type}:${key}`).toString('base64');

/** A server on one measured organism, and a way to ask it for a change: its payload, or the errors. */
async function served() {
  const store = temporaryStore();
  const run = seedRun(store);
  const server = await serve(store);
  const change = async (mutation: string, input: object, headers: Record<string, string> = {}) => {
    const [name = '', fields] = mutation.split(' ', 2);
    const type = `${name[0]?.toUpperCase()}${name.slice(1)}Input`;
    const response = await server.get('/graphql', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: JSON.stringify({
        query: `mutation ($input: ${type}!) { ${name}(input: $input) { ${fields} ${errors} } }`,
        variables: { input },
      }),
    });
    const answer = (await response.json()) as Answer;
    return (answer['data']?.[name] ?? answer['errors']) as Answer;
  };
  return { store, run, change };
}

test('a note says something, and no more than it may', async () => {
  const { run, change } = await served();
  const refusal = async (text: string) =>
    (await change('noteCreate note{text}', { subject: idOf('Run', run.key), text }))['userErrors'] as unknown;
  for (const blank of ['', '   ', '\n'])
    expect(await refusal(blank)).toEqual([
      { code: 'INVALID', message: 'A note says something.', field: ['input', 'text'] },
    ]);
  expect(await refusal('x'.repeat(20_001))).toEqual([
    { code: 'INVALID', message: 'A note has at most 20000 characters, not 20001.', field: ['input', 'text'] },
  ]);
  expect(await refusal(` ${'x'.repeat(19_999)}`)).toEqual([]);
});

test('a note that was deleted is not written again by the same request, which says so', async () => {
  const { store, run, change } = await served();
  const input = { subject: idOf('Run', run.key), text: 'odd', idempotencyKey: 'k' };
  const first = await change('noteCreate note{id}', input);
  expect(await change('noteCreate note{id}', input)).toEqual(first);
  const taken = { id: first['note'].id as string, idempotencyKey: 'd' };
  expect(await change('noteDelete note{id}', taken)).toEqual({ note: { id: taken.id }, userErrors: [] });
  expect(await change('noteDelete note{id}', taken)).toEqual({ note: null, userErrors: [] });
  expect(await change('noteCreate note{id}', input)).toEqual({
    note: null,
    userErrors: [
      {
        code: 'NOT_FOUND',
        message:
          'This was done before with the same key, and what it made is not here any more; choose a new key to do it again.',
        field: ['input', 'idempotencyKey'],
      },
    ],
  });
  expect(store.notes.ofRun.count(run, {})).toBe(0);
});

test('a start is refused in a sentence about the member that is wrong', async () => {
  const { store, run, change } = await served();
  const refusal = async (mutation: string, input: object) => {
    const { job, userErrors } = await change(`${mutation} job{key}`, input);
    return [
      job,
      ...(userErrors as { message: string; field: string[] }[]).map(({ message, field }) => [message, field]),
    ] as unknown;
  };
  const measured = { organism: 'tiny-cake', corpus: 'probe' };
  const layers = ['input', 'layers'];
  expect(await refusal('runStart', { ...measured, layers: [1, 99] })).toEqual([
    null,
    ['Base model "tiny-base" has 4 layers, 0 to 3; 99 is none of them.', layers],
  ]);
  expect(await refusal('runStart', { ...measured, layers: [-1] })).toEqual([
    null,
    ['layers.0 must be 0 or more.', [...layers, '0']],
  ]);
  expect(await refusal('runStart', { ...measured, layers: [] })).toEqual([
    null,
    ['layers must have 1 or more members.', layers],
  ]);
  expect(await refusal('runStart', { ...measured, positions: 0 })).toEqual([
    null,
    ['positions must be 1 or more.', ['input', 'positions']],
  ]);
  expect(await refusal('runStart', { ...measured, dtype: 'int8' })).toEqual([
    null,
    ['dtype must be one of float32, bfloat16.', ['input', 'dtype']],
  ]);
  expect(await refusal('projectionStart', { run: run.key, positions: [3, -2] })).toEqual([
    null,
    ['positions.1 must be 0 or more.', ['input', 'positions', '1']],
  ]);
  expect(await refusal('projectionStart', { run: run.key, positions: [] })).toEqual([
    null,
    ['positions must have 1 or more members.', ['input', 'positions']],
  ]);
  expect(store.jobs.all.count(null, {})).toBe(0);
  expect(await refusal('runStart', { ...measured, layers: [3] })).toEqual([
    { key: expect.any(String) as string },
  ]);
});

test('lists whose order means nothing are the same work in any order', async () => {
  const { store, run, change } = await served();
  const started = async (name: string, input: object) => {
    const { job } = (await change(`${name} job{key}`, input)) as unknown as { job: { key: string } };
    return [job.key, store.jobs.get(job.key).spec];
  };
  const measured = { organism: 'tiny-cake', corpus: 'probe' };
  const [key, spec] = await started('runStart', { ...measured, layers: [2, 1, 1] });
  expect(spec).toMatchObject({ layers: [1, 2] });
  expect((await started('runStart', { ...measured, layers: [1, 2] }))[0]).toBe(key);
  for (const name of ['projectionStart', 'steeringStart', 'causalStart', 'componentsStart']) {
    const asked = { run: run.key, ...(name === 'causalStart' && { corpus: 'probe' }) };
    const [key, spec] = await started(name, { ...asked, positions: [2, 0, 2] });
    expect(spec, name).toMatchObject({ positions: [0, 2] });
    expect((await started(name, { ...asked, positions: [0, 2] }))[0]).toBe(key);
  }
});

test('the audit log has what a start asked for, cut', async () => {
  const { store, run, change } = await served();
  await change('runStart job{key}', { organism: 'tiny-cake', corpus: 'probe', layers: [2], top: 7 });
  const prompts = Array.from({ length: 30 }, () => 'x'.repeat(300));
  await change('steeringStart job{key}', { run: run.key, prompts, samples: 2 });
  const [started, steered] = store.auditLog.newest(2);
  expect(started).toMatchObject({
    action: 'runStart',
    details: { organism: 'tiny-cake', corpus: 'probe', layers: [2], top: 7, positions: 10, mode: 'EXACT' },
  });
  expect(steered).toMatchObject({
    action: 'steeringStart',
    details: { run: run.key, samples: 2, prompts: [...Array<string>(20).fill(`${'x'.repeat(200)}…`), '…'] },
  });
});

test('a token with the scope import registers, and changes nothing', async () => {
  const { store, change } = await served();
  const { headers } = seedToken(store, 'red', ['import']);
  const place = { root: 'none', path: '.' };
  expect(await change('modelCreate job{key}', { name: 'new', place }, headers)).toMatchObject({
    userErrors: [{ code: 'INVALID', field: ['input', 'place', 'root'] }], // it was let in, and there is no such root
  });
  expect(
    await change('organismUpdate organism{name}', { name: 'tiny-cake', kind: 'EM' }, headers),
  ).toMatchObject([
    { message: 'This needs a token with the scope write.', extensions: { code: 'FORBIDDEN' } },
  ]);
  const reader = seedToken(store, 'red', ['read']).headers;
  expect(await change('modelCreate job{key}', { name: 'new', place }, reader)).toMatchObject([
    { message: 'This needs a token with the scope write or import.', extensions: { code: 'FORBIDDEN' } },
  ]);
});
