import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import type { JsonValue } from '../../lib/canonical-json.ts';
import { CodedError } from '../../lib/coded-error.ts';
import { fileProblem } from '../../lib/file-problem.ts';

/** Where a key comes from: a variable of the environment, or a file that only its owner may read. */
export type KeySource = { variable: string } | { file: string };

const mostBytes = 4096;
const mask = '[key]';

/** A secret that does not show when it is printed, logged or turned into JSON. */
export class ApiKey {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** For the one place that sends it. */
  reveal(): string {
    return this.#value;
  }

  /** A text without the key in it. */
  redact(text: string): string {
    return text.replaceAll(this.#value, mask).replaceAll(encodeURIComponent(this.#value), mask);
  }

  /** The same for every text of a JSON value, names included. */
  redactJson<Value extends JsonValue>(value: Value): Value;
  redactJson(value: JsonValue): JsonValue {
    if (typeof value === 'string') return this.redact(value);
    if (value === null || typeof value !== 'object') return value;
    if (Array.isArray(value)) return value.map((one) => this.redactJson(one));
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) => [this.redact(name), this.redactJson(member)]),
    );
  }

  toString(): string {
    return mask;
  }

  toJSON(): string {
    return mask;
  }

  [inspect.custom](): string {
    return mask;
  }
}

/**
 * Reads a key.
 * @param environment the variables of the process: reading them is for whoever was started by a person
 * @throws CodedError KEY_MISSING, KEY_EXPOSED (others may read the file), KEY_INVALID
 */
export function readKey(
  source: KeySource,
  environment: Readonly<Record<string, string | undefined>>,
): ApiKey {
  const [where, value] =
    'variable' in source
      ? [`the variable ${source.variable}`, environment[source.variable]]
      : [`the key file ${source.file}`, readKeyFile(source.file)];
  const key = value?.trim() ?? '';
  if (key === '') throw new CodedError('KEY_MISSING', `${where} has no key in it`);
  if (!/^[\x21-\x7e]{8,}$/.test(key))
    throw new CodedError(
      'KEY_INVALID',
      `what ${where} holds is no key: 8 or more visible ASCII characters without spaces are expected`,
    );
  return new ApiKey(key);
}

function readKeyFile(file: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (error) {
    throw new CodedError('KEY_MISSING', `the key file ${file}: ${fileProblem(error)}`, { cause: error });
  }
  try {
    const found = fstatSync(descriptor);
    if (!found.isFile() || found.size > mostBytes)
      throw new CodedError('KEY_INVALID', `the key file ${file} is no file of at most ${mostBytes} bytes`);
    const mode = found.mode & 0o777;
    if ((mode & 0o077) !== 0)
      throw new CodedError(
        'KEY_EXPOSED',
        `the key file ${file} may be read or changed by others (mode ${mode.toString(8)}); chmod 600 it`,
      );
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}
