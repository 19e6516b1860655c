import { CodedError } from '../lib/coded-error.ts';

/** The server cannot listen as asked. */
export class ListenError extends CodedError {
  declare readonly code: 'PORT_TAKEN' | 'PORT_FORBIDDEN' | 'ADDRESS_NEEDS_TOKENS';
}
