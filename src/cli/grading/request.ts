import type { OrganismRow, RunRow, Store } from '../../db/index.ts';
import type { Plan, Runner } from '../../graders/index.ts';
import type { Asking, JudgeOptions } from '../../runs/judge.ts';
import { askingLine, askJudge, judgeChoice, type JudgeFlags, planLine } from '../judge-options.ts';
import { plainJson } from '../plain.ts';

export interface GradeFlags extends JudgeFlags {
  data: string;
  grader: string;
  method: string;
  scaleBy: 'method' | 'tournament';
  layer?: number;
  positions?: number[];
  rotations: number;
  agreement: 'all' | 'majority';
  hypothesis?: string[];
  repeats: number;
  dryRun?: boolean;
  threads?: number;
  json?: boolean;
}

/** One grading that a command was asked for. */
export interface GradeRequest {
  store: Store;
  /** As it was given. */
  name: string;
  organism: OrganismRow;
  run: RunRow;
  flags: GradeFlags;
}

/** Has a grader grade, and prints what came of it. */
export type Grading = (request: GradeRequest) => Promise<void>;

/** What asking came to, as JSON has it. */
export const askingOfRunner = (asking: Asking, { spent }: Runner) => ({ ...asking, spent });

/**
 * Asks the judge that the flags name, or only counts what it would be asked, and prints.
 * @param show gives what to print: an object for --json, and lines
 */
export async function gradeByJudge<T extends { asking: Asking }>(
  { store, name, run, flags }: GradeRequest,
  work: (runner: Runner, options: JudgeOptions) => Promise<T>,
  show: (result: T) => { json: object; lines: string },
): Promise<void> {
  const choice = await judgeChoice(flags);
  const { dryRun, threads } = flags;
  const about = `${flags.grader} of run ${run.key}`;
  let [plan, line, asked]: [Plan | null, string, object] = [null, '', {}];
  const result = await askJudge(name, store, choice, { about, dryRun, threads }, async (runner, options) => {
    const made = await work(runner, options);
    plan = runner.plan;
    line = askingLine(made.asking, runner);
    asked = askingOfRunner(made.asking, runner);
    return made;
  });
  if (dryRun && plan) {
    process.stdout.write(flags.json ? `${plainJson({ dryRun: plan }, 2)}\n` : `${planLine(plan)}\n`);
    return;
  }
  const { json, lines } = show(result);
  process.stdout.write(flags.json ? `${plainJson({ ...json, asking: asked }, 2)}\n` : `${lines}\n${line}\n`);
}
