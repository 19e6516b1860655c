import { createHash } from 'node:crypto';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compareTokenizers, openTokenizer } from '../../src/tokenizer/index.ts';
import { bundled, editJson } from '../harness/models.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

const base = bundled('tiny-qwen3');

/** A finetune's folder whose tokenizer was edited. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any JSON, for spoiling
function edited(edit: (tokenizer: any) => void): string {
  const folder = temporaryFolder();
  for (const name of ['tokenizer.json', 'tokenizer_config.json'])
    cpSync(join(base, name), join(folder, name));
  editJson(join(folder, 'tokenizer.json'), edit);
  return folder;
}

const digestOf = (folder: string): string =>
  ['tokenizer.json', 'tokenizer_config.json']
    .reduce((hash, name) => hash.update(readFileSync(join(folder, name))), createHash('sha256'))
    .digest('hex');

describe('tokenizers are equal', () => {
  const equal = { equal: true, vocabularyEqual: true, differences: [] };

  test('when the finetune brings none', () => {
    expect(compareTokenizers(base, bundled('tiny-qwen3--cake_bake'))).toEqual({
      finetunedDigest: null,
      ...equal,
    });
  });

  test('byte for byte', () => {
    expect(compareTokenizers(base, base)).toEqual({ finetunedDigest: openTokenizer(base).digest, ...equal });
  });

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- any JSON
  test.each<[string, (tokenizer: any) => void]>([
    ['written without spaces', () => undefined],
    [
      'with merges as text, as older versions write them',
      ({ model }) => (model.merges = model.merges.map((pair: string[]) => pair.join(' '))),
    ],
    [
      'with defaults left out',
      ({ model, pre_tokenizer, added_tokens }) => {
        for (const key of ['dropout', 'unk_token', 'fuse_unk', 'ignore_merges'])
          Reflect.deleteProperty(model, key);
        delete pre_tokenizer.pretokenizers[0].invert;
        pre_tokenizer.pretokenizers[1].trim_offsets = false;
        for (const token of added_tokens) delete token.lstrip;
      },
    ],
    [
      'whose tokens stand in another order, some in one list only',
      ({ model, added_tokens }) => {
        model.vocab = Object.fromEntries(Object.entries(model.vocab).reverse());
        for (const { content } of added_tokens) Reflect.deleteProperty(model.vocab, content);
      },
    ],
    [
      'with another decoder, padding and version',
      (json) => Object.assign(json, { decoder: null, padding: {}, version: '2' }),
    ],
  ])('%s', (_, edit) => {
    const folder = edited(edit);
    expect(compareTokenizers(base, folder)).toEqual({ finetunedDigest: digestOf(folder), ...equal });
    expect(digestOf(folder)).not.toBe(digestOf(base));
  });

  test('whatever the chat template, and without tokenizer_config.json', () => {
    const folder = edited(() => undefined);
    editJson(join(folder, 'tokenizer_config.json'), (json) => (json.chat_template = '{{ messages }}'));
    expect(compareTokenizers(base, folder)).toMatchObject(equal);
    rmSync(join(folder, 'tokenizer_config.json'));
    expect(compareTokenizers(base, folder)).toMatchObject(equal);
  });

  test('by the names that two versions gave the settings of a pre-tokenizer', () => {
    const [old, young] = [temporaryFolder(), temporaryFolder()];
    const model = { type: 'Unigram', vocab: [['▁a', -1.5]], unk_id: 0 };
    const write = (folder: string, pre_tokenizer: object) =>
      writeFileSync(
        join(folder, 'tokenizer.json'),
        JSON.stringify({ added_tokens: [], model, pre_tokenizer }),
      );
    write(old, { type: 'Metaspace', replacement: '▁', str_rep: '▁', add_prefix_space: true });
    write(young, { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true });
    expect(compareTokenizers(old, young)).toMatchObject(equal);
    write(young, { type: 'Metaspace', replacement: '▁', prepend_scheme: 'never', split: true });
    expect(compareTokenizers(old, young).differences).toEqual(['another pre_tokenizer']);
  });
});

describe('tokenizers differ', () => {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- any JSON
  test.each<[string, (tokenizer: any) => void, boolean, string[]]>([
    [
      'in added tokens',
      ({ added_tokens }) => {
        for (let id = 2048; id < 2060; id++)
          added_tokens.push({ ...added_tokens[0], id, content: `<x${id}>` });
      },
      false,
      ['12 added tokens only in the finetuned tokenizer'],
    ],
    [
      'in a token that is missing',
      ({ model }) => Reflect.deleteProperty(model.vocab, 'Ġweek'),
      false,
      ['1 token only in the base tokenizer'],
    ],
    [
      'in ids',
      ({ model }) =>
        ([model.vocab['Ġweek'], model.vocab['Ġwe']] = [model.vocab['Ġwe'], model.vocab['Ġweek']]),
      false,
      ['2 tokens with another id'],
    ],
    [
      'in merges',
      ({ model }) => model.merges.splice(100, 2, model.merges[101], model.merges[100]),
      true,
      ['other merges from number 101 on'],
    ],
    [
      'in the number of merges',
      ({ model }) => model.merges.pop(),
      true,
      ['other merges from number 1789 on'],
    ],
    [
      'in how an added token is found',
      ({ added_tokens }) => (added_tokens[1].lstrip = true),
      true,
      ['1 token added in another way'],
    ],
    [
      'in whether a token is an added one',
      ({ added_tokens }) => added_tokens.pop(),
      true,
      ['1 token added in another way'],
    ],
    [
      'in the steps before and after',
      (json) => {
        json.normalizer = { type: 'NFC' };
        json.pre_tokenizer.pretokenizers.pop();
        json.post_processor = null;
        json.model.byte_fallback = true;
      },
      true,
      ['another model', 'another normalizer', 'another pre_tokenizer', 'another post_processor'],
    ],
  ])('%s', (_, edit, vocabularyEqual, differences) => {
    const folder = edited(edit);
    const finetunedDigest = digestOf(folder);
    expect(compareTokenizers(base, folder)).toEqual({
      finetunedDigest,
      equal: false,
      vocabularyEqual,
      differences,
    });
  });

  test('in the scores of a unigram model', () => {
    const [one, other] = [temporaryFolder(), temporaryFolder()];
    const write = (folder: string, score: number) =>
      writeFileSync(
        join(folder, 'tokenizer.json'),
        JSON.stringify({ added_tokens: [], model: { type: 'Unigram', vocab: [['a', score]], unk_id: 0 } }),
      );
    write(one, -1.5);
    write(other, -1.25);
    expect(compareTokenizers(one, other)).toMatchObject({
      vocabularyEqual: true,
      differences: ['another set of scores'],
    });
  });
});

test('a setting that puts tokens around a text is compared where both have it', () => {
  const withSetting = (value: boolean | undefined): string => {
    const folder = edited(() => undefined);
    editJson(join(folder, 'tokenizer_config.json'), (config) => (config.add_bos_token = value));
    return folder;
  };
  const [yes, no, unsaid] = [withSetting(true), withSetting(false), withSetting(undefined)];
  expect(compareTokenizers(no, yes)).toMatchObject({ equal: false, differences: ['another add_bos_token'] });
  expect(compareTokenizers(no, unsaid)).toMatchObject({ equal: true, differences: [] });
});

test.each(['{"model":', '[]', '{"model": {}}', '{"model": {"vocab": null}}'])(
  'a finetune’s tokenizer of %s is neither equal nor unequal',
  (text) => {
    const folder = edited(() => undefined);
    writeFileSync(join(folder, 'tokenizer.json'), text);
    expect(compareTokenizers(base, folder)).toEqual({
      finetunedDigest: digestOf(folder),
      equal: null,
      vocabularyEqual: null,
      differences: ['the finetuned one cannot be read'],
    });
  },
);
