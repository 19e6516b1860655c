import type { Database, Statement } from 'better-sqlite3';
import { ByteLru } from '../lib/byte-lru.ts';

/** Statements kept of those whose SQL follows from what clients ask. */
const mostAsked = 2_048;

export interface Transaction<Given extends unknown[], Result> {
  (...given: Given): Result;
  /** The same, with the right to write from its first statement on. */
  immediate(...given: Given): Result;
}

/**
 * What stores need of an open database. A statement is prepared once, however many viewers' stores have it: what differs between
 * viewers is bound. So a statement is never told to return other shapes than it was asked for here.
 */
export class Connection {
  readonly #sqlite: Database;
  readonly #kept = new Map<string, Statement>();
  readonly #asked = new ByteLru<Statement>(mostAsked);

  constructor(sqlite: Database) {
    this.#sqlite = sqlite;
  }

  /** Synchronous work whose writes all happen, or none; within another's, with it. */
  transaction<Given extends unknown[], Result>(
    work: (...given: Given) => Result,
  ): Transaction<Given, Result> {
    return this.#sqlite.transaction(work) as unknown as Transaction<Given, Result>;
  }

  /** Whether nothing can be written. */
  get readonly(): boolean {
    return this.#sqlite.readonly;
  }

  get open(): boolean {
    return this.#sqlite.open;
  }

  get inTransaction(): boolean {
    return this.#sqlite.inTransaction;
  }

  /** Path of the file. */
  get name(): string {
    return this.#sqlite.name;
  }

  /** A statement of ours. */
  prepare(sql: string): Statement {
    return this.#keep(`rows ${sql}`, sql, (statement) => statement);
  }

  /** One that gives the value of its first column instead of a row. */
  pluck(sql: string): Statement {
    return this.#keep(`pluck ${sql}`, sql, (statement) => statement.pluck());
  }

  /** One that gives lists of values instead of rows. */
  raw(sql: string): Statement {
    return this.#keep(`raw ${sql}`, sql, (statement) => statement.raw());
  }

  /** A statement whose SQL follows from a client's conditions and orders: those used last are kept. */
  prepareAsked(sql: string): Statement {
    const known = this.#asked.get(sql);
    if (known) return known;
    const statement = this.#sqlite.prepare(sql);
    this.#asked.set(sql, statement, 1); // counted, not weighed
    return statement;
  }

  #keep(name: string, sql: string, shape: (statement: Statement) => Statement): Statement {
    let statement = this.#kept.get(name);
    if (!statement) this.#kept.set(name, (statement = shape(this.#sqlite.prepare(sql))));
    return statement;
  }
}
