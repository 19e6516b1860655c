import { CodedError } from '../lib/coded-error.ts';

export type TokenizerErrorCode = 'TOKENIZER_MISSING' | 'INVALID_TOKENIZER' | 'INVALID_TEMPLATE';

/** A checkpoint's tokenizer cannot be used. `path` is the file (or folder) at fault. */
export class TokenizerError extends CodedError {
  declare readonly code: TokenizerErrorCode;
  readonly path: string;

  constructor(code: TokenizerErrorCode, path: string, message: string, options?: ErrorOptions) {
    super(code, `${path}: ${message}`, options);
    this.path = path;
  }
}
