import type { JsonObject } from '../../lib/canonical-json.ts';
import { onceEach } from '../../lib/once-each.ts';
import { packageVersion } from '../../lib/package-root.ts';
import type { Connection } from '../connection.ts';
import { checks } from '../checks.ts';
import { NotFoundError } from '../errors.ts';
import { parametersKey, splitGradeKey } from '../keys.ts';
import { type Asked, listing, mostCounted } from '../listing.ts';
import { gradeFields, gradeJoins, gradeSorts } from '../filters.ts';
import { finder, inserter } from '../table-sql.ts';
import { grades, gradeScales, type GradeScale } from '../tables/grades.ts';
import { listed, type Viewer } from '../visible.ts';
import type { GraderRow } from './graders.ts';
import type { HypothesisRow } from './hypotheses.ts';
import type { ProjectionRow } from './projections.ts';
import type { SampleRow } from './samples.ts';

type Columns = typeof grades.$inferSelect;

/** What is graded. */
export type GradeSubject =
  | { projection: ProjectionRow; sample?: undefined; hypothesis?: undefined }
  | { sample: SampleRow; projection?: undefined; hypothesis?: undefined }
  | { hypothesis: HypothesisRow; projection?: undefined; sample?: undefined };

const thingOf = ({ projection, sample, hypothesis }: GradeSubject): { id: number; key: string } =>
  projection ?? sample ?? hypothesis;

const organismIdOf = ({ projection, sample, hypothesis }: GradeSubject): number =>
  hypothesis
    ? hypothesis.agentRun.organismId
    : (projection ?? sample.experiment).diffVector.layer.run.organismId;

/** `subject` is seen where the grade is. */
export type GradeRow = Columns & { key: string; grader: GraderRow; subject: GradeSubject };

/** What decides a grade, so that it can be looked for before anybody is asked. */
export interface GradeSpec {
  subject: GradeSubject;
  grader: GraderRow;
  parameters: JsonObject;
}

/** A verdict, or why there is none: `invalid` is null, or `label` and `value` are. */
export interface NewGrade extends GradeSpec {
  scale: GradeScale;
  label: string | null;
  value: number | null;
  invalid: string | null;
  rationale: string | null;
  tokenLabels: (string | null)[] | null;
  metrics: Record<string, number | null>;
  exchanges: string[];
}

export interface GradeFilters {
  /** Name of a grader. */
  grader?: string | null | undefined;
}

const keyOfParameters = ({ grader, parameters }: GradeSpec): string =>
  parametersKey({ grader: grader.key, parameters });

const toRow = (columns: Columns, grader: GraderRow, subject: GradeSubject): GradeRow => ({
  ...columns,
  key: `${columns.subjectKey}.grade.${grader.name}.${columns.parametersKey}`,
  grader,
  subject,
});

export function gradeStore(
  sqlite: Connection,
  viewer: Viewer,
  graders: { getById(id: number): GraderRow },
  projections: { findByKey(key: string): ProjectionRow | undefined; loader(): (id: number) => ProjectionRow },
  samples: { findByKey(key: string): SampleRow | undefined; loader(): (id: number) => SampleRow },
  hypotheses: { findByKey(key: string): HypothesisRow | undefined; loader(): (id: number) => HypothesisRow },
) {
  const ofProjection = finder(sqlite, grades, 'projection_id = ? and parameters_key = ?');
  const ofSample = finder(sqlite, grades, 'sample_id = ? and parameters_key = ?');
  const ofHypothesis = finder(sqlite, grades, 'hypothesis_id = ? and parameters_key = ?');
  const insert = inserter(sqlite, grades);
  // everybody’s: turns are counted over all grades, and no client is told of them.
  const lastTurn = sqlite.prepare('select max(asked) from grades').pluck();
  const nextTurn = (): number => ((lastTurn.get() as number | null) ?? 0) + 1;
  const setAsked = sqlite.prepare('update grades set asked = @turn where id = @id');

  const columnsOf = ({ projection, sample, hypothesis }: GradeSubject, key: string): Columns | undefined => {
    if (projection) return ofProjection(projection.id, key);
    return sample ? ofSample(sample.id, key) : ofHypothesis(hypothesis.id, key);
  };
  function find(spec: GradeSpec): GradeRow | undefined {
    const columns = columnsOf(spec.subject, keyOfParameters(spec));
    return columns && toRow(columns, spec.grader, spec.subject);
  }
  function subjectOf(key: string): GradeSubject | undefined {
    const projection = projections.findByKey(key);
    if (projection) return { projection };
    const sample = samples.findByKey(key);
    if (sample) return { sample };
    const hypothesis = hypotheses.findByKey(key);
    return hypothesis && { hypothesis };
  }

  const save = sqlite.transaction((records: readonly NewGrade[]): GradeRow[] => {
    const asked = nextTurn();
    const made = { asked, engineVersion: packageVersion(), createdAt: new Date().toISOString() };
    return records.map((record) => {
      const { projection, sample, hypothesis } = record.subject;
      const subject = thingOf(record.subject);
      check(record);
      const there = subjectOf(subject.key);
      if (!there || thingOf(there).id !== subject.id)
        throw new NotFoundError('projection, sample or hypothesis', subject.key);
      if (graders.getById(record.grader.id).key !== record.grader.key)
        throw new NotFoundError('grader', record.grader.key);
      const known = find(record);
      if (known) {
        setAsked.run({ id: known.id, turn: asked });
        return { ...known, asked };
      }
      insert({
        ...record,
        ...made,
        graderId: record.grader.id,
        organismId: organismIdOf(record.subject),
        projectionId: projection?.id ?? null,
        sampleId: sample?.id ?? null,
        hypothesisId: hypothesis?.id ?? null,
        subjectKey: subject.key,
        parametersKey: keyOfParameters(record),
      });
      return find(record) as GradeRow;
    });
  });

  const askedAgain = sqlite.transaction((rows: readonly GradeRow[]) => {
    const turn = nextTurn();
    for (const { id } of rows) setAsked.run({ id, turn });
  });

  const loader = () => {
    const grader = onceEach((id: number) => graders.getById(id));
    const [projection, sample, hypothesis] = [projections.loader(), samples.loader(), hypotheses.loader()];
    const subjectOf = ({ projectionId, sampleId, hypothesisId }: Columns): GradeSubject => {
      if (projectionId !== null) return { projection: projection(projectionId) };
      return sampleId === null
        ? { hypothesis: hypothesis(hypothesisId as number) }
        : { sample: sample(sampleId) };
    };
    return (columns: Columns, known?: GradeSubject): GradeRow =>
      toRow(columns, grader(columns.graderId), known ?? subjectOf(columns));
  };
  const rowsOf = (all: Columns[]): GradeRow[] => {
    const load = loader();
    return all.map((columns) => load(columns));
  };
  /** Of one thing. */
  const about = <Row extends { id: number; key: string }>(
    name: string,
    column: string,
    subject: (row: Row) => GradeSubject,
  ) =>
    listing(sqlite, {
      name,
      table: grades,
      where: `${column} = @subject and (@grader is null or grader_id in (select id from graders where name = @grader))`,
      parameters: (row: Row, { grader }: GradeFilters) => ({ subject: row.id, grader: grader ?? null }),
      order: ['graderId', 'parametersKey'],
      row: (columns, parent) => loader()(columns, subject(parent)),
      rows(all, parent) {
        const load = loader();
        return all.map((columns) => load(columns, subject(parent)));
      },
    });
  /** Of everything that may be listed. */
  const across = {
    table: grades,
    viewer,
    joins: gradeJoins(viewer),
    fields: gradeFields,
    sorts: gradeSorts,
    order: ['id' as const],
    row: (columns: Columns) => loader()(columns),
    rows: rowsOf,
    mostCounted,
  };

  return {
    /** This grade, if it is there. */
    find,
    findByKey(key: string): GradeRow | undefined {
      const parts = splitGradeKey(key);
      const subject = parts && subjectOf(parts.subject);
      const columns = subject && columnsOf(subject, parts.parametersKey);
      const row = columns && toRow(columns, graders.getById(columns.graderId), subject);
      return row?.key === key ? row : undefined;
    },
    /**
     * Writes grades, all of them or none. One that is there already, by the same grader and parameters, stands, and counts as asked for now.
     * @throws InvalidResultError, NotFoundError
     */
    save: (records: readonly NewGrade[]): GradeRow[] => save.immediate(records),
    /** Says that these were asked for now and found, so that they count before others of the same things. */
    askedAgain: (rows: readonly GradeRow[]): void => askedAgain.immediate(rows),
    ofProjection: about<ProjectionRow>('projection.grades', 'projection_id', (projection) => ({
      projection,
    })),
    ofSample: about<SampleRow>('sample.grades', 'sample_id', (sample) => ({ sample })),
    ofHypothesis: about<HypothesisRow>('hypothesis.grades', 'hypothesis_id', (hypothesis) => ({
      hypothesis,
    })),
    /** Those of every organism, in the order they were saved. */
    all: listing(sqlite, {
      ...across,
      name: 'grades',
      where: listed(viewer, 'organisms'),
      parameters: (_: null, __: Asked) => ({}),
    }),
    /** In the order they were saved. */
    ofGrader: listing(sqlite, {
      ...across,
      name: 'grader.grades',
      long: true,
      where: `grades.grader_id = @graderId and ${listed(viewer, 'organisms')}`,
      parameters: (grader: GraderRow, _: Asked) => ({ graderId: grader.id }),
    }),
  };
}

const ranges = { LABEL: undefined, SHARE: [0, 1], SCORE: [1, 5] } as const;

function check(record: NewGrade): void {
  const { subject, grader, scale, label, value, invalid, rationale, metrics, parameters } = record;
  const of = thingOf(subject).key;
  const { oneOf, refuse, number, json, filled } = checks(`grade of ${of} by ${grader.name}`);
  oneOf('scale', scale, gradeScales);
  json('parameters', parameters);
  json('metrics', metrics);
  if (label !== null) filled('label', label);
  if (rationale !== null) filled('rationale', rationale);
  if (invalid !== null) {
    filled('invalid', invalid);
    if (label !== null || value !== null) refuse('it is invalid and has a verdict; one of both is expected');
    return;
  }
  const range = ranges[scale];
  if (range === undefined && (label === null || value !== null))
    refuse('a label and no value are expected on the scale LABEL');
  if (range === undefined) return;
  if (value === null) return refuse(`a value is expected on the scale ${scale}`);
  number('value', value, ...range);
}
