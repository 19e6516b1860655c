import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { basename } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';

/** Something that stops a bench, told in one line. */
export class BenchError extends Error {}

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end and keeps its output. */
export async function run(
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Ended> {
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = () => child.kill();
  process.once('exit', stop); // a bench that is interrupted leaves nothing running
  try {
    const [stdout, stderr, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null]>,
    ]);
    return { code, stdout, stderr };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new BenchError(`${program} does not start: ${why}`, { cause: error });
  } finally {
    process.off('exit', stop);
  }
}

/** What a measuring program says in its last line of output, which is JSON. */
export async function ask<T>(
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<T> {
  const { code, stdout, stderr } = await run(program, args, env);
  if (code !== 0) {
    const name = [program, ...args.slice(0, 1)].map((part) => basename(part)).join(' ');
    throw new BenchError(`${name} failed (${String(code)}): ${lastLines(stderr)}`);
  }
  return JSON.parse(lastLines(stdout, 1)) as T;
}

export const lastLines = (output: string, count = 3): string =>
  output.trimEnd().split('\n').slice(-count).join('\n');

/** A line about how far a bench is; its result alone goes to stdout. */
export const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Runs a bench from the command line. What stops it is told in a line, not with a stack. */
export async function runBench(program: Command): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    if (!(error instanceof BenchError)) throw error;
    say(`bench: ${error.message}`);
    process.exitCode = 1;
  }
}
