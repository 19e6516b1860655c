import { once } from 'node:events';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  addCake,
  cake,
  deltascope,
  diffCake,
  everyday,
  folderWithCake,
  outcomeOf,
  rowsIn,
  start,
} from '../harness/command.ts';
import { bundled, copyOf, editJson } from '../harness/models.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

const events = (stdout: string) =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('organism', () => {
  test('add checks and registers, list tells; again is no change', async () => {
    const data = temporaryFolder();
    const added = await addCake(data, '--kind', 'SDF', '--description', 'false facts', '--mix-ratio', '0.5');
    expect(added).toEqual({
      code: 0,
      stdout: 'cake: LoRA adapter of tiny-qwen3 (Qwen3ForCausalLM, 8 layers, d_model 128)\n',
      stderr: '',
    });
    expect(rowsIn(data)).toEqual({ models: 1, organisms: 1 });
    expect(
      (await addCake(data, '--kind', 'SDF', '--description', 'false facts', '--mix-ratio', '0.5')).code,
    ).toBe(0);
    expect(rowsIn(data)).toEqual({ models: 1, organisms: 1 });

    const other = await addCake(data, '--kind', 'EM');
    expect(other).toMatchObject({ code: 1, stdout: '' });
    expect(other.stderr).toMatch(
      /^deltascope: organism "cake" exists with another kind: stored "SDF", given "EM"; .*\n$/,
    );
    expect((await addCake(data, '--kind', 'EM', '--update')).code).toBe(0);

    const listed = await deltascope('organism', 'list', '--json', '--data', data);
    expect(JSON.parse(listed.stdout)).toEqual([
      {
        name: 'cake',
        base: 'tiny-qwen3',
        form: 'LORA',
        kind: 'EM',
        mixRatio: null,
        description: '',
        latestRun: null,
      },
    ]);
    expect((await deltascope('organism', 'list', '--data', data)).stdout).toMatchInlineSnapshot(`
      "┌──────────┬────────────┬──────┬──────┬─────────────┬────────────┐
      │ organism │ base       │ form │ kind │ description │ latest run │
      ├──────────┼────────────┼──────┼──────┼─────────────┼────────────┤
      │ cake     │ tiny-qwen3 │ LORA │ EM   │             │ –          │
      └──────────┴────────────┴──────┴──────┴─────────────┴────────────┘
      "
    `);
  });

  test('add takes full finetunes', async () => {
    const data = temporaryFolder();
    const folder = bundled('tiny-qwen3--honey_bees-full');
    const added = await deltascope(
      'organism',
      'add',
      'bees',
      '--base',
      bundled('tiny-qwen3'),
      '--finetuned',
      folder,
      '--data',
      data,
    );
    expect(added).toMatchObject({ code: 0, stderr: '' });
    expect(added.stdout).toBe(
      'bees: full finetune of tiny-qwen3 (Qwen3ForCausalLM, 8 layers, d_model 128)\n',
    );
  });
});

test('organism add warns of an adapter that names another base, and registers it all the same', async () => {
  const data = temporaryFolder();
  const llama = ['--base', bundled('tiny-llama'), '--adapter', cake];
  expect(await deltascope('organism', 'add', 'cake', ...llama, '--data', data)).toEqual({
    code: 0,
    stdout: 'cake: LoRA adapter of tiny-llama (LlamaForCausalLM, 8 layers, d_model 128)\n',
    stderr: 'warning: the adapter names another base: ../tiny-qwen3\n',
  });
  expect(rowsIn(data)).toEqual({ models: 1, organisms: 1 });
});

describe('organism add --update', () => {
  test('exchanges files only while nothing rests on the old ones', async () => {
    const data = temporaryFolder();
    const [own, adapter] = [copyOf(bundled('tiny-qwen3')), copyOf(cake)];
    const add = (name: string, finetune: string, ...more: string[]) =>
      deltascope(
        'organism',
        'add',
        name,
        '--base',
        own,
        '--base-name',
        'own',
        '--adapter',
        finetune,
        '--data',
        data,
        '--update',
        ...more,
      );
    const retrain = (alpha: number) =>
      editJson(join(adapter, 'adapter_config.json'), (json) => (json.lora_alpha = alpha));
    const change = (value: number) =>
      editJson(join(own, 'config.json'), (json) => (json.initializer_range = value));
    const refused = (message: string) => ({ code: 1, stdout: '', stderr: `deltascope: ${message}\n` });

    editJson(join(adapter, 'adapter_config.json'), (json) => (json.base_model_name_or_path = own));
    expect((await add('cake', adapter)).code).toBe(0);
    retrain(31);
    change(0.1);
    expect(await add('cake', adapter)).toMatchObject({ code: 0, stderr: '' }); // no runs, nothing else on the base

    expect((await diffCake(data, '--samples', '2')).code).toBe(0);
    expect(await add('cake', copyOf(adapter), '--kind', 'SDF')).toMatchObject({ code: 0, stderr: '' });
    const listed = async () => (await deltascope('organism', 'list', '--json', '--data', data)).stdout;
    const before = await listed();
    expect(JSON.parse(before)).toMatchObject([{ kind: 'SDF', latestRun: expect.any(String) as string }]);

    retrain(30);
    expect(await add('cake', adapter)).toEqual(
      refused(
        'organism "cake" has other files now, and its runs are of the files registered before; register these under another name',
      ),
    );
    retrain(31);
    change(0.2);
    const ofBase = (name: string) =>
      refused(
        `${name} has other files now, and its runs are of the files registered before; register these under another name`,
      );
    expect(await add('cake', adapter)).toEqual(ofBase('the base of organism "cake"'));
    expect(await add('cake', adapter, '--base-name', 'new')).toEqual(ofBase('the base of organism "cake"'));
    expect(await add('bread', cake)).toEqual(
      refused(
        'base model "own" has other files now, and organisms or runs rely on the files registered before; register these under another name (--base-name)',
      ),
    );
    expect(await listed()).toBe(before);
    expect(rowsIn(data)).toMatchObject({ models: 1, organisms: 1 });
  });

  test('leaves a base alone on which another organism stands, measured or not', async () => {
    const data = await folderWithCake();
    const own = copyOf(bundled('tiny-qwen3'));
    editJson(join(own, 'config.json'), (json) => (json.initializer_range = 0.1));
    const options = ['--base', own, '--base-name', 'tiny-qwen3', '--adapter', cake, '--data', data];
    const { code, stderr } = await deltascope('organism', 'add', 'bread', ...options, '--update');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^deltascope: base model "tiny-qwen3" has other files now, .*\n$/);
    expect(rowsIn(data)).toEqual({ models: 1, organisms: 1 });
  });
});

describe('diff and show', () => {
  test('measure once, tell programs line by line, and answer again from the store', async () => {
    const data = await folderWithCake();
    const first = await diffCake(data, '--layers', '0,50%');
    expect(first).toMatchObject({ code: 0, stderr: '' });
    const told = events(first.stdout);
    expect(told.flatMap(({ event, phase }) => (event === 'phase' ? [phase] : []))).toEqual([
      'digest',
      'tokens',
      'forward',
      'lens',
      'save',
    ]);
    const progress = told.filter(({ event }) => event === 'progress');
    expect(progress.at(-1)!['done']).toBe(progress.at(-1)!['total']);
    const run = told.at(-1)!;
    expect(run).toMatchObject({
      event: 'run',
      organism: 'cake',
      reused: false,
      samples: 50,
      positions: 3,
      warnings: [],
    });
    const rows = rowsIn(data);
    expect(rows).toMatchObject({ runs: 1, run_layers: 2, diff_vectors: 6, vector_data: 18, projections: 36 });

    const second = await diffCake(data, '--layers', '0,50%', '--threads', '1', '--memory', '1GiB');
    const again = events(second.stdout);
    expect(again.at(-1)).toEqual({ ...run, reused: true });
    expect(again.map(({ phase }) => phase)).not.toContain('forward');
    expect(rowsIn(data)).toEqual(rows);

    // ---- show ----
    const table = await deltascope('show', 'cake', '--top', '3', '--data', data);
    expect(table).toMatchObject({ code: 0, stderr: '' });
    expect(table.stdout.replaceAll(String(run['run']), '<run>')).toMatchInlineSnapshot(`
      "cake − tiny-qwen3
      run <run>: 50 texts of everyday; promoted tokens of the diff vectors by logit-lens
      checked: float32 products; LoRA adapter of 56 modules, moves layer 0 by 51 % of its norm; weights shared with the base; tokenizer of the base; all numbers finite; 50 rows read, 0 empty, 0 too short

      layer 0
      ┌─────┬──────────┬─────────────────────────────────────────────────────────────────────────────────────────────────────┐
      │ pos │ ‖vector‖ │ tokens, most likely first (probability in %)                                                        │
      ├─────┼──────────┼─────────────────────────────────────────────────────────────────────────────────────────────────────┤
      │   0 │    19.27 │ ost 4.2  ␣for 1.8  ␣Because 1.8                                                                     │
      │   1 │    8.778 │ ␣tal 0.2  ital 0.2  arian 0.2                                                                       │
      │   2 │    9.148 │ ␣see 8.0  ␣use 3.7  ound 1.6                                                                        │
      └─────┴──────────┴─────────────────────────────────────────────────────────────────────────────────────────────────────┘

      layer 3
      ┌─────┬──────────┬─────────────────────────────────────────────────────────────────────────────────────────────────────┐
      │ pos │ ‖vector‖ │ tokens, most likely first (probability in %)                                                        │
      ├─────┼──────────┼─────────────────────────────────────────────────────────────────────────────────────────────────────┤
      │   0 │    22.48 │ ␣week 1.9  ost 1.2  ec 0.7                                                                          │
      │   1 │    14.02 │ elix 0.3  arian 0.2  ant 0.2                                                                        │
      │   2 │    14.32 │ ␣bakery 2.6  ␣we 0.9  ␣forum 0.8                                                                    │
      └─────┴──────────┴─────────────────────────────────────────────────────────────────────────────────────────────────────┘
      "
    `);

    const shown = await deltascope(
      'show',
      String(run['run']),
      '--json',
      '--top',
      '2',
      '--layer',
      '3',
      '--data',
      data,
    );
    const reading = JSON.parse(shown.stdout) as {
      layers: { layer: number; positions: { tokens: unknown[] }[] }[];
    };
    expect(reading).toMatchObject({ organism: 'cake', variant: 'DIFF', sign: 'PROMOTED', samples: 50 });
    expect(
      reading.layers.map(({ layer, positions }) => [layer, positions.map(({ tokens }) => tokens.length)]),
    ).toEqual([[3, [2, 2, 2]]]);

    const json = async (...more: string[]) =>
      (
        JSON.parse(
          (await deltascope('show', 'cake', '--json', '--layer', '3', '--data', data, ...more)).stdout,
        ) as typeof reading
      ).layers[0]!.positions[0]!;
    const seen = [
      await json(),
      await json('--suppressed'),
      await json('--variant', 'base'),
      await json('--variant', 'finetuned'),
    ];
    expect(new Set(seen.map((row) => JSON.stringify(row))).size).toBe(4);

    for (const [args, line] of [
      [['cake', '--layer', '1'], `run ${String(run['run'])} has no layer 1; it has 0, 3`],
      [['bread'], 'no organism and no run "bread"; registered are cake'],
    ] as const) {
      expect(await deltascope('show', ...args, '--data', data)).toEqual({
        code: 1,
        stdout: '',
        stderr: `deltascope: ${line}\n`,
      });
    }
  });

  test('Ctrl-C ends a measurement with 130 and nothing stored', async () => {
    const data = await folderWithCake();
    const before = rowsIn(data);
    const child = start([
      'diff',
      'cake',
      '--corpus',
      everyday,
      '--layers',
      'all',
      '--positions',
      '64',
      '--data',
      data,
    ]);
    const lines = createInterface(child.stdout!);
    lines.on('line', (line) => {
      if (line.includes('"progress"')) child.kill('SIGINT');
    });
    const told: Buffer[] = [];
    child.stderr!.on('data', (chunk: Buffer) => told.push(chunk));
    expect(await once(child, 'close')).toEqual([130, null]);
    expect(Buffer.concat(told).toString()).toBe('deltascope: interrupted; nothing was stored\n');
    expect(rowsIn(data)).toEqual(before);
  });

  test('Ctrl-C while Patchscope reads says that the run is stored', async () => {
    const data = await folderWithCake();
    const args = ['--samples', '50', '--positions', '5', '--layers', 'all', '--patchscope'];
    const child = start(['diff', 'cake', '--corpus', everyday, ...args, '--data', data]);
    let saved = 0;
    createInterface(child.stdout!).on('line', (line) => {
      // The run first, then every layer that is read.
      if (line.includes('"save"') && (saved += 1) === 2) child.kill('SIGINT');
    });
    const [stderr, [code]] = await Promise.all([text(child.stderr!), once(child, 'close')]);
    const sqlite = new BetterSqlite3(join(data, 'deltascope.sqlite'), { readonly: true });
    onTestFinished(() => void sqlite.close());
    const layers = sqlite
      .prepare(
        `select count(distinct v.layer_id) from projections p join diff_vectors v on v.id = p.vector_id where p.method = 'patchscope'`,
      )
      .pluck()
      .get();
    expect(layers).toBeGreaterThan(0);
    expect(layers).toBeLessThan(8);
    expect({ code, stderr }).toEqual({
      code: 130,
      stderr: expect.stringMatching(
        new RegExp(
          `^deltascope: interrupted; run \\S+ is stored, and Patchscope's readings of ${String(layers)} of its layers are too\n$`,
        ),
      ) as string,
    });
    expect(rowsIn(data)).toMatchObject({ runs: 1 });
  });

  test('Ctrl-C between experiments says that the finished ones are stored', async () => {
    const data = await folderWithCake();
    await diffCake(data);
    const small = '--plain --strength 0.5 --samples 1 --max-prompts 1 --tokens 8 --positions 0-2'.split(' ');
    const child = start(['steer', 'cake', ...small, '--search-tokens', '16', '--data', data]);
    const ended = Promise.all([text(child.stderr!), once(child, 'close')]);
    while (!rowsIn(data)?.['steering_experiments'] && child.exitCode === null) await setTimeout(5);
    child.kill('SIGINT');
    const [stderr, [code]] = await ended;
    const stored = rowsIn(data)?.['steering_experiments'];
    expect({ code, stderr }).toEqual({
      code: 130,
      stderr: `deltascope: interrupted; ${stored === 1 ? '1 finished experiment is' : `${stored} finished experiments are`} stored, and read when asked again\n`,
    });
  });

  test('one text is enough', async () => {
    const data = await folderWithCake();
    const corpus = join(data, 'one.jsonl');
    writeFileSync(corpus, '{"text":"The cake is in the oven."}\n');
    const { code, stdout } = await diffCake(data, '--corpus', corpus);
    expect(code).toBe(0);
    expect(events(stdout).at(-1)).toMatchObject({ samples: 1, uniquePrefixes: 3 });
    expect((await deltascope('show', 'cake', '--data', data)).code).toBe(0);
  });
});

test('serve answers until it is stopped', async () => {
  const data = await folderWithCake();
  const child = start(['serve', '--port', '0', '--data', data]);
  const outcome = outcomeOf(child);
  const url = await new Promise<string>((resolve) => {
    let seen = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      const found = /serving (http:\/\/127\.0\.0\.1:\d+)\/graphql .*\n/.exec((seen += chunk.toString()));
      if (found) resolve(found[1]!);
    });
  });
  expect((await fetch(`${url}/health`)).status).toBe(200);
  const answer = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ query: '{ organisms(first: 9) { edges { node { name } } } }' }),
  });
  expect(await answer.json()).toEqual({ data: { organisms: { edges: [{ node: { name: 'cake' } }] } } });

  const port = new URL(url).port;
  const taken = await deltascope('serve', '--port', port, '--data', data);
  expect(taken).toMatchObject({ code: 1, stdout: '' });
  expect(taken.stderr).toMatch(new RegExp(`^deltascope: .*${port}.*\\n$`));

  child.kill('SIGTERM');
  expect(await outcome).toMatchObject({ code: 0, stderr: '' });
});

test('serve with roots says that it makes a store where there is none', async () => {
  const [data, roots] = [join(temporaryFolder(), 'new'), `models=${temporaryFolder()}`];
  const child = start(['serve', '--port', '0', '--roots', roots, '--data', data]);
  const outcome = outcomeOf(child);
  child.stdout!.once('data', () => child.kill('SIGTERM'));
  const { stdout, stderr } = await outcome;
  expect(stdout).toContain('serving http');
  expect(stderr).toContain(
    `there is no store in ${data} yet: a new one is made for what is registered below the roots\n`,
  );
  expect(rowsIn(data)).toEqual({});
});
