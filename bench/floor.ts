import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../src/lib/package-root.ts';
import type { ModelSpec } from '../src/index.ts';
import { benchFolder } from './folder.ts';
import { ask, BenchError, lastLines, run } from './run-child.ts';

/** Some matrix products of one shape, [rows, in] · [in, out]. */
export interface Product {
  in: number;
  out: number;
  times: number;
}

/** What has to be multiplied for both models up to and with block `layer`, in the order of a block. */
export function productsOf(spec: ModelSpec, layer: number, adapter: string | undefined): Product[] {
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
    const product = { in: inputs, out: outputs, times: 2 * (layer + 1) };
    if (!lora?.target_modules.includes(role)) return [product];
    // Of the finetune alone: x A, then (x A) B.
    const low = [
      { in: inputs, out: lora.r, times: layer + 1 },
      { in: lora.r, out: outputs, times: layer + 1 },
    ];
    return [product, ...low];
  });
}

function readLora(adapter: string): { r: number; target_modules: string[] } {
  const file = join(adapter, 'adapter_config.json');
  const config = JSON.parse(readFileSync(file, 'utf8')) as { r: number; target_modules: string[] };
  if (!Array.isArray(config.target_modules)) {
    throw new BenchError(`${file}: target_modules must be a list of names, for the bench to count products`);
  }
  return config;
}

/** Floating-point operations of the products over so many rows; a multiplication and an addition are two. */
export const operations = (products: readonly Product[], rows: number): number =>
  2 * rows * products.reduce((sum, product) => sum + product.in * product.out * product.times, 0);

export interface FloorAnswer {
  seconds: number;
  cpuSeconds: number;
  backend: string;
}

/** Builds bench/native/matmul_floor.cpp, or what has changed since. @returns a way to run it */
export async function buildFloor(): Promise<
  (products: readonly Product[], rows: number, threads: number) => Promise<FloorAnswer>
> {
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
    ['--build', folder, '--target', 'matmul_floor', '--parallel'],
  ]) {
    const { code, stdout, stderr } = await run('cmake', args);
    if (code !== 0)
      throw new BenchError(`cmake ${args.join(' ')} failed:\n${lastLines(stdout + stderr, 20)}`);
  }
  return (products, rows, threads) =>
    ask(
      join(folder, 'matmul_floor'),
      [String(rows), String(threads), ...products.map((p) => `${p.in}x${p.out}x${p.times}`)],
      { OMP_WAIT_POLICY: process.env['OMP_WAIT_POLICY'] ?? 'passive' }, // as the façade sets it for the engine
    );
}
