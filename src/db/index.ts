export { type AdaptedModule, readCertificate, type RunCertificate } from './certificate.ts';
export { explainStoreFailure } from './client.ts';
export * from './errors.ts';
export { methodPattern, runKey } from './keys.ts';
export type { Where } from './filter.ts';
export {
  agentRunFields,
  agentRunSorts,
  diffVectorFields,
  diffVectorSorts,
  gradeFields,
  graderFields,
  graderSorts,
  gradeSorts,
  organismFields,
  organismSorts,
  projectionFields,
  projectionSorts,
  runFields,
  runSorts,
  sortedCharacters,
  tokenSorts,
} from './filters.ts';
export {
  mostCounted,
  type Asked,
  type Listing,
  type Order,
  type Page,
  type PageRequest,
  type SortKey,
  type SortValue,
} from './listing.ts';
export type { LayerRecord, ProjectionRecord, RunRecord, VectorRecord } from './run-record.ts';
export { tokenMatches, type TokenMatch } from './token-texts.ts';
export { openStore, type Store, type Stores } from './store.ts';
export { anonymous, bearer, type Owned, owner, owns, sightOf, type Viewer } from './visible.ts';
export type { NewToken, Presented, TokenRow } from './stores/access-tokens.ts';
export type { AgentMessageRow, NewAgentMessage } from './stores/agent-messages.ts';
export {
  agentRunKey,
  agentRunLease,
  type AgentRunRow,
  type AgentRunSpec,
  type AgentSpent,
} from './stores/agent-runs.ts';
export type { AgentAttempt } from './stores/agent-scores.ts';
export type { AuditEvent, AuditRow } from './stores/audit.ts';
export { type SharedKind, sharedKinds, type Sharing } from './stores/sharing.ts';
export type { TeamRow } from './stores/teams.ts';
export { type Scope, scopes } from './tables/access-tokens.ts';
export { type Visibility, visibilities } from './tables/ownership.ts';
export type { CausalEffectRow, CausalEffectSpec, NewCausalEffect } from './stores/causal-effects.ts';
export type { CorpusRow, NewCorpus } from './stores/corpora.ts';
export { mapStatistics, type DiffVectorRow, type HeatMap, type MapStatistic } from './stores/diff-vectors.ts';
export type { DivergenceRow, NewDivergence } from './stores/divergences.ts';
export type { ExchangeRow } from './stores/exchanges.ts';
export type { GraderRow, NewGrader } from './stores/graders.ts';
export type { AskedGraded } from './stores/projections.ts';
export type { GradeRow, GradeSpec, GradeSubject, NewGrade } from './stores/grades.ts';
export type { HypothesisRow } from './stores/hypotheses.ts';
export { IdempotencyConflictError } from './stores/idempotency-keys.ts';
export {
  type Claim,
  FenceLostError,
  type JobEventRow,
  type JobFilters,
  type JobLimits,
  jobLimits,
  type JobProgress,
  type JobRow,
  type NewJob,
} from './stores/jobs.ts';
export { type Lease, LeaseHeldError, LeaseLostError, leaseMs } from './stores/leases.ts';
export type { ModelRow, NewModel } from './stores/models.ts';
export type { NoteRow, NoteSubject } from './stores/notes.ts';
export type { NewOrganism, OrganismRow } from './stores/organisms.ts';
export type { NewPrincipalComponents, PrincipalComponentsRow } from './stores/principal-components.ts';
export type { ProjectionTokenRow } from './stores/projection-tokens.ts';
export type { NewProjection, ProjectionRow, ProjectionSpec } from './stores/projections.ts';
export type { OrganismRelevance, PlaceRelevance, RelevanceRule, RelevanceSpec } from './stores/relevance.ts';
export type { RunLayerRow } from './stores/run-layers.ts';
export type { RunPlace } from './stores/run-vectors.ts';
export type { RunRow } from './stores/runs.ts';
export type { SampleRow } from './stores/samples.ts';
export type { NewSimilarity, SimilarityRow } from './stores/similarities.ts';
export type {
  NewSample,
  NewSteeringExperiment,
  SteeringExperimentRow,
  SteeringSpec,
} from './stores/steering-experiments.ts';
export type { DiffHead, VectorHead, VectorRow } from './stores/vectors.ts';
export { type AgentCall, type AgentRole, agentRoles } from './tables/agent-messages.ts';
export {
  type AgentKind,
  agentKinds,
  type AgentPair,
  agentPairs,
  type AgentState,
  agentStates,
} from './tables/agent-runs.ts';
export { type HypothesisStatus, hypothesisStatuses } from './tables/hypotheses.ts';
export {
  causalControls,
  causalDirections,
  causalSubsets,
  type CausalControl,
  type CausalDirection,
  type CausalSubset,
} from './tables/causal-effects.ts';
export { gradeScales, type GradeScale } from './tables/grades.ts';
export { jobStates, type JobState } from './tables/jobs.ts';
export { modes, type Mode } from './tables/modes.ts';
export { organismForms, type OrganismForm } from './tables/organisms.ts';
export {
  projectionSigns,
  projectionVariants,
  type ProjectionSign,
  type ProjectionVariant,
} from './tables/projections.ts';
export { sampleFinishes, type SampleFinish } from './tables/samples.ts';
export {
  similarityGroups,
  similarityOthers,
  type SimilarityGroup,
  type SimilarityOther,
} from './tables/similarities.ts';
export { vectorKinds, type VectorKind } from './tables/vector-data.ts';
