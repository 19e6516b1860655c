import { constrained } from './constrained.ts';
import { open } from './open.ts';

export { probes } from './probes.ts';

/** Lists of prompts by name. */
export const promptLists = { constrained, open } as const;
export type PromptList = keyof typeof promptLists;
