import { coherence } from './coherence.ts';
import type { Grader } from './define-grader.ts';
import { hypothesis } from './hypothesis.ts';
import { tokenRelevance } from './relevance/token-relevance.ts';
import { scaleTournament } from './scale-tournament.ts';

export {
  type AgentLimits,
  type AgentSetting,
  type AttemptsOfSetting,
  bySetting,
  claimsOf,
  type OfOrganism,
  scoresOf,
} from './agent-scores.ts';
export { cohensKappa, krippendorffsAlpha, type Scale } from './agreement.ts';
export { agreementBetween, type Agreement, type Coefficient, type Judgement } from './agreement-between.ts';
export type { Limits, Spent } from './allowance.ts';
export type { CanaryReport } from './canary.ts';
export type { ChatReply, ChatRequest, Message, Provider, ToolCall, VerdictForm } from './chat.ts';
export {
  coherence,
  type CoherenceBatch,
  type CoherenceGrade,
  coherenceJudge,
  gradeCoherence,
  gradeCoherences,
} from './coherence.ts';
export {
  defineGrader,
  type Grader,
  type GraderIdentity,
  identityOf,
  type ReplyRule,
} from './define-grader.ts';
export { type Drift, measureDrift } from './drift.ts';
export type { Embedder, EmbeddingReply } from './embedder.ts';
export { EmbeddingRunner } from './embedding-runner.ts';
export { type Exchange, type ExchangeStore, memoryExchanges } from './exchange-store.ts';
export {
  gradeHypotheses,
  gradeHypothesis,
  hypothesis,
  type HypothesisBatch,
  type HypothesisGrade,
  type HypothesisSubject,
} from './hypothesis.ts';
export { ProviderError, type ProviderErrorCode } from './provider-error.ts';
export { ApiKey, type KeySource, readKey } from './providers/api-key.ts';
export { localModel, type LocalModelOptions } from './providers/local-model.ts';
export { openAiEmbeddings, type OpenAiEmbeddingsOptions } from './providers/openai-embeddings.ts';
export { openAiCompatible, type OpenAiCompatibleOptions } from './providers/openai-compatible.ts';
export { type Candidate, candidatesJudged, candidatesOf } from './relevance/candidates.ts';
export { addTokens, countTokens, type FrequentToken, frequentTokens } from './relevance/frequent-tokens.ts';
export {
  gradeRelevance,
  gradeRelevances,
  type RelevanceBatch,
  type RelevanceGrade,
  type RelevanceOptions,
} from './relevance/grade-relevance.ts';
export { type RelevanceMetrics, relevanceMetrics } from './relevance/metrics.ts';
export {
  offlineIdentity,
  offlineRelevance,
  type OfflineRelevance,
  type OfflineRules,
  offlineRules,
} from './relevance/offline-relevance.ts';
export { tokenRelevance } from './relevance/token-relevance.ts';
export type { AgreementRule, RelevanceLabel } from './relevance/votes.ts';
export { type Rubric, rubricOf, rubrics } from './rubrics.ts';
export { type Answered, type Plan, type Question, Runner, type RunnerOptions } from './runner.ts';
export {
  scaleByTournament,
  scaleTournament,
  type ScaleTokens,
  type TournamentResult,
} from './scale-tournament.ts';
export {
  bootstrapInterval,
  type Interval,
  overOrganisms,
  type OfGroup,
  overPositions,
  type OverPositions,
} from './statistics.ts';
export { cleaned, sealed, type Sealed } from './untrusted.ts';

/** The graders that ask an LLM, by name. */
export const graders: Readonly<Record<string, Grader<unknown, never>>> = Object.fromEntries(
  [tokenRelevance, coherence, scaleTournament, hypothesis].map((grader) => [grader.name, grader]),
);
