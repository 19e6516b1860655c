import { type ChildProcess, fork } from 'node:child_process';
import { siblingModule } from '../../lib/sibling-module.ts';
import type { ReaderAnswer, ReaderRequest } from './protocol.ts';

export interface ReaderOptions {
  /** The store's file, which the reader opens itself. */
  storeFile: string;
  /** An answer that takes longer, waiting included, is none. */
  timeoutMs: number;
  /** Queries that may wait for the one before them. */
  mostWaiting?: number;
  /** A reader that has had nothing to do for so long is ended. */
  idleMs?: number;
  /** Module that the process runs; another one in tests. */
  entry?: string;
}

/** Why there is no answer: it took too long, too many wait before it, or the process cannot be kept alive. */
export type NoAnswer = 'TIMEOUT' | 'BUSY' | 'FAILED';

export interface Reader {
  /** Answers one query after the other; `signal` is aborted when nobody waits for this one any more. */
  ask(request: ReaderRequest, signal?: AbortSignal): Promise<ReaderAnswer | NoAnswer>;
  /** Process id; undefined while there is no process. */
  pid(): number | undefined;
  stop(): void;
}

interface Task {
  request: ReaderRequest;
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
  mostWaiting = 16,
  idleMs = 300_000,
  entry = siblingModule(import.meta.url, 'reader-main'),
}: ReaderOptions): Reader {
  const waiting: Task[] = [];
  let child: ChildProcess | undefined;
  let current: Task | undefined;
  let idle: NodeJS.Timeout | undefined;
  let stopped = false;

  function start(): ChildProcess {
    const started = fork(entry, [storeFile], {
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
    current = waiting.shift();
    if (!current) {
      idle = setTimeout(() => child?.kill('SIGKILL'), idleMs).unref();
      return;
    }
    clearTimeout(idle);
    current.attempts++;
    child ??= start();
    child.send(current.request, () => undefined); // where it cannot be sent, the process is gone, which is told below
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
    waiting.unshift(current);
    current = undefined;
    next();
  }

  return {
    ask: (request, signal) =>
      new Promise((resolve) => {
        if (stopped || waiting.length >= mostWaiting) return resolve(stopped ? 'FAILED' : 'BUSY');
        const leave = () => {
          const place = waiting.indexOf(task);
          if (place < 0) return false;
          waiting.splice(place, 1);
          task.end('TIMEOUT');
          return true;
        };
        const timer = setTimeout(() => {
          task.late = true;
          if (!leave() && task === current) child?.kill('SIGKILL');
        }, timeoutMs);
        signal?.addEventListener('abort', leave); // one that is being answered is not worth a new process
        const task: Task = {
          request,
          attempts: 0,
          late: false,
          end(answer) {
            clearTimeout(timer);
            signal?.removeEventListener('abort', leave);
            resolve(answer);
          },
        };
        waiting.push(task);
        next();
      }),
    pid: () => child?.pid,
    stop() {
      stopped = true;
      for (const task of waiting.splice(0)) task.end('FAILED');
      child?.kill('SIGKILL');
    },
  };
}
