import type { InputRef, ObjectRef } from '@pothos/core';
import { IdempotencyConflictError, type Scope } from '../src/db/index.ts';
import { JobInputError } from '../src/jobs/index.ts';
import { canonicalJson, type JsonObject, type JsonValue } from '../src/lib/canonical-json.ts';
import { sha256 } from '../src/lib/sha256.ts';
import { builder, type GraphContext } from './builder.ts';
import { costs } from './cost.ts';
import type { ErrorCode } from './error-codes.ts';
import { readOnly } from './errors.ts';
import { requireScope } from './scope.ts';
import { UserErrorRef, type UserErrorRow, UserProblem } from './user-error.ts';

type Types = (typeof builder)['$inferSchemaTypes'];
type Idempotent = { idempotencyKey?: string | null | undefined };

export const idempotencyKeyOptions = {
  description:
    'Chosen by the client, at most 200 characters: a request repeated with it within 24 hours is done once and answered alike; another request with it is a CONFLICT.',
};

/** A mutation by our conventions: one `input`, a payload with what was made and `userErrors`, done once for an idempotency key. */
export function mutation<Input extends Idempotent, Row extends { key: string }>(options: {
  /** Noun first: organismUpdate. */
  name: string;
  description: string;
  /** What a token needs, any one of them. */
  scope: Scope | readonly Scope[];
  input: InputRef<Input>;
  /** The field of the payload that has the result. */
  result: { field: string; type: ObjectRef<Types, Row>; description: string };
  /** Synchronous, in a transaction. @throws UserProblem, JobInputError: nothing is changed then */
  perform: (context: GraphContext, input: Input) => Row | null;
  /** What an error is to the client; undefined where it is no fault of the input. */
  problem?: (error: unknown) => UserProblem | undefined;
  /** What the audit log keeps of it beside its key. */
  detailsOf?: (row: Row) => JsonObject;
  /** What `find` takes; the row's own key by default. */
  keyOf?: (row: Row) => string;
  /** What was made before for the same key; undefined where it is gone again, null where nothing is left by what was done. */
  find: (context: GraphContext, key: string) => Row | null | undefined;
}): void {
  const { name, description, scope, result, perform, problem, keyOf = ({ key }) => key, find } = options;
  const { detailsOf } = options;
  const title = `${name[0]?.toUpperCase()}${name.slice(1)}`;
  const payload = builder
    .objectRef<{ row: Row | null; userErrors: UserErrorRow[] }>(`${title}Payload`)
    .implement({
      description: `What ${name} did.`,
      fields: (t) => ({
        [result.field]: t.field({
          type: result.type,
          nullable: true,
          description: result.description,
          resolve: ({ row }) => row as never,
        }),
        userErrors: t.field({
          type: [UserErrorRef],
          ...costs({ assumedSize: 1 }),
          description: 'What was wrong with the input; empty when all was done.',
          resolve: ({ userErrors }) => userErrors,
        }),
      }),
    });

  /** With its line in the audit log. */
  function done(context: GraphContext, input: Input): Row | null {
    const { store, requestId } = context;
    const made = perform(context, input);
    const details = made && detailsOf ? detailsOf(made) : {};
    store.audit.record({ action: name, subject: made && keyOf(made), requestId, details });
    return made;
  }

  function once(context: GraphContext, input: Input): Row | null {
    const { idempotencyKey, ...asked } = input;
    if (idempotencyKey === null || idempotencyKey === undefined)
      return context.store.transaction(() => done(context, input));
    if (idempotencyKey === '' || idempotencyKey.length > 200)
      throw new UserProblem('INVALID', 'An idempotency key has 1 to 200 characters.', ['idempotencyKey']);
    let made: Row | null = null;
    const payloadHash = sha256(canonicalJson([name, JSON.parse(JSON.stringify(asked)) as JsonValue]));
    const { resultKey, repeated } = context.store.idempotencyKeys.once(
      { client: clientOf(context), key: idempotencyKey, payloadHash },
      () => {
        made = done(context, input);
        return made && keyOf(made);
      },
    );
    if (!repeated || resultKey === null) return made;
    const found = find(context, resultKey);
    if (found === undefined)
      throw new UserProblem(
        'NOT_FOUND',
        'This was done before with the same key, and what it made is not here any more; choose a new key to do it again.',
        ['idempotencyKey'],
      );
    return found;
  }

  builder.mutationField(name, (t) =>
    t.field({
      type: payload,
      ...costs({ weight: 10 }), // a transaction that is on disk
      description,
      args: { input: t.arg({ type: options.input, required: true, description: 'What is asked for.' }) },
      resolve: (_, args, context) => {
        requireScope(context, scope);
        if (context.store.readonly) throw readOnly();
        try {
          return { row: once(context, (args as { input: Input }).input), userErrors: [] };
        } catch (error) {
          return { row: null, userErrors: [problemOf(problem?.(error) ?? error)] };
        }
      },
    }),
  );
}

/** Keys are told apart by who chose them. */
const clientOf = ({ store: { viewer } }: GraphContext): string =>
  sha256(JSON.stringify(viewer.tokenId === null ? 'owner' : { token: viewer.tokenId }));

/** A value, not an error: graphql-js would take an instance of Error for a failure. */
function problemOf(error: unknown): UserErrorRow {
  const inInput = (code: ErrorCode, message: string, field: readonly string[] | null) => ({
    code,
    message,
    field: field && ['input', ...field],
  });
  if (error instanceof UserProblem) return inInput(error.code, error.message, error.field);
  if (error instanceof JobInputError) return inInput(error.code, error.message, error.field);
  if (error instanceof IdempotencyConflictError)
    return inInput(error.code, `${error.message[0]?.toUpperCase()}${error.message.slice(1)}.`, [
      'idempotencyKey',
    ]);
  throw error;
}
