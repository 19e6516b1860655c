import { runAgent } from '../../src/agent/index.ts';
import { openStore } from '../../src/db/index.ts';
import { openAiCompatible } from '../../src/graders/providers/openai-compatible.ts';

/** When its nth reply, from 0, has been stored and not been used yet; when the message of this number has been; never. */
export type Moment = `put ${number}` | `message ${number}` | '';

/** An agent on the one organism of a store; `reach` is called when it comes to the moment. */
export async function runStoredAgent(
  file: string,
  baseUrl: string,
  moment: Moment = '',
  reach: () => void = () => undefined,
): Promise<void> {
  const [point, number] = [moment.split(' ')[0], Number(moment.split(' ')[1])];
  const store = openStore(file);
  let replies = 0;
  const watched: typeof store = {
    ...store,
    exchanges: {
      ...store.exchanges,
      put(exchange) {
        const stands = store.exchanges.put(exchange);
        if (point === 'put' && replies++ === number) reach();
        return stands;
      },
    },
  };
  const [organism] = store.organisms.all.page(null, {}, { first: 1 }).rows;
  const run = organism && store.runs.latestOfOrganism(organism);
  if (!organism || !run) throw new Error('no organism with a run');
  await runAgent(watched, organism, {
    run,
    provider: openAiCompatible({ baseUrl, model: 'agent', key: null, loopback: true }),
    models: () => ({
      ask: (prompts) => Promise.resolve({ base: [...prompts], finetuned: [...prompts] }),
      steer: (prompts) => Promise.resolve([...prompts]),
      close: () => Promise.resolve(),
    }),
    onMessage: (message) => {
      if (point === 'message' && message.number === number) reach();
    },
  });
  store.close();
}
