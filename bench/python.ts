import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { benchFolder } from './folder.ts';
import { ask, BenchError, lastLines, run, say } from './run-child.ts';

const packages = ['torch', 'transformers', 'peft', 'safetensors'];

/**
 * A Python that has transformers: the one given, or one in build/bench/venv, made by `python3 -m venv` and `pip install` where it is
 * missing. A Python that was given is never installed into.
 */
export async function transformersPython(given: string | undefined): Promise<string> {
  if (given !== undefined) {
    const missing = await whyUnfit(given);
    if (missing) throw new BenchError(`${given} cannot be used: ${missing}; it needs ${packages.join(', ')}`);
    return given;
  }
  const folder = join(benchFolder, 'venv');
  const python = join(folder, 'bin/python');
  if (existsSync(python) && !(await whyUnfit(python))) return python;

  mkdirSync(benchFolder, { recursive: true });
  say(`making ${folder} and installing ${packages.join(', ')} from PyPI (gigabytes on Linux; once)`);
  const log = join(benchFolder, 'pip.log');
  for (const [program, args] of [
    ['python3', ['-m', 'venv', folder]],
    [python, ['-m', 'pip', 'install', '--disable-pip-version-check', ...packages]],
  ] as const) {
    const { code, stdout, stderr } = await run(program, args);
    if (code === 0) continue;
    writeFileSync(log, stdout + stderr);
    throw new BenchError(
      `${[program, ...args].join(' ')} failed: ${lastLines(stderr || stdout, 1)} (all of it: ${log}). ` +
        'With --python, a Python that has them is used; with --no-transformers, none',
    );
  }
  const missing = await whyUnfit(python);
  if (missing) throw new BenchError(`${python} cannot be used although pip succeeded: ${missing}`);
  return python;
}

async function whyUnfit(python: string): Promise<string | undefined> {
  const { code, stderr } = await run(python, ['-c', packages.map((name) => `import ${name}`).join('\n')]);
  return code === 0 ? undefined : lastLines(stderr, 1);
}

/** Versions that numbers depend on. */
export const pythonVersions = (python: string): Promise<Record<string, string>> =>
  ask(python, ['-c', versions]);

const versions = `
import json, platform, re, peft, torch, transformers
onednn = re.search(r"MKL-DNN v([\\d.]+)", torch.__config__.show())
print(json.dumps({
  "Python": platform.python_version(),
  "torch": torch.__version__ + (f" with oneDNN {onednn[1]}" if onednn else ""),
  "transformers": transformers.__version__,
  "peft": peft.__version__,
}))`;
