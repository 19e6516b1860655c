import type { ExchangeRow } from '../src/db/index.ts';
import type { JsonValue } from '../src/lib/canonical-json.ts';
import { builder } from './builder.ts';

/** A question to a language model and its reply. */
export const ExchangeRef = builder.objectRef<ExchangeRow<JsonValue>>('Exchange').implement({
  description:
    'A question that a grader asked a language model, and the reply, as they were sent and received. Both are raw: show them as text only.',
  fields: (t) => ({
    key: t.exposeString('key', {
      description: 'SHA-256 of what was asked, in hex: the same question is asked once.',
    }),
    promptDigest: t.exposeString('promptDigest', { description: 'SHA-256 of the grader’s prompt, in hex.' }),
    model: t.exposeString('model', { description: 'The model that was asked for.' }),
    answeredBy: t.exposeString('answeredBy', {
      description: 'The model that answered, as the provider names it.',
    }),
    request: t.expose('request', { type: 'JSON', description: 'What was sent, without address and key.' }),
    reply: t.expose('reply', { type: 'JSON', description: 'What came back.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When it was answered.' }),
    durationMs: t.exposeFloat('durationMs', {
      description: 'How long the last attempt took, in milliseconds.',
    }),
    attempts: t.exposeInt('attempts', {
      description: 'How often it was asked until it was answered, 1 or more.',
    }),
    cost: t.exposeFloat('cost', {
      nullable: true,
      description:
        'What it cost, in the unit of money that the prices were given in, 0 or more. Null where none were.',
    }),
  }),
});
