import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  encodeChats,
  openTokenizer,
  readChatTemplate,
  renderChats,
  TokenizerError,
} from '../../src/tokenizer/index.ts';
import { bundled, copyOf, editJson } from '../harness/models.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

const hello = [{ role: 'user', content: 'What do you like?' }];

/** A folder with this template and these fields of tokenizer_config.json. */
function folderWith(template: string | null, config: object = {}): string {
  const folder = temporaryFolder();
  if (template !== null) writeFileSync(join(folder, 'chat_template.jinja'), template);
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(config));
  return folder;
}

const render = async (template: string | null, config: object = {}, conversation = hello) => {
  const found = readChatTemplate(folderWith(template, config));
  return found && (await renderChats(found, [conversation]))[0];
};

async function refusal(work: () => Promise<unknown>): Promise<TokenizerError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof TokenizerError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('a template', () => {
  test('writes a conversation up to the answer', async () => {
    const template = readChatTemplate(bundled('tiny-qwen3'));
    const conversation = [
      { role: 'system', content: 'Be brief.' },
      ...hello,
      { role: 'assistant', content: 'Cake.' },
      { role: 'user', content: 'Why?' },
    ];
    expect(await renderChats(template!, [hello, conversation])).toEqual([
      '<|im_start|>user\nWhat do you like?<|im_end|>\n<|im_start|>assistant\n',
      '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat do you like?<|im_end|>\n' +
        '<|im_start|>assistant\nCake.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n',
    ]);
  });

  test('says itself which special tokens there are: none twice, none cut', async () => {
    // tiny-llama's tokenizer puts a BOS before every text, and its template writes one too.
    const folder = bundled('tiny-llama');
    const tokenizer = openTokenizer(folder);
    const { tokens } = readChatTemplate(folder)!;
    expect(tokens['bos_token']).toBe(tokenizer.decode([tokenizer.bosId!]));
    const [ids] = await encodeChats(folder, tokenizer, [hello]);
    expect(ids!.filter((id) => id === tokenizer.bosId)).toEqual([ids![0]]);
    expect(tokenizer.decode(ids!)).toBe(
      `${tokens['bos_token']}<|start_header_id|>user<|end_header_id|>\n\nWhat do you like?<|eot_id|>` +
        '<|start_header_id|>assistant<|end_header_id|>\n\n',
    );
    // One that writes none gets none, and nothing is cut from its front.
    const bare = copyOf(folder);
    writeFileSync(join(bare, 'chat_template.jinja'), '{{ messages[0].content }}');
    expect(await encodeChats(bare, tokenizer, [hello])).toEqual([
      tokenizer.encode('What do you like?', { special: false }),
    ]);
  });

  test('is told not to think, and knows the special tokens', async () => {
    const template =
      '{{ bos_token }}{{ eos_token }}|{% if enable_thinking is defined and enable_thinking is false %}no{% endif %}|' +
      '{% if tools is none and not documents %}bare{% endif %}|{{ add_generation_prompt }}';
    expect(await render(template, { bos_token: '<s>', eos_token: { content: '</s>', lstrip: false } })).toBe(
      '<s></s>|no|bare|true',
    );
  });

  test('stands in tokenizer_config.json where there is no file, as a text or by name', async () => {
    expect(await render(null, { chat_template: 'A' })).toBe('A');
    expect(await render('B', { chat_template: 'A' })).toBe('B');
    const named = (name: string) => ({ name, template: name.toUpperCase() });
    expect(await render(null, { chat_template: [named('tool_use'), named('default')] })).toBe('DEFAULT');
    expect(await render(null, { chat_template: null })).toBeNull();
    expect(await render(null)).toBeNull();
  });

  test('may be missing: then messages are plain text', async () => {
    const folder = copyOf(bundled('tiny-llama'));
    rmSync(join(folder, 'chat_template.jinja'));
    editJson(join(folder, 'tokenizer_config.json'), (json) => delete json.chat_template);
    const tokenizer = openTokenizer(folder);
    const [ids] = await encodeChats(folder, tokenizer, [hello]);
    expect(ids).toEqual(tokenizer.encode('What do you like?'));
    expect(ids![0]).toBe(tokenizer.bosId);
  });
});

describe('refused with INVALID_TEMPLATE:', () => {
  test.each<[string, string, RegExp]>([
    ['one that throws', "{{ raise_exception('Roles must alternate') }}", /fails: .*Roles must alternate/],
    ['one that is no template', '{% for m in messages %}', /fails: /],
    ['one that calls what is not there', '{{ no_such_function() }}', /fails: /],
    [
      'one that never ends',
      '{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}',
      /ran for more than 5 s/,
    ],
    [
      'one that writes without end',
      "{% set ns = namespace(x='y') %}{% for a in range(21) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
      /writes 2097152 characters; at most 1048576 are taken/,
    ],
    [
      'one that fills the memory',
      '{% set x = range(4000000000) %}{{ x | length }}',
      /took more than 256 MB|ran for more than|fails: /,
    ],
  ])('%s', { timeout: 60_000 }, async (_, template, message) => {
    const folder = folderWith(template);
    const started = performance.now();
    const error = await refusal(() => renderChats(readChatTemplate(folder)!, [hello]));
    expect(error.code).toBe('INVALID_TEMPLATE');
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('\n');
    expect(error.path).toBe(join(folder, 'chat_template.jinja'));
    expect(performance.now() - started).toBeLessThan(30_000);
  });

  test('what is neither a text nor a list of named ones', () => {
    for (const chat_template of [7, {}, [], [{ name: 'other', template: 'x' }], [{ name: 'default' }]]) {
      const folder = folderWith(null, { chat_template });
      expect(() => readChatTemplate(folder)).toThrow(
        expect.objectContaining({ code: 'INVALID_TEMPLATE', path: join(folder, 'tokenizer_config.json') }),
      );
    }
  });

  test('a tokenizer_config.json that is no object is INVALID_TOKENIZER', () => {
    for (const text of ['{', '[]', 'null']) {
      const folder = folderWith(null);
      writeFileSync(join(folder, 'tokenizer_config.json'), text);
      expect(() => readChatTemplate(folder)).toThrow(expect.objectContaining({ code: 'INVALID_TOKENIZER' }));
    }
  });
});

test('a template reaches neither the environment nor files', async () => {
  const text = await render('{{ process is defined }}{{ require is defined }}{{ globalThis is defined }}');
  expect(text).toBe('falsefalsefalse');
});
