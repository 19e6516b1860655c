import type { AgentRunRow, GraderRow, GradeRow } from '../../db/index.ts';
import {
  claims,
  finalOf,
  formatOf,
  gradeBy,
  gradersOf,
  isShare,
  type OverAttempts,
  scaleOf,
  scores,
  type Setting,
  settingsOf,
  titleOf,
} from '../agent-settings.ts';
import type { OrganismFacts } from '../facts.ts';
import type { OfGroup } from '../../graders/index.ts';
import { counted, digits, escapeMarkdown, image, percent, table, withInterval } from '../markdown.ts';
import type { Section } from '../section.ts';
import { type Bar, barChart } from '../svg/bars.ts';

/** What agents found out, by what they could spend, beside those who see less and those who have nothing to find. */
export const agents: Section = ({ organisms }) => {
  const settings = settingsOf(organisms);
  if (settings.length === 0) return null;
  const runs = settings.flatMap((setting) => setting.runs);
  const graders = gradersOf(runs.map(({ agent }) => agent));
  const undiluted = settings
    .map((setting) => ({ ...setting, runs: setting.runs.filter(({ facts }) => !isDiluted(facts)) }))
    .filter((setting) => setting.runs.length > 0);
  const figures = [
    ...graders.flatMap(
      (grader, g) => scoreFigure(grader, undiluted, graders.length > 1 ? `-${g + 1}` : '') ?? [],
    ),
    ...(undiluted.length === 0 ? [] : [conclusiveFigure(undiluted)]),
  ];
  return {
    title: 'Agents',
    markdown: [
      'Agents were to find out what an organism was finetuned on. A black box is shown no differences; a null pair has the base in the place of both models, so that there is nothing to find, and is not graded: how often it claims to know is the false-positive rate. Budgets are of calls, of tokens of replies and of prompts put to the models (interactions). No answer: the budget was spent, the last reply was none, or what would tell was not sent. Of an organism its attempts are averaged, then organisms; each with a 95 % bootstrap interval over organisms. Diluted organisms are in the list of hypotheses only.',
      ...figures.map(({ name, description }) => image(`figures/${name}.svg`, description)),
      table(
        [
          ...['agent', 'calls', 'tokens', 'interactions', 'organisms', 'attempts'],
          ...['answered', 'no answer', 'unfinished', 'claim to know', 'share [95 %]'],
          ...graders.flatMap((grader) => [titleOf(grader), 'without a score', 'flagged']),
        ],
        undiluted.map((setting) => settingRow(setting, graders)),
      ),
      ...graders.map((grader) => `- ${titleOf(grader)}: \`${grader.key}\`, ${scaleOf(grader)}`),
      ...failuresOf(runs),
      'Hypotheses: the answer of each agent run, and what it had on its board besides.',
      table(
        ['organism', 'agent', 'agent run', 'status', 'hypothesis', 'confidence', ...graders.map(titleOf)],
        settings.flatMap((setting) => setting.runs.flatMap((run) => hypothesisRows(setting, run, graders))),
        5,
      ),
    ],
    figures: figures.map(({ name, svg }) => ({ name, svg })),
  };
};

const isDiluted = ({ organism }: OrganismFacts): boolean => (organism.mixRatio ?? 0) > 0;

const isFlagged = ({ metrics }: GradeRow): boolean => metrics['canaryFlagged'] === 1;

/** Draws from equal numbers are equal, which says nothing of how far they may be from the truth. */
const spread = (over: OfGroup | null) =>
  over?.interval && over.interval.low < over.interval.high ? over.interval : null;

function settingRow(setting: Setting, graders: readonly GraderRow[]): (string | number)[] {
  const { who, budget, runs } = setting;
  const count = (...states: AgentRunRow['state'][]) =>
    runs.filter(({ agent }) => states.includes(agent.agentRun.state)).length;
  const claimed = claims(setting).over;
  return [
    escapeMarkdown(who),
    ...(budget ? [budget.calls, budget.tokens, budget.interactions] : ['–', '–', '–']),
    new Set(runs.map(({ facts }) => facts.organism.id)).size,
    runs.length,
    count('COMPLETED'),
    count('FAILED'),
    count('RUNNING', 'STOPPED'),
    runs.filter(({ agent: { agentRun } }) => agentRun.conclusive === true).length,
    withInterval(claimed?.mean, spread(claimed), percent),
    ...graders.flatMap((grader) => {
      const { over } = scores(grader, setting);
      const grades = runs.flatMap(({ agent }) => gradeBy(grader, finalOf(agent)?.grades ?? []) ?? []);
      return [
        withInterval(over?.mean, spread(over), formatOf(grader)),
        grades.filter(({ value }) => value === null).length,
        grades.filter(isFlagged).length,
      ];
    }),
  ];
}

/** Why agent runs have no answer, each reason with its number. */
function failuresOf(runs: Setting['runs']): string[] {
  const codes = runs.flatMap(({ agent: { agentRun } }) =>
    agentRun.state === 'FAILED' || agentRun.state === 'STOPPED' ? [agentRun.errorCode ?? 'unknown'] : [],
  );
  if (codes.length === 0) return [];
  const told = [...new Set(codes)]
    .sort()
    .map((code) => `${escapeMarkdown(code)} ${codes.filter((other) => other === code).length}`);
  return [`Ended or stopped without an answer, by reason: ${told.join(', ')}.`];
}

const most = 240;
const cut = (text: string): string => {
  const letters = [...text];
  return letters.length <= most
    ? text
    : `${letters
        .slice(0, most - 1)
        .join('')
        .trimEnd()}…`;
};

function hypothesisRows(
  { who }: Setting,
  { facts, agent: { agentRun, hypotheses } }: Setting['runs'][number],
  graders: readonly GraderRow[],
): (string | number)[][] {
  return hypotheses.map(({ hypothesis, grades }) => [
    escapeMarkdown(facts.organism.name),
    escapeMarkdown(who),
    `\`${agentRun.key}\``,
    hypothesis.status === 'FINAL'
      ? `answer${agentRun.conclusive === false ? ', inconclusive' : ''}`
      : hypothesis.status.toLowerCase(),
    escapeMarkdown(cut(hypothesis.text.replace(/\s+/g, ' '))),
    digits(hypothesis.confidence, 2),
    ...graders.map((grader) => {
      const grade = gradeBy(grader, grades);
      if (!grade) return '–';
      const said = grade.value === null ? 'no score' : formatOf(grader)(grade.value);
      return `${said}${isFlagged(grade) ? ', flagged' : ''}`;
    }),
  ]);
}

const series = [{ name: 'agent runs', class: 's0', shape: 'square' }] as const;

/** Settings as rows of a figure: a group for each who, a row for each budget. */
const rowsOf = (settings: readonly Setting[], of: (setting: Setting) => OverAttempts) =>
  settings.map((setting) => {
    const { who, budget } = setting;
    const { values, over } = of(setting);
    const bar: Bar | null = over && { value: over.mean, interval: spread(over), rings: values };
    return {
      group: who,
      label: budget ? counted(budget.interactions, 'interaction') : 'no budget',
      note: `${budget ? `${counted(budget.calls, 'call')}, ` : ''}n = ${values.length}`,
      bars: [bar],
    };
  });

const told = (settings: readonly Setting[], of: (setting: Setting) => string): string =>
  settings
    .map((setting) => {
      const { who, budget } = setting;
      return `${who}${budget ? ` with ${counted(budget.interactions, 'interaction')}` : ''} ${of(setting)}`;
    })
    .join('; ');

function scoreFigure(grader: GraderRow, all: readonly Setting[], suffix: string) {
  const settings = all.filter((setting) => !setting.isNull && scores(grader, setting).over);
  if (settings.length === 0) return null;
  const name = `agent-score${suffix}`;
  const format = formatOf(grader);
  const judged = `${grader.name}${grader.model === null ? '' : ` (${grader.model})`}`;
  const description = `Scores of answers by ${judged}, mean over organisms: ${told(settings, (setting) => format(scores(grader, setting).over?.mean ?? NaN))}.`;
  const svg = barChart({
    name,
    title: 'Score of the answers by budget',
    subtitle: `Mean over organisms, of each over its attempts; graded by ${judged}`,
    description,
    series,
    marks: 'bar: mean · line: 95 % interval · ring: an organism',
    axis: isShare(grader) ? 'words shared with the ground truth, F1 in percent' : 'score, 1 to 5',
    format,
    ...(!isShare(grader) && { from: 1, to: 5 }),
    rows: rowsOf(settings, (setting) => scores(grader, setting)),
  });
  return { name, svg, description };
}

function conclusiveFigure(settings: readonly Setting[]) {
  const name = 'agent-claims';
  const answered = settings.filter((setting) => claims(setting).over);
  const description = `Share of answers that claim to know the finetune, mean over organisms: ${told(answered, (setting) => percent(claims(setting).over?.mean))}.`;
  const svg = barChart({
    name,
    title: 'How often agents claim to know, by budget',
    subtitle: 'Share of answers that are not inconclusive; with a null pair each of them is a false positive',
    description,
    series,
    marks: 'bar: mean · line: 95 % interval · ring: an organism',
    axis: 'answers that claim to know, percent',
    format: percent,
    rows: rowsOf(answered, claims),
  });
  return { name, svg, description };
}
