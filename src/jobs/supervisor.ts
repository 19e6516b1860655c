import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type JobLimits, jobLimits } from '../db/index.ts';
import { bootTime } from '../lib/boot-clock.ts';
import { siblingModule } from '../lib/sibling-module.ts';
import { type EngineProcessOptions, storeFailed } from './engine-process.ts';
import type { JobQueue } from './queue.ts';
import { withoutPaths } from './without-paths.ts';

export interface SupervisorOptions {
  queue: JobQueue;
  /** The store's file, which the engine opens itself. */
  storeFile: string;
  roots?: Readonly<Record<string, string>>;
  threads?: number | undefined;
  limits?: JobLimits;
  /** How often queue and engine are looked at. */
  pollMs?: number;
  /** An engine without work ends after so long. */
  idleMs?: number;
  /** Without a sign of life, or of progress where there was some, an engine hangs. */
  hangMs?: number;
  /** Between asking a hanging engine to end and ending it, and for one that stops with the server. */
  graceMs?: number;
  /** Wait before a dead engine's successor: doubled with each in a row that dies. */
  restartMs?: { least: number; most: number };
  log?: (line: string) => void;
}

export interface EngineStatus {
  state: 'idle' | 'running' | 'waiting' | 'stopped';
  /** The last engine died, and no other has worked since: jobs wait, reads go on. */
  degraded: boolean;
  /** Process id of the engine; null when there is none. */
  pid: number | null;
  /** Engines that died so far. */
  deaths: number;
  /** The last words of the last of them. */
  lastWords: string | null;
}

export interface Supervisor {
  status(): EngineStatus;
  /** Ends the engine; its job goes back into the queue. */
  stop(): Promise<void>;
}

/** Phases that tell no progress, such as reading files through, may take so many times longer. */
const silentPhases = 20;
const keptWords = 2000;

interface Engine {
  owner: string;
  child: ChildProcess;
  words: string;
  /** When it last said that it lives, and when its work last moved. */
  alive: number;
  moving: number;
  moved: number;
  counts: boolean;
  worked: boolean;
  hung: boolean;
  exited: Promise<unknown>;
}

/** Keeps an engine process while there are jobs, starts another when it dies, ends it when it hangs. */
export function supervise({
  queue,
  storeFile,
  roots = {},
  threads,
  limits = jobLimits,
  pollMs = 100,
  idleMs = 60_000,
  hangMs = 120_000,
  graceMs = 10_000,
  restartMs = { least: 200, most: 30_000 },
  log = () => undefined,
}: SupervisorOptions): Supervisor {
  const entry = siblingModule(import.meta.url, 'engine-main');
  let engine: Engine | undefined;
  let stopped = false;
  let deaths = 0;
  let inARow = 0;
  let notBefore = 0;
  let lastWords: string | null = null;
  const now = () => bootTime().ms;

  function start(): void {
    const owner = randomUUID();
    const options: EngineProcessOptions = {
      store: storeFile,
      owner,
      limits,
      roots: { ...roots },
      threads,
      pollMs,
      idleMs,
    };
    const child = fork(entry, [JSON.stringify(options)], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const started: Engine = {
      owner,
      child,
      words: '',
      alive: now(),
      moving: now(),
      moved: 0,
      counts: false,
      worked: false,
      hung: false,
      exited: once(child, 'exit').catch(() => undefined),
    };
    engine = started;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      started.words = (started.words + text).slice(-keptWords);
      for (const line of text.split('\n')) if (line !== '') log(`engine: ${line}`);
    });
    child.on('message', (beat: { moved: number; counts: boolean }) => {
      started.alive = now();
      started.worked ||= beat.moved > 0;
      if (started.worked) inARow = 0;
      if (beat.moved !== started.moved) started.moving = now();
      started.moved = beat.moved;
      started.counts = beat.counts;
    });
    child.on('error', (error) => (started.words = error.message));
    child.on('close', (code, signal) => void ended(started, code, signal));
  }

  async function ended(dead: Engine, code: number | null, signal: NodeJS.Signals | null): Promise<void> {
    if (engine === dead) engine = undefined;
    const well = (code === 0 && !dead.hung) || stopped;
    const innocent = well || code === storeFailed;
    if (!well) {
      deaths += 1;
      inARow += 1;
      const said = lastLine(dead.words) || (signal ? `ended by ${signal}` : `exit code ${code}`);
      lastWords = withoutPaths(said);
      notBefore = now() + Math.min(restartMs.most, restartMs.least * 2 ** (inARow - 1));
      log(`engine ${dead.child.pid} ${signal ? `was ended by ${signal}` : `ended with code ${code}`}`);
    }
    try {
      const said = well ? 'the engine was stopped' : (lastWords ?? '');
      await queue.abandon(dead.owner, innocent ? 'stopped' : 'crashed', said, limits);
    } catch (error) {
      log(`jobs of a dead engine wait for their lease: ${String(error)}`);
    }
  }

  function lookAt(running: Engine): void {
    if (running.hung) return;
    const silence = now() - running.alive;
    const standstill = running.worked || running.moved > 0 ? now() - running.moving : 0;
    const stands = running.moved > 0 && standstill > (running.counts ? hangMs : hangMs * silentPhases);
    if (silence <= hangMs && !stands) return;
    running.hung = true;
    running.words += `\nno ${stands ? 'progress' : 'sign of life'} for ${Math.round((stands ? standstill : silence) / 1000)} s\n`;
    log(`engine ${running.child.pid} hangs; it is ended`);
    void (async () => {
      // First its claim, so that it cannot give the job back as if nothing had been wrong.
      await queue.abandon(running.owner, 'hung', lastLine(running.words), limits);
      await end(running);
    })();
  }

  async function end(running: Engine): Promise<void> {
    running.child.kill('SIGTERM');
    const impatient = setTimeout(() => running.child.kill('SIGKILL'), graceMs);
    await running.exited;
    clearTimeout(impatient);
  }

  const timer = setInterval(() => {
    if (engine) return lookAt(engine);
    if (now() < notBefore) return;
    void (async () => {
      try {
        if ((await queue.anyToClaim()) && !engine && !stopped) start();
      } catch (error) {
        log(`the queue cannot be read: ${String(error)}`);
      }
    })();
  }, pollMs);
  timer.unref();

  return {
    status: () => ({
      state: stopped ? 'stopped' : engine ? 'running' : now() < notBefore ? 'waiting' : 'idle',
      degraded: inARow > 0,
      pid: engine?.child.pid ?? null,
      deaths,
      lastWords,
    }),
    async stop() {
      stopped = true;
      clearInterval(timer);
      const running = engine;
      if (!running) return;
      const closed = once(running.child, 'close');
      await end(running);
      await closed;
      await queue.abandon(running.owner, 'stopped', 'the engine was stopped', limits);
    },
  };
}

const lastLine = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .at(-1)
    ?.slice(0, 300) ?? '';
