import { check, index, integer, real, sql, sqliteTable, text } from '../drizzle.ts';
import { models } from './models.ts';
import { ownership, ownershipChecks } from './ownership.ts';

export const organismForms = ['LORA', 'FULL'] as const;
export type OrganismForm = (typeof organismForms)[number];

/** Finetuned models, each with its base and what it was trained to be. */
export const organisms = sqliteTable(
  'organisms',
  {
    id: integer('id').primaryKey(),
    name: text('name').notNull().unique(),
    baseModelId: integer('base_model_id')
      .notNull()
      .references(() => models.id),
    path: text('path').notNull(),
    form: text('form', { enum: organismForms }).notNull(),
    kind: text('kind').notNull(),
    description: text('description').notNull(),
    groundTruth: text('ground_truth'),
    trainingCorpus: text('training_corpus'),
    mixRatio: real('mix_ratio'),
    digest: text('digest').notNull(),
    createdAt: text('created_at').notNull(),
    ...ownership(),
  },
  (table) => [
    index('organisms_base_model').on(table.baseModelId, table.name),
    index('organisms_kind').on(table.kind, table.name),
    index('organisms_mix_ratio').on(table.mixRatio),
    index('organisms_team').on(table.teamId),
    check('organisms_form', sql`${table.form} in ('LORA', 'FULL')`),
    ...ownershipChecks('organisms', table),
  ],
);
