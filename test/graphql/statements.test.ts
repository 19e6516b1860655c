import BetterSqlite3 from 'better-sqlite3';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { graphContext, schema } from '../../schema/index.ts';
import { openStore } from '../../src/db/index.ts';
import { Documents } from '../../src/server/graph/documents.ts';
import { execute } from '../../src/server/graph/execute.ts';
import { seedAgentRun } from '../harness/synthetic-agent.ts';
import { seedGrades, syntheticGrade, syntheticGrader } from '../harness/synthetic-grades.ts';
import { seedResults, syntheticReadings } from '../harness/synthetic-results.ts';
import { seedRun, type SyntheticShape } from '../harness/synthetic-run.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

const documents = new Documents(schema, 2 ** 24);

/** A store that notes every statement. */
function noting() {
  const statements: string[] = [];
  const file = join(temporaryFolder(), 'store.sqlite');
  const store = openStore(file, {
    // Beginning and ending the moment that all of them see is none of them.
    onStatement: (sql) => void (sql === 'begin deferred' || sql === 'commit' || statements.push(sql)),
  });
  onTestFinished(() => store.close());
  const ask = async (query: string, variables: Record<string, unknown> = {}) => {
    statements.length = 0;
    const { data, errors } = await execute(schema, documents, {
      prepared: documents.prepare(query),
      variables,
      context: graphContext(store, 'http://127.0.0.1:4680', { costLimit: Number.MAX_SAFE_INTEGER }),
    });
    expect(errors).toBeUndefined();
    return { data, statements: [...statements] };
  };
  return { store, file, ask };
}

const sixLevels = `query ($tokens: Int) {
  organisms(first: 200) { edges { node { name
    runs(first: 200) { edges { node { key
      layers(first: 200) { edges { node { layer
        diffVectors(first: 200) { edges { node { position
          projections(first: 200) { edges { node { method
            tokens(first: $tokens) { edges { node { text
              projection { diffVector { layer { run { key } } } }
            } } }
          } } }
        } } }
      } } }
    } } }
  } } }
}`;

describe('statements of the query over six levels', () => {
  it.each<[SyntheticShape, number, number]>([
    [{ layers: [1], positions: 1, tokens: 2 }, 1, 2],
    [{ layers: [0, 1, 2], positions: 4, tokens: 2 }, 2, 2],
    [{ layers: [0, 1, 2], positions: 4, tokens: 20 }, 2, 20],
  ])(
    'are one for each parent, whatever the number of leaves: %j of %i organisms',
    async (shape, organisms, tokens) => {
      const { store, ask } = noting();
      for (let n = 0; n < organisms; n++) seedRun(store, { ...shape, organism: `organism-${n}` });
      const runs = organisms;
      const layers = runs * shape.layers!.length;
      const vectors = layers * shape.positions!;
      const projections = vectors * 2;
      for (const _ of ['interpreted', 'compiled']) {
        const { data, statements } = await ask(sixLevels, { tokens });
        expect(JSON.stringify(data).match(/"text"/g)).toHaveLength(projections * tokens);
        // The list of organisms, then a list for each organism, run, layer, vector and projection; the ways back cost nothing.
        expect(statements).toHaveLength(1 + organisms + runs + layers + vectors + projections);
      }
    },
  );

  it.each([
    [
      'diffVectors',
      '{ diffVectors(first: 200) { edges { node { key layer { layer run { key } } } } } }',
      1 + 3 + 1,
    ],
    [
      'projections',
      '{ projections(first: 200) { edges { node { key diffVector { layer { run { key } } } } } } }',
      1 + 12 + 3 + 1,
    ],
    [
      'tokenSearch',
      '{ tokenSearch(text: " token0", first: 200) { edges { node { projection { diffVector { layer { run { key } } } } } } } }',
      1 + 24 + 12 + 3 + 1,
    ],
  ])(
    'of %s, which goes across runs, are one for each thing above a row, each read once',
    async (_, query, most) => {
      const { store, ask } = noting();
      seedRun(store, { layers: [0, 1, 2], positions: 4, tokens: 2 });
      expect((await ask(query)).statements).toHaveLength(most);
    },
  );

  it.each([
    // Two graders; three projections with their vectors, a layer and a run; a text with its experiment, a vector, a layer and a run.
    [
      '{ grades(first: 200) { edges { node { grader { name } subject { __typename } } } } }',
      1 + 2 + 2 * 3 + 2 + 2 + 3,
    ],
    [
      '{ projections(where: { grades: { some: { value: { gte: 0.5 } } } }) { edges { node { score } } } }',
      1 + 3 + 1 + 1,
    ],
    [
      '{ organism(name: "tiny-cake") { relevance(grader: "offline-relevance") { max mean interval { low } } } }',
      4,
    ],
    ['{ relevanceTable(grader: "offline-relevance") { count max { mean } members { max } } }', 3],
    // The grader by key and by name, and all agent runs at once.
    [
      '{ agentScoreTable(grader: "offline-relevance") { attempts count claims { mean } members { max } } }',
      3,
    ],
  ])('of grades are one for each thing that they are about: %s', async (query, most) => {
    const { store, ask } = noting();
    const { key } = seedRun(store, { layers: [1], positions: 3, tokens: 2 });
    const vectors = [0, 1, 2].map((position) => store.diffVectors.findByKey(`${key}.L1.P${position}`)!);
    seedGrades(store, seedResults(store, vectors[0]!));
    const grader = store.graders.add(syntheticGrader());
    const run = store.runs.findByKey(key)!;
    seedAgentRun(store, store.organisms.getById(run.organismId), run);
    for (const vector of vectors.slice(1))
      for (const reading of store.projections.save(syntheticReadings(vector)).filter(({ chosen }) => chosen))
        store.grades.save([syntheticGrade(reading, grader)]);
    expect((await ask(query)).statements).toHaveLength(most);
  });

  it('of a comparison are a handful and the vectors that cosines need', async () => {
    const { store, ask } = noting();
    for (const [seed, organism] of ['a', 'b'].entries())
      seedRun(store, { organism, seed: seed + 1, layers: [0, 1], positions: 3 });
    const heads = 2 * 3; // of each: whether the name is a run's, the organism, its run
    const places = 2 * 2; // layers and vectors of each
    const plain = await ask(
      '{ compare(a: "a", b: "b") { places { layer position a { norm } b { norm } } } }',
    );
    expect(plain.statements).toHaveLength(heads + places);
    const cosines = await ask('{ compare(a: "a", b: "b") { meanCosine places { cosine } } }');
    expect(cosines.statements).toHaveLength(heads + places + 2 + 2 * 6);
  });
});

describe('the plan of a list', () => {
  /** Which tables a statement goes through as a whole, in the plan that SQLite makes of it. */
  function scans(file: string, sql: string): string[] {
    const sqlite = new BetterSqlite3(file, { readonly: true });
    try {
      return (sqlite.prepare(`explain query plan ${sql}`).all() as { detail: string }[])
        .map(({ detail }) => detail)
        .filter((detail) => /^(SCAN (?!json_each|\(subquery)|USE TEMP B-TREE)/.test(detail));
    } finally {
      sqlite.close();
    }
  }

  it.each([
    ['{ organism(name: "a") { runs(first: 5) { edges { node { key } } } } }'],
    [
      '{ organism(name: "a") { latestRun { layers(first: 5) { edges { node { diffVectors(first: 5) { edges { node { position } } } } } } } } }',
    ],
    ['{ baseModel(name: "tiny-base") { organisms(first: 5) { edges { node { name } } } } }'],
    ['{ corpus(name: "probe") { runs(first: 5) { edges { node { key } } } } }'],
    ['{ tokenSearch(text: " token0", first: 5) { edges { node { rank } } } }'],
    ['{ tokenSearch(text: " tok", match: STARTS_WITH, first: 5) { edges { node { rank } } } }'],
    ['{ organisms(where: { name: { eq: "a" } }, first: 5) { edges { node { name } } } }'],
    ['{ organisms(where: { kind: { eq: "SDF" } }, first: 5) { edges { node { name } } } }'],
    [
      '{ graders(first: 5, where: { name: { eq: "offline-relevance" } }) { edges { node { grades(first: 5) { edges { node { value } } } } } } }',
    ],
    [
      '{ projections(where: { grades: { some: { grader: { name: { eq: "offline-relevance" } } } } }) { edges { node { grades(first: 5) { totalCount } } } } }',
    ],
  ])('goes through no table as a whole and sorts nothing: %s', async (query) => {
    const { store, file, ask } = noting();
    for (const organism of ['a', 'b', 'c']) seedRun(store, { organism });
    store.graders.add(syntheticGrader());
    const { statements } = await ask(query);
    expect(statements.length).toBeGreaterThan(0);
    for (const sql of statements) expect([sql, scans(file, sql)]).toEqual([sql, []]);
  });

  it.each([
    ['{ runs(first: 2) { edges { node { key } } } }', 'SCAN runs USING INDEX runs_newest'],
    ['{ jobs(first: 2) { edges { node { key } } } }', 'SCAN jobs USING INDEX jobs_newest'],
    [
      '{ diffVectors(first: 2, orderBy: [{ field: NORM, direction: DESC }]) { edges { node { position } } } }',
      'SCAN diff_vectors USING INDEX diff_vectors_norm',
    ],
    [
      '{ organisms(first: 2, orderBy: [{ field: MIX_RATIO, direction: DESC }]) { edges { node { name } } } }',
      'SCAN organisms USING INDEX organisms_mix_ratio',
    ],
    [
      '{ organisms(where: { topTokens: { text: " token0" } }) { edges { node { name } } } }',
      'SEARCH t USING COVERING INDEX projection_tokens_text (text=? AND rank<?)',
    ],
    [
      '{ organisms(where: { diffVectors: { some: { norm: { gt: 1 } } } }) { edges { node { name } } } }',
      'SEARCH diff_vectors USING INDEX diff_vectors_norm (norm>?)',
    ],
    [
      '{ organisms(where: { grades: { some: { grader: { name: { eq: "x" } }, value: { gte: 0.3 } } } }) { edges { node { name } } } }',
      'SEARCH grades USING INDEX grades_grader (grader_id=?)',
    ],
    [
      '{ grades(where: { grader: { name: { eq: "x" } } }) { edges { node { value } } } }',
      'SEARCH grades USING INDEX grades_grader (grader_id=?)',
    ],
    [
      '{ diffVectors(where: { run: { organism: { name: { eq: "a" } } } }) { edges { node { position } } } }',
      'SEARCH diff_vectors USING INDEX diff_vectors_position (layer_id=?)',
    ],
    [
      '{ tokenSearch(text: "oken", match: CONTAINS) { edges { node { rank } } } }',
      'SEARCH projection_tokens USING INDEX projection_tokens_text (text=? AND rank<?)',
    ],
  ])('of everything stored goes by an index: %s', async (query, step) => {
    const { store, file, ask } = noting();
    for (const organism of ['a', 'b', 'c']) seedRun(store, { organism });
    const sql = (await ask(query)).statements.find((each) => each.includes(' order by ')) ?? '';
    const sqlite = new BetterSqlite3(file, { readonly: true });
    const plan = sqlite.prepare(`explain query plan ${sql}`).all() as { detail: string }[];
    sqlite.close();
    expect(plan.map(({ detail }) => detail)).toContain(step);
  });
});
