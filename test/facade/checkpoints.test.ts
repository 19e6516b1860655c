import { copyFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { diff, Model, type NativeErrorCode } from '../../src/index.ts';
import { golden } from '../harness/golden-error.ts';
import { copyOf, editJson, editTensors, openModel } from '../harness/models.ts';
import { refusal } from '../harness/refusal.ts';

/** Spoils a checkpoint; what its refusal must say: the code, one detail (field or tensor), and the message. */
type Spoiled = [
  name: string,
  spoil: (folder: string) => void,
  NativeErrorCode,
  detail: string | null,
  RegExp,
];

const config = (edit: (json: Record<string, unknown>) => void) => (folder: string) =>
  editJson(join(folder, 'config.json'), edit);
const set = (values: Record<string, unknown>) => config((json) => Object.assign(json, values));
const write = (file: string, text: string) => (folder: string) => writeFileSync(join(folder, file), text);
const weights = (edit: Parameters<typeof editTensors>[1]) => (folder: string) =>
  editTensors(join(folder, 'model.safetensors'), edit);
const cut = (bytes: (size: number) => number) => (folder: string) => {
  const file = join(folder, 'model.safetensors');
  truncateSync(file, bytes(readFileSync(file).length));
};

const layer3 = 'model.layers.3.input_layernorm.weight';

/** Of llama-tied-f16-v4config: one file, 4 layers, d_model 64. */
const spoiled: Spoiled[] = [
  [
    'no config',
    (f) => rmSync(join(f, 'config.json')),
    'FILE_NOT_FOUND',
    null,
    /no such file: .*\/config\.json$/,
  ],
  ['an empty config', write('config.json', ''), 'INVALID_CONFIG', null, /config\.json: not valid JSON/],
  [
    'a cut config',
    write('config.json', '{"architectures": ["Lla'),
    'INVALID_CONFIG',
    null,
    /not valid JSON at byte/,
  ],
  [
    'a config that is a list',
    write('config.json', '[]'),
    'INVALID_CONFIG',
    null,
    /a JSON object is expected/,
  ],
  [
    'a byte order mark',
    (f) => write('config.json', `\ufeff${readFileSync(join(f, 'config.json'), 'utf8')}`)(f),
    'INVALID_CONFIG',
    null,
    /byte order mark/,
  ],
  [
    'a key twice',
    write('config.json', '{"hidden_size": 64, "hidden_size": 128}'),
    'INVALID_CONFIG',
    null,
    /hidden_size appears twice/,
  ],
  ['nesting without end', write('config.json', '['.repeat(100_000)), 'INVALID_CONFIG', null, /nested deeper/],
  [
    'no architecture',
    set({ architectures: undefined }),
    'INVALID_CONFIG',
    'architectures',
    /architectures is nothing/,
  ],
  [
    'two architectures',
    set({ architectures: ['LlamaForCausalLM', 'Qwen3ForCausalLM'] }),
    'INVALID_CONFIG',
    'architectures',
    /the one architecture/,
  ],
  [
    'an unknown architecture',
    set({ architectures: ['BloomForCausalLM'] }),
    'MODEL_UNSUPPORTED',
    'architectures',
    /BloomForCausalLM.*supported: .*LlamaForCausalLM, .*Qwen3ForCausalLM/,
  ],
  [
    'a classifier',
    set({ architectures: ['LlamaForSequenceClassification'] }),
    'MODEL_UNSUPPORTED',
    'architectures',
    /LlamaForSequenceClassification/,
  ],
  ...[0, -1, 4096.5, '128', null, true, 2 ** 21, 1e300].map((value): Spoiled => [
    `hidden_size ${JSON.stringify(value)}`,
    set({ hidden_size: value }),
    'INVALID_CONFIG',
    'hidden_size',
    /hidden_size is .*; a whole number from 1 to 1048576 is expected/,
  ]),
  [
    'one head too many',
    set({ num_attention_heads: 5 }),
    'INVALID_CONFIG',
    'num_key_value_heads',
    /divisor of num_attention_heads \(5\)/,
  ],
  [
    'heads that do not divide',
    set({ num_attention_heads: 3, num_key_value_heads: 3 }),
    'INVALID_CONFIG',
    'num_attention_heads',
    /divisor of hidden_size \(64\)/,
  ],
  ['an odd head_dim', set({ head_dim: 15 }), 'INVALID_CONFIG', 'head_dim', /an even number/],
  [
    'a norm epsilon of zero',
    set({ rms_norm_eps: 0 }),
    'INVALID_CONFIG',
    'rms_norm_eps',
    /a finite number above 0/,
  ],
  [
    'another activation',
    set({ hidden_act: 'gelu' }),
    'MODEL_UNSUPPORTED',
    'hidden_act',
    /hidden_act = "gelu" is not supported; supported: silu/,
  ],
  [
    'a quantised checkpoint',
    set({ quantization_config: { quant_method: 'gptq', bits: 4 } }),
    'MODEL_UNSUPPORTED',
    'quantization_config',
    /quantization_config/,
  ],
  [
    'an unknown rope type',
    set({ rope_scaling: { rope_type: 'spiral', factor: 4 } }),
    'MODEL_UNSUPPORTED',
    'rope_scaling.rope_type',
    /"spiral" is not supported; supported: default, linear, dynamic, yarn, llama3, longrope/,
  ],
  [
    'an unknown rope type, as it was spelled before',
    set({ rope_scaling: { type: 'spiral', factor: 2 } }),
    'MODEL_UNSUPPORTED',
    'rope_scaling.type',
    /"spiral"/,
  ],
  [
    'an unknown rope setting',
    set({ rope_scaling: { rope_type: 'linear', factor: 2, twist: 1 } }),
    'MODEL_UNSUPPORTED',
    'rope_scaling.twist',
    /rope_scaling\.twist is not supported/,
  ],
  [
    'two thetas',
    set({ rope_parameters: { rope_type: 'default', rope_theta: 5e5 } }),
    'INVALID_CONFIG',
    'rope_theta',
    /rope_parameters\.rope_theta/,
  ],
  [
    'half a rotation',
    set({ partial_rotary_factor: 0.5 }),
    'MODEL_UNSUPPORTED',
    'partial_rotary_factor',
    /partial_rotary_factor = 0\.5/,
  ],
  [
    'a soft cap',
    set({ final_logit_softcapping: 30 }),
    'MODEL_UNSUPPORTED',
    'final_logit_softcapping',
    /final_logit_softcapping = 30/,
  ],
  ['experts', set({ num_experts: 8 }), 'MODEL_UNSUPPORTED', 'num_experts', /num_experts = 8/],
  [
    'biases that are not there',
    set({ attention_bias: true }),
    'INVALID_WEIGHTS',
    null,
    /q_proj\.bias of shape \[64\] is missing/,
  ],
  [
    'a layer more than the weights',
    set({ num_hidden_layers: 5 }),
    'INVALID_CONFIG',
    'num_hidden_layers',
    /num_hidden_layers is 5; the weights have 4 layers/,
  ],
  [
    'a layer less than the weights',
    set({ num_hidden_layers: 3 }),
    'INVALID_CONFIG',
    'num_hidden_layers',
    /num_hidden_layers is 3; the weights have 4 layers/,
  ],
  [
    'another width',
    set({ hidden_size: 128 }),
    'INVALID_WEIGHTS',
    'model.embed_tokens.weight',
    /has shape \[331, 64\], the config asks for \[331, 128\]/,
  ],
  [
    'another vocabulary',
    set({ vocab_size: 330 }),
    'INVALID_CONFIG',
    'vocab_size',
    /vocab_size is 330; the weights have 331 tokens/,
  ],
  [
    'a head of its own that is not there',
    set({ tie_word_embeddings: false }),
    'INVALID_WEIGHTS',
    'lm_head.weight',
    /lm_head\.weight of shape \[331, 64\] is missing/,
  ],

  [
    'no weights',
    (f) => rmSync(join(f, 'model.safetensors')),
    'FILE_NOT_FOUND',
    null,
    /holds neither model\.safetensors nor model\.safetensors\.index\.json/,
  ],
  ['empty weights', cut(() => 0), 'INVALID_SAFETENSORS', null, /has 0 bytes/],
  ['weights cut in the header’s length', cut(() => 7), 'INVALID_SAFETENSORS', null, /has 7 bytes/],
  ['weights cut after the header’s length', cut(() => 8), 'INVALID_SAFETENSORS', null, /its header claims/],
  [
    'weights cut in the header',
    cut(() => 500),
    'INVALID_SAFETENSORS',
    null,
    /its header claims \d+ bytes; the file has 500/,
  ],
  [
    'weights cut in the middle',
    cut((size) => size >> 1),
    'INVALID_SAFETENSORS',
    null,
    /the file is cut or wrong/,
  ],
  [
    'weights cut by one byte',
    cut((size) => size - 1),
    'INVALID_SAFETENSORS',
    null,
    /the file is cut or wrong/,
  ],
  [
    'one byte too many',
    (f) => writeFileSync(join(f, 'model.safetensors'), 'x', { flag: 'a' }),
    'INVALID_SAFETENSORS',
    null,
    /tensors cover \d+ of \d+ bytes/,
  ],
  [
    'a page of HTML for weights',
    write('model.safetensors', '<html>not found</html>'),
    'INVALID_SAFETENSORS',
    null,
    /header claims/,
  ],
  ['a tensor less', weights((t) => t.delete(layer3)), 'INVALID_WEIGHTS', layer3, /is missing/],
  [
    'a tensor more',
    weights((t) => t.set('model.layers.0.self_attn.sinks', t.get(layer3)!)),
    'INVALID_WEIGHTS',
    'model.layers.0.self_attn.sinks',
    /1 tensor is not part of/,
  ],
  [
    'a transposed tensor',
    weights((t) => t.get('model.layers.0.mlp.up_proj.weight')!.shape.reverse()),
    'INVALID_WEIGHTS',
    'model.layers.0.mlp.up_proj.weight',
    /has shape \[64, 160\], the config asks for \[160, 64\]/,
  ],
  [
    'whole numbers for weights',
    weights((t) => (t.get(layer3)!.dtype = 'I16')),
    'INVALID_WEIGHTS',
    layer3,
    /has dtype I16; F32, F16 or BF16/,
  ],
  [
    'a tied head that is another',
    weights((t) =>
      t.set('lm_head.weight', { ...t.get('model.embed_tokens.weight')!, data: Buffer.alloc(331 * 64 * 2) }),
    ),
    'INVALID_CONFIG',
    'tie_word_embeddings',
    /holds other values/,
  ],
];

describe('a checkpoint is refused with', () => {
  test.each(spoiled)('%s', (_, spoil, code, detail, message) =>
    expectRefused('llama-tied-f16-v4config', spoil, code, detail, message),
  );
});

const index = 'model.safetensors.index.json';
const mapped = (shard: unknown) => (folder: string) =>
  editJson(join(folder, index), (json) => (json.weight_map['model.norm.weight'] = shard));
const secondShard = 'model-00002-of-00003.safetensors';

describe('a checkpoint in shards is refused with', () => {
  test.each<Spoiled>([
    [
      'a shard missing',
      (f) => rmSync(join(f, secondShard)),
      'FILE_NOT_FOUND',
      null,
      /no such file: .*model-00002-of-00003/,
    ],
    [
      'a shard cut',
      (f) => truncateSync(join(f, secondShard), 1000),
      'INVALID_SAFETENSORS',
      null,
      /model-00002-of-00003/,
    ],
    [
      'a shard twice',
      (f) => copyFileSync(join(f, secondShard), join(f, 'model-00003-of-00003.safetensors')),
      'INVALID_WEIGHTS',
      null,
      /is in two shards|lacks tensor/,
    ],
    ...['../model.safetensors', '/etc/passwd', '..', '', 'a\\b', 7].map((shard): Spoiled => [
      `an index that leads to ${JSON.stringify(shard)}`,
      mapped(shard),
      'INVALID_WEIGHTS',
      'model.norm.weight',
      /model\.norm\.weight is not mapped to a file name in the same folder/,
    ]),
    [
      'an index that names the wrong shard',
      mapped(secondShard),
      'INVALID_WEIGHTS',
      'model.norm.weight',
      /lacks tensor model\.norm\.weight/,
    ],
    [
      'an index without a map',
      write(index, '{}'),
      'INVALID_WEIGHTS',
      'weight_map',
      /weight_map is missing or empty/,
    ],
    ['an index that is no JSON', write(index, '{'), 'INVALID_WEIGHTS', null, /not valid JSON/],
    [
      'a tensor that the index does not know and the model does not have',
      (f) => editTensors(join(f, secondShard), (t) => t.set('extra', [...t.values()][0]!)),
      'INVALID_WEIGHTS',
      'extra',
      /first extra/,
    ],
  ])('%s', (_, spoil, code, detail, message) =>
    expectRefused('qwen3-sharded-bf16', spoil, code, detail, message),
  );
});

describe('Qwen3 refuses', () => {
  test.each<Spoiled>([
    [
      'no head_dim where it is not the default',
      set({ head_dim: undefined }),
      'INVALID_WEIGHTS',
      'model.layers.0.self_attn.q_norm.weight',
      /has shape \[24\], the config asks for \[128\]/,
    ],
    [
      'a layer type it does not know',
      set({ layer_types: ['full_attention', 'full_attention', 'full_attention', 'linear_attention'] }),
      'MODEL_UNSUPPORTED',
      'layer_types',
      /layer_types/,
    ],
    [
      'layer types of another number of layers',
      set({ layer_types: ['full_attention'] }),
      'INVALID_CONFIG',
      'layer_types',
      /one entry a layer/,
    ],
  ])('%s', (_, spoil, code, detail, message) =>
    expectRefused('qwen3-headdim-bf16', spoil, code, detail, message),
  );
});

test('what does not change the maths is read, and what is unknown is told', async () => {
  const folder = copyOf(golden('llama-tied-f16-v4config'));
  set({ quantization_config: null, layer_types: Array(4).fill('full_attention'), my_own_note: 'hello' })(
    folder,
  );
  const model = await Model.open(folder);
  expect(model.spec.unknownConfigKeys).toEqual(['my_own_note']);
  model.close();
});

test('weights that are not finite are found by the measurement and told', async () => {
  const folder = copyOf(golden('llama-rope3-untied-bf16'));
  weights((all) => {
    const gamma = all.get('model.layers.2.input_layernorm.weight')!;
    gamma.data = Buffer.from(gamma.data);
    gamma.data.writeUInt16LE(0x7fc0, 2 * 5); // NaN in bfloat16
  })(folder);
  const base = await openModel(golden('llama-rope3-untied-bf16'));
  const spoilt = await openModel(folder);
  const result = await diff(base, spoilt, [[1], [2], [1]], { layers: [1, 2] });
  const { dModel } = base.spec;
  expect(result.meanDiff.subarray(0, dModel).every((value) => value === 0)).toBe(true);
  expect(result.meanDiff.subarray(dModel).every(Number.isNaN)).toBe(true);
  expect([...result.standardErrorNorm]).toEqual([0, NaN]);
  expect(result.certificate).toMatchObject({
    notFinite: { activations: 3 * dModel, baseWeights: 0, finetunedWeights: 1 },
    warnings: [
      `${3 * dModel} activations were not finite; the means hold NaN there`,
      'weights of the finetuned model that are not finite: 1',
    ],
  });
});

async function expectRefused(
  checkpoint: string,
  spoil: (folder: string) => void,
  code: NativeErrorCode,
  detail: string | null,
  message: RegExp,
): Promise<void> {
  const folder = copyOf(golden(checkpoint));
  spoil(folder);
  const error = await refusal(Model.open(folder));
  expect({ code: error.code, message: error.message }).toEqual({
    code,
    message: expect.stringMatching(message),
  });
  expect(error.message).not.toMatch(/[\n\r]/);
  const { field, tensor } = error.details;
  if (detail !== null) expect([field, tensor]).toContain(detail);
}
