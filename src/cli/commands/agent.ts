import { Command, Option } from 'commander';
import type { AgentOptions, AgentOutcome } from '../../agent/index.ts';
import type { AgentMessageRow, AgentRunRow, GradeRow, OrganismRow, RunRow, Store } from '../../db/index.ts';
import { CodedError } from '../../lib/coded-error.ts';
import { withStore } from '../data-folder.ts';
import { findOrganism } from '../find-organism.ts';
import { interruptible } from '../interrupt.ts';
import { addLimitOptions, type LimitFlags, limitsOf } from '../judge-options.ts';
import {
  dataOption,
  jsonOption,
  nonNegative,
  positionsOption,
  threadsOption,
  wholeNumber,
} from '../options.ts';
import { plain, plainJson } from '../plain.ts';
import { digits, plainTable } from '../plain-table.ts';
import { addProviderOptions, isLocal, providerChoice, type ProviderFlags } from '../provider-options.ts';
import { findRun } from '../read-run.ts';

interface AgentFlags extends ProviderFlags, LimitFlags {
  data: string;
  offline?: boolean;
  blackBox?: boolean;
  nullPair?: boolean;
  layer?: number;
  positions?: number[];
  budgetCalls: number;
  budgetTokens: number;
  budgetInteractions: number;
  seconds?: number;
  replyTokens: number;
  temperature?: number;
  answerTokens: number;
  plain?: boolean;
  repeat: number;
  seed: number;
  judge?: string;
  transcript?: boolean;
  threads?: number;
  json?: boolean;
}

/** Lets an agent guess what an organism was finetuned on. */
export const agentCommand = (): Command =>
  addLimitOptions(
    addProviderOptions(
      new Command('agent')
        .description(
          'let a language model find out what an organism was finetuned on: from what its differences say, and by talking to its models; --offline reads them by rules, as a baseline',
        )
        .argument('<organism-or-run>', 'registered name, for its latest run, or a run’s key')
        .option('--offline', 'no language model: a hypothesis made by rules, a baseline')
        .option('--black-box', 'baseline: shown no differences, it only talks to both models')
        .option(
          '--null-pair',
          'baseline: the base in the place of both models, to see how often something is found in nothing',
        )
        .addOption(
          new Option(
            '--layer <n>',
            'decoder block to read first, from 0 (default: of those that Patchscope read, the one nearest the middle)',
          ).argParser(wholeNumber(0)),
        )
        .addOption(positionsOption('positions to read, like 0-4,7 (default: 0-4)'))
        .option(
          '--budget-calls <n>',
          'replies of the agent at most, failed ones included',
          wholeNumber(1, 1000),
          16,
        )
        .option('--budget-tokens <n>', 'tokens of all its replies at most', wholeNumber(1), 100_000)
        .option(
          '--budget-interactions <n>',
          'prompts it may put to the models; 0: none',
          wholeNumber(0, 10_000),
          5,
        )
        .option(
          '--seconds <n>',
          'seconds of work, those of earlier processes included; then its next turn is the last (default: as many as it takes)',
          wholeNumber(1, 10_000_000),
        ),
      { does: 'is the agent', replies: 'calls' },
    ),
    ', in this command; the judge may take as much again',
  )
    .option('--reply-tokens <n>', 'tokens of one reply at most', wholeNumber(1), 10_000)
    .option('--temperature <t>', 'of the agent (default: its server’s)', nonNegative)
    .option('--answer-tokens <n>', 'tokens of a model’s answer at most', wholeNumber(1, 100_000), 256)
    .option('--plain', 'prompts to the models as they are, not in the base’s chat template')
    .option('--repeat <n>', 'number of the attempt, from 0: another is another agent run', wholeNumber(0), 0)
    .option('--seed <n>', 'of the models’ answers', wholeNumber(0, 2 ** 31), 0)
    .option(
      '--judge <model>',
      'language model that scores the answer, 1 to 5, asked like the agent; local:<folder> for a checkpoint (default: shared words only)',
    )
    .option('--transcript', 'print every message')
    .addOption(threadsOption())
    .addOption(dataOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nThe organism needs a run (deltascope diff) with readings (patchscope) and, better, steered texts (steer); with --black-box nothing but its models.' +
        '\nNames, kinds and ground truths are kept from the agent, and every message is checked for them before it is sent. Every message is stored as it' +
        '\ncomes: asked again, a run that was broken off goes on, one that has ended is printed, and nothing is paid for twice.' +
        '\n\nExample:\n  deltascope agent cake --model gpt-5 --budget-interactions 5',
    )
    .action(async function (this: Command, name: string, flags: AgentFlags) {
      if (flags.offline && (flags.blackBox || flags.model !== undefined))
        this.error('error: --offline asks no language model and no models', { exitCode: 2 });
      await withStore(flags.data, async (store) => {
        const { organism, run } = subjectOf(store, name, flags);
        let stored = 0;
        const onMessage = (message: AgentMessageRow) => {
          stored += 1;
          if (process.stderr.isTTY) process.stderr.write(progressLine(message));
        };
        const { outcome, grades } = await interruptible(
          (signal) => find(store, organism, run, flags, { signal, onMessage }),
          () => (stored === 0 ? '' : `${stored} messages are stored, and gone on from when asked again`),
        );
        print(store, organism, outcome, grades, flags);
        if (!outcome.answer) throw noAnswer(outcome.agentRun);
      });
    });

function subjectOf(
  store: Store,
  name: string,
  flags: AgentFlags,
): { organism: OrganismRow; run: RunRow | null } {
  if (!flags.blackBox) return findRun(store, name);
  return { organism: findOrganism(store, name, 'organism'), run: null };
}

/** Of an agent run that ended without an answer before. */
const noAnswer = ({ errorCode, errorMessage, key }: AgentRunRow): CodedError =>
  new CodedError(errorCode ?? 'NO_ANSWER', errorMessage ?? `agent run ${key} has no answer`);

type Found = { outcome: AgentOutcome; grades: GradeRow[] };

async function find(
  store: Store,
  organism: OrganismRow,
  run: RunRow | null,
  flags: AgentFlags,
  watching: { signal: AbortSignal; onMessage: NonNullable<AgentOptions['onMessage']> },
): Promise<Found> {
  const { layer, positions, seed, repeat, temperature = null, threads } = flags;
  const agent = await import('../../agent/index.ts');
  const pair = flags.nullPair ? 'NULL' : 'ORGANISM';
  // A guess about nothing has no truth to be graded against.
  const isGraded = ({ answer }: AgentOutcome) =>
    answer !== null && pair === 'ORGANISM' && (organism.groundTruth ?? '').trim() !== '';
  const offline = (outcome: AgentOutcome): GradeRow[] =>
    outcome.answer && isGraded(outcome) ? [agent.gradeOffline(store, organism, outcome.answer)] : [];
  if (flags.offline && run) {
    const { onMessage } = watching;
    const outcome = await agent.readOffline(store, organism, { run, pair, layer, positions, onMessage });
    return { outcome, grades: offline(outcome) };
  }
  const { model, judge } = flags;
  if (model === undefined)
    throw new CodedError(
      'INVALID_ARGUMENT',
      'name the language model with --model, or read without one: --offline',
    );
  const limits = limitsOf(flags);
  // Told before anything is paid for: a judge that cannot be asked.
  const [choice, judgeChoice] = [
    await providerChoice(flags, model),
    judge === undefined ? null : await providerChoice(flags, judge),
  ];
  const { withJudge, withProvider } = await import('../../runs/judge.ts');
  const { signal } = watching;
  const outcome = await withProvider(choice, { threads, signal }, (provider) => {
    const { budgetCalls: calls, budgetTokens: tokens, budgetInteractions: interactions } = flags;
    const { seconds = null } = flags;
    return agent.runAgent(store, organism, {
      ...{ run, pair, provider, layer, positions, seed, repeat, temperature, ...watching },
      budget: { calls, tokens, interactions, seconds },
      models: (answering) => agent.organismModels({ store, organism, run, pair, answering, threads }),
      answering: { tokens: flags.answerTokens, plain: flags.plain ?? false },
      ...{ replyTokens: flags.replyTokens, limits },
    });
  });
  const grades = offline(outcome);
  const { answer } = outcome;
  if (judge !== undefined && judgeChoice && answer && isGraded(outcome)) {
    const choice = { ...judgeChoice, limits: { ...limits, ...(isLocal(judge) && { concurrency: 1 }) } };
    grades.push(
      await withJudge(store, choice, { about: answer.key, threads, signal }, (runner, stop) =>
        agent.gradeByRubric(store, organism, answer, runner, { signal: stop }),
      ),
    );
  }
  return { outcome, grades };
}

const progressLine = ({ number, role, tool, calls }: AgentMessageRow): string => {
  const what = tool ?? calls.map(({ name }) => name).join(', ');
  return `${plain(`message ${number}: ${role.toLowerCase()}${what === '' ? '' : ` (${what})`}`)}\n`;
};

const lines = (text: string): string => text.split('\n').map(plain).join('\n');

function print(
  store: Store,
  organism: OrganismRow,
  { agentRun, answer, reused }: AgentOutcome,
  grades: readonly GradeRow[],
  flags: AgentFlags,
): void {
  const messages = flags.transcript ? store.agentMessages.after(agentRun, -1) : [];
  const hypotheses = store.hypotheses.ofRun.page(agentRun, {}, { first: 100 }).rows;
  const { key, kind, pair, model, state, errorCode, errorMessage, conclusive } = agentRun;
  const { createdAt, finishedAt } = agentRun;
  const { calls, promptTokens, replyTokens, interactions, spentMs, pendingMs } = agentRun;
  const seconds = (spentMs + pendingMs) / 1000;
  const spent = { calls, promptTokens, replyTokens, interactions, seconds };
  if (flags.json) {
    const said = (all: typeof hypotheses) =>
      all.map(({ number, status, text, confidence, reason }) => ({
        number,
        status,
        text,
        confidence,
        reason,
      }));
    const result = {
      organism: organism.name,
      ...{
        agentRun: key,
        kind,
        pair,
        model,
        state,
        reused,
        error: errorCode && { code: errorCode, message: errorMessage },
      },
      ...{ answer: answer && said([answer])[0], conclusive, spent },
      hypotheses: said(hypotheses),
      grades: grades.map(({ key: of, grader, scale, value, invalid, metrics, rationale }) => ({
        ...{
          key: of,
          grader: { key: grader.key, name: grader.name },
          scale,
          value,
          invalid,
          metrics,
          rationale,
        },
      })),
      ...(flags.transcript && {
        transcript: messages.map(({ number, role, content, calls: made, tool }) => ({
          ...{
            number,
            role,
            content,
            calls: made.map(({ name, arguments: given }) => ({ name, arguments: given })),
            tool,
          },
        })),
      }),
    };
    process.stdout.write(`${plainJson(result, 2)}\n`);
    return;
  }
  const out: string[] = [];
  for (const { number, role, content, calls: made, tool } of messages) {
    out.push(plain(`[${number}] ${role}${tool === null ? '' : ` ${tool}`}`), lines(content));
    for (const { name, arguments: given } of made) out.push(plain(`→ ${name} ${given}`));
    out.push('');
  }
  const who = { AGENT: 'agent', BLACK_BOX: 'black box', OFFLINE: 'offline baseline, no language model' }[
    kind
  ];
  const nothing = pair === 'NULL' ? ', the base in the place of both models' : '';
  out.push(
    plain(`${organism.name}: agent run ${key} (${who}${model === null ? '' : `: ${model}`}${nothing})`),
  );
  if (reused)
    out.push(
      `ended before, at ${finishedAt ?? createdAt}, and was not asked again; --repeat makes another attempt`,
    );
  if (model !== null)
    out.push(
      `${calls} calls, ${promptTokens} + ${replyTokens} tokens, ${interactions} interactions, ${digits(seconds)} s`,
    );
  if (answer) {
    out.push(
      `answer, ${conclusive ? 'conclusive' : 'inconclusive'}, confidence ${digits(answer.confidence)}:`,
      lines(answer.text),
    );
    if (answer.reason !== '') out.push(`evidence: ${lines(answer.reason)}`);
  } else out.push(plain(`no answer: ${errorMessage ?? state}`));
  const others = hypotheses.filter(({ status }) => status !== 'FINAL');
  if (others.length > 0)
    out.push(
      plainTable(
        ['', 'hypothesis', 'confidence', 'status'],
        others.map(({ number, text, confidence, status }) => [
          number,
          plain(text),
          digits(confidence),
          status.toLowerCase(),
        ]),
      ),
    );
  out.push(...grades.map(gradeLine));
  process.stdout.write(`${out.join('\n')}\n`);
}

function gradeLine({ grader, scale, value, invalid, metrics, rationale }: GradeRow): string {
  if (value === null) return plain(`graded by ${grader.key}: no score (${invalid ?? ''})`);
  if (scale === 'SCORE')
    return plain(`graded by ${grader.key}: ${digits(value)} of 5${rationale ? `. ${rationale}` : ''}`);
  const share = (of: number | null | undefined) => `${(100 * (of ?? 0)).toFixed(0)}%`;
  return plain(
    `graded by ${grader.key}: ${share(value)} (F1 of shared words; ${share(metrics['recall'])} of the truth’s, ${share(metrics['precision'])} of the answer’s). ${rationale ?? ''}`,
  );
}
