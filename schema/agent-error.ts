import type { AgentRunRow } from '../src/db/index.ts';
import { builder } from './builder.ts';

/** Why an agent run has no answer, as the store has it: with addresses and paths that are the operator's alone. */
export interface AgentError {
  code: string;
  stored: string;
}

export const agentErrorOf = ({ errorCode, errorMessage }: AgentRunRow): AgentError | null =>
  errorCode === null ? null : { code: errorCode, stored: errorMessage ?? '' };

const sentences: Readonly<Record<string, string>> = {
  BUDGET_EXHAUSTED: 'Its calls or tokens were used up before it answered.',
  LIMIT_REACHED: 'It may go on when whoever runs it allows it more.',
  NO_ANSWER: 'It did not answer in its last turn.',
  LEAK: 'What was to be sent to it would have told the answer, and was not sent.',
  MODEL_CHANGED: 'Files of its models are others now than those that were measured.',
};

/** What everybody may read of an error: it follows from the code alone. */
const sentenceOf = (code: string): string =>
  sentences[code] ??
  (code.startsWith('PROVIDER_')
    ? 'The provider of its language model gave no reply.'
    : 'It was broken off; whoever runs it can see why.');

export const AgentErrorRef = builder.objectRef<AgentError>('AgentError').implement({
  description: 'Why an agent run ended without an answer, or was broken off.',
  fields: (t) => ({
    code: t.exposeString('code', {
      description:
        'Stable, an open set: BUDGET_EXHAUSTED, LIMIT_REACHED (of one process; it can go on), NO_ANSWER, LEAK (what we send would have told the answer), PROVIDER_BUSY and its kin.',
    }),
    message: t.string({
      description:
        'One line for the person who has to act on it: what went wrong in full for administrators and the owner of the store, for others what the code means.',
      resolve: ({ code, stored }, _, { store }) => (store.viewer.all ? stored : sentenceOf(code)),
    }),
  }),
});
