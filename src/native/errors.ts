import { CodedError } from '../lib/coded-error.ts';

/** The engine's codes (native/core/errors.h) and those of its façade. */
export type NativeErrorCode =
  | 'INVALID_ARGUMENT'
  | 'FILE_NOT_FOUND'
  | 'FILE_UNREADABLE'
  | 'FILE_CHANGED'
  | 'INVALID_SAFETENSORS'
  | 'INVALID_CONFIG'
  | 'INVALID_WEIGHTS'
  | 'INVALID_ADAPTER'
  | 'ADAPTER_INERT'
  | 'MODEL_UNSUPPORTED'
  | 'PAIR_MISMATCH'
  | 'DEVICE_UNAVAILABLE'
  | 'DEVICE_LOST'
  | 'OUT_OF_MEMORY'
  | 'CANCELLED'
  | 'ENGINE_UNAVAILABLE'
  | 'MODEL_CLOSED';

/** Something the engine refused or could not do. `details`: file, field, tensor, expected, found, where they apply. */
export class NativeError extends CodedError {
  declare readonly code: NativeErrorCode;
  readonly details: Readonly<Record<string, string>>;

  constructor(
    code: NativeErrorCode,
    message: string,
    options: ErrorOptions & { details?: Record<string, string> } = {},
  ) {
    super(code, message, options);
    this.details = options.details ?? {};
    if (code === 'CANCELLED') this.name = 'AbortError'; // what callers of cancellable APIs look for
  }
}

/** An error of the addon as a NativeError whose stack leads to the caller; anything else as it is. */
export function fromAddon(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || !('details' in error)) return error;
  return new NativeError(error.code as NativeErrorCode, error.message, {
    details: error.details as Record<string, string>,
  });
}
