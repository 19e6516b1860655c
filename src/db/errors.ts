import { CodedError } from '../lib/coded-error.ts';
import { withArticle } from '../lib/with-article.ts';

export type StoreErrorCode =
  | 'STORE_FOLDER_MISSING'
  | 'STORE_MISSING'
  | 'STORE_NOT_WRITABLE'
  | 'STORE_NOT_OURS'
  | 'STORE_NEWER'
  | 'STORE_OLDER'
  | 'STORE_BUSY'
  | 'STORE_CORRUPT'
  | 'STORE_FULL';

/** The store file cannot be used. `path` is that file. */
export class StoreError extends CodedError {
  declare readonly code: StoreErrorCode;
  readonly path: string;

  constructor(code: StoreErrorCode, path: string, message: string, options?: ErrorOptions) {
    super(code, `${path}: ${message}`, options);
    this.path = path;
  }
}

/** A name is taken by something else. `field` is the first that differs. */
export class ConflictError extends CodedError {
  readonly field: string;
  readonly stored: unknown;
  readonly given: unknown;

  constructor(noun: string, name: string, field: string, stored: unknown, given: unknown) {
    const show = (value: unknown) => JSON.stringify(value ?? null);
    super(
      'CONFLICT',
      `${noun} "${name}" exists with another ${field}: stored ${show(stored)}, given ${show(given)}; choose another name or ask for an update`,
    );
    this.field = field;
    this.stored = stored;
    this.given = given;
  }
}

/** Nothing has this name or key. */
export class NotFoundError extends CodedError {
  constructor(noun: string, name: string | number) {
    super('NOT_FOUND', `no ${noun} "${name}" in this store`);
  }
}

/** A name is taken by something that this viewer does not see, of which nothing else is said. */
export class NameTakenError extends CodedError {
  constructor(noun: string, name: string) {
    super('CONFLICT', `the name "${name}" of ${withArticle(noun)} is taken here; choose another`);
  }
}

/** Who asks sees a thing and may not change it. */
export class ForbiddenError extends CodedError {
  constructor(message: string) {
    super('FORBIDDEN', message);
  }
}

/** A run record that contradicts itself or its organism; nothing was written. */
export class InvalidRunError extends CodedError {
  constructor(message: string) {
    super('INVALID_RUN', message);
  }
}

/** What was computed of a run contradicts itself or the place it is for; nothing was written. */
export class InvalidResultError extends CodedError {
  constructor(message: string) {
    super('INVALID_RESULT', message);
  }
}
