import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../src/lib/package-root.ts';
import type { ModelSpec } from '../src/index.ts';
import type { Dtype, Measurement } from './contenders.ts';
import { benchFolder } from './folder.ts';
import { ask, BenchError, lastLines, run } from './run-child.ts';

/** Some matrix products of one shape, [rows, in] · [in, out]. */
export interface Product {
  dtype: Dtype;
  in: number;
  out: number;
  times: number;
}

/** Families whose blocks have the products counted here: q, k, v, o and a gated MLP. */
const counted = ['llama', 'mistral', 'qwen2', 'qwen3', 'gemma2', 'gemma3', 'phi3', 'olmo2'];

/** What has to be multiplied for both models up to and with block `layer`, in the order of a block. */
export function productsOf(
  spec: ModelSpec,
  layer: number,
  adapter: string | undefined,
  dtype: Dtype,
): Product[] {
  if (!counted.includes(spec.family)) {
    throw new BenchError(
      `the products of ${spec.family} cannot be counted; of ${counted.join(', ')} they can`,
    );
  }
  const { dModel, dMlp, heads, kvHeads, headDim } = spec;
  const roles: Record<string, [number, number]> = {
    q_proj: [dModel, heads * headDim],
    k_proj: [dModel, kvHeads * headDim],
    v_proj: [dModel, kvHeads * headDim],
    o_proj: [heads * headDim, dModel],
    gate_proj: [dModel, dMlp],
    up_proj: [dModel, dMlp],
    down_proj: [dMlp, dModel],
  };
  const lora = adapter === undefined ? undefined : readLora(adapter);
  return Object.entries(roles).flatMap(([role, [inputs, outputs]]) => {
    const product = { dtype, in: inputs, out: outputs, times: 2 * (layer + 1) };
    if (!lora?.target_modules.includes(role)) return [product];
    // Of the finetune alone, and always in float32: x A, then (x A) B.
    const low: Omit<Product, 'in' | 'out'> = { dtype: 'float32', times: layer + 1 };
    return [product, { ...low, in: inputs, out: lora.r }, { ...low, in: lora.r, out: outputs }];
  });
}

/** The adapter of a made model: one rank, everywhere. */
function readLora(adapter: string): { r: number; target_modules: string[] } {
  const file = join(adapter, 'adapter_config.json');
  const { r, target_modules, rank_pattern, layers_to_transform } = JSON.parse(readFileSync(file, 'utf8')) as {
    r: number;
    target_modules: unknown;
    rank_pattern?: object | null;
    layers_to_transform?: unknown;
  };
  const isUniform = Object.keys(rank_pattern ?? {}).length === 0 && (layers_to_transform ?? null) === null;
  if (Array.isArray(target_modules) && isUniform) return { r, target_modules: target_modules as string[] };
  throw new BenchError(`${file}: products are counted for one rank in all layers and modules listed by name`);
}

/** Floating-point operations of the products over so many rows; a multiplication and an addition are two. */
export const operations = (products: readonly Product[], rows: number): number =>
  2 * rows * products.reduce((sum, product) => sum + product.in * product.out * product.times, 0);

/** Builds a program of bench/native, or what has changed since. @returns its path */
export async function buildNative(target: string): Promise<string> {
  const folder = join(benchFolder, 'native');
  const configured = existsSync(join(folder, 'CMakeCache.txt'));
  const ninja = (await run('sh', ['-c', 'command -v ninja'])).code === 0;
  for (const args of [
    [
      '-S',
      packageRoot(),
      '-B',
      folder,
      '-DCMAKE_BUILD_TYPE=Release',
      '-DDELTASCOPE_TESTS=OFF',
      '-DDELTASCOPE_BENCH=ON',
      ...(ninja && !configured ? ['-G', 'Ninja'] : []),
    ],
    ['--build', folder, '--target', target, '--parallel'],
  ]) {
    const { code, stdout, stderr } = await run('cmake', args);
    if (code !== 0)
      throw new BenchError(`cmake ${args.join(' ')} failed:\n${lastLines(stdout + stderr, 20)}`);
  }
  return join(folder, target);
}

/** As the façade sets it for the engine. */
const environment = () => ({ OMP_WAIT_POLICY: process.env['OMP_WAIT_POLICY'] ?? 'passive' });

/** Builds bench/native/matmul_floor.cpp. @returns a way to run it */
export async function buildFloor(): Promise<
  (products: readonly Product[], rows: number, threads: number) => Promise<Measurement>
> {
  const program = await buildNative('matmul_floor');
  return (products, rows, threads) =>
    ask(
      program,
      [String(rows), String(threads), ...products.map((p) => `${p.dtype}:${p.in}x${p.out}x${p.times}`)],
      environment(),
    );
}

/** Builds bench/native/read_floor.cpp. @returns a way to run it: seconds to read so many bytes, once a round */
export async function buildReadFloor(): Promise<
  (bytes: number, threads: number, rounds: number) => Promise<number[]>
> {
  const program = await buildNative('read_floor');
  return async (bytes, threads, rounds) => {
    const { seconds } = await ask<{ seconds: number[] }>(
      program,
      [String(bytes), String(threads), String(rounds)],
      environment(),
    );
    return seconds;
  };
}
