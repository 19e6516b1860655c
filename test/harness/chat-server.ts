import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

/** A request as it came. */
export interface Received {
  headers: IncomingHttpHeaders;
  path: string;
  body: {
    model: string;
    messages: { role: string; content: string; tool_calls?: { id: string }[]; tool_call_id?: string }[];
    temperature?: number;
    max_tokens?: number;
    max_completion_tokens?: number;
    tools?: { function: { name: string; strict?: boolean; parameters: unknown } }[];
    tool_choice?: unknown;
    stream?: boolean;
  };
  /** From 0. */
  number: number;
}

/** What a reply says: text, and calls of functions whose arguments are sent as they are. */
export interface Said {
  text?: string;
  calls?: { name: string; arguments: string }[];
  finish?: string;
  model?: string;
  usage?: { prompt_tokens: number; completion_tokens: number } | null;
}

export type Reaction =
  | Said
  | { status: number; headers?: Record<string, string>; body?: unknown }
  /** So many bytes of a whole reply, then the connection breaks. */
  | { cutAfter: number; said: Said }
  /** Nothing ever comes, or the headers and nothing more. */
  | { stall: 'AT_ONCE' | 'AFTER_HEADERS' }
  /** Server-sent events, and how they end: as they should, with the connection broken, or closed as if all had been said. */
  | { events: unknown[]; end: 'DONE' | 'BROKEN' | 'CLOSED' }
  /** Bytes that are no JSON. */
  | { raw: string; type: string };

const completion = ({ text = '', calls = [], finish, model, usage }: Said, asked: string) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: model ?? `${asked}-2026`,
  choices: [
    {
      index: 0,
      finish_reason: finish ?? (calls.length > 0 ? 'tool_calls' : 'stop'),
      message: {
        role: 'assistant',
        content: text,
        ...(calls.length > 0 && {
          tool_calls: calls.map((call, i) => ({ id: `call_${i}`, type: 'function', function: call })),
        }),
      },
    },
  ],
  ...(usage !== null && { usage: usage ?? { prompt_tokens: 100, completion_tokens: 10 } }),
});

async function react(response: ServerResponse, reaction: Reaction, asked: string): Promise<void> {
  const json = { 'Content-Type': 'application/json' };
  if ('status' in reaction) {
    response.writeHead(reaction.status, { ...json, ...reaction.headers });
    response.end(JSON.stringify(reaction.body ?? { error: { message: 'no' } }));
  } else if ('cutAfter' in reaction) {
    const whole = JSON.stringify(completion(reaction.said, asked));
    response.writeHead(200, { ...json, 'Content-Length': Buffer.byteLength(whole) });
    response.write(whole.slice(0, reaction.cutAfter), () => response.destroy());
  } else if ('stall' in reaction) {
    if (reaction.stall === 'AFTER_HEADERS') response.writeHead(200, json).flushHeaders();
  } else if ('events' in reaction) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    for (const event of reaction.events) response.write(`data: ${JSON.stringify(event)}\n\n`);
    if (reaction.end === 'BROKEN') {
      await new Promise((resolve) => response.write(': \n\n', resolve));
      response.destroy();
    } else response.end(reaction.end === 'DONE' ? 'data: [DONE]\n\n' : undefined);
  } else if ('raw' in reaction) {
    response.writeHead(200, { 'Content-Type': reaction.type }).end(reaction.raw);
  } else response.writeHead(200, json).end(JSON.stringify(completion(reaction, asked)));
}

/**
 * A server that speaks OpenAI's chat completions on a loopback port as a script has it; closed with the test.
 * @param script one reaction a request, the last one for ever after; or whatever a request makes of it
 */
export async function chatServer(script: Reaction[] | ((request: Received) => Reaction | Promise<Reaction>)) {
  const requests: Received[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const body = JSON.parse(await readText(request)) as Received['body'];
      const received = { headers: request.headers, path: request.url ?? '', body, number: requests.length };
      requests.push(received);
      const reaction =
        typeof script === 'function'
          ? await script(received)
          : script[Math.min(received.number, script.length - 1)]!;
      await react(response, reaction, body.model);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/v1`, requests };
}

/** The JSON that stands between the two delimiters of a user message. */
export function materialOf({ body }: Received): unknown {
  const lines = body.messages.at(-1)!.content.split('\n');
  if (lines[0] !== lines.at(-1)) throw new Error('the material is not between two equal lines');
  return JSON.parse(lines.slice(1, -1).join('\n'));
}
