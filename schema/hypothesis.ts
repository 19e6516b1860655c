import type { HypothesisRow } from '../src/db/index.ts';
import { AgentRunRef } from './agent-run.ts';
import { builder } from './builder.ts';
import { connectionType } from './connection.ts';
import { HypothesisStatusEnum } from './enums.ts';

export const HypothesisRef = builder.objectRef<HypothesisRow>('Hypothesis');
export const HypothesisConnection = connectionType('Hypothesis', HypothesisRef);

builder.node(HypothesisRef, {
  description: 'What an agent believes a finetune taught.',
  id: { resolve: (hypothesis) => hypothesis.key },
  loadOne: (key, { store }) => store.hypotheses.findByKey(key),
  fields: (t) => ({
    key: t.exposeString('key', { description: 'Readable identity: <agent run>.H<number>.' }),
    number: t.exposeInt('number', { description: 'Its number on the board, from 1.' }),
    text: t.exposeString('text', { description: 'As the agent last put it.' }),
    confidence: t.exposeFloat('confidence', { description: 'How sure the agent is, 0 to 1, no unit.' }),
    status: t.expose('status', { type: HypothesisStatusEnum, description: 'What has become of it.' }),
    reason: t.exposeString('reason', {
      description: 'What speaks for or against it, in its words; may be empty.',
    }),
    revisions: t.exposeInt('revisions', {
      description: 'How often it was changed; the transcript has what it was before.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was added.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it was last changed.' }),
    agentRun: t.field({
      type: AgentRunRef,
      description: 'The agent run it belongs to.',
      resolve: (hypothesis) => hypothesis.agentRun,
    }),
  }),
});
