export { TokenizerError, type TokenizerErrorCode } from './errors.ts';
export { openTokenizer, type Tokenizer } from './tokenizer.ts';
