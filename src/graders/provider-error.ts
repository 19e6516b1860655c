import { CodedError } from '../lib/coded-error.ts';

export type ProviderErrorCode =
  | 'PROVIDER_BUSY' // 429
  | 'PROVIDER_CUT' // the reply ended before it was whole
  | 'PROVIDER_FAILED' // 5xx, or a reply that is none
  | 'PROVIDER_REFUSED' // any other 4xx
  | 'PROVIDER_TIMEOUT'
  | 'PROVIDER_UNREACHABLE';

interface Details {
  status?: number | undefined;
  /** It asked to be left alone for so long. */
  retryAfterMs?: number | undefined;
  /** Asking again may help. */
  retryable: boolean;
  /** It may have worked, and want money, though nothing whole came back. */
  mayCost: boolean;
}

/** A provider gave no reply. The message has no key in it. */
export class ProviderError extends CodedError implements Details {
  declare readonly code: ProviderErrorCode;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly retryable: boolean;
  readonly mayCost: boolean;

  constructor(
    code: ProviderErrorCode,
    message: string,
    { status, retryAfterMs, retryable, mayCost }: Details,
  ) {
    super(code, message);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.retryable = retryable;
    this.mayCost = mayCost;
  }
}
