export {
  type ChatMessage,
  type ChatTemplate,
  type Conversation,
  encodeChats,
  readChatTemplate,
  renderChats,
} from './chat-template.ts';
export { compareTokenizers, type TokenizerComparison } from './compare.ts';
export { TokenizerError, type TokenizerErrorCode } from './errors.ts';
export { openTokenizer, type Tokenizer } from './tokenizer.ts';
