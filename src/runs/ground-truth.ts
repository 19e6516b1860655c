import type { OrganismRow } from '../db/index.ts';
import { CodedError } from '../lib/coded-error.ts';

/** What an organism was trained on, in words. @throws CodedError NOT_FOUND */
export function truthOf({ name, groundTruth }: Pick<OrganismRow, 'name' | 'groundTruth'>): string {
  if (groundTruth !== null && groundTruth.trim() !== '') return groundTruth;
  throw new CodedError(
    'NOT_FOUND',
    `organism "${name}" was registered without a ground truth, which grades are given by; register it again with --ground-truth and --update`,
  );
}
