import { getIntrospectionQuery } from 'graphql';

/** A request made to do harm, and what becomes of it. */
export interface HostileRequest {
  name: string;
  method?: 'GET' | 'POST';
  /** Behind /graphql. */
  search?: string;
  headers?: Record<string, string>;
  body?: string;
  status: number;
  /** Code of its errors; null: an answer without any, which is harmless. */
  code: string | null;
}

const query = (text: string, variables?: unknown): string => JSON.stringify({ query: text, variables });
const many = (count: number, of: (i: number) => string, between = ' '): string =>
  Array.from({ length: count }, (_, i) => of(i)).join(between);

const post = (name: string, body: string, status: number, code: string | null): HostileRequest => ({
  name,
  body,
  status,
  code,
});
const filter = 'query ($w: OrganismFilter) { organisms(first: 1, where: $w) { edges { cursor } } }';
const roundTrip = 'organism { baseModel { organisms(first: 1) { edges { node { latestRun { ';
const key = 'query ($k: String!) { run(key: $k) { key } }';
const node = 'query ($i: ID!) { node(id: $i) { id } }';
const after = 'query ($a: String) { runs(first: 1, after: $a) { edges { cursor } } }';
const bomb = (levels: number, leaf: string): string =>
  `{ ...f0 } ${many(levels, (i) => `fragment f${i} on Query { a${i}: __typename ...f${i + 1} ...f${i + 1} }`)} fragment f${levels} on Query { ${leaf} }`;
const flatBomb = (fragments: number, spreads: number): string =>
  `{ ${'...f0 '.repeat(spreads)} } ${many(fragments, (i) => `fragment f${i} on Query { ${`...f${i + 1} `.repeat(spreads)} }`)} fragment f${fragments} on Query { __typename }`;
const pages = (inner: string, size: string): string =>
  `{ organisms(first: ${size}) { edges { node { runs(first: ${size}) { edges { node { layers(first: ${size}) { edges { node { ${inner} ${'}'.repeat(10)}`;
const introspection = '{ types { name fields { name args { name type { name } } type { name } } } }';

/** The list of hostile queries, in its order. RUN stands for the key of a run that is there. */
export const hostileRequests: readonly HostileRequest[] = [
  // 1. depth
  post(
    '1. depth 2,500 on a recursive type',
    query('{ runs { edges { node { ' + roundTrip.repeat(416) + '}'.repeat(2_500)),
    400,
    'GRAPHQL_PARSE_FAILED',
  ),
  post(
    '1. depth 100 within the tokens',
    query(`{ runs(first: 1) { edges { node { ${roundTrip.repeat(16)}key${'}'.repeat(16 * 6 + 4)}`),
    400,
    'COST_LIMIT_EXCEEDED',
  ),
  // 2. lists and selections in each other
  post(
    '2. a list literal 20,000 deep',
    query(`{ nodes(ids: ${'['.repeat(20_000)}${']'.repeat(20_000)}) { id } }`),
    400,
    'GRAPHQL_PARSE_FAILED',
  ),
  post(
    '2. a list literal 900 deep',
    query(`{ nodes(ids: ${'['.repeat(900)}${']'.repeat(900)}) { id } }`),
    400,
    'GRAPHQL_VALIDATION_FAILED',
  ),
  post('2. depth 20,000', query('{ a '.repeat(20_000)), 400, 'GRAPHQL_PARSE_FAILED'),
  post(
    '2. an object literal 400 deep',
    query(`{ organisms(where: ${'{ not: '.repeat(400)}{}${'}'.repeat(400)}) { totalCount } }`),
    200,
    'BAD_USER_INPUT',
  ),
  // 3. aliases
  post(
    '3. 20,000 aliases',
    query(`{ ${many(20_000, (i) => `a${i.toString(36)}:id`)} }`),
    400,
    'GRAPHQL_PARSE_FAILED',
  ),
  post(
    '3. 120 aliases',
    query(`{ ${many(120, (i) => `a${i}: run(key: "a") { key }`)} }`),
    400,
    'COST_LIMIT_EXCEEDED',
  ),
  post(
    '3. 11 aliases of a field',
    query(`{ ${many(11, (i) => `a${i}: runs { totalCount }`)} }`),
    400,
    'COST_LIMIT_EXCEEDED',
  ),
  post(
    '3. 600 times the same field',
    query(`{ ${'runs { totalCount } '.repeat(600)} }`),
    400,
    'GRAPHQL_PARSE_FAILED',
  ),
  post(
    '3. 450 times the same field',
    query(`{ ${'runs { totalCount } '.repeat(450)} }`),
    400,
    'COST_LIMIT_EXCEEDED',
  ),
  // 4. pages in pages, by variables
  post(
    '4. first: $n three deep, n = 100',
    query(`query ($n: Int) ${pages('key', '$n')}`, { n: 100 }),
    400,
    'COST_LIMIT_EXCEEDED',
  ),
  post(
    '4. the same by a default',
    query(`query ($n: Int = 100) ${pages('key', '$n')}`),
    400,
    'COST_LIMIT_EXCEEDED',
  ),
  post('4. the same in literals', query(pages('key', '100')), 400, 'COST_LIMIT_EXCEEDED'),
  post(
    '4. the same in a fragment',
    query(`query ($n: Int) { ...f } fragment f on Query ${pages('key', '$n')}`, { n: 100 }),
    400,
    'COST_LIMIT_EXCEEDED',
  ),
  post(
    '4. lists without first',
    query(
      '{ organisms { edges { node { runs { edges { node { layers { edges { node { key } } } } } } } } } }',
    ),
    400,
    'COST_LIMIT_EXCEEDED',
  ),
  // 5. fragments
  post(
    '5. an aliased fragment bomb, 2^20 leaves',
    query(bomb(20, 'key: __typename')),
    400,
    'COST_LIMIT_EXCEEDED',
  ),
  post('5. a flat bomb, 2^22 leaves', query(flatBomb(11, 4)), 400, 'COST_LIMIT_EXCEEDED'),
  post('5. a bomb of 2^300', query(bomb(120, '__typename')), 400, 'COST_LIMIT_EXCEEDED'),
  post(
    '5. a bomb in itself',
    query(
      `{ ...f10 ...f0 } ${many(20, (i) => `fragment f${i} on Query { ...f${(i + 1) % 20} ...f${(i + 1) % 20} }`)}`,
    ),
    400,
    'GRAPHQL_VALIDATION_FAILED',
  ),
  post(
    '5. a fragment in itself',
    query('{ ...f } fragment f on Query { ...f }'),
    400,
    'GRAPHQL_VALIDATION_FAILED',
  ),
  // 6. long bodies
  post(
    '6. a comment of 20 MiB',
    query(`{ __typename } #${'x'.repeat(20 * 2 ** 20)}`),
    413,
    'PAYLOAD_TOO_LARGE',
  ),
  post(
    '6. a comment of 200 KiB',
    query(`{ __typename } #${'x'.repeat(200 * 1024)}`),
    400,
    'GRAPHQL_PARSE_FAILED',
  ),
  {
    ...post('6. a packed body', '\u001f', 415, 'UNSUPPORTED_MEDIA_TYPE'),
    headers: { 'Content-Encoding': 'gzip' },
  },
  // 7. long documents; bench/hostile.ts sends thousands that differ
  post(
    '7. a document of 100 KB',
    query(`{ ${'runs { totalCount } '.repeat(400)} } # ${'x'.repeat(90_000)}`),
    400,
    'COST_LIMIT_EXCEEDED',
  ),
  // 8. introspection
  post(
    '8. circular introspection',
    query(`{ __schema { types { ${'fields { type { '.repeat(6)}name${' } }'.repeat(6)} } } }`),
    400,
    'GRAPHQL_VALIDATION_FAILED',
  ),
  post(
    '8. introspection under 30 aliases',
    query(`{ ${many(30, (i) => `a${i}: __schema ${introspection}`)} }`),
    400,
    'COST_LIMIT_EXCEEDED',
  ),
  post(
    '8. introspection under 10 aliases, whole',
    query(
      `${getIntrospectionQuery().replace('__schema', 'a0: __schema')}`.replace(
        'a0: __schema',
        many(6, (i) => `a${i}: __schema { ...S }`) + ' a9: __schema',
      ) + ' fragment S on __Schema { types { ...FullType } directives { args { ...InputValue } } }',
    ),
    400,
    'COST_LIMIT_EXCEEDED',
  ),
  // 9. directives, variables, fields
  post('9. 10,000 directives', query(`{ __typename ${'@a '.repeat(10_000)} }`), 400, 'GRAPHQL_PARSE_FAILED'),
  post('9. 900 directives', query(`{ __typename ${'@a '.repeat(900)} }`), 400, 'COST_LIMIT_EXCEEDED'),
  post(
    '9. 21 directives that are known',
    query(`{ ${'__typename @skip(if: true) '.repeat(21)} }`),
    400,
    'COST_LIMIT_EXCEEDED',
  ),
  post(
    '9. 5,000 unused variables',
    query(`query (${many(5_000, (i) => `$a${i}: Int`)}) { __typename }`),
    400,
    'GRAPHQL_PARSE_FAILED',
  ),
  post(
    '9. 490 unused variables',
    query(`query (${many(490, (i) => `$a${i}: Int`)}) { __typename }`),
    400,
    'GRAPHQL_VALIDATION_FAILED',
  ),
  post(
    '9. 3,000 unknown fields',
    query(`{ ${many(3_000, (i) => `organism${i}`)} }`),
    400,
    'GRAPHQL_PARSE_FAILED',
  ),
  post(
    '9. 900 unknown fields',
    query(`{ ${many(900, (i) => `organism${i}`)} }`),
    400,
    'GRAPHQL_VALIDATION_FAILED',
  ),
  // 10. variables and values
  post(
    '10. variables 100,000 deep',
    `{"query":"{ __typename }","variables":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`,
    400,
    'BAD_REQUEST',
  ),
  post(
    '10. an unknown key 100,000 deep',
    `{"a":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`,
    400,
    'BAD_REQUEST',
  ),
  post(
    '10. a filter 60 deep',
    query(filter, { w: JSON.parse(`${'{"not":'.repeat(59)}{}${'}'.repeat(59)}`) }),
    200,
    'BAD_USER_INPUT',
  ),
  post(
    '10. 30,000 ids',
    query('query ($i: [ID!]!) { nodes(ids: $i) { id } }', {
      i: Array.from({ length: 30_000 }, (_, i) => String(i)),
    }),
    400,
    'BAD_USER_INPUT',
  ),
  post(
    '10. an `in` of a million',
    query(filter, { w: { name: { in: Array.from({ length: 1_000_000 }, () => '') } } }),
    413,
    'PAYLOAD_TOO_LARGE',
  ),
  post(
    '10. an `in` of 60,000',
    query(filter, { w: { name: { in: Array.from({ length: 60_000 }, () => '') } } }),
    400,
    'BAD_USER_INPUT',
  ),
  post(
    '10. an `in` of 60,000 wrong values',
    query(filter, { w: { name: { in: Array.from({ length: 60_000 }, () => 1) } } }),
    400,
    'BAD_USER_INPUT',
  ),
  post('10. a lone surrogate', query(key, { k: '\ud800' }), 200, null),
  post(
    '10. a lone surrogate in the document',
    query('{ run(key: "\ud800") { key } }'),
    400,
    'GRAPHQL_PARSE_FAILED',
  ),
  post('10. Int 2^31', query('{ runs(first: 2147483648) { totalCount } }'), 400, 'GRAPHQL_VALIDATION_FAILED'),
  post(
    '10. Int 2^31 as a variable',
    query('query ($n: Int) { runs(first: $n) { totalCount } }', { n: 2 ** 31 }),
    400,
    'BAD_USER_INPUT',
  ),
  post(
    '10. a number of 90,000 digits',
    query(`{ runs(first: ${'9'.repeat(90_000)}) { totalCount } }`),
    400,
    'GRAPHQL_VALIDATION_FAILED',
  ),
  post(
    '10. a number of 200,000 digits as a variable',
    `{"query":"query ($n: Int) { runs(first: $n) { totalCount } }","variables":{"n":${'9'.repeat(200_000)}}}`,
    400,
    'BAD_USER_INPUT',
  ),
  post(
    '10. a text of 200 KB for a number',
    query('query ($n: Int) { runs(first: $n) { totalCount } }', { n: 'x'.repeat(200_000) }),
    400,
    'BAD_USER_INPUT',
  ),
  // 11. ids and cursors
  post(
    '11. a cursor with a negative offset',
    query(after, { a: Buffer.from('OffsetConnection:-50').toString('base64') }),
    200,
    'INVALID_CURSOR',
  ),
  post('11. a cursor of 200 KB', query(after, { a: 'A'.repeat(200_000) }), 200, 'INVALID_CURSOR'),
  post('11. a cursor with NUL', query(after, { a: '\0' }), 200, 'INVALID_CURSOR'),
  post(
    '11. an id of another type',
    query(node, { i: Buffer.from('Nothing:1').toString('base64') }),
    200,
    null,
  ),
  post('11. an id of 200 KB', query(node, { i: 'A'.repeat(200_000) }), 200, null),
  post('11. an id of 1 MB', query(node, { i: 'A'.repeat(1_000_000) }), 413, 'PAYLOAD_TOO_LARGE'),
  post('11. an id with NUL', query(node, { i: Buffer.from('Run:\0').toString('base64') }), 200, null),
  // 12. ways in
  {
    name: '12. a mutation by GET',
    method: 'GET',
    search: `?query=${encodeURIComponent('mutation { noteDelete(input: { id: "a" }) { userErrors { code } } }')}`,
    status: 405,
    code: 'METHOD_NOT_ALLOWED',
  },
  {
    ...post('12. a form', 'query=mutation{a}', 415, 'UNSUPPORTED_MEDIA_TYPE'),
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
  },
  {
    ...post('12. multipart', '--x', 415, 'UNSUPPORTED_MEDIA_TYPE'),
    headers: { 'Content-Type': 'multipart/form-data; boundary=x' },
  },
  {
    ...post('12. text', '{ __typename }', 415, 'UNSUPPORTED_MEDIA_TYPE'),
    headers: { 'Content-Type': 'text/plain' },
  },
  post('12. a batch', `[${many(1_000, () => query('{ __typename }'), ',')}]`, 400, 'BAD_REQUEST'),
  post(
    '12. 100 aliased mutations',
    query(
      `mutation { ${many(100, (i) => `a${i}: noteDelete(input: { id: "a" }) { userErrors { code } }`)} }`,
    ),
    400,
    'COST_LIMIT_EXCEEDED',
  ),
  post(
    '12. `or` 10 × 50',
    query(filter, {
      w: {
        or: Array.from({ length: 10 }, () => ({
          or: Array.from({ length: 50 }, () => ({ name: { eq: 'a' } })),
        })),
      },
    }),
    200,
    'BAD_USER_INPUT',
  ),
  post('12. a pattern of LIKE', query(filter, { w: { name: { contains: '%_'.repeat(450) } } }), 200, null),
];
