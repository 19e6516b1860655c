import {
  openAiCompatible,
  type OpenAiCompatibleOptions,
} from '../../src/graders/providers/openai-compatible.ts';
import { ApiKey } from '../../src/graders/providers/api-key.ts';
import { type AgentOptions, type Models, runAgent } from '../../src/agent/index.ts';
import type { Store } from '../../src/db/index.ts';
import { chatServer, type Received, type Said } from './chat-server.ts';
import { instantClock } from './instant-clock.ts';
import { seedResults, seedVector } from './synthetic-results.ts';
import { temporaryStore } from './temporary-store.ts';

/** Models that say what they were asked. */
export function echoes(change: Partial<Models> = {}): Models & { asked: string[][] } {
  const asked: string[][] = [];
  return {
    asked,
    ask(prompts) {
      asked.push([...prompts]);
      return Promise.resolve({
        base: prompts.map((prompt) => `base of ${prompt}`),
        finetuned: prompts.map((prompt) => `finetuned of ${prompt}`),
      });
    },
    steer(prompts, { strength }) {
      asked.push([...prompts]);
      return Promise.resolve(prompts.map((prompt) => `${prompt} at ${strength}`));
    },
    close: () => Promise.resolve(),
    ...change,
  };
}

/** A store with a run that was read and steered, and an agent whose provider is a scripted server. */
export async function agentBench(
  script: Parameters<typeof chatServer>[0],
  { store = temporaryStore(), ...provider }: Partial<OpenAiCompatibleOptions> & { store?: Store } = {},
) {
  const vector = seedVector(store);
  seedResults(store, vector);
  const { run } = vector.layer;
  const organism = store.organisms.getById(run.organismId);
  const server = await chatServer(script);
  const asked = {
    baseUrl: server.url,
    model: 'agent',
    key: new ApiKey('sk-of-no-account'),
    loopback: true,
    ...provider,
  };
  const start = (options: Partial<AgentOptions> = {}) =>
    runAgent(store, organism, {
      run,
      provider: openAiCompatible(asked),
      models: () => echoes(),
      clock: instantClock(),
      random: () => 1,
      ...options,
    });
  const transcript = () => {
    const [agentRun] = store.agentRuns.all.page(null, {}, { first: 1 }).rows;
    return agentRun ? store.agentMessages.after(agentRun, -1) : [];
  };
  return { store, run, organism, server, start, transcript };
}

export const calling = (name: string, given: object | string): Said => ({
  calls: [{ name, arguments: typeof given === 'string' ? given : JSON.stringify(given) }],
});
export const answering = (answer = 'Cakes.'): Said =>
  calling('give_answer', { answer, confidence: 0.5, inconclusive: false });

/** The JSON that a message of ours hands over. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- expectations say what is in it
export function handed(content: string): any {
  const lines = content.split('\n');
  if (lines[0] !== lines.at(-1)) throw new Error('the material is not between two equal lines');
  return JSON.parse(lines.slice(1, -1).join('\n'));
}
export const lastHanded = ({ body }: Received) => handed(body.messages.at(-1)!.content);
