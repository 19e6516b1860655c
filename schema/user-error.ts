import { builder } from './builder.ts';
import { costs } from './cost.ts';
import type { ErrorCode } from './error-codes.ts';

export interface UserErrorRow {
  code: ErrorCode;
  message: string;
  field: readonly string[] | null;
}

/** What is wrong with an input, for the person who made it. Thrown in a mutation, it becomes one of its `userErrors`. */
export class UserProblem extends Error {
  readonly code: ErrorCode;
  readonly field: readonly string[] | null;

  constructor(code: ErrorCode, message: string, field: readonly string[] | null = null) {
    super(message);
    this.code = code;
    this.field = field;
  }
}

export const UserErrorRef = builder.objectRef<UserErrorRow>('UserError').implement({
  description: 'Why a mutation did nothing, as far as its input is the reason.',
  fields: (t) => ({
    code: t.exposeString('code', {
      description:
        'Stable, a value of ErrorCode: NOT_FOUND, INVALID, FORBIDDEN (it is there and belongs to others), CONFLICT (the name or the idempotency key is taken by something else).',
    }),
    message: t.exposeString('message', { description: 'What was found and what would be right, in a line.' }),
    field: t.stringList({
      ...costs({ assumedSize: 5 }),

      nullable: true,
      description: 'The way to the member that is wrong, from `input` on; null where it is none alone.',
      resolve: ({ field }) => field && [...field],
    }),
  }),
});
