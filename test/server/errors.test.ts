import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GraphQLError, isEnumType, parse } from 'graphql';
import { format, resolveConfig } from 'prettier';
import { describe, expect, it } from 'vitest';
import { errorCodes } from '../../schema/error-codes.ts';
import { schema } from '../../schema/index.ts';
import { packageRoot } from '../../src/lib/package-root.ts';
import { presentErrors } from '../../src/server/graph/present-errors.ts';
import { errorsPage } from '../harness/errors-page.ts';
import { hostileRequests } from '../harness/hostile-requests.ts';
import { breakTables } from '../harness/broken-store.ts';
import { serve } from '../harness/serve.ts';
import { seedRun } from '../harness/synthetic-run.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

/** TypeScript sources under a folder of ours. */
const sourcesOf = (folder: string): string[] =>
  readdirSync(join(packageRoot(), folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(packageRoot(), folder, name));

describe('ErrorCode', () => {
  it('is the list of codes', () => {
    const type = schema.getType('ErrorCode');
    expect(isEnumType(type) && type.getValues().map(({ name, description }) => [name, description])).toEqual(
      Object.entries(errorCodes)
        .map(([code, { meaning }]) => [code, meaning])
        .sort(),
    );
  });

  it('has every code that the schema and the server give', () => {
    const given = new Set<string>();
    // The compiler knows them already: what takes a code takes an ErrorCode. This looks past it.
    const patterns = [
      /\bcode: '([A-Z][A-Z_]+)'/g,
      /(?:coded|UserProblem|judged|inInput)\(\s*'([A-Z][A-Z_]+)'/g,
      /JobInputError\(\s*'([A-Z][A-Z_]+)'/g,
      /refused?\((?:response, )?\d{3}, '([A-Z_]+)'/g,
      /\]\s*,\s*'(GRAPHQL_[A-Z_]+)'/g,
    ];
    for (const file of [...sourcesOf('schema'), ...sourcesOf('src/server'), ...sourcesOf('src/jobs/kinds')]) {
      if (file.endsWith('error-codes.ts')) continue;
      const text = readFileSync(file, 'utf8');
      for (const pattern of patterns)
        for (const [, code] of text.matchAll(pattern)) given.add(code as string);
    }
    const ofListening = ['PORT_TAKEN', 'PORT_FORBIDDEN', 'ADDRESS_NOT_LOOPBACK']; // no answer has these
    const unknown = [...given].filter((code) => !(code in errorCodes) && !ofListening.includes(code));
    expect(unknown).toEqual([]);
    expect(given.size).toBeGreaterThan(18);
  });

  it('is documented in docs/errors.md (npm run docs:errors)', async () => {
    const file = join(packageRoot(), 'docs/errors.md');
    const page = readFileSync(file, 'utf8');
    const formatted = await format(errorsPage(page), { ...(await resolveConfig(file)), filepath: file });
    expect(page).toBe(formatted);
  });
});

describe('errors as they are sent', () => {
  const how = { requestId: 'id', suggestions: true, hasData: true };
  const error = (message: string, code = 'BAD_USER_INPUT') =>
    new GraphQLError(message, { extensions: { code } });

  it('are at most twenty, and 64 KiB', () => {
    expect(
      presentErrors(
        Array.from({ length: 50 }, () => error('x')),
        how,
      ),
    ).toHaveLength(20);
    const document = parse(`{ ${'a '.repeat(1_000)} }`);
    const nodes = (document.definitions[0] as unknown as { selectionSet: { selections: never[] } })
      .selectionSet.selections;
    const long = presentErrors(
      Array.from({ length: 20 }, () => new GraphQLError('x', { nodes })),
      how,
    );
    expect(Buffer.byteLength(JSON.stringify(long))).toBeLessThanOrEqual(64 * 1024);
    expect(long.length).toBeGreaterThan(1);
  });

  it('have messages of at most 1,000 characters, cut between characters', () => {
    const [cut] = presentErrors([error(`${'x'.repeat(999)}😀${'x'.repeat(200)}`)], how);
    expect(cut?.message).toBe(`${'x'.repeat(999)}\ufffd…`);
  });

  it('do not say what else there is to whom it does not concern', () => {
    const told = error(
      'Cannot query field "organism1" on type "Query". Did you mean "organism" or "organisms"?',
    );
    expect(presentErrors([told], { ...how, suggestions: false })[0]?.message).toBe(
      'Cannot query field "organism1" on type "Query".',
    );
    expect(presentErrors([told], how)[0]?.message).toBe(told.message);
  });

  it.each(Object.entries(errorCodes))('%s says whether to try again', (code, { retryable }) => {
    expect(presentErrors([error('x', code)], how)[0]?.extensions).toEqual({
      code,
      retryable,
      requestId: 'id',
    });
  });
});

describe.each([true, false])('a failure of ours (short way: %s)', (plainPost) => {
  it('is one line of the log, however many fields fail', async () => {
    const lines: string[] = [];
    const store = temporaryStore();
    const { query } = await serve(store, { plainPost, log: (line) => lines.push(line) });
    breakTables(store, 'organisms', 'runs', 'jobs');
    const response = await query({
      query: '{ organism(name: "a") { name } run(key: "b") { key } job(key: "c") { key } }',
    });
    const { errors } = (await response.json()) as {
      errors: { message: string; extensions: { code: string; requestId: string; retryable: boolean } }[];
    };
    const id = response.headers.get('x-request-id');
    expect(errors.map(({ extensions }) => extensions)).toEqual(
      [1, 2, 3].map(() => ({ code: 'INTERNAL', requestId: id, retryable: false })),
    );
    expect(lines.filter((line) => line.includes(id ?? 'none'))).toHaveLength(1);
  });
});

it('no message has a path, a statement or a token', async () => {
  const store = temporaryStore();
  const { key } = seedRun(store);
  const { get, query } = await serve(store, { log: () => undefined });
  const mutation = (text: string) => ({ query: `mutation { ${text} { userErrors { code message } } }` });
  const answers: string[] = [];
  const secret = 'actd_0123456789abcdef';
  for (const { method = 'POST', search = '', headers, body } of hostileRequests) {
    const response = await get(`/graphql${search}`, {
      method,
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${secret}`, ...headers },
      ...(body !== undefined && { body }),
    });
    answers.push(await response.text());
  }
  const codes = new Set<string>();
  for (const text of [
    'noteCreate(input: { subject: "a", text: "b" })',
    `noteCreate(input: { subject: "${Buffer.from(`Run:${key}`).toString('base64')}", text: "" })`,
    'noteDelete(input: { id: "a" })',
    'tagAdd(input: { subject: "a", tag: "b" })',
    'organismDelete(input: { name: "tiny-cake" })',
    'organismDelete(input: { name: "nobody" })',
    'organismUpdate(input: { name: "tiny-cake", mixRatio: -1 })',
    'jobCancel(input: { key: "a" })',
    'runStart(input: { organism: "nobody", corpus: "probe" })',
    'modelCreate(input: { name: "a", root: "nowhere", path: "../../etc/passwd" })',
    'corpusCreate(input: { name: "a", root: "nowhere", path: "/etc/passwd" })',
  ]) {
    const response = await query(mutation(text));
    const answer = await response.text();
    answers.push(answer);
    for (const [, code] of answer.matchAll(/"code":"([A-Z_]+)"/g)) codes.add(code as string);
  }
  expect([...codes].sort()).toEqual(expect.arrayContaining(['CONFLICT', 'INVALID', 'NOT_FOUND']));
  store.close();
  answers.push(await (await query({ query: '{ organisms { totalCount } }' })).text());
  for (const answer of answers) {
    expect(answer).not.toMatch(/\/(home|tmp|work|usr|etc|models|corpora)\//);
    expect(answer).not.toMatch(
      /\b(select|insert into|update) .{0,200}\b(from|values|set)\b|sqlite|no such table/i,
    );
    expect(answer).not.toMatch(/node_modules|\.ts:\d| {4}at /);
    expect(answer).not.toContain(secret);
    expect(answer).not.toContain(store.file);
  }
});

it('says of a body that is no JSON what it is, and nothing of what read it', async () => {
  const { query } = await serve(temporaryStore());
  const { errors } = (await (await query('{"query": ')).json()) as { errors: { extensions: object }[] };
  expect(errors.map(({ extensions }) => Object.keys(extensions).sort())).toEqual([
    ['code', 'requestId', 'retryable'],
  ]);
});
