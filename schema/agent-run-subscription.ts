import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentMessageRow, Stores } from '../src/db/index.ts';
import { AgentMessageRef } from './agent-message.ts';
import { builder } from './builder.ts';
import { badUserInput, tooManyStreams } from './errors.ts';
import { eventBatch, maxStreamsPerClient, requestTimeoutMs } from './limits.ts';
import { keyOf } from './node-key.ts';

const pollMs = 150;

/** Messages of an agent run after this number, until it is at work no more and all are told. Agents are other processes, so the store is asked. */
async function* messagesAfter(
  store: Stores,
  key: string,
  after: number,
  { signal, isCurrent }: { signal?: AbortSignal | undefined; isCurrent: () => boolean },
): AsyncGenerator<AgentMessageRow, void, undefined> {
  let last = after;
  for (;;) {
    if (!isCurrent()) return;
    const run = store.agentRuns.findByKey(key); // before the messages: none can come after an end
    if (!run) return;
    const messages = store.agentMessages.after(run, last, eventBatch);
    for (const message of messages) {
      if (!isCurrent()) return;
      last = message.number;
      yield message;
    }
    if (messages.length === eventBatch) continue;
    if (run.state !== 'RUNNING') return;
    await sleep(pollMs, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal?.aborted) return;
  }
}

builder.subscriptionField('agentRunProgress', (t) =>
  t.field({
    type: AgentMessageRef,
    description:
      'The messages of an agent run as they are stored, from one on until it has ended or was broken off: first those that are there. Ends at once where there is no such agent run.',
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
      const leave = context.jobs.streams.enter(context.jobs.client);
      if (!leave) throw tooManyStreams(maxStreamsPerClient);
      try {
        for await (const message of messagesAfter(context.store, key, Math.max(-1, after ?? -1), context)) {
          // Each message is an answer of its own.
          context.rowsLeft = context.costLimit;
          context.deadline = performance.now() + requestTimeoutMs;
          yield message;
        }
      } finally {
        leave();
      }
    },
    resolve: (message) => message,
  }),
);
