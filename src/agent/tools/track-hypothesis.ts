import { z } from 'zod';
import type { AgentRunRow, Store } from '../../db/index.ts';
import { type Material, own } from '../material.ts';
import { defineTool, type Desk, ToolError } from './define-tool.ts';

/** Hypotheses that a board holds, those withdrawn included. */
const most = 50;
const text = z.string().trim().min(1).max(4_000);
const confidence = z.number().min(0).max(1);

/** The hypotheses that stand, as the agent put them. */
export const boardOf = (store: Store, agentRun: AgentRunRow): Material =>
  store.hypotheses.ofRun
    .page(agentRun, { statuses: ['ACTIVE'] }, { first: most })
    .rows.map((row) => ({ number: row.number, hypothesis: own(row.text), confidence: row.confidence }));

export const trackHypothesis = defineTool({
  name: 'track_hypothesis',
  description:
    'Your board of hypotheses: add one, revise one (its words, your confidence), or withdraw one. Gives those that stand. Free.',
  arguments: z.strictObject({
    action: z.enum(['add', 'revise', 'withdraw', 'list']),
    number: z.int().min(1).nullish().describe('of the hypothesis to revise or withdraw'),
    hypothesis: text.nullish().describe('what you believe the finetune taught'),
    confidence: confidence.nullish().describe('0 to 1'),
    reason: z.string().max(4_000).nullish().describe('what speaks for or against it'),
  }),
  offered: () => true,
  run({ action, ...given }, { store, agentRun }) {
    const { number, hypothesis, confidence, reason } = given;
    const known = typeof number === 'number' ? store.hypotheses.find(agentRun, number) : undefined;
    if (action === 'add' && typeof hypothesis !== 'string')
      throw new ToolError('ARGUMENTS_WRONG', 'add needs a hypothesis.');
    if ((action === 'revise' || action === 'withdraw') && known?.status !== 'ACTIVE')
      throw new ToolError('NOT_FOUND', 'No hypothesis of this number stands on the board.');
    if (action === 'add' && store.hypotheses.ofRun.count(agentRun, {}) >= most)
      throw new ToolError('BOARD_FULL', `The board holds ${most} hypotheses; revise one.`);
    return {
      result: () => {
        change({ store, agentRun }, action, known?.number, {
          ...(typeof hypothesis === 'string' && { text: hypothesis }),
          ...(typeof confidence === 'number' && { confidence }),
          ...(typeof reason === 'string' && { reason }),
        });
        return boardOf(store, agentRun);
      },
    };
  },
});

function change(
  { store, agentRun }: Pick<Desk, 'store' | 'agentRun'>,
  action: 'add' | 'revise' | 'withdraw' | 'list',
  number: number | undefined,
  said: { text?: string; confidence?: number; reason?: string },
): void {
  const { text = '', confidence = 0.5, reason = '' } = said;
  if (action === 'add') store.hypotheses.add(agentRun, { text, confidence, reason });
  if (action === 'revise' && number !== undefined) store.hypotheses.change(agentRun, number, said);
  if (action === 'withdraw' && number !== undefined)
    store.hypotheses.change(agentRun, number, { ...said, status: 'WITHDRAWN' });
}
