import type { AgentCall, AgentMessageRow } from '../src/db/index.ts';
import { AgentRunRef } from './agent-run.ts';
import { builder } from './builder.ts';
import { connectionType } from './connection.ts';
import { costs } from './cost.ts';
import { AgentRoleEnum } from './enums.ts';
import { rowsOf, spend } from './spend.ts';

export const AgentMessageRef = builder.objectRef<AgentMessageRow>('AgentMessage');
export const AgentMessageConnection = connectionType('AgentMessage', AgentMessageRef);

const AgentCallRef = builder.objectRef<AgentCall>('AgentCall').implement({
  description: 'A call of a tool, as the agent wrote it.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Of the tool, which need not be one that there is.' }),
    arguments: t.exposeString('arguments', { description: 'JSON, unless the agent wrote something else.' }),
  }),
});

builder.node(AgentMessageRef, {
  description:
    'A message of a transcript. Texts in it were written by models; show them as text, never as anything else.',
  id: { resolve: (message) => message.key },
  loadOne: (key, { store }) => store.agentMessages.findByKey(key),
  fields: (t) => ({
    key: t.exposeString('key', { description: 'Readable identity: <agent run>.M<number>.' }),
    number: t.exposeInt('number', { description: 'Its place in the transcript, from 0 without gaps.' }),
    role: t.expose('role', { type: AgentRoleEnum, description: 'Who speaks.' }),
    content: t.string({
      ...costs({ weight: 1 }),
      description:
        'What was sent or came, verbatim. What is handed to the agent is JSON between two equal random lines.',
      resolve: ({ content }, _, context) => {
        spend(context, rowsOf(content.length));
        return content;
      },
    }),
    calls: t.field({
      type: [AgentCallRef],
      ...costs({ assumedSize: 1 }),
      description: 'The calls of a turn of the agent; empty for others.',
      resolve: ({ calls }) => calls,
    }),
    tool: t.exposeString('tool', {
      nullable: true,
      description: 'Whose result it is, as the agent named it; null for other roles.',
    }),
    promptTokens: t.exposeFloat('promptTokens', {
      description: 'Tokens of the prompt that it answers, 0 or more, no other unit; 0 for others.',
    }),
    replyTokens: t.exposeFloat('replyTokens', {
      description: 'Tokens that the reply took, 0 or more, no other unit; 0 for other roles.',
    }),
    interactions: t.exposeInt('interactions', { description: 'Prompts put to the models for it.' }),
    seconds: t.float({
      description: 'Seconds of work since the message before, 0 or more.',
      resolve: ({ spentMs }) => spentMs / 1000,
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was stored.' }),
    agentRun: t.field({
      type: AgentRunRef,
      description: 'The agent run it belongs to.',
      resolve: (message) => message.agentRun,
    }),
  }),
});
