import type { AgentPair } from '../db/index.ts';
import { CodedError } from '../lib/coded-error.ts';
import type { AskGraph } from './ask-graph.ts';

export interface TokenRead {
  text: string | null;
  probability: number;
}

/** What two methods read out of the difference and of the two means, strongest first; empty where they did not. */
export type ReadBy = Record<'diff' | 'base' | 'finetuned', TokenRead[]>;
export const methods = ['patchscope', 'logit-lens'] as const;
export type Method = (typeof methods)[number];

/** A position of a layer, as an agent may see it. */
export interface Place {
  position: number;
  norm: number | null;
  relativeNorm: number | null;
  aboveNoise: boolean | null;
  /** Length of the difference between the base's own means over even and odd texts. */
  baseSplitNorm: number | null;
  readings: Record<Method, ReadBy>;
  /** Key of the newest steering experiment there. */
  experiment: string | null;
}

export interface Places {
  layer: number;
  relativeDepth: number;
  samples: number;
  /** Typical length of a base activation there. */
  baseNorm: number | null;
  places: Place[];
}

type Edges<Node> = { edges: { node: Node }[] };
const nodes = <Node>({ edges }: Edges<Node>): Node[] => edges.map(({ node }) => node);

const layersDocument = `query AgentLayers($run: String!) {
  run(key: $run) { layers(first: 200) { edges { node { layer relativeDepth diffVectors(first: 1) { edges { node {
    patchscope: projections(method: "patchscope", first: 1) { edges { node { key } } }
  } } } } } } }
}`;

const variants = { diff: 'DIFF', base: 'BASE', finetuned: 'FINETUNED' } as const;
const aliasOf = (method: Method, variant: keyof ReadBy): string => `${method.replace('-', '_')}_${variant}`;
const readingFields = methods.flatMap((method) =>
  Object.entries(variants).map(
    ([variant, value]) =>
      `${aliasOf(method, variant as keyof ReadBy)}: projections(method: "${method}", variant: ${value}, sign: PROMOTED, chosen: true, first: 1) { ...Tokens }`,
  ),
);
const placesDocument = `query AgentPlaces($run: String!, $layer: Int!, $positions: [Int!], $tokens: Int!) {
  run(key: $run) { samples layer(layer: $layer) { layer relativeDepth baseNorm diffVectors(positions: $positions, first: 20) { edges { node {
    position norm relativeNorm aboveNoise baseSplitNorm
    steeringExperiments(first: 20) { edges { node { key createdAt } } }
    ${readingFields.join('\n    ')}
  } } } } }
}
fragment Tokens on ProjectionConnection { edges { node { tokens(first: $tokens) { edges { node { text probability } } } } } }`;

/** The layer to look at where none is named: of those that Patchscope read, else of all, the one nearest the middle. */
export async function layerToRead(ask: AskGraph, run: string): Promise<number> {
  type Layer = { layer: number; relativeDepth: number; diffVectors: Edges<{ patchscope: Edges<unknown> }> };
  const answer = await ask<{ run: { layers: Edges<Layer> } | null }>(layersDocument, { run });
  const all = answer.run ? nodes(answer.run.layers) : [];
  const read = all.filter(({ diffVectors }) =>
    nodes(diffVectors).some(({ patchscope }) => nodes(patchscope).length > 0),
  );
  const [nearest] = (read.length > 0 ? read : all).sort(
    (a, b) => Math.abs(a.relativeDepth - 0.5) - Math.abs(b.relativeDepth - 0.5) || a.layer - b.layer,
  );
  if (!nearest) throw new CodedError('NOT_FOUND', `run ${run} has no layers`);
  return nearest.layer;
}

/** What was read at the positions of a layer; null where the run does not have it. */
export async function placesOf(
  ask: AskGraph,
  {
    run,
    layer,
    positions,
    tokens,
  }: { run: string; layer: number; positions: readonly number[]; tokens: number },
): Promise<Places | null> {
  type Reading = Edges<{ tokens: Edges<TokenRead> }>;
  type Vector = Omit<Place, 'readings' | 'experiment'> & {
    steeringExperiments: Edges<{ key: string; createdAt: string }>;
  } & Record<string, Reading>;
  const answer = await ask<{
    run: {
      samples: number;
      layer: {
        layer: number;
        relativeDepth: number;
        baseNorm: number | null;
        diffVectors: Edges<Vector>;
      } | null;
    } | null;
  }>(placesDocument, { run, layer, positions: [...positions], tokens });
  const found = answer.run?.layer;
  if (!answer.run || !found) return null;
  const { relativeDepth, baseNorm, diffVectors } = found;
  return {
    layer,
    relativeDepth,
    samples: answer.run.samples,
    baseNorm,
    places: nodes(diffVectors).map((vector) => {
      const { position, norm, relativeNorm, aboveNoise, baseSplitNorm, steeringExperiments } = vector;
      const readBy = (method: Method): ReadBy => {
        const of = (variant: keyof ReadBy) =>
          nodes(vector[aliasOf(method, variant)] as Reading).flatMap((reading) => nodes(reading.tokens));
        return { diff: of('diff'), base: of('base'), finetuned: of('finetuned') };
      };
      const [newest] = nodes(steeringExperiments).sort((a, b) => b.createdAt.localeCompare(a.createdAt));
      return {
        ...{ position, norm, relativeNorm, aboveNoise, baseSplitNorm },
        readings: { patchscope: readBy('patchscope'), 'logit-lens': readBy('logit-lens') },
        experiment: newest?.key ?? null,
      };
    }),
  };
}

/**
 * The base in both models' place: what is read out of its own mean is shown as if it were the difference, the numbers are of the difference
 * between its means over even and odd texts, which is noise, and there are no steered texts.
 */
export const asNullPair = ({ baseNorm, places, ...rest }: Places): Places => ({
  ...rest,
  baseNorm,
  places: places.map(({ position, baseSplitNorm: norm, readings }) => {
    // No means to rank it against: it is one.
    const base = (method: Method): ReadBy => ({ diff: readings[method].base, base: [], finetuned: [] });
    return {
      ...{ position, norm, baseSplitNorm: norm, experiment: null },
      relativeNorm: norm === null || !baseNorm ? null : norm / baseNorm,
      aboveNoise: norm === null ? null : false,
      readings: { patchscope: base('patchscope'), 'logit-lens': base('logit-lens') },
    };
  }),
});

/** What an agent about such a pair may see; null where the run does not have the layer. */
export const placesFor = async (
  ask: AskGraph,
  pair: AgentPair,
  asked: Parameters<typeof placesOf>[1],
): Promise<Places | null> => {
  const found = await placesOf(ask, asked);
  return found && pair === 'NULL' ? asNullPair(found) : found;
};

/** As placesFor. @throws CodedError NOT_FOUND where the run does not have the layer */
export async function demandPlaces(...given: Parameters<typeof placesFor>): Promise<Places> {
  const found = await placesFor(...given);
  if (!found) throw new CodedError('NOT_FOUND', `layer ${given[2].layer} was not measured`);
  return found;
}

export interface SteeredPair {
  prompt: string;
  steered: string;
  unsteered: string;
}

/** The most texts of an experiment that are looked at, steered and not. */
const mostTexts = 200;

const samplesDocument = `query AgentSamples($experiment: String!, $first: Int!) {
  steeringExperiment(key: $experiment) { strength
    steered: samples(steered: true, first: $first) { ...Texts }
    unsteered: samples(steered: false, first: $first) { ...Texts }
  }
}
fragment Texts on SampleConnection { edges { node { promptIndex sampleIndex prompt text } } }`;

/** What the finetuned model said with the difference added and without, by prompt, then by sample. */
export async function steeredPairs(
  ask: AskGraph,
  experiment: string,
): Promise<{ strength: number; pairs: SteeredPair[] }> {
  type Text = { promptIndex: number; sampleIndex: number; prompt: string; text: string };
  const { steeringExperiment: found } = await ask<{
    steeringExperiment: { strength: number; steered: Edges<Text>; unsteered: Edges<Text> } | null;
  }>(samplesDocument, { experiment, first: mostTexts });
  if (!found) return { strength: 0, pairs: [] };
  const nameOf = ({ promptIndex, sampleIndex }: Text) => `${promptIndex} ${sampleIndex}`;
  const unsteered = new Map(nodes(found.unsteered).map((text) => [nameOf(text), text.text]));
  const pairs = nodes(found.steered).flatMap((text) => {
    const other = unsteered.get(nameOf(text));
    return other === undefined ? [] : [{ ...text, steered: text.text, unsteered: other }];
  });
  pairs.sort((a, b) => a.sampleIndex - b.sampleIndex || a.promptIndex - b.promptIndex);
  return {
    strength: found.strength,
    pairs: pairs.map(({ prompt, steered, unsteered: without }) => ({ prompt, steered, unsteered: without })),
  };
}
