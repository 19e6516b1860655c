import { z } from 'zod';
import type { JsonObject, JsonValue } from '../../lib/canonical-json.ts';
import type { ChatReply } from '../chat.ts';

const count = z.number().int().nonnegative().nullish().catch(null);

/** What is needed of a chat completion; servers that call themselves compatible differ in the rest. */
const completion = z.object({
  model: z.string().catch(''),
  choices: z
    .array(
      z.object({
        finish_reason: z.string().nullish(),
        message: z.object({
          content: z.string().nullish(),
          tool_calls: z
            .array(z.object({ function: z.object({ name: z.string(), arguments: z.unknown() }) }))
            .nullish(),
        }),
      }),
    )
    .min(1),
  usage: z.object({ prompt_tokens: count, completion_tokens: count }).nullish().catch(null),
});

/** A completion in our form; null for something else. `asked` is the model it was asked of, for servers that do not say. */
export function readCompletion(body: JsonValue, asked: string): ChatReply | null {
  const parsed = completion.safeParse(body);
  const choice = parsed.data?.choices[0];
  if (!parsed.success || !choice) return null;
  const { model, usage } = parsed.data;
  return {
    text: choice.message.content ?? '',
    calls: (choice.message.tool_calls ?? []).map(({ function: { name, arguments: given } }) => ({
      name,
      arguments: typeof given === 'string' ? given : JSON.stringify(given ?? null),
    })),
    finish: choice.finish_reason ?? null,
    model: model === '' ? asked : model,
    usage: {
      promptTokens: usage?.prompt_tokens ?? null,
      completionTokens: usage?.completion_tokens ?? null,
    },
    raw: body as JsonObject,
  };
}

/** A part of a streamed completion. */
const part = z.object({
  model: z.string().optional().catch(undefined),
  choices: z
    .array(
      z.object({
        finish_reason: z.string().nullish(),
        delta: z
          .object({
            content: z.string().nullish(),
            tool_calls: z
              .array(
                z.object({
                  index: z.int().nonnegative(),
                  function: z
                    .object({ name: z.string().nullish(), arguments: z.string().nullish() })
                    .nullish(),
                }),
              )
              .nullish(),
          })
          .nullish(),
      }),
    )
    .catch([]),
  usage: z.object({ prompt_tokens: count, completion_tokens: count }).nullish().catch(null),
});

/** Puts a streamed completion together, as it would have come in one piece. */
export class CompletionParts {
  #model = '';
  #content = '';
  #finish: string | null = null;
  #usage: JsonValue = null;
  readonly #calls = new Map<number, { name: string; arguments: string }>();

  /** @returns whether it was a part of a completion */
  add(chunk: unknown): boolean {
    const parsed = part.safeParse(chunk);
    if (!parsed.success) return false;
    const { model, choices, usage } = parsed.data;
    this.#model = model ?? this.#model;
    if (usage)
      this.#usage = {
        prompt_tokens: usage.prompt_tokens ?? null,
        completion_tokens: usage.completion_tokens ?? null,
      };
    const [choice] = choices;
    this.#content += choice?.delta?.content ?? '';
    this.#finish = choice?.finish_reason ?? this.#finish;
    for (const { index, function: some } of choice?.delta?.tool_calls ?? []) {
      const call = this.#calls.get(index) ?? { name: '', arguments: '' };
      call.name += some?.name ?? '';
      call.arguments += some?.arguments ?? '';
      this.#calls.set(index, call);
    }
    return true;
  }

  /** The completion; null while no part has said how it ended. */
  whole(): JsonObject | null {
    if (this.#finish === null) return null;
    return {
      model: this.#model,
      choices: [
        {
          finish_reason: this.#finish,
          message: {
            role: 'assistant',
            content: this.#content,
            tool_calls: [...this.#calls.values()].map((call) => ({ type: 'function', function: call })),
          },
        },
      ],
      usage: this.#usage,
    };
  }
}
