import type { Grading } from './request.ts';

/** Who can be asked to grade, by name; each loads what it needs when it is. */
export const gradings: Readonly<Record<string, () => Promise<Grading>>> = {
  'offline-relevance': async () => (await import('./offline-relevance.ts')).offlineRelevance,
  'token-relevance': async () => (await import('./token-relevance.ts')).tokenRelevance,
  'scale-tournament': async () => (await import('./scale-tournament.ts')).scaleTournament,
  coherence: async () => (await import('./coherence.ts')).coherence,
  hypothesis: async () => (await import('./hypothesis.ts')).hypothesis,
};
