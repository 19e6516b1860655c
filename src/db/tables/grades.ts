import { check, index, integer, real, sql, sqliteTable, text, uniqueIndex } from '../drizzle.ts';
import type { JsonObject } from '../../lib/canonical-json.ts';
import { graders } from './graders.ts';
import { hypotheses } from './hypotheses.ts';
import { organisms } from './organisms.ts';
import { projections } from './projections.ts';
import { samples } from './samples.ts';

/** What a grade says: a word of the grader's, a share of 0 to 1, or a score of 1 to 5. */
export const gradeScales = ['LABEL', 'SHARE', 'SCORE'] as const;
export type GradeScale = (typeof gradeScales)[number];

/** What graders said of things that were stored. */
export const grades = sqliteTable(
  'grades',
  {
    id: integer('id').primaryKey(),
    graderId: integer('grader_id')
      .notNull()
      .references(() => graders.id),
    /** Whose the thing is: a grade is seen as its organism is. */
    organismId: integer('organism_id')
      .notNull()
      .references(() => organisms.id),
    // Exactly one of them; the store sees to that, since what is graded grows by columns and checks do not.
    projectionId: integer('projection_id').references(() => projections.id, { onDelete: 'cascade' }),
    sampleId: integer('sample_id').references(() => samples.id, { onDelete: 'cascade' }),
    hypothesisId: integer('hypothesis_id').references(() => hypotheses.id),
    /** Key of what is graded. */
    subjectKey: text('subject_key').notNull(),
    scale: text('scale', { enum: gradeScales }).notNull(),
    label: text('label'),
    value: real('value'),
    /** Why there is no verdict; null where there is one. */
    invalid: text('invalid'),
    /** In the grader's words; null where it gives none. */
    rationale: text('rationale'),
    /** Of the tokens of a projection, by rank; null for one that was not judged. Null for grades of a whole. */
    tokenLabels: text('token_labels', { mode: 'json' }).$type<(string | null)[]>(),
    /** Further numbers, by name; a share is 0 to 1. */
    metrics: text('metrics', { mode: 'json' }).$type<Record<string, number | null>>().notNull(),
    /** Keys of the exchanges that it was read from; none where nobody was asked. */
    exchanges: text('exchanges', { mode: 'json' }).$type<string[]>().notNull(),
    /** Whatever beside the grader and the subject decides it. */
    parameters: text('parameters', { mode: 'json' }).$type<JsonObject>().notNull(),
    /** Of the grader and the parameters. */
    parametersKey: text('parameters_key').notNull(),
    /** Turn in which it was last asked for, given anew or found: of several grades of a thing by one grader that of the last turn counts. */
    asked: integer('asked').notNull().default(0),
    engineVersion: text('engine_version').notNull(),
    createdAt: text('created_at').notNull(),
  },
  (table) => [
    uniqueIndex('grades_projection').on(table.projectionId, table.graderId, table.parametersKey),
    uniqueIndex('grades_sample').on(table.sampleId, table.graderId, table.parametersKey),
    uniqueIndex('grades_hypothesis').on(table.hypothesisId, table.graderId, table.parametersKey),
    index('grades_asked').on(table.asked),
    index('grades_grader').on(table.graderId, table.id),
    index('grades_organism').on(table.organismId, table.graderId),
    check('grades_scale', sql`${table.scale} in ('LABEL', 'SHARE', 'SCORE')`),
    check(
      'grades_verdict',
      sql`(${table.invalid} is null) = (${table.label} is not null or ${table.value} is not null)`,
    ),
  ],
);
