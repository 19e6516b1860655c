import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Model, type NativeErrorCode } from '../../src/index.ts';
import { golden } from '../harness/golden-error.ts';
import { copyOf, editJson, editTensors, openModel } from '../harness/models.ts';
import { bits } from '../harness/numbers.ts';
import { refusal } from '../harness/refusal.ts';
import type { Tensor } from '../harness/safetensors.ts';

/** Spoils an adapter; what its refusal must say: the code, one detail (field or tensor), and the message. */
type Spoiled = [
  name: string,
  spoil: (folder: string) => void,
  NativeErrorCode,
  detail: string | null,
  RegExp,
];

const set = (values: Record<string, unknown>) => (folder: string) =>
  editJson(join(folder, 'adapter_config.json'), (json) => Object.assign(json, values));
const tensors = (edit: (tensors: Map<string, Tensor>) => void) => (folder: string) =>
  editTensors(join(folder, 'adapter_model.safetensors'), edit);
const key = (layer: number | string, end: string, module = 'self_attn.q_proj') =>
  `base_model.model.model.layers.${layer}.${module}.lora_${end}.weight`;
const renamed = (from: string, to: string) =>
  tensors((all) => {
    all.set(to, all.get(from)!);
    all.delete(from);
  });
const zeroed = (end: string) =>
  tensors((all) => {
    for (const [name, tensor] of all)
      if (name.includes(`lora_${end}`)) all.set(name, { ...tensor, data: Buffer.alloc(tensor.data.length) });
  });
const value = (number: number) =>
  tensors((all) => {
    const tensor = all.get(key(0, 'A'))!;
    const data = Buffer.from(tensor.data);
    data.writeFloatLE(number, 4 * 6);
    all.set(key(0, 'A'), { ...tensor, data });
  });

/** Of llama-rope3-untied-bf16--lora_rslora_qv: rank 4 on q_proj and v_proj of 4 layers. */
const spoiled: Spoiled[] = [
  [
    'no config',
    (f) => rmSync(join(f, 'adapter_config.json')),
    'FILE_NOT_FOUND',
    null,
    /no such file: .*adapter_config\.json/,
  ],
  [
    'no weights',
    (f) => rmSync(join(f, 'adapter_model.safetensors')),
    'FILE_NOT_FOUND',
    null,
    /no such file: .*adapter_model\.safetensors/,
  ],
  [
    'a pickle only',
    (f) => renameSync(join(f, 'adapter_model.safetensors'), join(f, 'adapter_model.bin')),
    'FILE_NOT_FOUND',
    null,
    /adapter_model\.bin only; pickles are never opened/,
  ],
  [
    'weights that are cut',
    (f) => writeFileSync(join(f, 'adapter_model.safetensors'), 'short'),
    'INVALID_SAFETENSORS',
    null,
    /has 5 bytes/,
  ],
  [
    'another kind of PEFT',
    set({ peft_type: 'IA3' }),
    'MODEL_UNSUPPORTED',
    'peft_type',
    /peft_type = "IA3" is not supported; supported: LORA/,
  ],
  ['no rank', set({ r: undefined }), 'INVALID_ADAPTER', 'r', /r is nothing; a whole number from 1/],
  ['rank 0', set({ r: 0 }), 'INVALID_ADAPTER', 'r', /r is 0; /],
  [
    'a rank that the tensors do not have',
    set({ r: 8 }),
    'INVALID_ADAPTER',
    key(0, 'A'),
    /should have shape \[8, 64\], found \[4, 64\]/,
  ],
  ['alpha 0', set({ lora_alpha: 0 }), 'INVALID_ADAPTER', 'lora_alpha', /lora_alpha is 0/],
  ['use_dora', set({ use_dora: true }), 'MODEL_UNSUPPORTED', 'use_dora', /use_dora = true is not supported/],
  [
    'modules_to_save without their tensors',
    set({ modules_to_save: ['lm_head'] }),
    'INVALID_ADAPTER',
    'modules_to_save',
    /no tensor for lm_head, which modules_to_save/,
  ],
  ['lora_bias', set({ lora_bias: true }), 'MODEL_UNSUPPORTED', 'lora_bias', /lora_bias/],
  ['bias', set({ bias: 'some' }), 'MODEL_UNSUPPORTED', 'bias', /bias = "some"/],
  [
    'trainable tokens',
    set({ trainable_token_indices: [1] }),
    'MODEL_UNSUPPORTED',
    'trainable_token_indices',
    /trainable_token_indices/,
  ],
  [
    'a layer replicated',
    set({ layer_replication: [[0, 2]] }),
    'MODEL_UNSUPPORTED',
    'layer_replication',
    /layer_replication/,
  ],
  [
    'a flag nobody knows, switched on',
    set({ use_next_years_lora: true }),
    'MODEL_UNSUPPORTED',
    'use_next_years_lora',
    /use_next_years_lora/,
  ],
  ['no target', set({ target_modules: [] }), 'INVALID_ADAPTER', 'target_modules', /at least one module name/],
  [
    'a target without tensors',
    set({ target_modules: ['q_proj', 'v_proj', 'o_proj'] }),
    'INVALID_ADAPTER',
    'target_modules',
    /no tensors for layers\.0\.self_attn\.o_proj, which target_modules/,
  ],
  [
    'a tensor that is no target',
    set({ target_modules: ['q_proj'] }),
    'INVALID_ADAPTER',
    'target_modules',
    /v_proj.* is not among target_modules/,
  ],
  [
    'a target that is only the end of a name',
    set({ target_modules: ['proj', 'v_proj'] }),
    'INVALID_ADAPTER',
    'target_modules',
    /is not among target_modules/,
  ],
  [
    'a layer the base does not have',
    renamed(key(3, 'A'), key(4, 'A')),
    'INVALID_ADAPTER',
    key(4, 'A'),
    /matches no module of LlamaForCausalLM with 4 layers/,
  ],
  [
    'a layer spelled in another way',
    renamed(key(3, 'A'), key('03', 'A')),
    'INVALID_ADAPTER',
    key('03', 'A'),
    /matches no module/,
  ],
  [
    'a name of another family',
    renamed(key(0, 'A'), 'base_model.model.transformer.h.0.attn.c_attn.lora_A.weight'),
    'INVALID_ADAPTER',
    'base_model.model.transformer.h.0.attn.c_attn.lora_A.weight',
    /matches no module/,
  ],
  [
    'a DoRA magnitude',
    tensors((all) => all.set(key(0, 'magnitude_vector'), all.get(key(0, 'A'))!)),
    'INVALID_ADAPTER',
    key(0, 'magnitude_vector'),
    /matches no module/,
  ],
  [
    'A without B',
    tensors((all) => all.delete(key(2, 'B'))),
    'INVALID_ADAPTER',
    'layers.2.self_attn.q_proj',
    /has lora_A without lora_B/,
  ],
  [
    'B without A',
    tensors((all) => all.delete(key(2, 'A'))),
    'INVALID_ADAPTER',
    'layers.2.self_attn.q_proj',
    /has lora_B without lora_A/,
  ],
  [
    'no tensor at all',
    tensors((all) => all.clear()),
    'INVALID_ADAPTER',
    null,
    /adapts no module of the base model/,
  ],
  [
    'B all zero',
    zeroed('B'),
    'ADAPTER_INERT',
    null,
    /the adapter changes nothing \(the change is zero in all 8 modules\)/,
  ],
  ['A all zero', zeroed('A'), 'ADAPTER_INERT', null, /changes nothing/],
];

const adapter = golden('llama-rope3-untied-bf16--lora_rslora_qv');
const base = golden('llama-rope3-untied-bf16');

describe('an adapter is refused with', () => {
  test.each(spoiled)('%s', async (_, spoil, code, detail, message) => {
    const folder = copyOf(adapter);
    spoil(folder);
    const error = await refusal(Model.open(base, { adapter: folder }));
    expect({ code: error.code, message: error.message }).toEqual({
      code,
      message: expect.stringMatching(message),
    });
    expect(error.message).not.toMatch(/[\n\r]/);
    const { field, tensor } = error.details;
    if (detail !== null) expect([field, tensor]).toContain(detail);
  });

  test.each([
    ['NaN', NaN],
    ['infinity', -Infinity],
  ])('%s in a tensor', async (_, number) => {
    const folder = copyOf(golden('qwen3-headdim-bf16--lora_r8'));
    value(number)(folder);
    const error = await refusal(Model.open(golden('qwen3-headdim-bf16'), { adapter: folder }));
    expect(error).toMatchObject({ code: 'INVALID_ADAPTER', details: { tensor: key(0, 'A') } });
    expect(error.message).toContain('holds NaN or infinity');
  });

  test('a base that it was not made for', async () => {
    const error = await refusal(Model.open(golden('qwen3-headdim-bf16'), { adapter }));
    expect(error.code).toBe('INVALID_ADAPTER');
    expect(error.message).toMatch(/should have shape \[96, 4\], found \[64, 4\]/);
  });

  test('a folder that is a checkpoint', async () => {
    const error = await refusal(Model.open(base, { adapter: base }));
    expect(error).toMatchObject({ code: 'FILE_NOT_FOUND' });
    expect(error.message).toContain('adapter_config.json');
  });
});

test('alpha and rank scale an adapter, rank-stabilised by the root of the rank', async () => {
  const folder = copyOf(adapter);
  const asStored = await openModel(base, { adapter });
  // 8 / √4 = 16 / 4
  set({ use_rslora: false, lora_alpha: 16 })(folder);
  const plain = await openModel(base, { adapter: folder });
  expect((await plain.logits([[1, 2, 3]])).map(bits)).toEqual((await asStored.logits([[1, 2, 3]])).map(bits));
  set({ lora_alpha: 8 })(folder);
  const half = await openModel(base, { adapter: folder });
  half.spec.adapter!.modules.forEach(({ changeNorm }, i) => {
    expect(changeNorm).toBeCloseTo(plain.spec.adapter!.modules[i]!.changeNorm / 2, 12);
  });
});
