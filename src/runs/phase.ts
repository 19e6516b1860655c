/** What a long piece of work is at. */
export type Phase =
  | 'digest'
  | 'tokens'
  | 'forward'
  | 'lens'
  | 'patchscope'
  | 'calibrate'
  | 'search'
  | 'samples'
  | 'judge'
  | 'causal'
  | 'divergence'
  | 'components'
  | 'embed'
  | 'save';
