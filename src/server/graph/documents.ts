import {
  getOperationAST,
  GraphQLError,
  parse,
  parseType,
  print,
  specifiedRules,
  validate,
  type DocumentNode,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type VariableDefinitionNode,
  type ValidationRule,
} from 'graphql';
import type * as Jit from 'graphql-jit';
import type { CompiledQuery } from 'graphql-jit';
import { createRequire } from 'node:module';
import { ByteLru } from '../../lib/byte-lru.ts';
import { sha256 } from '../../lib/sha256.ts';
import type { ErrorCode } from '../../../schema/error-codes.ts';
import {
  maxDirectives,
  maxErrors,
  maxSourceLength,
  maxTokens,
  selectionLimits,
} from '../../../schema/limits.ts';
import { selectionLimits as selectionLimitsRule } from '../selection-limits.ts';
import { costFunction, type Variables } from './cost.ts';
import { directiveLimit } from './directive-limit.ts';
import { knownOperationTypes } from './known-operation-types.ts';

/** Measured on documents at our limits: what a parsed token holds on the heap, and a token once more when it is compiled. */
const bytesPerToken = 600;
const compiledBytesPerToken = 1_500;

const bytesPerDocument = 2_048;

/** Bytes of a document that is kept at once. */
const smallDocument = 64 * 1024;

/** Digests of large documents that came once: a few thousand. */
const seenBytes = 256 * 1024;

/** A document as it was sent, judged once. */
export interface Prepared {
  source: string;
  /** Undefined where it could not be parsed: then `errors` has the reason. */
  document?: DocumentNode;
  /** Why it is refused; empty for a document that may be executed. */
  errors: readonly GraphQLError[];
  operations: Map<string | null, Operation>;
}

export interface Operation {
  definition: OperationDefinitionNode;
  uses: number;
  /** What it costs with these coerced variables; made at its first use. */
  cost?: (variables: Variables) => number;
  /** Whether errors came of it the last time: then it is not worth a try as a function. */
  failed?: boolean;
  /** Made at its second use, for variables that graphql-js has coerced; null where graphql-jit could not. */
  compiled?: CompiledQuery['query'] | null;
}

/**
 * Documents parsed, judged by the rules of GraphQL and our limits, and compiled from their second use on (compiling costs a
 * hundred executions of a small query). Small refusals are remembered too. All of it together is bounded in bytes.
 */
export class Documents {
  readonly #schema: GraphQLSchema;
  /** What bounds the work of the others, whose time grows faster than the document. */
  readonly #limits = [selectionLimitsRule(selectionLimits), directiveLimit(maxDirectives)];
  readonly #rules = [...specifiedRules, knownOperationTypes];
  readonly #kept: ByteLru<Prepared>;
  readonly #seenOnce = new ByteLru<true>(seenBytes);
  readonly #byDocument = new WeakMap<DocumentNode, Prepared>();

  constructor(schema: GraphQLSchema, maxBytes: number) {
    this.#schema = schema;
    this.#kept = new ByteLru(maxBytes);
  }

  /** Bytes and entries kept. */
  get kept(): { bytes: number; entries: number } {
    return { bytes: this.#kept.bytes, entries: this.#kept.size };
  }

  prepare(source: string): Prepared {
    const known = this.#kept.get(source);
    if (known) return known;
    const prepared = this.#judge(source);
    if (this.#isWorthKeeping(prepared)) this.#keep(prepared);
    return prepared;
  }

  /** What was prepared as this document. */
  of(document: DocumentNode): Prepared | undefined {
    return this.#byDocument.get(document);
  }

  /** The operation that is to be executed; undefined where the request does not name one that is there. */
  operation(prepared: Prepared, name: string | null | undefined): Operation | undefined {
    const key = name ?? null;
    const known = prepared.operations.get(key);
    if (known) return known;
    const definition = prepared.document && getOperationAST(prepared.document, name);
    if (!definition) return undefined;
    const operation = { definition, uses: 0 };
    prepared.operations.set(key, operation);
    return operation;
  }

  /** What the operation costs at most, in points: a point is about a row that is read. */
  costOf({ document }: Prepared, operation: Operation, variables: Variables): number {
    if (!document) return 0;
    operation.cost ??= costFunction(this.#schema, document, operation.definition);
    return operation.cost(variables);
  }

  /** Counts a use; from the second on, the operation as a function of coerced variables; undefined where there is none, or it failed. */
  compiled(prepared: Prepared, operation: Operation): CompiledQuery['query'] | undefined {
    if (operation.uses++ === 0 || operation.failed || !prepared.document) return undefined;
    if (operation.compiled === undefined) {
      operation.compiled = compile(this.#schema, prepared.document, operation.definition);
      this.#keep(prepared);
    }
    return operation.compiled ?? undefined;
  }

  #judge(source: string): Prepared {
    const judged = (errors: readonly GraphQLError[], code: ErrorCode, document?: DocumentNode): Prepared => {
      for (const error of errors) error.extensions['code'] ??= code;
      const prepared = { source, ...(document && { document }), errors, operations: new Map() };
      if (document) this.#byDocument.set(document, prepared);
      return prepared;
    };
    const parsed = orError(() => parse(source, { maxTokens, maxSourceLength }));
    if (parsed instanceof GraphQLError) return judged([parsed], 'GRAPHQL_PARSE_FAILED');
    const by = (rules: readonly ValidationRule[]) =>
      orError(() => validate(this.#schema, parsed, rules, { maxErrors: maxErrors - 1 })); // one more says that there are more
    const above = by(this.#limits);
    const errors = above instanceof GraphQLError || above.length > 0 ? above : by(this.#rules);
    if (errors instanceof GraphQLError) return judged([errors], 'GRAPHQL_PARSE_FAILED');
    return judged(errors, 'GRAPHQL_VALIDATION_FAILED', parsed);
  }

  /**
   * A large document is kept from its second use on: many that come once, by one who makes them up, would otherwise live long
   * enough to fill the old part of the heap. Of refused ones only small are kept, since their errors hold all that was parsed.
   */
  #isWorthKeeping(prepared: Prepared): boolean {
    if (bytesOf(prepared) <= smallDocument) return true;
    if (prepared.errors.length > 0) return false;
    const digest = sha256(prepared.source);
    if (this.#seenOnce.get(digest)) return true;
    this.#seenOnce.set(digest, true, digest.length);
    return false;
  }

  #keep(prepared: Prepared): void {
    this.#kept.set(prepared.source, prepared, bytesOf(prepared));
  }
}

function bytesOf({ source, document, operations }: Prepared): number {
  const tokens = document ? tokensOf(document) : 0;
  const functions = [...operations.values()].filter(({ compiled }) => compiled).length;
  return bytesPerDocument + 2 * source.length + tokens * (bytesPerToken + functions * compiledBytesPerToken);
}

/** What is nested too deep for the stack is the request's fault too. */
function orError<T>(work: () => T): T | GraphQLError {
  try {
    return work();
  } catch (error) {
    if (error instanceof GraphQLError) return error;
    if (error instanceof RangeError) return new GraphQLError('This document is nested too deep.');
    throw error;
  }
}

/** graphql-js counts them while it parses, and leaves the number at the document. */
const tokensOf = (document: DocumentNode): number =>
  (document as { tokenCount?: number }).tokenCount ?? maxTokens;

/**
 * As a function of coerced variables. graphql-jit would coerce them itself, by code that it writes out for every input type in
 * another: for filters, which have themselves as members, until the stack ends, seconds later. So it is told that they are JSON.
 */
/** Loaded when a document first comes again: a tenth of a second that no start has to wait for. */
let jit: typeof Jit | undefined;
const require = createRequire(import.meta.url);

function compile(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): CompiledQuery['query'] | null {
  jit ??= require('graphql-jit') as typeof Jit;
  const { compileQuery, isCompiledQuery } = jit;
  try {
    const compiled = compileQuery(schema, takingCoerced(document, operation), operation.name?.value ?? '', {
      // Its errors are not shown: see execute.
      disablingCapturingStackErrors: true,
    });
    return isCompiledQuery(compiled) ? compiled.query : null;
  } catch {
    return null; // graphql-js executes everything
  }
}

/**
 * The document with variables that are taken as they come, for values that graphql-js has coerced. Written out as code, as graphql-jit
 * does, the coercion of a filter, whose members are filters, takes seconds and gigabytes.
 */
const takingCoerced = (document: DocumentNode, operation: OperationDefinitionNode): DocumentNode => ({
  ...document,
  definitions: document.definitions.map((definition) =>
    definition === operation
      ? { ...operation, variableDefinitions: (operation.variableDefinitions ?? []).map(untyped) }
      : definition,
  ),
});

/** JSON is whatever comes; only a Boolean may stand in `@include` and `@skip`. */
const untyped = (definition: VariableDefinitionNode): VariableDefinitionNode => {
  if (print(definition.type).startsWith('Boolean')) return definition;
  const { defaultValue: _, ...rest } = definition;
  return { ...rest, type: parseType('JSON') };
};
