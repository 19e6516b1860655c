import { request } from 'node:http';
import { expect, it } from 'vitest';
import { serve } from '../harness/serve.ts';
import { seedRun } from '../harness/synthetic-run.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const responseType = 'application/graphql-response+json';
const json = { 'Content-Type': 'application/json' };
const query = (text: string, more: object = {}) => JSON.stringify({ query: text, ...more });
const good = query('{ __typename }');
const vector = '/v1/vectors/RUN.L1.P0/diff';

interface Row {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: string;
  status: number;
  /** Headers of the answer that belong to its status. */
  has?: Record<string, string | RegExp>;
}

const post = (
  status: number,
  body: string | undefined,
  headers: Record<string, string> = {},
  has?: Row['has'],
): Row => ({
  method: 'POST',
  headers: { ...json, Accept: responseType, ...headers },
  ...(body === undefined ? {} : { body }),
  status,
  ...(has ? { has } : {}),
});
const get = (status: number, path: string, headers: Record<string, string> = {}, has?: Row['has']): Row => ({
  path,
  headers,
  status,
  ...(has ? { has } : {}),
});
const other = (method: string, path: string, status: number, has?: Row['has']): Row => ({
  method,
  path,
  status,
  ...(has ? { has } : {}),
});

const typeOf = (type: string) => ({ 'content-type': `${type}; charset=utf-8` });

/** Frozen: clients rely on these. RUN stands for the key of the run that is there. */
const rows: Record<string, Row> = {
  'a good query': post(200, good, {}, typeOf(responseType)),
  'a good query, old type': post(200, good, { Accept: 'application/json' }, typeOf('application/json')),
  'a good query, any type': post(200, good, { Accept: '*/*' }, typeOf('application/json')),
  'a good query, new type first': post(
    200,
    good,
    { Accept: `${responseType}, application/json;q=0.9` },
    typeOf(responseType),
  ),
  'a good query, charset of the body': post(200, good, { 'Content-Type': 'application/json; charset=utf-8' }),
  'nothing acceptable': post(406, good, { Accept: 'text/css' }),
  'JSON that is none': post(400, '{'),
  'an empty body': post(400, ''),
  'a batch': post(400, `[${good}]`),
  'a string as the body': post(400, '"query"'),
  'null as the body': post(400, 'null'),
  'no query': post(400, '{}'),
  'no query, old type': post(200, '{}', { Accept: 'application/json' }),
  'no query, any type': post(200, '{}', { Accept: '*/*' }),
  'JSON that is none, old type': post(400, '{', { Accept: 'application/json' }),
  'a batch, old type': post(400, `[${good}]`, { Accept: 'application/json' }),
  'an operation that is not there, any type': post(
    400,
    query('query a { __typename }', { operationName: 'b' }),
    { Accept: '*/*' },
  ),
  'a query that is a number': post(400, '{"query": 7}'),
  'variables that are a list': post(400, query('{ __typename }', { variables: [] })),
  'variables that are text': post(400, query('{ __typename }', { variables: '{}' })),
  'extensions that are text': post(400, query('{ __typename }', { extensions: '{}' })),
  'an operation that is not there': post(400, query('query a { __typename }', { operationName: 'b' })),
  'two operations and no name': post(400, query('query a { __typename } query b { __typename }')),
  'one operation of two': post(
    200,
    query('query a { __typename } query b { __typename }', { operationName: 'b' }),
  ),
  'nulls for what may be absent': post(
    200,
    query('{ __typename }', { operationName: null, variables: null, extensions: null }),
  ),
  'a document that does not parse': post(400, query('{')),
  'the same, old type': post(200, query('{'), { Accept: 'application/json' }),
  'a document of 2,001 tokens': post(400, query(`{ ${'a '.repeat(2_000)} }`)),
  'a document that is not valid': post(400, query('{ nothing }')),
  'the same document, old type': post(200, query('{ nothing }'), { Accept: 'application/json' }),
  'a document above the limits': post(
    400,
    query(`{ ${Array.from({ length: 11 }, (_, i) => `a${i}: runs { totalCount }`).join(' ')} }`),
  ),
  'a variable of the wrong type': post(
    400,
    query('query ($k: String!) { run(key: $k) { key } }', { variables: { k: 7 } }),
  ),
  'a variable that is missing': post(400, query('query ($k: String!) { run(key: $k) { key } }')),
  'an argument out of range': post(200, query('{ runs(first: 201) { totalCount } }')),
  'a mutation that is not there': post(400, query('mutation { nothing }')),
  'a subscription that is not there': post(400, query('subscription { nothing }')),
  'a body above 256 KiB': post(413, query(`{ __typename } #${'x'.repeat(256 * 1024)}`)),
  'a body of no type': { method: 'POST', body: good, status: 415 },
  'a form': post(415, 'query={__typename}', { 'Content-Type': 'application/x-www-form-urlencoded' }),
  text: post(415, good, { 'Content-Type': 'text/plain' }),
  'a document as the body': post(415, '{ __typename }', { 'Content-Type': 'application/graphql' }),
  'a body that is packed': post(415, good, { 'Content-Encoding': 'gzip' }),
  'a query by GET': get(200, '/graphql?query={__typename}', { Accept: responseType }, typeOf(responseType)),
  'GET without a query': get(400, '/graphql', { Accept: responseType }),
  'GET of what does not parse': get(400, '/graphql?query={', { Accept: responseType }),
  'GET of what is not valid': get(400, '/graphql?query={nothing}', { Accept: responseType }),
  'GET with variables that are no JSON': get(400, '/graphql?query={__typename}&variables={', {
    Accept: responseType,
  }),
  'a long URL': get(414, `/graphql?query={__typename}%23${'x'.repeat(9_000)}`),
  'PUT to the graph': other('PUT', '/graphql', 405, { allow: 'GET, POST' }),
  'OPTIONS to the graph': other('OPTIONS', '/graphql', 405, { allow: 'GET, POST' }),
  'a vector': get(200, vector, {}, { 'accept-ranges': 'bytes' }),
  'a vector that is there already': get(304, vector, { 'If-None-Match': '*' }),
  'a range': get(206, vector, { Range: 'bytes=0-3' }, { 'content-range': 'bytes 0-3/64' }),
  'a range beyond the end': get(416, vector, { Range: 'bytes=64-' }, { 'content-range': 'bytes */64' }),
  'a vector that is not there': get(404, '/v1/vectors/nothing'),
  'POST to a vector': other('POST', vector, 405, { allow: 'GET, HEAD' }),
  'GET of a batch': get(405, '/v1/vectors:batch', {}, { allow: 'POST' }),
  'another host': get(421, '/health', { Host: 'example.org' }),
  'a path that is not there': get(404, '/nothing'),
};

it('has at least forty rows', () => expect(Object.keys(rows).length).toBeGreaterThanOrEqual(40));

it.each(
  Object.entries(rows).flatMap(([name, row]) =>
    (row.path === undefined ? [true, false] : [true]).map((plainPost) => ({ name, row, plainPost })),
  ),
)('$name: $row.status (short way: $plainPost)', async ({ row, plainPost }) => {
  const store = temporaryStore();
  const { key } = seedRun(store);
  const { port } = await serve(store, { plainPost });
  const { method = 'GET', path = '/graphql', headers = {}, body, status, has = {} } = row;
  const answer = await new Promise<{ status: number | undefined; headers: object }>((resolve, reject) => {
    const sent = request(
      { port, host: '127.0.0.1', method, path: path.replace('RUN', key), headers },
      (response) => {
        response.resume();
        response.on('end', () => resolve({ status: response.statusCode, headers: response.headers }));
        response.on('error', reject);
      },
    );
    sent.on('error', reject).end(body);
  });
  expect(answer.status).toBe(status);
  expect(answer.headers).toMatchObject(has);
});
