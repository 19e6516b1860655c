import Table from 'cli-table3';
import { Command, Option } from 'commander';
import { setTimeout as wait } from 'node:timers/promises';
import type { JobRow, JobState, Store } from '../../db/index.ts';
import { CodedError } from '../../lib/coded-error.ts';
import { withStore, withStoreToRead } from '../data-folder.ts';
import { interruptible } from '../interrupt.ts';
import { dataOption, jsonOption, wholeNumber } from '../options.ts';
import { plain, plainJson } from '../plain.ts';

/** Work that was asked for through the graph. */
export const jobCommand = (): Command =>
  new Command('job')
    .description('see and cancel the jobs that were asked for through the graph')
    .addCommand(list())
    .addCommand(show())
    .addCommand(cancel());

const states = Object.keys({
  QUEUED: true,
  RUNNING: true,
  COMPLETED: true,
  ERROR: true,
  CANCELLED: true,
} satisfies Record<JobState, true>);

const list = (): Command =>
  new Command('list')
    .description('list jobs, the newest first')
    .addOption(
      new Option('--state <state>', 'only jobs in this state').choices(
        states.map((state) => state.toLowerCase()),
      ),
    )
    .option('--last <n>', 'how many at most', wholeNumber(1, 200), 20)
    .addOption(dataOption())
    .addOption(jsonOption())
    .action((options: { data: string; state?: string; last: number; json?: boolean }) =>
      withStoreToRead(options.data, (store) => {
        const asked =
          options.state === undefined ? {} : { states: [options.state.toUpperCase() as JobState] };
        const { rows } = store.jobs.all.page(null, asked, { first: options.last });
        const jobs = rows.map((job) => summaryOf(store, job));
        if (options.json) return void process.stdout.write(`${plainJson(jobs, 2)}\n`);
        if (jobs.length === 0) return void process.stdout.write('no jobs\n');
        const table = new Table({
          head: ['job', 'kind', 'of', 'state', 'progress', 'created'],
          style: { head: [], border: [], compact: true },
        });
        for (const { key, kind, organism, state, progress, createdAt } of jobs)
          table.push([key, kind, organism ?? '–', state, progress ?? '', createdAt].map(plain));
        process.stdout.write(`${table.toString()}\n`);
      }),
    );

const show = (): Command =>
  new Command('show')
    .description('show a job: what was asked, how far it is and what came of it')
    .argument('<key>', 'its key, from `deltascope job list`')
    .option('--follow', 'go on until it has ended; exits with 1 where it did not complete')
    .addOption(dataOption())
    .addOption(jsonOption())
    .action((key: string, options: { data: string; follow?: boolean; json?: boolean }) =>
      withStoreToRead(options.data, async (store) => {
        const job = options.follow ? await followed(store, key) : store.jobs.get(key);
        const { spec, result, attempts, errorCode, errorMessage, startedAt, finishedAt } = job;
        const whole = {
          ...summaryOf(store, job),
          spec,
          attempts,
          error: errorCode === null ? null : { code: errorCode, message: errorMessage },
          result,
          startedAt,
          finishedAt,
        };
        const lines = Object.entries(whole).flatMap(([name, value]): string[] =>
          value === null
            ? []
            : [`${name.padEnd(12)}${typeof value === 'string' ? plain(value) : plainJson(value)}`],
        );
        process.stdout.write(`${options.json ? plainJson(whole, 2) : lines.join('\n')}\n`);
        if (options.follow && job.state !== 'COMPLETED')
          throw new CodedError('JOB_NOT_COMPLETED', `job ${key} was not completed: ${job.state}`);
      }),
    );

const cancel = (): Command =>
  new Command('cancel')
    .description('cancel a job: at once while it waits, within moments while it runs')
    .argument('<key>', 'its key, from `deltascope job list`')
    .addOption(dataOption())
    .action((key: string, options: { data: string }) =>
      withStore(options.data, (store) => {
        const { state, cancelRequested } = store.jobs.cancel(key);
        const said = cancelRequested ? 'its engine has been asked to end it' : `it is ${state.toLowerCase()}`;
        process.stdout.write(`${plain(key)}: ${said}\n`);
      }),
    );

const summaryOf = (
  store: Store,
  { key, kind, state, organismId, phase, done, total, createdAt }: JobRow,
) => ({
  key,
  kind,
  organism: organismId === null ? null : store.organisms.getById(organismId).name,
  state,
  progress:
    phase === null
      ? null
      : `${phase}${done === null || !total ? '' : ` ${Math.floor((100 * done) / total)} %`}`,
  createdAt,
});

const pollMs = 250;

/** Its events as they come, on standard error; the job once it has ended. */
const followed = (store: Store, key: string): Promise<JobRow> =>
  interruptible(async (signal) => {
    for (let seen = 0; ;) {
      const job = store.jobs.get(key);
      for (const { number, state, phase, done, total, message } of store.jobs.events(job, seen, 1_000)) {
        seen = number;
        const progress = done === null || !total ? '' : ` ${Math.floor((100 * done) / total)} %`;
        process.stderr.write(`${plain([state, phase, message].filter(Boolean).join(' · '))}${progress}\n`);
      }
      if (job.finishedAt !== null) return job;
      await wait(pollMs, undefined, { signal });
    }
  });
