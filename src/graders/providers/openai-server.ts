import type * as Library from 'openai';
import type { OpenAI } from 'openai';
import type { JsonValue } from '../../lib/canonical-json.ts';
import { CodedError } from '../../lib/coded-error.ts';
import { ProviderError } from '../provider-error.ts';
import type { ApiKey } from './api-key.ts';

// What every request to an OpenAI-compatible server has in common, through OpenAI's own client.

export interface ServerOptions {
  /** As "https://api.openai.com/v1"; an operator's setting, never a request's. */
  baseUrl: string;
  model: string;
  /** Null for a server that wants none. */
  key: ApiKey | null;
  /** Allows an address of this machine, and http there. */
  loopback?: boolean | undefined;
  /** For a whole reply, in milliseconds; 5 minutes by default. */
  timeoutMs?: number | undefined;
}

const mostReplyBytes = 16 * 1024 * 1024;

/** A server that is asked one thing at a time, under a deadline. */
export interface Server {
  /** The base URL, checked. */
  endpoint: string;
  /**
   * Asks once.
   * @throws ProviderError; the signal's reason
   */
  ask<T>(
    request: (client: OpenAI, signal: AbortSignal) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T>;
  /** What came, without the key. */
  clean<Value extends JsonValue>(value: Value): Value;
}

/** @throws CodedError INVALID_ARGUMENT */
export function openAiServer({ baseUrl, key, loopback = false, timeoutMs = 300_000 }: ServerOptions): Server {
  const endpoint = checkedUrl(baseUrl, loopback);
  // The client takes 0.2 s to load, which only those who ask should wait for.
  let opened: Promise<Opened> | undefined;
  const open = () => (opened ??= openClient(endpoint, key));
  return {
    endpoint,
    async ask(request, signal) {
      const { client, errors } = await open();
      const deadline = AbortSignal.timeout(timeoutMs);
      const together = signal ? AbortSignal.any([signal, deadline]) : deadline;
      try {
        return await request(client, together);
      } catch (error) {
        signal?.throwIfAborted();
        if (deadline.aborted) throw timeout(timeoutMs);
        throw explained(error, errors, (text) => oneLine(key ? key.redact(text) : text));
      }
    },
    clean: (value) => (key ? key.redactJson(value) : value),
  };
}

interface Opened {
  client: OpenAI;
  errors: Pick<typeof Library, 'APIError' | 'APIConnectionError'>;
}

async function openClient(baseURL: string, key: ApiKey | null): Promise<Opened> {
  const { default: Client, APIError, APIConnectionError } = await import('openai');
  const client = new Client({
    baseURL,
    apiKey: key?.reveal() ?? 'none',
    // All that the client would otherwise take from the environment.
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    logLevel: 'off',
    // Trying again is the runner's, which counts.
    maxRetries: 0,
    fetchOptions: { redirect: 'error' },
    fetch: async (url, init) => limited(await fetch(url, init)),
  });
  return { client, errors: { APIError, APIConnectionError } };
}

/** A response whose body ends in an error beyond the most that is taken. */
function limited(response: Response): Response {
  if (!response.body) return response;
  let bytes = 0;
  const counted = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.byteLength;
        if (bytes > mostReplyBytes) controller.error(new TypeError(`more than ${mostReplyBytes} bytes`));
        else controller.enqueue(chunk);
      },
    }),
  );
  const { status, statusText, headers } = response;
  return new Response(counted, { status, statusText, headers });
}

/** A reply that ended before it was whole. */
export const cut = (message: string): ProviderError =>
  new ProviderError('PROVIDER_CUT', message, { retryable: true, mayCost: true });

const timeout = (ms: number): ProviderError =>
  new ProviderError('PROVIDER_TIMEOUT', `no whole reply within ${ms / 1000} s`, {
    retryable: true,
    mayCost: true,
  });

const neverSent = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

/** What the client threw, in our words; none of its errors, which hold requests, is passed on. */
function explained(
  error: unknown,
  { APIError, APIConnectionError }: Opened['errors'],
  clean: (text: string) => string,
): ProviderError {
  if (error instanceof ProviderError) return error;
  const message = clean((error as Error).message);
  if (error instanceof APIConnectionError) {
    const code = systemCode(error);
    return new ProviderError('PROVIDER_UNREACHABLE', `no connection${code ? ` (${code})` : ''}: ${message}`, {
      retryable: true,
      mayCost: !neverSent.has(code ?? ''),
    });
  }
  if (error instanceof APIError && typeof error.status === 'number') {
    const { status, code } = error;
    const headers = error.headers as Headers | undefined;
    const retryAfterMs = headers && retryAfter(headers);
    const details = { status, retryAfterMs, mayCost: false };
    if (status === 429)
      return new ProviderError('PROVIDER_BUSY', message, {
        ...details,
        retryable: code !== 'insufficient_quota', // no waiting helps
      });
    if (status >= 500 || status === 408 || status === 409)
      return new ProviderError('PROVIDER_FAILED', message, { ...details, retryable: true });
    return new ProviderError('PROVIDER_REFUSED', message, { ...details, retryable: false });
  }
  // An error inside a stream, a body that is no JSON, or one that stopped halfway.
  return cut(`the reply broke off: ${message}`);
}

function systemCode(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (typeof code === 'string') return code;
  }
  return undefined;
}

/** Milliseconds of a Retry-After header: seconds, or a date. */
function retryAfter(headers: Headers): number | undefined {
  const milliseconds = Number(headers.get('retry-after-ms') ?? NaN);
  if (milliseconds >= 0) return milliseconds;
  const header = headers.get('retry-after');
  if (header === null) return undefined;
  const wait = /^\d+(\.\d+)?$/.test(header) ? 1000 * Number(header) : Date.parse(header) - Date.now();
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
}

/** @throws CodedError INVALID_ARGUMENT */
function checkedUrl(text: string, mayBeLoopback: boolean): string {
  const refuse = (why: string) =>
    new CodedError(
      'INVALID_ARGUMENT',
      `the base URL of a provider ${why}; https://<host>/<path> is expected`,
    );
  if (!URL.canParse(text)) throw refuse('is no URL');
  const url = new URL(text);
  // Said without the URL, which then has a secret in it.
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw refuse('has credentials, a query or a fragment');
  const isLoopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (isLoopback && !mayBeLoopback) throw refuse(`is this machine (${url.hostname}), which was not allowed`);
  if (url.protocol !== 'https:' && !(isLoopback && url.protocol === 'http:'))
    throw refuse(`has the protocol ${url.protocol}`);
  return url.href.replace(/\/+$/, '');
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim().slice(0, 300);
