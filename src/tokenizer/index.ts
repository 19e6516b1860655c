export { compareTokenizers, type TokenizerComparison } from './compare.ts';
export { TokenizerError, type TokenizerErrorCode } from './errors.ts';
export { openTokenizer, type Tokenizer } from './tokenizer.ts';
