export { type AdaptedModule, readCertificate, type RunCertificate } from './certificate.ts';
export { explainStoreFailure } from './client.ts';
export * from './errors.ts';
export { methodPattern, runKey } from './keys.ts';
export type { Listing, Page, PageRequest, SortKey } from './listing.ts';
export type { LayerRecord, ProjectionRecord, RunRecord, VectorRecord } from './run-record.ts';
export { openStore, type Store } from './store.ts';
export type { CorpusRow, NewCorpus } from './stores/corpora.ts';
export type { DiffVectorRow } from './stores/diff-vectors.ts';
export type { ModelRow, NewModel } from './stores/models.ts';
export type { NewOrganism, OrganismRow } from './stores/organisms.ts';
export type { ProjectionTokenRow } from './stores/projection-tokens.ts';
export type { ProjectionRow } from './stores/projections.ts';
export type { RunLayerRow } from './stores/run-layers.ts';
export type { RunRow } from './stores/runs.ts';
export type { VectorRow } from './stores/vectors.ts';
export { organismForms, type OrganismForm } from './tables/organisms.ts';
export {
  projectionSigns,
  projectionVariants,
  type ProjectionSign,
  type ProjectionVariant,
} from './tables/projections.ts';
export { vectorKinds, type VectorKind } from './tables/vector-data.ts';
