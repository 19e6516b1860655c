// node agent-process.ts <store> <base URL> <moment>: an agent that ends as by kill -9 at that moment.
import { type Moment, runStoredAgent } from './stored-agent.ts';

const [file = '', baseUrl = '', moment = ''] = process.argv.slice(2);
await runStoredAgent(file, baseUrl, moment as Moment, () => process.kill(process.pid, 'SIGKILL'));
