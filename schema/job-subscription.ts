import type { JobEventRow } from '../src/db/index.ts';
import { builder } from './builder.ts';
import { JobStateEnum } from './enums.ts';
import { badUserInput } from './errors.ts';
import { toClient } from './follow.ts';
import { jobEvents } from './job-events.ts';
import { keyOf } from './node-key.ts';

export const JobEventRef = builder.objectRef<JobEventRow>('JobEvent').implement({
  description: 'Something that happened to a job.',
  fields: (t) => ({
    number: t.exposeInt('number', {
      description: 'Its place among the events of the job, from 1 without gaps; `after` takes it.',
    }),
    state: t.expose('state', { type: JobStateEnum, description: 'Where the job stood then.' }),
    phase: t.exposeString('phase', { nullable: true, description: 'What it was at; null before the first.' }),
    done: t.exposeFloat('done', {
      nullable: true,
      description: 'Work done in the phase, in units that only compare with total; null where not counted.',
    }),
    total: t.exposeFloat('total', {
      nullable: true,
      description: 'Work of the phase in all, in the units of done; null where not counted.',
    }),
    message: t.exposeString('message', {
      nullable: true,
      description: 'Why it was queued again, or what the error was; null where there is nothing to say.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it happened.' }),
  }),
});

builder.subscriptionField('jobProgress', (t) =>
  t.field({
    type: JobEventRef,
    description:
      'What happens to a job, from after an event on until it has ended: first what has happened already. Ends at once where there is no such job. GET /v1/jobs/{key}/events tells the same as events with ids, which browsers resume by themselves.',
    args: {
      id: t.arg.id({ required: true, description: 'The id of a job.' }),
      after: t.arg.int({
        defaultValue: 0,
        description: 'Number of the last event that is known, 0 or more; 0: all.',
      }),
    },
    async *subscribe(_, { id, after }, context) {
      const key = keyOf(id, 'Job');
      if (key === undefined) throw badUserInput('id is not the id of a job.');
      yield* toClient(context, jobEvents(context.store, key, Math.max(0, after ?? 0), context));
    },
    resolve: (event) => event,
  }),
);
