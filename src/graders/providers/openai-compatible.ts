import type { OpenAI } from 'openai';
import type { JsonObject, JsonValue } from '../../lib/canonical-json.ts';
import type { ChatReply, ChatRequest, Message, Provider, VerdictForm } from '../chat.ts';
import { ProviderError } from '../provider-error.ts';
import { cut, openAiServer, type ServerOptions } from './openai-server.ts';
import { CompletionParts, readCompletion } from './read-completion.ts';

export interface OpenAiCompatibleOptions extends ServerOptions {
  /** Replies by calling a function; true by default. */
  callsFunctions?: boolean | undefined;
  /** Takes replies piece by piece, which some gateways need for long ones. */
  stream?: boolean | undefined;
  /** What the maximum of a reply is called; OpenAI's reasoning models know only the longer name. */
  maxTokensField?: 'max_tokens' | 'max_completion_tokens' | undefined;
}

/** Any server that speaks OpenAI's chat completions, through OpenAI's client. @throws CodedError INVALID_ARGUMENT */
export function openAiCompatible(options: OpenAiCompatibleOptions): Provider {
  const { model, callsFunctions = true, stream = false } = options;
  const server = openAiServer(options);
  const { endpoint } = server;
  const maxTokensField =
    options.maxTokensField ??
    (new URL(endpoint).hostname === 'api.openai.com' ? 'max_completion_tokens' : 'max_tokens');

  const body = ({ messages, maxTokens, temperature, verdict, tools }: ChatRequest): JsonObject => ({
    model,
    messages: messages.map(messageBody),
    [maxTokensField]: maxTokens,
    ...(temperature !== null && { temperature }),
    ...(tools
      ? { tools: tools.map((form) => functionBody(form)) }
      : verdict && { tools: [functionBody(verdict, { strict: true })] }),
    ...(verdict && { tool_choice: { type: 'function', function: { name: verdict.name } } }),
    ...(stream && { stream: true, stream_options: { include_usage: true } }),
  });

  return {
    name: 'openai-compatible',
    endpoint,
    model,
    callsFunctions,
    deterministic: false,
    body,
    async chat(request, { signal }) {
      const given = body(request) as unknown as OpenAI.ChatCompletionCreateParams;
      const answer = await server.ask((client, together) => receive(client, given, together), signal);
      const reply: ChatReply | null = readCompletion(server.clean(answer), model);
      if (reply) return reply;
      throw new ProviderError(
        'PROVIDER_FAILED',
        `${endpoint} answered with something that is no chat completion`,
        { retryable: true, mayCost: true },
      );
    },
  };
}

const messageBody = ({ role, content, calls, callId }: Message): JsonObject => ({
  role,
  content: calls && content === '' ? null : content,
  ...(calls && {
    tool_calls: calls.map(({ id, name, arguments: given }) => ({
      id,
      type: 'function',
      function: { name, arguments: given },
    })),
  }),
  ...(callId !== undefined && { tool_call_id: callId }),
});

const functionBody = (
  { name, description, schema }: VerdictForm,
  more: { strict?: boolean } = {},
): JsonObject => ({ type: 'function', function: { name, description, parameters: schema, ...more } });

async function receive(
  client: OpenAI,
  body: OpenAI.ChatCompletionCreateParams,
  signal: AbortSignal,
): Promise<JsonValue> {
  const answer = await client.chat.completions.create(body, { signal });
  if (typeof answer !== 'object') return null; // a page, which the client hands on as text
  if (!(Symbol.asyncIterator in answer)) return answer as unknown as JsonValue;
  const parts = new CompletionParts();
  for await (const chunk of answer) if (!parts.add(chunk)) return null;
  signal.throwIfAborted(); // the client ends a stream without a word
  const whole = parts.whole();
  if (whole) return whole;
  throw cut('the stream ended before the reply did');
}
