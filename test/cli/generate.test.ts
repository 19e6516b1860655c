import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { deltascope, folderWithCake } from '../harness/command.ts';
import { bundled, expectedOf } from '../harness/models.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

interface Printed {
  folder: string;
  adapter: string | null;
  settings: Record<string, unknown>;
  texts: {
    prompt: string;
    promptIds: number[];
    sample: number;
    text: string;
    ids: number[];
    finish: string;
  }[];
}

/** What transformers continued with a strength of 0. */
const unsteered = (
  JSON.parse(readFileSync(join(expectedOf('tiny-qwen3--cake_bake'), 'expected.json'), 'utf8')) as {
    steering: { prompt: string; alpha: number; position: number; prompt_ids: number[]; new_ids: number[] }[];
  }
).steering.filter(({ alpha, position }) => alpha === 0 && position === 1);

const model = bundled('tiny-qwen3');
const adapter = bundled('tiny-qwen3--cake_bake');
const json = ({ code, stdout, stderr }: Awaited<ReturnType<typeof deltascope>>): Printed => {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Printed;
};

describe('generate', () => {
  test('continues prompts of a file with an organism’s finetune, as transformers does', async () => {
    const data = await folderWithCake();
    const file = join(data, 'prompts.txt');
    const oneLine = unsteered.filter(({ prompt }) => !prompt.includes('\n'));
    expect(oneLine.length).toBeGreaterThan(1);
    writeFileSync(file, `${oneLine.map(({ prompt }) => prompt).join('\r\n\n')}\n`);
    const args = ['--prompt-file', file, '--max-tokens', '32', '--data', data, '--json'];
    const printed = json(await deltascope('generate', 'cake', ...args));
    expect(printed.texts.map(({ promptIds, ids }) => [promptIds, ids])).toEqual(
      oneLine.map(({ prompt_ids, new_ids }) => [prompt_ids, new_ids]),
    );
    expect(printed.settings).toMatchObject({
      temperature: 0,
      maxNewTokens: 32,
      stop: [0],
      defaultsFrom: ['stop'],
    });

    const base = json(await deltascope('generate', 'cake', '--which', 'base', ...args));
    expect(base.adapter).toBeNull();
    expect(base.texts.map(({ ids }) => ids)).not.toEqual(printed.texts.map(({ ids }) => ids));
  });

  test('takes a checkpoint folder and an adapter, and several samples of several prompts', async () => {
    const args = ['--adapter', adapter, '--prompt', 'In the morning', '--prompt', 'A', '--samples', '2'];
    const more = ['--max-tokens', '6', '--temperature', '1', '--seed', '3', '--json'];
    const printed = json(await deltascope('generate', model, ...args, ...more));
    expect(printed.adapter).toBe(adapter);
    expect(printed.texts.map(({ prompt, sample }) => [prompt, sample])).toEqual([
      ['In the morning', 0],
      ['In the morning', 1],
      ['A', 0],
      ['A', 1],
    ]);
    expect(printed.texts[0]!.ids).not.toEqual(printed.texts[1]!.ids);
    expect(printed.settings).toMatchObject({ temperature: 1, topK: 50, topP: 1, seed: 3 });
  });

  test('prints prompts, texts and how they ended, with nothing that a terminal obeys', async () => {
    const prompt = 'In the morning\u001b[31m';
    const { code, stdout, stderr } = await deltascope(
      ...['generate', model, '--prompt', prompt, '--prompt', 'In the morning', '--max-tokens', '3'],
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      /^> In the morning\\u\{1b\}\[31m\n[^]*\n\[cut at its length: 3 tokens\]\n\n> In the morning\n[^]*\n\[cut at its length: 3 tokens\]\n\n$/,
    );
    expect(stdout).not.toContain('\u001b');
  });

  test('--chat writes prompts as the template has them', async () => {
    const args = ['--prompt', 'What do you like?', '--chat', '--max-tokens', '2', '--json'];
    const printed = json(await deltascope('generate', model, ...args));
    const plainly = json(await deltascope('generate', model, ...args.filter((arg) => arg !== '--chat')));
    expect(printed.texts[0]!.promptIds.length).toBeGreaterThan(plainly.texts[0]!.promptIds.length + 5);
  });
});

describe('generate refuses', () => {
  const line = (pattern: RegExp) => expect.stringMatching(new RegExp(`^deltascope: ${pattern.source}\n$`));
  test('a name that is not registered', async () => {
    const data = await folderWithCake();
    const outcome = await deltascope('generate', 'pie', '--prompt', 'a', '--data', data);
    const stderr = line(/no checkpoint folder or organism "pie"; registered are cake/);
    expect(outcome).toEqual({ code: 1, stdout: '', stderr });
  });

  test.each<[string, string[], number, RegExp]>([
    ['no prompt', [model], 2, /one of --prompt and --prompt-file is needed .*/],
    ['a folder that is not there', ['/nowhere', '--prompt', 'a'], 1, /\/nowhere holds no config\.json; .*/],
    [
      '--which for a folder',
      [model, '--prompt', 'a', '--which', 'base'],
      2,
      /--which is for a registered organism.*/,
    ],
    [
      '--adapter for an organism',
      ['cake', '--prompt', 'a', '--adapter', adapter],
      2,
      /--adapter is for a checkpoint folder.*/,
    ],
    [
      'a prompt file that is not there',
      [model, '--prompt-file', '/nowhere'],
      1,
      /--prompt-file \/nowhere: no such file/,
    ],
    ['an empty prompt', [model, '--prompt', ''], 1, /prompt 0 is empty; at least one token is expected/],
    [
      'topP above 1',
      [model, '--prompt', 'a', '--top-p', '2'],
      2,
      /option '--top-p <number>' argument '2' is invalid.*/,
    ],
    [
      'a temperature below 0',
      [model, '--prompt', 'a', '--temperature', '-1'],
      2,
      /option '--temperature <number>' argument '-1' is invalid.*/,
    ],
    [
      'a text beyond the context',
      [model, '--prompt', 'a', '--max-tokens', '2048'],
      1,
      /prompt 0 has 1 tokens and 2048 may follow; .*/,
    ],
    ['one repetition', [model, '--prompt', 'a', '--stop-repetition', '1'], 1, /stopRepetition is 1.*/],
  ])('%s', async (_, args, code, message) => {
    const outcome = await deltascope('generate', ...args, '--data', temporaryFolder());
    expect(outcome).toEqual({ code, stdout: '', stderr: line(message) });
  });
});
