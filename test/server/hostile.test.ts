import { expect, it } from 'vitest';
import { hostileRequests } from '../harness/hostile-requests.ts';
import { serve } from '../harness/serve.ts';
import { seedRun } from '../harness/synthetic-run.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

interface Answer {
  errors?: { message: string; extensions: { code: string; retryable: boolean; requestId: string } }[];
  code?: string;
}

it.each(hostileRequests.flatMap((request) => [true, false].map((plainPost) => ({ ...request, plainPost }))))(
  '$name: $status $code (short way: $plainPost)',
  async ({ method = 'POST', search = '', headers, body, status, code, plainPost }) => {
    const store = temporaryStore();
    seedRun(store);
    const lines: string[] = [];
    const { get } = await serve(store, { plainPost, log: (line) => lines.push(line) });
    const response = await get(`/graphql${search}`, {
      method,
      headers: {
        ...(method === 'POST' && { 'Content-Type': 'application/json' }),
        Accept: 'application/graphql-response+json',
        ...headers,
      },
      ...(body !== undefined && { body }),
    });
    const text = await response.text();
    expect(response.status, text.slice(0, 500)).toBe(status);
    const answer = JSON.parse(text) as Answer;
    const codes = answer.errors?.map(({ extensions }) => extensions.code) ?? [answer.code ?? null];
    expect(codes).toContain(code);
    expect(codes).not.toContain('INTERNAL');
    expect(codes.length).toBeLessThanOrEqual(20);
    if (answer.errors) {
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(65 * 1024);
      for (const { message, extensions } of answer.errors) {
        expect(message.length).toBeLessThanOrEqual(1_001);
        expect(extensions.retryable).toBe(false);
        expect(extensions.requestId).toBe(response.headers.get('x-request-id'));
      }
    }
    expect(lines).toEqual([]);
    expect((await get('/health')).status).toBe(200);
  },
);
