import type { ModelRow } from '../src/db/index.ts';
import { builder } from './builder.ts';
import { connection, connectionType } from './connection.ts';
import { filtered } from './filter.ts';
import { OrganismConnection, organismFilters, OrganismRef } from './organism.ts';

export const BaseModelRef = builder.objectRef<ModelRow>('BaseModel');
export const BaseModelConnection = connectionType('BaseModel', BaseModelRef);

builder.node(BaseModelRef, {
  description: 'A checkpoint before finetuning.',
  id: { resolve: (model) => model.key },
  loadOne: (name, { store }) => store.models.find(name),
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Unique name in this store.' }),
    digest: t.exposeString('digest', { description: 'SHA-256 over the checkpoint, in hex.' }),
    architecture: t.exposeString('architecture', {
      description: 'Architecture class as in config.json, such as Qwen3ForCausalLM.',
    }),
    layers: t.exposeInt('layers', {
      description: 'Number of decoder blocks; layer indices run from 0 to one less.',
    }),
    dModel: t.exposeInt('dModel', { description: 'Width of the residual stream: numbers in each vector.' }),
    vocabSize: t.exposeInt('vocabSize', { description: 'Rows of the embedding.' }),
    parameters: t.expose('parameters', {
      type: 'BigInt',
      description: 'Number of weights, a tied head counted once.',
    }),
    dtype: t.exposeString('dtype', {
      description: 'Type of the weights on disk: float32, bfloat16 or float16.',
    }),
    tiedHead: t.exposeBoolean('tiedHead', {
      description: 'Whether the output head is the embedding itself.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was registered here.' }),
    organisms: t.connection(
      {
        type: OrganismRef,
        description: 'Finetunes of this model, by name.',
        args: organismFilters,
        ...filtered,
        resolve: (model, args, context) =>
          connection(context, context.store.organisms.ofBaseModel, model, args),
      },
      OrganismConnection,
    ),
  }),
});

builder.queryFields((t) => ({
  baseModels: t.connection(
    {
      type: BaseModelRef,
      description: 'All base models, by name.',
      resolve: (_, args, context) => connection(context, context.store.models.all, null, args),
    },
    BaseModelConnection,
  ),
  baseModel: t.field({
    type: BaseModelRef,
    nullable: true,
    description: 'The base model of this name; null when there is none.',
    args: { name: t.arg.string({ required: true, description: 'Its exact name.' }) },
    resolve: (_, { name }, { store }) => store.models.find(name),
  }),
}));
