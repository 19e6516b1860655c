import type { AgentRunRow, GraderRow, GradeRow } from '../../db/index.ts';
import {
  claims,
  formatOf,
  gradeBy,
  isShare,
  type OverAttempts,
  scaleOf,
  scores,
  type Setting,
  settingsOf,
  titleOf,
  undilutedOf,
} from '../agent-settings.ts';
import type { AgentFacts, OrganismFacts } from '../facts.ts';
import type { AgentLimits } from '../../graders/index.ts';
import { counted, digits, escapeMarkdown, image, percent, table, withInterval } from '../markdown.ts';
import type { Section } from '../section.ts';
import { type Bar, barChart } from '../svg/bars.ts';

/** What agents found out, by what they could spend, beside those who see less and those who have nothing to find. */
export const agents: Section = ({ organisms, agentScores }) => {
  const settings = settingsOf(agentScores);
  if (settings.length === 0) return null;
  const graders = agentScores.flatMap(({ grader }) => grader ?? []);
  const undiluted = undilutedOf(settings);
  const figures = [
    ...graders.flatMap(
      (grader, g) => scoreFigure(grader, undiluted, graders.length > 1 ? `-${g + 1}` : '') ?? [],
    ),
    ...(undiluted.length === 0 ? [] : [conclusiveFigure(undiluted)]),
  ];
  const limits = limitsOf(settings);
  return {
    title: 'Agents',
    markdown: [
      'Agents were to find out what an organism was finetuned on. A black box is shown no differences; a null pair has the base in the place of both models, so that there is nothing to find, and is not graded: how often it claims to know is the false-positive rate. Budgets are of calls, of tokens of replies and of prompts put to the models (interactions). No answer: the budget was spent, the last reply was none, or what would tell was not sent. Of an organism its attempts are averaged, then organisms; each with a 95 % bootstrap interval over organisms. Diluted organisms are in the list of hypotheses only.',
      ...figures.map(({ name, description }) => image(`figures/${name}.svg`, description)),
      table(
        [
          ...['agent', ...limits, 'organisms', 'attempts'],
          ...['answered', 'no answer', 'unfinished', 'claim to know', 'share [95 %]'],
          ...graders.flatMap((grader) => [titleOf(grader), 'without a score', 'flagged']),
        ],
        undiluted.map((setting) => settingRow(setting, graders, limits)),
      ),
      ...graders.map((grader) => `- ${titleOf(grader)}: \`${grader.key}\`, ${scaleOf(grader)}`),
      ...failuresOf(settings),
      'Hypotheses: the answer of each agent run, and what it had on its board besides.',
      table(
        ['organism', 'agent', 'agent run', 'status', 'hypothesis', 'confidence', ...graders.map(titleOf)],
        settings.flatMap((setting) => hypothesisRows(setting, organisms, graders)),
        5,
      ),
    ],
    figures: figures.map(({ name, svg }) => ({ name, svg })),
  };
};

const isFlagged = ({ metrics }: GradeRow): boolean => metrics['canaryFlagged'] === 1;

/** Limits that have a column: of time only where somebody had one. */
const limitsOf = (settings: readonly Setting[]): (keyof AgentLimits)[] => [
  ...(['calls', 'tokens', 'interactions'] as const),
  ...(settings.some(({ budget }) => budget && budget.seconds !== null) ? (['seconds'] as const) : []),
];

function settingRow(
  setting: Setting,
  graders: readonly GraderRow[],
  limits: readonly (keyof AgentLimits)[],
): (string | number)[] {
  const { who, budget, attempts, byGrader } = setting;
  const count = (...states: AgentRunRow['state'][]) =>
    attempts.filter(({ agentRun }) => states.includes(agentRun.state)).length;
  const claimed = claims(setting).over;
  return [
    escapeMarkdown(who),
    ...limits.map((limit) => budget?.[limit] ?? '–'),
    new Set(attempts.map(({ organism }) => organism)).size,
    attempts.length,
    count('COMPLETED'),
    count('FAILED'),
    count('RUNNING', 'STOPPED'),
    attempts.filter(({ agentRun }) => agentRun.conclusive === true).length,
    withInterval(claimed?.mean, claimed?.interval, percent),
    ...graders.flatMap((grader) => {
      const { over } = scores(grader, setting);
      const grades = (byGrader.get(grader.key) ?? []).flatMap(({ grade }) => grade ?? []);
      return [
        withInterval(over?.mean, over?.interval, formatOf(grader)),
        grades.filter(({ value }) => value === null).length,
        grades.filter(({ flagged }) => flagged).length,
      ];
    }),
  ];
}

/** Why agent runs have no answer, each reason with its number. */
function failuresOf(settings: readonly Setting[]): string[] {
  const codes = settings.flatMap(({ attempts }) =>
    attempts.flatMap(({ agentRun: { state, errorCode } }) =>
      state === 'FAILED' || state === 'STOPPED' ? [errorCode ?? 'unknown'] : [],
    ),
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
  { who, attempts }: Setting,
  organisms: readonly OrganismFacts[],
  graders: readonly GraderRow[],
): (string | number)[][] {
  const runs = new Set(attempts.map(({ agentRun }) => agentRun.id));
  const row = (
    organism: string,
    agentRun: AgentRunRow,
    { hypothesis, grades }: AgentFacts['hypotheses'][number],
  ) => [
    escapeMarkdown(organism),
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
  ];
  return organisms.flatMap(({ organism, agents: all }) =>
    all.flatMap(({ agentRun, hypotheses }) =>
      runs.has(agentRun.id) ? hypotheses.map((one) => row(organism.name, agentRun, one)) : [],
    ),
  );
}

const series = [{ name: 'agent runs', class: 's0', shape: 'square' }] as const;

/** Settings as rows of a figure: a group for each who, a row for each budget. */
const rowsOf = (settings: readonly Setting[], of: (setting: Setting) => OverAttempts) =>
  settings.map((setting) => {
    const { who, budget } = setting;
    const { values, over } = of(setting);
    const bar: Bar | null = over && { value: over.mean, interval: over?.interval, rings: values };
    return {
      group: who,
      label: budget ? counted(budget.interactions ?? 0, 'interaction') : 'no budget',
      note: `${budget ? `${counted(budget.calls ?? 0, 'call')}, ` : ''}n = ${values.length}`,
      bars: [bar],
    };
  });

const told = (settings: readonly Setting[], of: (setting: Setting) => string): string =>
  settings
    .map((setting) => {
      const { who, budget } = setting;
      return `${who}${budget ? ` with ${counted(budget.interactions ?? 0, 'interaction')}` : ''} ${of(setting)}`;
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
