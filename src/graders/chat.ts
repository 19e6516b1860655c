import type { JsonObject } from '../lib/canonical-json.ts';

/** A call of a function, under an id by which its result is told. */
export interface ToolCall {
  id: string;
  name: string;
  /** JSON or not. */
  arguments: string;
}

export interface Message {
  /** `tool`: the result of a call. */
  role: 'system' | 'user' | 'assistant' | 'tool';
  content: string;
  /** Of an assistant. */
  calls?: readonly ToolCall[];
  /** Of a tool. */
  callId?: string;
}

/** A function that a reply may call: the form its verdict has to have. */
export interface VerdictForm {
  name: string;
  description: string;
  /** JSON Schema of its arguments. */
  schema: JsonObject;
}

export interface ChatRequest {
  messages: readonly Message[];
  /** Of the reply, its thinking included. */
  maxTokens: number;
  /** Null leaves it to the provider: some models take none. */
  temperature: number | null;
  /** The function to call; null asks for text. */
  verdict: VerdictForm | null;
  /** Functions that a reply may call, or, beside a verdict, that earlier ones called. */
  tools?: readonly VerdictForm[] | undefined;
}

export interface Usage {
  /** Null where the provider did not count. */
  promptTokens: number | null;
  completionTokens: number | null;
}

/** A reply in one form, whoever gave it; all of it can be stored as JSON. */
export interface ChatReply {
  text: string;
  /** `arguments` as they came, JSON or not. */
  calls: { name: string; arguments: string }[];
  /** 'length' when it was cut off at maxTokens; null where the provider does not say. */
  finish: string | null;
  /** The model that answered, as it names itself. */
  model: string;
  usage: Usage;
  /** As received. */
  raw: JsonObject;
}

/** Someone who answers. Tries once: trying again, waiting and counting are the runner's. */
export interface Provider {
  /** Words with dashes. */
  readonly name: string;
  /** Where it answers: a base URL without secrets, or the digest of a checkpoint. */
  readonly endpoint: string;
  /** The model that is asked for. */
  readonly model: string;
  /** Whether replies may call functions. */
  readonly callsFunctions: boolean;
  /** The same request always gets the same reply, so asking again is in vain. */
  readonly deterministic: boolean;
  /** A call that was sent is paid for, whether or not somebody waits for its reply. */
  readonly charges: boolean;
  /** The request as it is sent, without the key. */
  body(request: ChatRequest): JsonObject;
  /** @throws ProviderError; the signal's reason */
  chat(request: ChatRequest, options: { signal?: AbortSignal | undefined }): Promise<ChatReply>;
}
