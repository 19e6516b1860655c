import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import autocannon from 'autocannon';
import { BenchError, run } from '../run-child.ts';

const has = (program: string): boolean => spawnSync('which', [program]).status === 0;
const [pins, wrk] = [has('taskset'), has('wrk')];

/** What makes the load, for the report. */
export const generator = `${wrk ? 'wrk' : 'autocannon'}${pins ? ', servers on core 0, load on core 1' : ''}`;

/** A command on one core, where the system can pin it. */
const pinned = (core: number, command: string[]): [string, string[]] => {
  const [program = '', ...args] = pins ? ['taskset', '-c', String(core), ...command] : command;
  return [program, args];
};

export interface Server {
  port: number;
  stop(): void;
}

/** Starts a server that prints its port; it ends with this process. */
export async function startServer(command: string[]): Promise<Server> {
  const [program, args] = pinned(0, command);
  const child: ChildProcess = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const stop = () => void child.kill('SIGKILL');
  process.once('exit', stop);
  if (!child.stdout) throw new BenchError('a server has no output');
  const first = once(createInterface(child.stdout), 'line') as Promise<[string]>;
  const ended = once(child, 'exit').then(() => {
    throw new BenchError(`${command.slice(0, 3).join(' ')} ended before it listened`);
  });
  const [line] = await Promise.race([first, ended]);
  ended.catch(() => undefined);
  return { port: Number(line), stop };
}

export interface Requests {
  method: 'GET' | 'POST';
  paths: string[];
  body?: string;
}

/** Answers a second on so many connections, each asking for the paths in turn. @throws BenchError where one was no 200 */
export async function rate(
  folder: string,
  port: number,
  { method, paths, body }: Requests,
  connections: number,
  seconds: number,
): Promise<number> {
  const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
  if (!wrk) {
    const result = await autocannon({
      url: `http://127.0.0.1:${port}`,
      connections,
      duration: seconds,
      requests: paths.map((path) => ({ method, path, headers, ...(body === undefined ? {} : { body }) })),
    });
    if (result.errors + result.non2xx > 0) throw new BenchError(`${result.non2xx} answers were no 200`);
    return result.requests.total / result.duration;
  }
  const script = join(folder, 'load.lua');
  const literal = (text: string) => `"${text.replaceAll(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`;
  writeFileSync(
    script,
    `local requests, at = {}, 0
init = function()
  for i, path in ipairs({${paths.map(literal).join(',')}}) do
    requests[i] = wrk.format("${method}", path, {["Content-Type"] = ${body === undefined ? 'nil' : '"application/json"'}}, ${body === undefined ? 'nil' : literal(body)})
  end
end
request = function() at = at % #requests + 1; return requests[at] end
done = function(summary)
  local e = summary.errors
  print("RESULT " .. summary.requests / (summary.duration / 1e6) .. " " .. e.connect + e.read + e.write + e.status + e.timeout)
end
`,
  );
  const [program, args] = pinned(1, [
    'wrk',
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '-s',
    script,
    `http://127.0.0.1:${port}/`,
  ]);
  const { stdout, stderr } = await run(program, args);
  const [, perSecond, errors] = /RESULT (\S+) (\S+)/.exec(stdout) ?? [];
  if (perSecond === undefined) throw new BenchError(`wrk said nothing: ${stderr}${stdout}`);
  if (errors !== '0') throw new BenchError(`${errors} answers of ${paths[0]} were no 200`);
  return Number(perSecond);
}

/** Asks one request after another on one connection. */
export class Client {
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(port: number) {
    this.#port = port;
  }

  /** Milliseconds until the whole answer was there. @throws BenchError for one that is no 200 */
  async post(path: string, body: string): Promise<number> {
    const begun = performance.now();
    const sent = httpRequest({
      port: this.#port,
      host: '127.0.0.1',
      agent: this.#agent,
      method: 'POST',
      path,
      headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) },
    });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const text = [];
    for await (const chunk of response) text.push(chunk as Buffer);
    const taken = performance.now() - begun;
    const answer = Buffer.concat(text).toString();
    if (response.statusCode !== 200 || answer.startsWith('{"errors"'))
      throw new BenchError(`${path} answered ${response.statusCode}: ${answer.slice(0, 200)}`);
    return taken;
  }

  close(): void {
    this.#agent.destroy();
  }
}
