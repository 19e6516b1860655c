// node bench/ours.ts REQUEST: one measurement through the façade, in a process of its own so that its peak memory is its own. REQUEST is an
// OursRequest in JSON; the answer is one line of JSON.
import { readFileSync, writeFileSync } from 'node:fs';
import { diff, Model, type ModelSpec, NativeError } from '../src/index.ts';
import { readSafetensors, tokenRows } from '../test/harness/safetensors.ts';
import type { Pair } from './pair.ts';

export interface OursRequest extends Pair {
  /** How many of the first texts; all by default. */
  limit?: number | undefined;
  threads?: number | undefined;
  dtype?: 'float32' | 'bfloat16' | undefined;
  /** null: the models are opened and nothing is measured. */
  layer: number | null;
  memoryBudget?: number | undefined;
  /** Where mean_diff goes, raw float32. */
  out?: string | undefined;
}

export interface OursAnswer {
  spec: ModelSpec;
  /** Largest resident set until the models were open, in bytes, and the resident set at that time. */
  openedBytes: number;
  restingBytes: number;
  measured: null | {
    seconds: number;
    cpuSeconds: number;
    /** Largest resident set while it ran, in bytes. */
    peakBytes: number;
    uniquePrefixes: number;
    waves: number;
  };
  /** The least memory budget, when the one asked for was refused. */
  leastBudget: number | null;
}

/** Largest resident set of this process since its start, or since `forgetPeak`, in bytes. */
function peakBytes(): number {
  try {
    return Number(/^VmHWM:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
  } catch {
    return process.resourceUsage().maxRSS * 1024; // where there is no /proc
  }
}

function forgetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // Where the system cannot do that, the peak of opening stays, far below that of measuring.
  }
}

async function measure(request: OursRequest): Promise<OursAnswer> {
  const tokens = tokenRows(readSafetensors(request.tokens).get('input_ids')).slice(0, request.limit);
  const { threads, dtype, layer, memoryBudget } = request;
  const options = { threads, dtype };
  const base = await Model.open(request.base, options);
  const finetuned = await Model.open(request.finetuned, { ...options, adapter: request.adapter });
  const openedBytes = peakBytes();
  forgetPeak();
  const opened = { spec: base.spec, openedBytes, restingBytes: peakBytes() };
  if (layer === null) return { ...opened, measured: null, leastBudget: null };

  const [begin, cpuBegin] = [performance.now(), process.cpuUsage()];
  try {
    const result = await diff(base, finetuned, tokens, { layers: [layer], memoryBudget });
    const seconds = (performance.now() - begin) / 1e3;
    const { user, system } = process.cpuUsage(cpuBegin);
    const measured = {
      seconds,
      cpuSeconds: (user + system) / 1e6,
      peakBytes: peakBytes(),
      uniquePrefixes: result.uniquePrefixes,
      waves: result.certificate.waves,
    };
    if (request.out !== undefined) writeFileSync(request.out, result.meanDiff);
    return { ...opened, measured, leastBudget: null };
  } catch (error) {
    if (!(error instanceof NativeError && error.code === 'OUT_OF_MEMORY' && memoryBudget)) throw error;
    return { ...opened, measured: null, leastBudget: Number(error.details['expected']) };
  }
}

const answer = await measure(JSON.parse(process.argv[2] ?? '') as OursRequest);
process.stdout.write(`${JSON.stringify(answer)}\n`);
