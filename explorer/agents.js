import { digits, h, readable, table } from './dom.js';
import * as documents from './documents.js';
import { ask, askAll } from './graph.js';

const kinds = { AGENT: 'agent', BLACK_BOX: 'black box', OFFLINE: 'offline baseline' };

/** What agents believe the organism was finetuned on, how that was scored, and how they came to it. */
export async function agentsView(organism) {
  const runs = await askAll(documents.agentRuns, { name: organism }, (data) => data.organism?.agentRuns);
  return runs.length === 0 ? [] : [h('h3', {}, 'What agents made of it'), ...runs.map(agentRun)];
}

function agentRun(run) {
  const { key, answer } = run;
  return h(
    'section',
    { class: 'agent' },
    h('h4', {}, nameOf(run)),
    answer
      ? h('p', { class: 'said' }, readable(answer.text))
      : h('p', { class: 'soft' }, run.error ? `No answer: ${readable(run.error.message)}` : 'No answer yet.'),
    answer && answer.reason !== '' && h('p', { class: 'said soft' }, readable(answer.reason)),
    h('p', { class: 'soft' }, [...verdictsOf(run), ...spentBy(run), `agent run ${key}`].join(' · ')),
    foldOut('Hypotheses', () => board(key)),
    foldOut('Transcript', () => transcript(key)),
  );
}

const nameOf = ({ kind, model, version, pair }) =>
  [
    `${kinds[kind]}${model === null ? ` ${version}` : ` ${readable(model)}`}`,
    pair === 'NULL' && 'null pair: the base in the place of both models',
  ]
    .filter(Boolean)
    .join(', ');

function verdictsOf({ state, conclusive, error, answer }) {
  const endings = {
    COMPLETED: conclusive ? 'claims to know' : 'inconclusive',
    FAILED: `failed (${error?.code})`,
    STOPPED: `stopped (${error?.code})`,
    RUNNING: 'under way',
  };
  if (!answer) return [endings[state]];
  return [
    endings[state],
    `confidence ${digits(answer.confidence)}`,
    ...answer.grades.edges.map(({ node: { scale, value, grader } }) => {
      const by = `${grader.name} ${grader.version}${grader.model === null ? '' : ` by ${readable(grader.model)}`}`;
      if (value === null) return `no score (${by})`;
      return `${scale === 'SCORE' ? `${digits(value)} of 5` : `${digits(100 * value, 3)} % of the words`} (${by})`;
    }),
  ];
}

const counted = (number, noun) => `${number} ${noun}${number === 1 ? '' : 's'}`;

const spentBy = ({ kind, calls, interactions, promptTokens, replyTokens, seconds }) =>
  kind === 'OFFLINE'
    ? []
    : [
        counted(calls, 'call'),
        `${promptTokens} + ${replyTokens} tokens`,
        counted(interactions, 'interaction'),
        `${digits(seconds, 3)} s`,
      ];

/** Something that is asked for when it is first opened. */
function foldOut(title, load) {
  const box = h('div');
  const open = async (event) => {
    if (!event.target.open || box.firstChild) return;
    box.replaceChildren(h('p', { class: 'soft' }, 'asking…'));
    try {
      box.replaceChildren(...(await load()));
    } catch (error) {
      box.replaceChildren(h('p', { class: 'failure', role: 'alert' }, error.message));
    }
  };
  return h('details', { ontoggle: open }, h('summary', {}, title), box);
}

async function board(key) {
  const { agentRun: run } = await ask(documents.hypotheses, { key });
  const found = (run?.hypotheses.edges ?? []).map(({ node }) => node);
  if (found.length === 0) return [h('p', { class: 'soft' }, 'None.')];
  return [
    table(
      'samples',
      ['', 'hypothesis', 'confidence', 'status', 'evidence'],
      found.map(({ number, text, confidence, status, reason }) => [
        String(number),
        readable(text),
        digits(confidence),
        h('td', { class: 'short' }, status === 'FINAL' ? 'answer' : status.toLowerCase()),
        readable(reason),
      ]),
    ),
  ];
}

async function transcript(key) {
  const messages = await askAll(documents.messages, { key }, (data) => data.agentRun?.messages);
  return messages.map(({ number, role, content, tool, calls }) =>
    h(
      'article',
      { class: 'message' },
      h('h5', {}, `${number} · ${role.toLowerCase()}${tool === null ? '' : ` ${readable(tool)}`}`),
      content !== '' && h('pre', {}, readable(content)),
      ...calls.map(({ name, arguments: given }) => h('pre', {}, `→ ${readable(`${name} ${given}`)}`)),
    ),
  );
}
