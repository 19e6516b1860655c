/** The sanity checks that a run carries, as they are stored. A number that was not finite is null. */
export interface RunCertificate {
  /** Both models read the same checkpoint files. */
  sharedWeights: boolean;
  /** Null for a full finetune. */
  adapter: {
    kind: 'LORA';
    /** Weights in its file. */
    parameters: number;
    /** The base that it names; null when it names none. */
    baseName: string | null;
    /** Tensors of other parts of a larger model that were passed over; null when not counted. */
    foreignTensors: number | null;
    /** Where a few tokens first told it from its base, and by how much; null when not tried. */
    canary: { movedAt: string; relativeChange: number | null } | null;
    modules: AdaptedModule[];
  } | null;
  vocabularySizes: { base: number; finetuned: number };
  /** The base's tokenizer, which makes all ids, beside the finetune's own; null when not compared. */
  tokenizer: {
    digest: string;
    /** Null when the finetune brings none. */
    finetunedDigest: string | null;
    /** Null when the finetune's own could not be read. */
    equal: boolean | null;
    vocabularyEqual: boolean | null;
  } | null;
  /** Null where not counted. */
  notFinite: { activations: number; baseWeights: number | null; finetunedWeights: number | null };
  /** Rows of the corpus that were looked at, and those that gave no sample. */
  selection: { rowsRead: number; skippedEmpty: number; skippedShort: number };
  unknownConfigKeys: { base: string[]; finetuned: string[] };
  warnings: string[];
}

export interface AdaptedModule {
  module: string;
  changeNorm: number | null;
  /** Its weight is another one, not an updated one. */
  replaced: boolean;
}

/** As runs were first written: fewer checks, and `notFinite` the number of activations. */
interface FirstCertificate {
  sharedWeights: boolean;
  notFinite: number;
  adapter: {
    parameters: number;
    modules: { module: string; changeNorm: number | null; replaced?: boolean }[];
    baseName?: string;
  } | null;
  vocabularySizes: RunCertificate['vocabularySizes'];
  selection: RunCertificate['selection'];
  unknownConfigKeys: RunCertificate['unknownConfigKeys'];
  warnings: string[];
}

/** A stored certificate, whichever version wrote it. What was not checked then is null, never as if it had been found right. */
export function readCertificate(json: string): RunCertificate {
  const stored = JSON.parse(json) as RunCertificate | FirstCertificate;
  return isFirst(stored) ? ofFirst(stored) : stored;
}

const isFirst = (stored: RunCertificate | FirstCertificate): stored is FirstCertificate =>
  typeof stored.notFinite === 'number';

const ofFirst = ({ adapter, notFinite, ...rest }: FirstCertificate): RunCertificate => ({
  ...rest,
  notFinite: { activations: notFinite, baseWeights: null, finetunedWeights: null },
  tokenizer: null,
  adapter: adapter && {
    kind: 'LORA',
    parameters: adapter.parameters,
    baseName: adapter.baseName || null,
    foreignTensors: null,
    canary: null,
    modules: adapter.modules.map((module) => ({ replaced: false, ...module })),
  },
});
