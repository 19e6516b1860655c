// node agent-process.ts <store> <base URL> <kill>: an agent on the one organism of a store. `kill`: "put 1" ends the process as kill -9 does
// when its second reply has been stored and not been used yet, "message 3" when message 3 has been; "" never.
import { openStore } from '../../src/db/index.ts';
import { runAgent } from '../../src/agent/index.ts';
import { openAiCompatible } from '../../src/graders/index.ts';

const [file = '', baseUrl = '', kill = ''] = process.argv.slice(2);
const [point, number] = [kill.split(' ')[0], Number(kill.split(' ')[1])];
const die = () => process.kill(process.pid, 'SIGKILL');

const store = openStore(file);
let replies = 0;
const watched: typeof store = {
  ...store,
  exchanges: {
    ...store.exchanges,
    put(exchange) {
      store.exchanges.put(exchange);
      if (point === 'put' && replies++ === number) die();
    },
  },
};
const [organism] = store.organisms.all.page(null, {}, { first: 1 }).rows;
const run = organism && store.runs.latestOfOrganism(organism);
if (!organism || !run) throw new Error('no organism with a run');
const { agentRun } = await runAgent(watched, organism, {
  run,
  provider: openAiCompatible({ baseUrl, model: 'agent', key: null, loopback: true }),
  models: () => ({
    ask: (prompts) => Promise.resolve({ base: [...prompts], finetuned: [...prompts] }),
    steer: (prompts) => Promise.resolve([...prompts]),
    close: () => Promise.resolve(),
  }),
  onMessage: (message) => {
    if (point === 'message' && message.number === number) die();
  },
});
process.stdout.write(agentRun.state);
store.close();
