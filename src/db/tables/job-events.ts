import { integer, sqliteTable, text, unique } from '../drizzle.ts';
import { jobs, jobStates } from './jobs.ts';

/** What happened to a job, numbered from 1 without gaps: a listener that names its last one gets the rest. */
export const jobEvents = sqliteTable(
  'job_events',
  {
    id: integer('id').primaryKey(),
    jobId: integer('job_id')
      .notNull()
      .references(() => jobs.id, { onDelete: 'cascade' }),
    number: integer('number').notNull(),
    state: text('state', { enum: jobStates }).notNull(),
    phase: text('phase'),
    done: integer('done'),
    total: integer('total'),
    /** What there is to say besides: why it was queued again, what the error was. */
    message: text('message'),
    createdAt: text('created_at').notNull(),
  },
  (table) => [unique('job_events_number').on(table.jobId, table.number)],
);
