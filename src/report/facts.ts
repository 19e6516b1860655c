import {
  type AgentAttempt,
  type AgentRunRow,
  type CorpusRow,
  type GraderRow,
  type GradeRow,
  type HypothesisRow,
  type ModelRow,
  type OrganismRow,
  projectionVariants,
  type ProjectionVariant,
  readCertificate,
  type RunCertificate,
  type RunLayerRow,
  type RunRow,
  type SimilarityRow,
  type SteeringExperimentRow,
  type Store,
  type DiffVectorRow,
  type CausalEffectRow,
} from '../db/index.ts';
import { overPositions, type OverPositions } from '../graders/index.ts';
import { canonicalJson } from '../lib/canonical-json.ts';
import { layerAtDepth } from '../lib/layer-at-depth.ts';

/** All that a report is made of, read in one go. */
export interface Facts {
  /** By name. */
  organisms: OrganismFacts[];
  /** Who graded readings, and how; by key. */
  sources: Source[];
  graders: GraderFacts[];
  /** Attempts with the verdicts of nobody, then those of each grader of hypotheses, by its key. */
  agentScores: AgentScores[];
}

export interface AgentScores {
  grader: GraderRow | null;
  attempts: AgentAttempt[];
}

export interface OrganismFacts {
  organism: OrganismRow;
  base: ModelRow;
  /** The latest; null of an organism that was not measured. */
  measured: { run: RunRow; corpus: CorpusRow; certificate: RunCertificate; layers: LayerFacts[] } | null;
  relevance: Relevance[];
  experiments: ExperimentFacts[];
  effects: CausalEffectRow[];
  /** Attempts to find out what the finetune is, from the latest run or from none; the oldest first. */
  agents: AgentFacts[];
}

export interface AgentFacts {
  agentRun: AgentRunRow;
  /** The answer first, then its board. */
  hypotheses: {
    hypothesis: HypothesisRow;
    /** The last of each grader, by its key. */
    grades: GradeRow[];
  }[];
}

export interface LayerFacts {
  layer: RunLayerRow;
  vectors: DiffVectorRow[];
}

export interface ExperimentFacts {
  experiment: SteeringExperimentRow;
  similarities: SimilarityRow[];
  /** Those by one encoder: the base where it was one, else the first by its digest. */
  byOneEncoder: SimilarityRow[];
  /** Texts by the judge of the experiment: those it had a verdict on, and the coherent among them. */
  coherent: { steered: [number, number]; unsteered: [number, number] };
}

/** A grader of readings with what else decides its shares. */
export interface Source {
  key: string;
  grader: GraderRow;
  /** How the vectors were read. */
  method: string;
  /** What tells it from the same grader asked otherwise, in words; '' for nothing. */
  how: string;
}

/** What one source says of one layer of an organism. */
export interface Relevance {
  source: Source;
  layer: RunLayerRow;
  byVariant: Record<ProjectionVariant, OverPositions | null>;
  /** Readings whose grade is invalid. */
  invalid: number;
}

export interface GraderFacts {
  grader: GraderRow;
  grades: number;
  invalid: number;
  /** Grades from batches in which a smuggled verdict changed the judge's. */
  flagged: number;
  exchanges: number;
}

const everything = { first: 1_000_000 };

/** Reads a store as it is at one moment. Runs but the latest of an organism, and grades that were given anew, are passed over. */
export const readFacts = (store: Store): Facts => store.snapshot(() => read(store));

function read(store: Store): Facts {
  const all = store.graders.all
    .page(null, {}, everything)
    .rows.map((grader) => ({ grader, grades: store.grades.ofGrader.page(grader, {}, everything).rows }));
  const given = all.flatMap(({ grades }) => grades).sort((a, b) => a.asked - b.asked || a.id - b.id);
  const shares = sharesOf(given);
  const agentRuns = store.agentRuns.all.page(null, {}, everything).rows.reverse();
  const organisms = store.organisms.list().map((organism): OrganismFacts => {
    const run = store.runs.latestOfOrganism(organism);
    const layers = run ? layersOf(store, run) : [];
    const vectors = layers.flatMap((layer) => layer.vectors);
    const base = store.models.getById(organism.baseModelId);
    return {
      organism,
      base,
      measured: run
        ? {
            run,
            corpus: store.corpora.getById(run.corpusId),
            certificate: readCertificate(run.certificate),
            layers,
          }
        : null,
      relevance: layers.flatMap(({ layer }) => relevanceOf(layer, shares)),
      experiments: vectors
        .flatMap((vector) => store.steering.ofDiffVector.page(vector, {}, everything).rows)
        .map((experiment) => experimentOf(store, experiment, base)),
      effects: vectors.flatMap(
        (vector) => store.causalEffects.ofDiffVector.page(vector, {}, everything).rows,
      ),
      agents: agentRuns
        .filter(({ organismId, runId }) => organismId === organism.id && (runId ?? run?.id) === run?.id)
        .map((agentRun) => agentOf(store, agentRun, given)),
    };
  });
  const sources = new Map(
    organisms.flatMap(({ relevance }) => relevance.map(({ source }) => [source.key, source])),
  );
  return {
    organisms,
    sources: [...sources.values()].sort((a, b) => (a.key < b.key ? -1 : 1)),
    agentScores: [
      null,
      ...all
        .filter(({ grades }) => grades.some(({ hypothesisId }) => hypothesisId !== null))
        .map(({ grader }) => grader)
        .sort((a, b) => (a.key < b.key ? -1 : 1)),
    ].map((grader) => ({ grader, attempts: store.agentScores.all(grader) })),
    graders: all.map(({ grader, grades }) => ({
      grader,
      grades: grades.length,
      invalid: grades.filter(({ invalid }) => invalid !== null).length,
      flagged: grades.filter(({ metrics }) => metrics['canaryFlagged'] === 1).length,
      exchanges: new Set(grades.flatMap(({ exchanges }) => exchanges)).size,
    })),
  };
}

const layersOf = (store: Store, run: RunRow): LayerFacts[] =>
  store.layers.ofRun
    .page(run, {}, everything)
    .rows.map((layer) => ({ layer, vectors: store.diffVectors.ofLayer.page(layer, {}, everything).rows }));

interface Share {
  source: Source;
  layerKey: string;
  position: number;
  variant: ProjectionVariant;
  grade: GradeRow;
}

/**
 * Grades of readings, given in the order they were asked for. Of one layer, by one source, those count that were given as the last one was:
 * against the same corpora and description.
 */
function sharesOf(grades: readonly GradeRow[]): Share[] {
  const shares = grades.flatMap((grade): Share[] => {
    const { projection } = grade.subject;
    if (grade.scale !== 'SHARE' || !projection) return [];
    const { layer, position } = projection.diffVector;
    const source = sourceOf(grade, projection.method);
    return [{ source, layerKey: layer.key, position, variant: projection.variant, grade }];
  });
  const where = ({ source, layerKey }: Share) => `${source.key} ${layerKey}`;
  const against = ({ grade: { parameters } }: Share) => canonicalJson({ ...parameters, selected: null });
  const latest = new Map(shares.map((share) => [where(share), against(share)]));
  const standing = shares.filter((share) => latest.get(where(share)) === against(share));
  return [
    ...new Map(
      standing.map((share) => [`${where(share)} ${share.position} ${share.variant}`, share]),
    ).values(),
  ];
}

function sourceOf({ grader, parameters }: GradeRow, method: string): Source {
  const { agreement, rotations, selected } = parameters;
  const how = [
    typeof agreement === 'string' && typeof rotations === 'number'
      ? `a token counts if it is relevant in ${agreement === 'ALL' ? 'all' : 'most'} of ${rotations} orders`
      : '',
    selected === undefined ? '' : 'at the scale of the same model’s tournament',
  ].filter((part) => part !== '');
  return {
    key: canonicalJson([grader.key, method, agreement ?? null, rotations ?? null, selected !== undefined]),
    grader,
    method,
    how: how.join(', '),
  };
}

function relevanceOf(layer: RunLayerRow, shares: readonly Share[]): Relevance[] {
  const here = shares.filter(({ layerKey }) => layerKey === layer.key);
  const sources = new Map(here.map(({ source }) => [source.key, source]));
  return [...sources.values()].map((source) => {
    const own = here.filter((share) => share.source.key === source.key);
    const of = (variant: ProjectionVariant) =>
      overPositions(
        own.flatMap(({ variant: other, position, grade: { value } }) =>
          other === variant && value !== null ? [{ position, value }] : [],
        ),
      );
    return {
      source,
      layer,
      byVariant: Object.fromEntries(
        projectionVariants.map((variant) => [variant, of(variant)]),
      ) as Relevance['byVariant'],
      invalid: own.filter(({ grade }) => grade.invalid !== null).length,
    };
  });
}

function experimentOf(store: Store, experiment: SteeringExperimentRow, base: ModelRow): ExperimentFacts {
  const samples = store.samples.ofExperiment.page(experiment, {}, everything).rows;
  const judged = (steered: boolean): [number, number] => {
    const of = samples.filter((sample) => sample.steered === steered && sample.coherent !== null);
    return [of.filter(({ coherent }) => coherent).length, of.length];
  };
  const similarities = store.similarities.ofExperiment.page(experiment, {}, everything).rows;
  const digests = [...new Set(similarities.map(({ encoderDigest }) => encoderDigest))].sort();
  const encoder = digests.includes(base.digest) ? base.digest : digests[0];
  return {
    experiment,
    similarities,
    byOneEncoder: similarities.filter(({ encoderDigest }) => encoderDigest === encoder),
    coherent: { steered: judged(true), unsteered: judged(false) },
  };
}

function agentOf(store: Store, agentRun: AgentRunRow, grades: readonly GradeRow[]): AgentFacts {
  const { rows } = store.hypotheses.ofRun.page(agentRun, {}, everything);
  return {
    agentRun,
    hypotheses: rows
      .sort((a, b) => Number(b.status === 'FINAL') - Number(a.status === 'FINAL') || a.number - b.number)
      .map((hypothesis) => {
        const last = new Map(
          grades
            .filter(({ hypothesisId }) => hypothesisId === hypothesis.id)
            .map((grade) => [grade.grader.key, grade]),
        );
        return {
          hypothesis,
          grades: [...last.values()].sort((a, b) => (a.grader.key < b.grader.key ? -1 : 1)),
        };
      }),
  };
}

/** Of what a source says of an organism, the layer nearest to the middle, where the method is usually run. */
export function headline({ relevance, base }: OrganismFacts, source: Source): Relevance | undefined {
  const middle = layerAtDepth(0.5, base.layers);
  return relevance
    .filter((one) => one.source.key === source.key)
    .sort(
      (a, b) =>
        Math.abs(a.layer.layer - middle) - Math.abs(b.layer.layer - middle) || a.layer.layer - b.layer.layer,
    )[0];
}
