import type { RunCertificate } from '../db/index.ts';

/** A certificate on one line, without its warnings. */
export function certificateSummary(certificate: RunCertificate): string {
  const { adapter, sharedWeights, tokenizer, notFinite, selection } = certificate;
  const facts = [
    adapter ? adapterFacts(adapter) : 'full finetune',
    sharedWeights ? 'weights shared with the base' : 'weights of its own',
    tokenizerFacts(tokenizer),
    finiteFacts(notFinite),
    `${selection.rowsRead} rows read, ${selection.skippedEmpty} empty, ${selection.skippedShort} too short`,
  ];
  return facts.join('; ');
}

function adapterFacts({ modules, canary }: NonNullable<RunCertificate['adapter']>): string {
  const proof =
    canary === null ? '' : `, moves ${canary.movedAt} by ${percent(canary.relativeChange)} of its norm`;
  return `LoRA adapter of ${modules.length} modules${proof}`;
}

function tokenizerFacts(tokenizer: RunCertificate['tokenizer']): string {
  if (!tokenizer) return 'tokenizers not compared';
  const { finetunedDigest, equal } = tokenizer;
  if (equal === null) return 'tokenizer of the finetune unreadable';
  if (!equal) return 'tokenizers differ';
  return finetunedDigest === null ? 'tokenizer of the base' : 'tokenizers equal';
}

function finiteFacts({ activations, baseWeights, finetunedWeights }: RunCertificate['notFinite']): string {
  if (baseWeights === null || finetunedWeights === null)
    return `${activations} activations not finite, weights not counted`;
  const weights = baseWeights + finetunedWeights;
  return activations + weights === 0
    ? 'all numbers finite'
    : `${activations} activations and ${weights} weights not finite`;
}

const percent = (share: number | null): string =>
  share === null ? 'an unknown share' : `${(100 * share).toPrecision(2)} %`;
