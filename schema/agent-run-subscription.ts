import type { AgentMessageRow, Stores } from '../src/db/index.ts';
import { AgentMessageRef } from './agent-message.ts';
import { builder } from './builder.ts';
import { badUserInput } from './errors.ts';
import { follow, type Listener, toClient } from './follow.ts';
import { eventBatch } from './limits.ts';
import { keyOf } from './node-key.ts';

/** Messages of an agent run after this number, until it is at work no more and all are told. */
const messagesAfter = (
  store: Stores,
  key: string,
  after: number,
  listener: Listener,
): AsyncGenerator<AgentMessageRow, void, undefined> =>
  follow(
    after,
    (last) => {
      const run = store.agentRuns.findByKey(key); // before the messages: none can come once nobody is at work
      return (
        run && {
          ended: !store.agentRuns.isAtWork(run),
          rows: store.agentMessages.after(run, last, eventBatch),
        }
      );
    },
    listener,
  );

builder.subscriptionField('agentRunProgress', (t) =>
  t.field({
    type: AgentMessageRef,
    description:
      'The messages of an agent run as they are stored, from one on until it has ended or was broken off, also by the death of its process: first those that are there. Ends at once where there is no such agent run.',
    args: {
      id: t.arg.id({ required: true, description: 'The id of an agent run.' }),
      after: t.arg.int({
        defaultValue: -1,
        description: 'Number of the last message that is known, 0 or more; -1: all.',
      }),
    },
    async *subscribe(_, { id, after }, context) {
      const key = keyOf(id, 'AgentRun');
      if (key === undefined) throw badUserInput('id is not the id of an agent run.');
      yield* toClient(context, messagesAfter(context.store, key, Math.max(-1, after ?? -1), context));
    },
    resolve: (message) => message,
  }),
);
