import type { OrganismForm, ProjectionSign, ProjectionVariant, VectorKind } from '../src/db/index.ts';
import { builder } from './builder.ts';

/** An enum whose values are all described; a value missing here does not compile. */
const described = <Value extends string>(name: string, description: string, values: Record<Value, string>) =>
  builder.enumType(name, {
    description,
    values: Object.fromEntries(
      Object.entries(values).map(([value, text]) => [value, { value, description: text as string }]),
    ) as Record<Value, { value: Value; description: string }>,
  });

export const OrganismFormEnum = described<OrganismForm>(
  'OrganismForm',
  'How the weights of an organism are kept.',
  {
    LORA: 'A low-rank adapter beside the base checkpoint.',
    FULL: 'A whole checkpoint of its own.',
  },
);

export const AdapterKindEnum = described<'LORA'>(
  'AdapterKind',
  'A way to change a model beside its weights.',
  {
    LORA: 'Low-rank updates of matrices (W x becomes W x + scale · B A x), and tensors replaced as a whole.',
  },
);

export const VectorKindEnum = described<VectorKind>(
  'VectorKind',
  'Which numbers of a place a vector holds.',
  {
    DIFF: 'Mean of finetuned − base, raw and unnormalised.',
    BASE_MEAN: 'Mean activation of the base model.',
    FINETUNED_MEAN: 'Mean activation of the finetuned model.',
  },
);

export const ProjectionVariantEnum = described<ProjectionVariant>(
  'ProjectionVariant',
  'Which vector a projection reads.',
  {
    DIFF: 'The diff: what the finetune added.',
    BASE: 'The mean activation of the base model, for comparison.',
    FINETUNED: 'The mean activation of the finetuned model, for comparison.',
  },
);

export const ProjectionSignEnum = described<ProjectionSign>(
  'ProjectionSign',
  'Which end of a projection its tokens are from.',
  {
    PROMOTED: 'Tokens that adding the vector makes likelier.',
    SUPPRESSED: 'Tokens that subtracting the vector makes likelier.',
  },
);
