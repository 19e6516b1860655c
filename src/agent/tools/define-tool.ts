import { z } from 'zod';
import type { AgentPair, AgentRunRow, RunRow, Store } from '../../db/index.ts';
import { hasDuplicateKeys } from '../../graders/duplicate-keys.ts';
import type { VerdictForm } from '../../graders/index.ts';
import type { JsonObject } from '../../lib/canonical-json.ts';
import { CodedError } from '../../lib/coded-error.ts';
import type { AskGraph } from '../ask-graph.ts';
import type { Material } from '../material.ts';
import type { Models } from '../models.ts';

/** What tools work with. */
export interface Desk {
  store: Store;
  ask: AskGraph;
  agentRun: AgentRunRow;
  pair: AgentPair;
  /** Where the vectors are read; null where there are none to read. */
  reading: { run: RunRow; layer: number; positions: readonly number[] } | null;
  /** Null where the models cannot be asked. */
  models: Models | null;
  /** Prompts that may still be put to models. */
  interactionsLeft: number;
  /** A seed of the call's own. */
  seed: number;
  signal: AbortSignal | undefined;
}

/** What an agent puts forward in the end. */
export interface Answer {
  text: string;
  confidence: number;
  reason: string;
  conclusive: boolean;
}

export interface Outcome {
  /** A function changes the store, in the transaction that keeps the message. */
  result: Material | (() => Material);
  /** Prompts that were put to models. */
  interactions?: number;
  answer?: Answer;
}

/** A call that the agent can mend: what it is told, and nothing was done. */
export class ToolError extends CodedError {}

export interface Tool extends VerdictForm {
  /** Whether an agent at such a desk has it. */
  offered: (desk: Pick<Desk, 'reading' | 'models'>) => boolean;
  /** @throws ToolError for what the agent can mend */
  call: (given: string, desk: Desk) => Promise<Outcome>;
}

/** A tool: one file here, and one line in index.ts. Arguments are checked before `run` sees them. */
export function defineTool<Arguments extends z.ZodObject>(definition: {
  /** Lower case with underscores; agents write it. */
  name: string;
  /** What it does, what it costs, in the agent's words. */
  description: string;
  arguments: Arguments;
  offered: Tool['offered'];
  run: (given: z.infer<Arguments>, desk: Desk) => Outcome | Promise<Outcome>;
}): Tool {
  const { name, description, offered, run } = definition;
  const { $schema: _, ...schema } = z.toJSONSchema(definition.arguments, { io: 'input' }) as JsonObject;
  return {
    ...{ name, description, schema, offered },
    call: async (given, desk) => run(argumentsOf(definition.arguments, given), desk),
  };
}

function argumentsOf<Arguments extends z.ZodObject>(form: Arguments, given: string): z.infer<Arguments> {
  let json: unknown;
  try {
    json = JSON.parse(given === '' ? '{}' : given);
  } catch {
    throw new ToolError('ARGUMENTS_NOT_JSON', 'The arguments are not JSON; give one JSON object.');
  }
  if (hasDuplicateKeys(given)) throw new ToolError('ARGUMENTS_TWICE', 'The arguments say something twice.');
  const parsed = form.safeParse(json);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'arguments'}: ${message}`,
  );
  throw new ToolError('ARGUMENTS_WRONG', problems.slice(0, 5).join('; '));
}

/** Of prompts to models. */
export const promptList = z
  .array(z.string().trim().min(1).max(2_000))
  .min(1)
  .max(10)
  .describe('1 to 10 prompts of at most 2,000 characters; each is one interaction');

/** @throws ToolError where so many prompts are not left; nothing is asked then */
export function demandInteractions({ interactionsLeft }: Desk, prompts: number): void {
  if (prompts > interactionsLeft)
    throw new ToolError(
      'INTERACTIONS_EXHAUSTED',
      `${prompts} interactions are asked for and ${interactionsLeft} are left; none was made.`,
    );
}
