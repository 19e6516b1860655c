import { askModels } from './ask-models.ts';
import type { Tool } from './define-tool.ts';
import { generateSteered } from './generate-steered.ts';
import { getSteeredSamples } from './get-steered-samples.ts';
import { getTokens } from './get-tokens.ts';
import { giveAnswer } from './give-answer.ts';
import { trackHypothesis } from './track-hypothesis.ts';

export { giveAnswer } from './give-answer.ts';
export { boardOf } from './track-hypothesis.ts';
export { type Answer, type Desk, type Outcome, type Tool, ToolError } from './define-tool.ts';

/** Everything an agent may call. */
export const tools: readonly Tool[] = [
  getTokens,
  getSteeredSamples,
  generateSteered,
  askModels,
  trackHypothesis,
  giveAnswer,
];
