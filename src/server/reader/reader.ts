import { type ChildProcess, fork } from 'node:child_process';
import { siblingModule } from '../../lib/sibling-module.ts';
import type { ReaderAnswer, ReaderRequest } from './protocol.ts';
import { Waiting } from './waiting.ts';

export interface ReaderOptions {
  /** The store's file, which the reader opens itself. */
  storeFile: string;
  /** Work on an answer that takes longer ends without one. As long may a query wait for its turn. */
  timeoutMs: number;
  /** How far the process stands back where a core must be shared: 0 to 19. */
  niceness?: number;
  /** Queries that may wait, of all clients and of one. */
  mostWaiting?: { ofAll: number; ofClient: number };
  /** A reader that has had nothing to do for so long is ended. */
  idleMs?: number;
  /** How long work goes on for which nobody waits any more. */
  graceMs?: number;
  /** Module that the process runs; another one in tests. */
  entry?: string;
}

/** Why there is no answer: it took too long, too many were before it, or the process cannot be kept alive. */
export type NoAnswer = 'TIMEOUT' | 'BUSY' | 'FAILED';

export interface Reader {
  /** Answers one query after the other, clients in turn; `signal` is aborted when nobody waits for this one any more. */
  ask(request: ReaderRequest, client: string, signal?: AbortSignal): Promise<ReaderAnswer | NoAnswer>;
  /** Process id; undefined while there is no process. */
  pid(): number | undefined;
  stop(): void;
}

interface Task {
  request: ReaderRequest;
  /** Ends its patience while it waits, then its time. */
  timer: NodeJS.Timeout;
  /** A reader that dies over a query is replaced once. */
  attempts: number;
  late: boolean;
  end(answer: ReaderAnswer | NoAnswer): void;
}

const mostAttempts = 2;

/**
 * A process that answers the dear queries, so that the cheap ones need not wait for them: SQLite and graphql-js hold the thread they
 * run on until they are done, and neither can be interrupted but by killing its process. It is started when first needed.
 */
export function createReader({
  storeFile,
  timeoutMs,
  niceness = 0,
  mostWaiting = { ofAll: 32, ofClient: 8 },
  idleMs = 300_000,
  graceMs = 1_000,
  entry = siblingModule(import.meta.url, 'reader-main'),
}: ReaderOptions): Reader {
  const waiting = new Waiting<Task>(mostWaiting);
  let child: ChildProcess | undefined;
  let current: Task | undefined;
  let idle: NodeJS.Timeout | undefined;
  let stopped = false;

  function start(): ChildProcess {
    const started = fork(entry, [storeFile, String(niceness)], {
      execArgv: [],
      serialization: 'advanced', // answers are bytes
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    started.unref();
    started.channel?.unref();
    started.on('message', (answer) => {
      if (child === started) end(answer as ReaderAnswer); // never another query's
    });
    started.on('error', () => gone(started));
    started.on('exit', () => gone(started));
    return started;
  }

  function next(): void {
    if (current) return;
    const task = waiting.shift();
    if (!task) {
      idle = setTimeout(() => child?.kill('SIGKILL'), idleMs).unref();
      return;
    }
    clearTimeout(idle);
    current = task;
    clearTimeout(task.timer);
    task.timer = setTimeout(() => giveUp(task), timeoutMs);
    send(task);
  }

  /** Ends the work on what is being answered. */
  function giveUp(task: Task): void {
    task.late = true;
    if (child) child.kill('SIGKILL');
    else end('TIMEOUT');
  }

  function send(task: Task): void {
    task.attempts++;
    child ??= start();
    child.send(task.request, () => undefined); // where it cannot be sent, the process is gone, which is told below
  }

  function end(answer: ReaderAnswer | NoAnswer): void {
    const task = current;
    current = undefined;
    task?.end(answer);
    next();
  }

  function gone(former: ChildProcess): void {
    if (child !== former) return;
    child = undefined;
    if (!current) return;
    if (current.late) return end('TIMEOUT');
    if (stopped || current.attempts >= mostAttempts) return end('FAILED');
    send(current);
  }

  return {
    ask: (request, client, signal) =>
      new Promise((resolve) => {
        if (stopped) return resolve('FAILED');
        const leave = () => {
          if (waiting.delete(client, task)) task.end('BUSY');
        };
        // What is nearly answered is not worth a new process.
        const abandon = () => {
          leave();
          if (current !== task) return;
          clearTimeout(task.timer);
          task.timer = setTimeout(() => giveUp(task), graceMs);
        };
        const task: Task = {
          request,
          timer: setTimeout(leave, timeoutMs),
          attempts: 0,
          late: false,
          end(answer) {
            clearTimeout(task.timer);
            signal?.removeEventListener('abort', abandon);
            resolve(answer);
          },
        };
        if (!waiting.push(client, task)) return task.end('BUSY');
        signal?.addEventListener('abort', abandon);
        next();
      }),
    pid: () => child?.pid,
    stop() {
      stopped = true;
      for (let task = waiting.shift(); task; task = waiting.shift()) task.end('FAILED');
      child?.kill('SIGKILL');
    },
  };
}
