import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Model } from '../../native/index.ts';
import { encodeChats } from '../../tokenizer/index.ts';
import type { Message, Provider } from '../chat.ts';
import { ProviderError } from '../provider-error.ts';

export interface LocalModelOptions {
  /** What it is called, as "qwen3-1.7b". */
  name: string;
  /** SHA-256 of its files: another checkpoint is another judge. */
  digest: string;
}

/**
 * A checkpoint in our own engine as the judge: greedy, so that it says the same of the same always, and in its chat template where it has
 * one. Templates differ in whether they know a system's turn, so the instructions stand at the head of the user's.
 */
export function localModel(model: Model, { name, digest }: LocalModelOptions): Provider {
  const turns = (messages: readonly Message[]): Message[] => {
    const system = messages.filter(({ role }) => role === 'system').map(({ content }) => content);
    const others = messages.filter(({ role }) => role !== 'system');
    const [first, ...rest] = others;
    return [{ role: 'user', content: [...system, first?.content ?? ''].join('\n\n') }, ...rest];
  };
  const context = contextOf(model.folder);
  return {
    name: 'local',
    endpoint: digest,
    model: `local:${name}`,
    callsFunctions: false,
    deterministic: true,
    charges: false,
    body: ({ messages, maxTokens }) => ({
      model: `local:${name}`,
      messages: turns(messages).map(({ role, content }) => ({ role, content })),
      max_tokens: maxTokens,
      temperature: 0,
    }),
    async chat({ messages, maxTokens }, { signal }) {
      const [ids = []] = await encodeChats(model.folder, model.tokenizer, [turns(messages)]);
      const room = context - ids.length;
      if (room < 1)
        throw new ProviderError(
          'PROVIDER_REFUSED',
          `the request has ${ids.length} tokens; ${name} takes ${context}, its reply included`,
          { retryable: false, mayCost: false },
        );
      const [generation] = await model.generate([ids], {
        maxNewTokens: Math.min(maxTokens, room),
        temperature: 0,
        repetitionPenalty: 1,
        signal,
      });
      if (!generation) throw new Error('the engine returned too few texts');
      const { finish, settings } = generation;
      const said = finish === 'STOP' ? generation.ids.slice(0, -1) : generation.ids;
      return {
        text: model.tokenizer.decode(said),
        calls: [],
        finish: finish === 'STOP' ? 'stop' : 'length',
        model: `local:${name}`,
        usage: { promptTokens: ids.length, completionTokens: generation.ids.length },
        raw: { ids: generation.ids, finish, settings: { ...settings } },
      };
    },
  };
}

const config = z.object({
  max_position_embeddings: z.int().positive().optional(),
  text_config: z.object({ max_position_embeddings: z.int().positive().optional() }).optional(),
});

/** Tokens of the longest text that a checkpoint was made for; without limit where it does not say. */
function contextOf(folder: string): number {
  const parsed = config.safeParse(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')));
  return (
    parsed.data?.max_position_embeddings ?? parsed.data?.text_config?.max_position_embeddings ?? Infinity
  );
}
