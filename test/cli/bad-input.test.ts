import { execFileSync } from 'node:child_process';
import { closeSync, cpSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { withStore } from '../../src/cli/data-folder.ts';
import { describeFailure } from '../../src/cli/failure.ts';
import {
  cake,
  deltascope,
  diffCake,
  everyday,
  folderWithCake,
  outcomeOf,
  rowsIn,
  start,
} from '../harness/command.ts';
import { golden } from '../harness/golden-error.ts';
import { bundled, copyOf, editJson, editTensors } from '../harness/models.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

/** One line, of which the first group of the pattern is all but our name. */
const line = (pattern: RegExp) => expect.stringMatching(new RegExp(`^deltascope: ${pattern.source}\n$`));
const failed = (pattern: RegExp) => ({ code: 1, stdout: '', stderr: line(pattern) });

const base = bundled('tiny-qwen3');

describe('organism add refuses, and stores nothing:', () => {
  test.each<[string, () => string[], RegExp]>([
    [
      'a base that is not there',
      () => ['--base', '/nowhere', '--adapter', cake],
      /no such folder: \/nowhere/,
    ],
    [
      'a base whose weights are cut',
      () => {
        const copy = copyOf(base);
        truncateSync(join(copy, 'model.safetensors'), 1_000_000);
        return ['--base', copy, '--adapter', cake];
      },
      /\S+model\.safetensors: tensor \S+ ends at byte \d+ of \d+ bytes of data; the file is cut or wrong/,
    ],
    [
      'an architecture it does not know',
      () => {
        const copy = copyOf(base);
        editJson(join(copy, 'config.json'), (json) => (json.architectures = ['BloomForCausalLM']));
        return ['--base', copy, '--adapter', cake];
      },
      /\S+config\.json: architectures = \["BloomForCausalLM"\] is not supported; supported: LlamaForCausalLM, .*Qwen3ForCausalLM.*/,
    ],
    [
      'an adapter that matches nothing',
      () => {
        const copy = copyOf(cake);
        editTensors(join(copy, 'adapter_model.safetensors'), (all) => {
          for (const [name, tensor] of [...all]) {
            all.delete(name);
            all.set(name.replace('model.layers', 'transformer.h'), tensor);
          }
        });
        return ['--base', base, '--adapter', copy];
      },
      /\S+adapter_model\.safetensors: tensor \S+ matches no module of Qwen3ForCausalLM with 8 layers/,
    ],
    [
      'an adapter that changes nothing',
      () => {
        const copy = copyOf(cake);
        editTensors(join(copy, 'adapter_model.safetensors'), (all) => {
          for (const tensor of all.values()) tensor.data = Buffer.alloc(tensor.data.length);
        });
        return ['--base', base, '--adapter', copy];
      },
      /\S+adapter_model\.safetensors: the adapter changes nothing .*/,
    ],
    [
      'an adapter of another base',
      () => ['--base', base, '--adapter', golden('qwen3-headdim-bf16--lora_r8')],
      /\S+adapter_model\.safetensors: tensor \S+ should have shape .*/,
    ],
    [
      'a training corpus that is not there',
      () => ['--base', base, '--adapter', cake, '--training-corpus', '/nowhere.jsonl'],
      /the training corpus \/nowhere\.jsonl: no such file/,
    ],
    [
      'a folder for a training corpus',
      () => ['--base', base, '--adapter', cake, '--training-corpus', '/tmp'],
      /the training corpus \/tmp: is not a file/,
    ],
    [
      'a base without a name',
      () => ['--base', base, '--base-name', '', '--adapter', cake],
      /the name of a base model has 1 to 200 characters and no control characters; given is ""/,
    ],
  ])('%s', async (_, options, pattern) => {
    const data = temporaryFolder();
    expect(await deltascope('organism', 'add', 'cake', ...options(), '--data', data)).toEqual(
      failed(pattern),
    );
    expect(rowsIn(data) ?? {}).toEqual({});
  });
});

test.each([
  ['nothing', '', '""'],
  ['with a line end', 'a\nb', '"a\\\\nb"'],
  ['with a control', '\u009b', '"\\\\u\\{9b\\}"'],
  ['too long', '🍰'.repeat(201), 'one of 201 characters'],
])('organism add refuses a name: %s', async (_, name, found) => {
  const data = temporaryFolder();
  expect(
    await deltascope('organism', 'add', name, '--base', base, '--adapter', cake, '--data', data),
  ).toEqual(
    failed(
      new RegExp(
        `the name of an organism has 1 to 200 characters and no control characters; given is ${found}`,
      ),
    ),
  );
  expect(rowsIn(data) ?? {}).toEqual({});
});

describe('diff refuses, and stores nothing:', () => {
  test.each<[string, string, RegExp]>([
    [
      'a corpus without usable text',
      '{"text":""}\n{"text":" "}\n{"text":"a"}\n',
      /\S+corpus\.jsonl: no usable text in 3 rows: 2 empty, 1 with fewer than 3 tokens; .*/,
    ],
    ['an empty corpus', '', /\S+corpus\.jsonl: no usable text in 0 rows.*/],
    [
      'a broken line',
      '{"text":"one two three four"}\n{"text": broken\n',
      /\S+corpus\.jsonl: line 2 is not JSON; a corpus holds one JSON object a line/,
    ],
    [
      'a corpus of another shape',
      '{"body":"one two three four"}\n',
      /\S+corpus\.jsonl: line 1 has no column "text"; it has "body"/,
    ],
  ])('%s', async (_, content, pattern) => {
    const data = await folderWithCake();
    const corpus = join(temporaryFolder(), 'corpus.jsonl');
    writeFileSync(corpus, content);
    const before = rowsIn(data);
    const { code, stdout, stderr } = await diffCake(data, '--corpus', corpus);
    expect({ code, stderr }).toEqual({ code: 1, stderr: line(pattern) });
    expect(stdout).not.toContain('"run"');
    expect(rowsIn(data)).toEqual(before);
  });

  test.each<[string, string[], RegExp]>([
    [
      'a corpus that is not there',
      ['--corpus', '/nowhere.jsonl'],
      /\/nowhere\.jsonl: no such file; a corpus is a file of JSON lines/,
    ],
    ['a folder for a corpus', ['--corpus', '/tmp'], /\/tmp: is a folder, not a file; .*/],
    [
      'a layer the model does not have',
      ['--layers', '3,8'],
      /layer 8 is not there; the model has layers 0 to 7/,
    ],
    [
      'a budget that is too small',
      ['--memory', '1k'],
      /a memory budget of 1024 bytes is too small; this measurement needs at least \d+/,
    ],
  ])('%s', async (_, options, pattern) => {
    const data = await folderWithCake();
    const before = rowsIn(data);
    const { code, stderr } = await diffCake(data, ...options);
    expect({ code, stderr }).toEqual({ code: 1, stderr: line(pattern) });
    expect(rowsIn(data)).toEqual(before);
  });

  test('a layer the model does not have before it reads anything', async () => {
    const data = await folderWithCake();
    expect(await diffCake(data, '--layers', '99', '--corpus', '/nowhere.jsonl')).toEqual(
      failed(/layer 99 is not there; the model has layers 0 to 7/),
    );
  });

  test.runIf(process.platform !== 'win32')('a pipe for a corpus, at once', async () => {
    const data = await folderWithCake();
    const pipe = join(temporaryFolder(), 'pipe');
    execFileSync('mkfifo', [pipe]);
    const { code, stderr } = await diffCake(data, '--corpus', pipe);
    expect({ code, stderr }).toEqual({ code: 1, stderr: line(/\S+pipe: is not a regular file; .*/) });
  });

  test('an organism that is not registered', async () => {
    const data = await folderWithCake();
    expect(await deltascope('diff', 'bread', '--corpus', everyday, '--data', data)).toEqual(
      failed(/no organism "bread"; registered are cake/),
    );
  });

  test('models that have changed since they were registered', async () => {
    const data = temporaryFolder();
    const [own, adapter] = [copyOf(base), copyOf(cake)];
    const added = await deltascope(
      'organism',
      'add',
      'cake',
      '--base',
      own,
      '--base-name',
      'own',
      '--adapter',
      adapter,
      '--data',
      data,
    );
    expect(added.code).toBe(0);
    const before = rowsIn(data);
    const refused = (noun: string, folder: string) => ({
      code: 1,
      stderr: `deltascope: the files of ${noun} in ${folder} are not the ones that were registered; register it under a new name, or again with --update while it has no runs\n`,
    });

    editJson(join(adapter, 'adapter_config.json'), (json) => (json.lora_alpha = 32));
    expect(await diffCake(data)).toMatchObject(refused('organism "cake"', adapter));
    cpSync(cake, adapter, { recursive: true });
    expect((await diffCake(data, '--samples', '2')).code).toBe(0);
    const measured = rowsIn(data);
    editTensors(join(own, 'model.safetensors'), (all) => {
      const [tensor] = [...all.values()];
      tensor!.data = Buffer.from(tensor!.data.map((byte, i) => (i === 0 ? byte ^ 1 : byte)));
    });
    expect(await diffCake(data)).toMatchObject(refused('base model "own"', own));
    expect(before).toEqual({ models: 1, organisms: 1 });
    expect(rowsIn(data)).toEqual(measured);
  });

  test('a model whose activations are not finite', async () => {
    const data = temporaryFolder();
    const adapter = copyOf(cake);
    editTensors(join(adapter, 'adapter_model.safetensors'), (all) => {
      for (const tensor of all.values())
        tensor.data = Buffer.alloc(tensor.data.length, Buffer.from([0x00, 0x7f])); // 2^127
    });
    await deltascope('organism', 'add', 'cake', '--base', base, '--adapter', adapter, '--data', data);
    const before = rowsIn(data);
    expect(before).toEqual({ models: 1, organisms: 1 });
    const { code, stderr } = await diffCake(data);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: line(
        /\d+ activations of "cake" or its base are not finite \(weights that are not: 0 of the base, 0 of the finetune\): .*/,
      ),
    });
    expect(rowsIn(data)).toEqual(before);
  });
});

describe('a data folder is refused', () => {
  const options = ['--base', base, '--adapter', cake];

  test('when it cannot be made or written to', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    for (const data of [join(file, 'data'), '/proc/deltascope']) {
      expect(await deltascope('organism', 'add', 'cake', ...options, '--data', data)).toEqual(
        failed(/cannot write to the data folder \S+ \(\w+\); choose another with --data/),
      );
    }
  });

  test('when it is a file', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    for (const command of [
      ['organism', 'add', 'cake', ...options],
      ['show', 'cake'],
    ]) {
      expect(await deltascope(...command, '--data', file)).toEqual(
        failed(/--data \S+file is a file; name a folder/),
      );
    }
  });

  test('when pages in the middle of its store are damaged', async () => {
    const data = await folderWithCake();
    const file = join(data, 'deltascope.sqlite');
    damage(file, 'organisms');
    for (const command of [
      ['organism', 'list'],
      ['show', 'cake'],
      ['diff', 'cake', '--corpus', everyday],
      ['organism', 'add', 'bread', ...options],
    ]) {
      expect(await deltascope(...command, '--data', data)).toEqual(
        failed(/\S+deltascope\.sqlite: the file is damaged; restore it from a copy/),
      );
    }
  });

  test('when the disk is full', async () => {
    const data = await folderWithCake();
    const file = join(data, 'deltascope.sqlite');
    const fill = () => {
      const sqlite = new BetterSqlite3(file);
      try {
        sqlite.pragma('max_page_count = 1');
        sqlite.exec(`create table more as select zeroblob(1000000) as bytes`);
      } finally {
        sqlite.close();
      }
    };
    const failure: unknown = await withStore(data, fill).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'STORE_FULL' });
    expect(describeFailure(failure)).toEqual({
      line: `deltascope: ${file}: the disk is full; free space, nothing was stored`,
      exitCode: 1,
    });
  });

  test('when its store is not ours', async () => {
    const data = temporaryFolder();
    writeFileSync(join(data, 'deltascope.sqlite'), 'something else entirely, long enough to be looked at');
    for (const command of [['organism', 'add', 'cake', ...options], ['show', 'cake'], ['serve']]) {
      expect(await deltascope(...command, '--data', data)).toEqual(
        failed(/\S+deltascope\.sqlite: this is not a deltascope store; .*/),
      );
    }
  });

  test('when there is nothing in it to read', async () => {
    const data = temporaryFolder();
    for (const command of [['organism', 'list'], ['show', 'cake'], ['serve']]) {
      expect(await deltascope(...command, '--data', data)).toEqual(
        failed(/\S+deltascope\.sqlite: no such store; .*/),
      );
    }
    expect(rowsIn(data)).toBeUndefined();
  });
});

/** Overwrites the page that a table begins on. */
function damage(file: string, table: string): void {
  const sqlite = new BetterSqlite3(file);
  const size = sqlite.pragma('page_size', { simple: true }) as number;
  const page = sqlite.prepare('select rootpage from sqlite_schema where name = ?').pluck().get(table);
  sqlite.close();
  const handle = openSync(file, 'r+');
  writeSync(handle, Buffer.alloc(size, 0xff), 0, size, ((page as number) - 1) * size);
  closeSync(handle);
}

test('a taken port is one line, for demo and serve', async () => {
  const data = await folderWithCake();
  const server = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  expect(await deltascope('serve', '--port', String(port), '--data', data)).toEqual(
    failed(new RegExp(`.*${port}.*(taken|in use|another).*`)),
  );
  expect(await deltascope('serve', '--host', '0.0.0.0', '--port', '0', '--data', data)).toEqual(
    failed(/cannot listen on 0\.0\.0\.0: .* use 127\.0\.0\.1, ::1 or localhost/),
  );
});

describe('wrongly asked', () => {
  test.each<[string, string[], RegExp]>([
    [
      'an unknown flag',
      ['diff', 'cake', '--corpus', 'x', '--layer', '3'],
      /unknown option '--layer' \(Did you mean --layers\?\)/,
    ],
    ['an unknown command', ['dif'], /unknown command 'dif' \(Did you mean diff\?\)/],
    ['an unknown command below', ['organism', 'ad'], /unknown command 'ad' \(Did you mean add\?\)/],
    ['no corpus', ['diff', 'cake'], /required option '--corpus <file>' not specified/],
    ['no organism', ['diff', '--corpus', 'x'], /missing required argument 'organism'/],
    [
      'neither adapter nor checkpoint',
      ['organism', 'add', 'x', '--base', 'y'],
      /one of --adapter and --finetuned is needed/,
    ],
    [
      'both',
      ['organism', 'add', 'x', '--base', 'y', '--adapter', 'a', '--finetuned', 'f'],
      /option '--adapter <folder>' cannot be used with option '--finetuned <folder>'/,
    ],
    [
      '0 positions',
      ['diff', 'x', '--corpus', 'x', '--positions', '0'],
      /option '--positions <n>' argument '0' is invalid\. A whole number from 1 to 65536 is expected\./,
    ],
    [
      'layers that are none',
      ['diff', 'x', '--corpus', 'x', '--layers', '1,-2'],
      /option '--layers <list>' argument '1,-2' is invalid\. Expected are .*/,
    ],
    [
      'an unknown variant',
      ['show', 'x', '--variant', 'ft'],
      /option '--variant <which>' argument 'ft' is invalid\. Allowed choices are diff, base, finetuned\./,
    ],
    [
      'a port beyond',
      ['serve', '--port', '65536'],
      /option '--port <n>' argument '65536' is invalid\. A whole number from 0 to 65535 is expected\./,
    ],
    [
      'too much',
      ['serve', 'here'],
      /too many arguments for 'serve'\. Expected 0 arguments but got 1: here\./,
    ],
  ])('with %s: one line and 2', async (_, args, pattern) => {
    const data = temporaryFolder();
    expect(await outcomeOf(start(args, data))).toEqual({
      code: 2,
      stdout: '',
      stderr: line(new RegExp(`${pattern.source} \\(deltascope --help lists commands and options\\)`)),
    });
  });
});

describe('what is shown', () => {
  const nasty = '\u001b[2Jcake\u009b31m\u202e\u0007\r';

  test('holds nothing that a terminal obeys', async () => {
    const data = temporaryFolder();
    const [adapter, own] = [copyOf(cake), copyOf(base)];
    // Every longer token begins with an escape sequence: tokens are shown too.
    editJson(join(own, 'tokenizer.json'), (json) => {
      const vocab = Object.entries(json.model.vocab as Record<string, number>);
      // Byte 0x1b is written \u011b in a byte-level vocabulary.
      json.model.vocab = Object.fromEntries(
        vocab.map(([token, id]) => [token.length > 6 ? `\u011b[31m${token}` : token, id]),
      );
      json.model.merges = [];
    });
    const add = () =>
      deltascope(
        'organism',
        'add',
        'cake',
        '--base',
        own,
        '--base-name',
        'own',
        '--adapter',
        adapter,
        '--description',
        nasty,
        '--kind',
        nasty,
        '--data',
        data,
      );
    const outputs = [await add(), await add()];
    // Names like these are not taken, but a store may come from somebody else.
    const sqlite = new BetterSqlite3(join(data, 'deltascope.sqlite'));
    for (const table of ['organisms', 'models']) sqlite.prepare(`update ${table} set name = ?`).run(nasty);
    sqlite.close();
    const measured = await deltascope(
      'diff',
      nasty,
      '--corpus',
      everyday,
      '--corpus-name',
      nasty,
      '--samples',
      '20',
      '--positions',
      '2',
      '--data',
      data,
    );
    expect(measured.code).toBe(0);
    const again = new BetterSqlite3(join(data, 'deltascope.sqlite'));
    again
      .prepare(
        `update runs set certificate = json_set(certificate, '$.warnings', json_array(?), '$.adapter.canary.movedAt', ?)`,
      )
      .run(nasty, nasty);
    again.close();
    outputs.push(
      measured,
      await deltascope('organism', 'list', '--data', data),
      await deltascope('organism', 'list', '--json', '--data', data),
      await deltascope('show', nasty, '--top', '100', '--data', data),
      await deltascope('show', nasty, '--json', '--data', data),
    );
    const shown = [
      await deltascope('show', `${nasty}!`, '--data', data),
      await deltascope('show', 'cake', `--${nasty}`),
    ];
    expect([...outputs, ...shown].map(({ code }) => code)).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 2]);
    for (const { stdout, stderr } of [...outputs, ...shown]) {
      expect(stdout + stderr).toContain('cake');
      // eslint-disable-next-line no-control-regex -- looking for them
      expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
    }
    expect(outputs[5]!.stdout).toContain('\\u{1b}[31m');
    for (const place of ['moves ', 'warning: '])
      expect(outputs[5]!.stdout).toContain(`${place}\\u{1b}[2Jcake`);
    expect((JSON.parse(outputs[6]!.stdout) as { warnings: string[] }).warnings).toEqual([nasty]);
    for (const { stderr } of shown) expect(stderr.split('\n')).toHaveLength(2);
    const [listed] = JSON.parse(outputs[4]!.stdout) as { name: string }[];
    expect(listed!.name).toBe(nasty); // escaped, and the same to a program
  });
});
