import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import {
  InvalidResultError,
  NotFoundError,
  type GraderRow,
  type NewGrade,
  type NewGrader,
  type ProjectionRow,
  type Store,
} from '../../src/db/index.ts';
import { memoryExchanges, type Exchange, type ExchangeStore } from '../../src/graders/index.ts';
import { packageVersion } from '../../src/lib/package-root.ts';
import { syntheticGrade, syntheticGrader } from '../harness/synthetic-grades.ts';
import { seedResults, seedVector, syntheticReadings } from '../harness/synthetic-results.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const all = { first: 1000 };

function prepared(): { store: Store; projection: ProjectionRow; grader: GraderRow } {
  const store = temporaryStore();
  const [projection] = store.projections.save(syntheticReadings(seedVector(store)));
  return { store, projection: projection!, grader: store.graders.add(syntheticGrader()) };
}

describe('graders', () => {
  it('are one row by their content, and another by any part of it', () => {
    const { store, grader } = prepared();
    expect(grader.key).toMatch(/^offline-relevance\.[0-9a-f]{12}$/);
    expect(store.graders.add(syntheticGrader({ parameters: { leastZ: 3.29 } }))).toEqual(grader);
    const changes: Partial<NewGrader>[] = [
      { name: 'coherence' },
      { version: 2 },
      { promptDigest: 'p' },
      { provider: 'openai-compatible' },
      { endpoint: 'https://a.example/v1' },
      { model: 'm' },
      { parameters: { leastZ: 3 } },
    ];
    const others = changes.map((change) => store.graders.add(syntheticGrader(change)));
    expect(new Set([grader, ...others].map(({ key }) => key)).size).toBe(8);
  });

  it('are found by their keys and listed by name and version', () => {
    const { store, grader } = prepared();
    const [second, coherence] = [{ version: 2 }, { name: 'coherence' }].map((change) =>
      store.graders.add(syntheticGrader(change)),
    );
    expect(store.graders.all.page(null, {}, all).rows).toEqual([coherence, grader, second]);
    expect(store.graders.all.page(null, { where: { name: { eq: 'coherence' } } }, all).rows).toEqual([
      coherence,
    ]);
    expect(['offline-relevance', grader.key, 'none'].map((of) => store.graders.named(of))).toEqual([
      second,
      grader,
      undefined,
    ]);
    expect(store.graders.findByKey(grader.key)).toEqual(grader);
    expect(store.graders.findByKey('offline-relevance.000000000000')).toBeUndefined();
  });

  it.each<[Partial<NewGrader>, string]>([
    [{ name: 'Ours' }, 'name "Ours" is not of the form words-with-dashes'],
    [{ version: 0 }, 'version is 0, a whole number from 1 is expected'],
    [{ model: ' ' }, 'model is empty'],
  ])('%j is refused', (change, message) => {
    const { store } = prepared();
    expect(() => store.graders.add(syntheticGrader(change))).toThrow(
      expect.objectContaining({ message: expect.stringContaining(message) as string }),
    );
  });
});

describe('grades', () => {
  it('keep what was said, of what, and what made it', () => {
    const { store, projection, grader } = prepared();
    const given = syntheticGrade(projection, grader);
    const [saved] = store.grades.save([given]);
    const { subject: _, ...said } = given;
    expect(saved).toMatchObject({ ...said, engineVersion: packageVersion(), subjectKey: projection.key });
    expect(saved!.key).toMatch(
      new RegExp(`^${projection.key.replace('.', '\\.')}\\.grade\\.offline-relevance\\.[0-9a-f]{12}$`),
    );
    expect(store.grades.findByKey(saved!.key)).toEqual(saved);
    expect(store.grades.find(given)).toEqual(saved);
    expect(saved!.subject).toEqual({ projection });
    expect(store.grades.all.page(null, {}, all).rows).toEqual([saved]);
    expect(store.grades.findByKey(saved!.key.replace('offline-relevance', 'coherence'))).toBeUndefined();
  });

  it('are kept beside those of another version, and once for the same', () => {
    const { store, projection, grader } = prepared();
    const second = store.graders.add(syntheticGrader({ version: 2 }));
    const [one] = store.grades.save([syntheticGrade(projection, grader)]);
    const [same, other, elsewhere] = store.grades.save([
      syntheticGrade(projection, grader, { value: 1 }),
      syntheticGrade(projection, second, { value: 1 }),
      syntheticGrade(projection, grader, { value: 1, parameters: { candidates: 10 } }),
    ]);
    expect(same).toEqual({ ...one, asked: one!.asked + 1 });
    expect(store.grades.ofProjection.count(projection, {})).toBe(3);
    expect(store.grades.ofGrader.page(grader, {}, all).rows).toEqual([same, elsewhere]);
    expect(store.grades.ofGrader.page(second, {}, all).rows).toEqual([other]);
    expect(store.grades.ofProjection.count(projection, { grader: 'coherence' })).toBe(0);
    expect(store.grades.ofProjection.count(projection, { grader: 'offline-relevance' })).toBe(3);
  });

  it('know the turn in which they were asked for last', () => {
    const { store, projection, grader } = prepared();
    const [one] = store.grades.save([syntheticGrade(projection, grader)]);
    const [other] = store.grades.save([
      syntheticGrade(projection, grader, { parameters: { candidates: 10 } }),
    ]);
    const turns = () => store.grades.ofGrader.page(grader, {}, all).rows.map(({ asked }) => asked);
    expect(turns()).toEqual([1, 2]);
    store.grades.askedAgain([one!]);
    expect(turns()).toEqual([3, 2]);
    store.grades.save([
      syntheticGrade(projection, grader, { value: 1 }),
      syntheticGrade(projection, grader, { parameters: { candidates: 10 } }),
    ]);
    expect(turns()).toEqual([4, 4]);
    expect(store.grades.find(other!)).toMatchObject({ id: other!.id, asked: 4 });
  });

  it('are of steered texts, too', () => {
    const { store, projection, grader } = prepared();
    const experiment = seedResults(store, projection.diffVector);
    const [sample] = store.samples.ofExperiment.page(experiment, {}, all).rows;
    const subject = { sample: sample! };
    const label = { scale: 'LABEL', label: 'COHERENT', value: null, tokenLabels: null } as const;
    const [saved] = store.grades.save([syntheticGrade(projection, grader, { subject, ...label })]);
    expect(saved).toMatchObject({ ...label, subjectKey: sample!.key, projectionId: null });
    expect(store.grades.findByKey(saved!.key)).toEqual(saved);
    expect(store.grades.ofSample.page(sample!, {}, all).rows).toEqual([saved]);
    expect(store.grades.ofProjection.count(projection, {})).toBe(0);
  });

  it.each<[Partial<NewGrade>, string]>([
    [{ value: 1.01 }, 'value is 1.01, a finite number from 0 to 1 is expected'],
    [{ value: NaN }, 'value is NaN, a finite number from 0 to 1 is expected'],
    [{ value: null }, 'a value is expected on the scale SHARE'],
    [{ scale: 'SCORE', value: 0.5 }, 'value is 0.5, a finite number from 1 to 5 is expected'],
    [{ scale: 'LABEL', label: 'A' }, 'a label and no value are expected on the scale LABEL'],
    [{ invalid: '2 verdicts' }, 'it is invalid and has a verdict; one of both is expected'],
    [{ rationale: '' }, 'rationale is empty'],
    [{ metrics: { a: NaN } }, 'metrics'],
  ])('%j is refused, and nothing beside it is saved', (change, message) => {
    const { store, projection, grader } = prepared();
    const records = [syntheticGrade(projection, grader), syntheticGrade(projection, grader, change)];
    expect(() => store.grades.save(records)).toThrow(InvalidResultError);
    expect(() => store.grades.save(records)).toThrow(message);
    expect(store.grades.ofProjection.count(projection, {})).toBe(0);
  });

  it('of what is not in this store are refused', () => {
    const [{ store, grader }, other] = [prepared(), prepared()];
    const foreign = other.store.projections.save(
      syntheticReadings(seedVector(other.store, 'L1.P1'), { parameters: { top: 1 } }),
    )[0]!;
    expect(() => store.grades.save([syntheticGrade(foreign, grader)])).toThrow(NotFoundError);
    const { projection } = prepared();
    for (const change of [{ id: 99 }, { key: 'offline-relevance.000000000000' }])
      expect(() => store.grades.save([syntheticGrade(projection, { ...grader, ...change })])).toThrow(
        NotFoundError,
      );
  });

  it('without a verdict say why, whoever writes', () => {
    const { store, projection, grader } = prepared();
    const unread = { value: null, invalid: '2 verdicts', tokenLabels: null } as const;
    const [saved] = store.grades.save([syntheticGrade(projection, grader, unread)]);
    expect(saved).toMatchObject(unread);
    const sqlite = new BetterSqlite3(store.file);
    for (const change of ['invalid = null', "label = 'A'", "scale = 'MARK'", "value = 'much'"])
      expect(() => sqlite.exec(`update grades set ${change}`)).toThrow(/constraint|cannot store/);
    sqlite.close();
  });
});

describe('exchanges', () => {
  const exchange: Exchange = {
    key: 'k',
    grader: 'coherence',
    graderVersion: 1,
    promptDigest: 'p',
    provider: 'openai-compatible',
    endpoint: 'https://a.example/v1',
    model: 'm',
    answeredBy: 'm-2026',
    request: { messages: [{ role: 'user', content: 'ä 𝔘' }] },
    reply: {
      text: 'VERDICT: COHERENT',
      calls: [],
      finish: null,
      model: 'm-2026',
      usage: { promptTokens: null, completionTokens: 7 },
      raw: { id: 'r' },
    },
    at: '2026-11-28T10:00:00.000Z',
    durationMs: 12.5,
    attempts: 2,
    cost: null,
  };

  it('are what the runner’s store in memory keeps, and the first reply stands', async () => {
    const { exchanges } = temporaryStore();
    const stores: ExchangeStore[] = [exchanges, memoryExchanges()];
    for (const store of stores) {
      expect(await store.get('k')).toBeUndefined();
      expect(await store.put(exchange)).toEqual(exchange);
      expect(await store.put({ ...exchange, cost: 1 })).toEqual(exchange);
      expect(await store.get('k')).toEqual(exchange);
    }
  });
});
