import { coherence } from './coherence.ts';
import type { Grader } from './define-grader.ts';
import { hypothesis } from './hypothesis.ts';
import { tokenRelevance } from './relevance/token-relevance.ts';
import { scaleTournament } from './scale-tournament.ts';

/** The graders that ask an LLM, by name. */
export const graders: Readonly<Record<string, Grader<unknown, never>>> = Object.fromEntries(
  [tokenRelevance, coherence, scaleTournament, hypothesis].map((grader) => [grader.name, grader]),
);
