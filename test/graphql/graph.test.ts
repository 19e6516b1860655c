import { graphql } from 'graphql';
import { graphContext, schema } from '../../schema/index.ts';
import { describe, expect, it } from 'vitest';
import { ask, errorCode } from '../harness/ask.ts';
import { seedOrganism, seedRun, syntheticRun } from '../harness/synthetic-run.ts';
import { temporaryStore } from '../harness/temporary-store.ts';
import { exampleQuery } from '../../src/server/example-query.ts';

describe('the graph', () => {
  it('goes from an organism down to its tokens and all the way back up', async () => {
    const store = temporaryStore();
    seedRun(store);
    const answer = await ask(
      store,
      `{
        organism(name: "tiny-cake") {
          __typename
          form
          latestRun {
            __typename
            key
            corpus { name runs { totalCount } }
            layers(layers: [2]) {
              totalCount
              edges { node {
                __typename
                key
                layer
                relativeDepth
                baseNorm
                diffVectors(positions: [0, 2], last: 1) {
                  totalCount
                  pageInfo { hasPreviousPage hasNextPage }
                  edges { node {
                    __typename
                    key
                    position
                    norm
                    relativeNorm
                    diff { __typename kind dtype shape byteLength sha256 npyUrl preview(first: 2) }
                    projections(method: "logit-lens", variant: DIFF, sign: SUPPRESSED) {
                      edges { node {
                        __typename
                        key
                        parameters
                        tokens(first: 1) {
                          totalCount
                          edges { node {
                            __typename
                            rank
                            tokenId
                            text
                            probability
                            projection { diffVector { layer { run { organism { baseModel {
                              __typename
                              name
                              parameters
                              organisms { edges { node { name } } }
                            } } } } } }
                          } }
                        }
                      } }
                    }
                  } }
                }
              } }
            }
          }
        }
      }`,
    );
    expect(answer).toMatchInlineSnapshot(`
      {
        "organism": {
          "__typename": "Organism",
          "form": "LORA",
          "latestRun": {
            "__typename": "Run",
            "corpus": {
              "name": "probe",
              "runs": {
                "totalCount": 1,
              },
            },
            "key": "b51579670b0b3de5f08b",
            "layers": {
              "edges": [
                {
                  "node": {
                    "__typename": "RunLayer",
                    "baseNorm": 12,
                    "diffVectors": {
                      "edges": [
                        {
                          "node": {
                            "__typename": "DiffVector",
                            "diff": {
                              "__typename": "Vector",
                              "byteLength": 64,
                              "dtype": "float32",
                              "kind": "DIFF",
                              "npyUrl": "http://127.0.0.1:4000/v1/vectors/b51579670b0b3de5f08b.L2.P2/diff.npy?sha256=001ef2413ad97a521eaa960dcb80c00af689191a7600d3e50b5f5931f8bb4e61",
                              "preview": [
                                -0.34416234493255615,
                                0.9528970718383789,
                              ],
                              "sha256": "001ef2413ad97a521eaa960dcb80c00af689191a7600d3e50b5f5931f8bb4e61",
                              "shape": [
                                16,
                              ],
                            },
                            "key": "b51579670b0b3de5f08b.L2.P2",
                            "norm": 2.343773180205368,
                            "position": 2,
                            "projections": {
                              "edges": [
                                {
                                  "node": {
                                    "__typename": "Projection",
                                    "key": "b51579670b0b3de5f08b.L2.P2.logit-lens.diff.suppressed",
                                    "parameters": {
                                      "k": 4,
                                    },
                                    "tokens": {
                                      "edges": [
                                        {
                                          "node": {
                                            "__typename": "ProjectionToken",
                                            "probability": 0.5,
                                            "projection": {
                                              "diffVector": {
                                                "layer": {
                                                  "run": {
                                                    "organism": {
                                                      "baseModel": {
                                                        "__typename": "BaseModel",
                                                        "name": "tiny-base",
                                                        "organisms": {
                                                          "edges": [
                                                            {
                                                              "node": {
                                                                "name": "tiny-cake",
                                                              },
                                                            },
                                                          ],
                                                        },
                                                        "parameters": "5000000000",
                                                      },
                                                    },
                                                  },
                                                },
                                              },
                                            },
                                            "rank": 0,
                                            "text": " token0",
                                            "tokenId": 339,
                                          },
                                        },
                                      ],
                                      "totalCount": 4,
                                    },
                                  },
                                },
                              ],
                            },
                            "relativeNorm": 0.19531443168378068,
                          },
                        },
                      ],
                      "pageInfo": {
                        "hasNextPage": false,
                        "hasPreviousPage": true,
                      },
                      "totalCount": 2,
                    },
                    "key": "b51579670b0b3de5f08b.L2",
                    "layer": 2,
                    "relativeDepth": 0.6666666666666666,
                  },
                },
              ],
              "totalCount": 1,
            },
          },
        },
      }
    `);
  });

  it('answers the example query that GraphiQL shows', async () => {
    const store = temporaryStore();
    seedRun(store);
    const { organisms } = await ask(store, exampleQuery);
    const layer = organisms.edges[0].node.latestRun.layers.edges[0].node;
    expect(layer.diffVectors.edges).toHaveLength(3);
    expect(layer.diffVectors.edges[2].node.projections.edges[0].node.tokens.edges[3].node).toMatchObject({
      rank: 3,
      text: ' token3',
      projection: { diffVector: { layer: { run: { organism: { baseModel: { name: 'tiny-base' } } } } } },
    });
  });

  it('gives null for what is not there', async () => {
    const store = temporaryStore();
    const run = seedRun(store);
    seedOrganism(store, 'unmeasured');
    expect(
      await ask(
        store,
        `query ($run: String!) {
          organism(name: "none") { name }
          baseModel(name: "none") { name }
          corpus(name: "none") { name }
          diffVector(key: "none") { key }
          none: run(key: "none") { key }
          unmeasured: organism(name: "unmeasured") { latestRun { key } runs { totalCount edges { cursor } } }
          run(key: $run) { layer(layer: 3) { key } measured: layer(layer: 1) { diffVector(position: 9) { key } } }
        }`,
        { run: run.key },
      ),
    ).toEqual({
      organism: null,
      baseModel: null,
      corpus: null,
      diffVector: null,
      none: null,
      unmeasured: { latestRun: null, runs: { totalCount: 0, edges: [] } },
      run: { layer: null, measured: { diffVector: null } },
    });
  });

  it('shows numbers that are not finite as null', async () => {
    const store = temporaryStore();
    const { organism, corpus } = seedOrganism(store);
    const record = syntheticRun({ organismId: organism.id, corpusId: corpus.id });
    record.layers[0]!.baseNorm = 0;
    record.layers[0]!.vectors[0]!.diff.set([NaN, 1, Infinity]);
    const { key } = store.runs.save(record);
    const read = `query ($key: String!) { diffVector(key: $key) { norm relativeNorm diff { preview(first: 3) } } }`;
    expect((await ask(store, read, { key: `${key}.L1.P0` })).diffVector).toEqual({
      norm: null,
      relativeNorm: null,
      diff: { preview: [null, 1, null] },
    });
    expect((await ask(store, read, { key: `${key}.L1.P1` })).diffVector).toMatchObject({
      norm: expect.any(Number),
      relativeNorm: null,
    });
  });

  it('carries a small vector in base64, bit for bit, and a bounded preview', async () => {
    const store = temporaryStore();
    const run = seedRun(store);
    const key = `${run.key}.L1.P0`;
    const read = (field: string) => `query ($key: String!) { diffVector(key: $key) { diff { ${field} } } }`;
    const { diffVector } = await ask(store, read('dataBase64'), { key });
    const saved = store.vectors.read(store.vectors.findByKey(`${key}/diff`)!);
    expect(Buffer.from(diffVector.diff.dataBase64, 'base64').equals(saved)).toBe(true);
    for (const first of [0, -1, 65]) {
      expect(await errorCode(store, read(`preview(first: ${first})`), { key })).toBe('BAD_USER_INPUT');
    }
    expect((await ask(store, read('preview(first: 64)'), { key })).diffVector.diff.preview).toHaveLength(16);
  });
});

describe('node and nodes', () => {
  const everything = `{ organism(name: "tiny-cake") { id baseModel { id } latestRun { id corpus { id } layers(first: 1) { edges { node {
    id diffVectors(first: 1) { edges { node { id diff { id } projections(first: 1) { edges { node { id
      tokens(first: 1) { edges { node { id } } } } } } } } } } } } } } }`;

  /** Every id in an answer, in order. */
  const idsIn = (value: unknown): string[] =>
    value !== null && typeof value === 'object'
      ? Object.entries(value).flatMap(([name, member]) =>
          name === 'id' ? [member as string] : idsIn(member),
        )
      : [];

  it('finds each type again by its id, in the order asked, with null for what does not exist', async () => {
    const store = temporaryStore();
    seedRun(store);
    const ids = idsIn(await ask(store, everything));
    const id = (text: string) => Buffer.from(text).toString('base64');
    const wrong = [
      '',
      'garbage',
      id('Organism:none'),
      id('Query:x'),
      id('Nothing:x'),
      id('RunConnection:x'),
      id('Run'),
      `${ids[0]} `,
    ];
    const { nodes } = await ask(store, 'query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }', {
      ids: [...wrong, ...ids, ids[0]],
    });
    expect(nodes.slice(0, wrong.length)).toEqual(wrong.map(() => null));
    expect(nodes.slice(wrong.length).map((node: { id: string }) => node.id)).toEqual([...ids, ids[0]]);
    expect(new Set(nodes.slice(wrong.length).map((node: { __typename: string }) => node.__typename))).toEqual(
      new Set([
        'Organism',
        'BaseModel',
        'Run',
        'Corpus',
        'RunLayer',
        'DiffVector',
        'Vector',
        'Projection',
        'ProjectionToken',
      ]),
    );
    for (const each of ids) {
      expect((await ask(store, 'query ($id: ID!) { node(id: $id) { id } }', { id: each })).node).toEqual({
        id: each,
      });
    }
    expect((await ask(store, '{ node(id: "garbage") { id } }')).node).toBeNull();
  });

  it('gives the same ids in a store made anew', async () => {
    const [one, other] = [temporaryStore(), temporaryStore()];
    seedOrganism(other, 'another-first');
    const shape = { organismId: 0, corpusId: 0 };
    for (const store of [one, other]) {
      const { organism, corpus } = seedOrganism(store);
      store.runs.save({ ...syntheticRun(shape), organismId: organism.id, corpusId: corpus.id });
    }
    expect(idsIn(await ask(one, everything))).toEqual(idsIn(await ask(other, everything)));
  });

  it('takes 200 ids and refuses 201', async () => {
    const store = temporaryStore();
    const read = 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }';
    expect((await ask(store, read, { ids: Array(200).fill('x') })).nodes).toHaveLength(200);
    expect(await errorCode(store, read, { ids: Array(201).fill('x') })).toBe('BAD_USER_INPUT');
  });
});

it('carries at most 1 MiB of base64 in one answer, and says where the rest is', async () => {
  const store = temporaryStore();
  const run = seedRun(store);
  const documents = `{ diffVector(key: "${run.key}.L1.P0") { diff { dataBase64 url } } }`;
  const context = (base64BytesLeft: number) => ({
    ...graphContext(store, 'http://127.0.0.1:4000'),
    base64BytesLeft,
  });
  const ask = (left: number) => graphql({ schema, source: documents, contextValue: context(left) });
  expect(context(graphContext(store, '').base64BytesLeft).base64BytesLeft).toBe(1024 * 1024);
  expect((await ask(64)).errors).toBeUndefined();
  const { errors, data } = await ask(63);
  const { dataBase64, url } = (data as { diffVector: { diff: { dataBase64: null; url: string } } }).diffVector
    .diff;
  expect(dataBase64).toBeNull();
  expect(errors?.[0]?.extensions).toEqual({ code: 'VECTOR_TOO_LARGE_FOR_GRAPHQL', url });
});
