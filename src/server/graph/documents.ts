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
} from 'graphql';
import { compileQuery, isCompiledQuery, type CompiledQuery } from 'graphql-jit';
import { ByteLru } from '../../lib/byte-lru.ts';
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

/** A refusal of a longer document is not worth the memory: its errors hold all that was parsed. */
const longestRefusalKept = 8 * 1024;

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
  /** Made at its second use, for variables that graphql-js has coerced; null where graphql-jit could not. */
  compiled?: CompiledQuery['query'] | null;
}

/**
 * Documents parsed, judged by the rules of GraphQL and our limits, and compiled from their second use on (compiling costs a
 * hundred executions of a small query). Refusals are remembered too. All of it together is bounded in bytes.
 */
export class Documents {
  readonly #schema: GraphQLSchema;
  readonly #rules = [
    ...specifiedRules,
    knownOperationTypes,
    selectionLimitsRule(selectionLimits),
    directiveLimit(maxDirectives),
  ];
  readonly #kept: ByteLru<Prepared>;
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
    if (prepared.errors.length === 0 || source.length <= longestRefusalKept) this.#keep(prepared);
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

  /** Counts a use; from the second on, the operation as a function of coerced variables, or undefined where there is none. */
  compiled(prepared: Prepared, operation: Operation): CompiledQuery['query'] | undefined {
    if (operation.uses++ === 0 || !prepared.document) return undefined;
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
    const errors = orError(
      () => validate(this.#schema, parsed, this.#rules, { maxErrors: maxErrors - 1 }), // one more says that there are more
    );
    if (errors instanceof GraphQLError) return judged([errors], 'GRAPHQL_PARSE_FAILED');
    return judged(errors, 'GRAPHQL_VALIDATION_FAILED', parsed);
  }

  #keep(prepared: Prepared): void {
    const tokens = prepared.document ? tokensOf(prepared.document) : 0;
    const functions = [...prepared.operations.values()].filter(({ compiled }) => compiled).length;
    const bytes =
      bytesPerDocument +
      2 * prepared.source.length +
      tokens * (bytesPerToken + functions * compiledBytesPerToken);
    this.#kept.set(prepared.source, prepared, bytes);
  }
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

function compile(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): CompiledQuery['query'] | null {
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
