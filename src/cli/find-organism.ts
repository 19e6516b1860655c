import type { OrganismRow, Store } from '../db/index.ts';
import { CodedError } from '../lib/coded-error.ts';

const named = 20;

/** @throws CodedError NOT_FOUND naming what there is. `noun`: what the name could have been. */
export function findOrganism(store: Store, name: string, noun = 'organism'): OrganismRow {
  const organism = store.organisms.find(name);
  if (organism) return organism;
  const names = store.organisms.list().map((row) => row.name);
  const more = names.length > named ? ` and ${names.length - named} more` : '';
  const there =
    names.length === 0
      ? 'nothing is registered yet (deltascope organism add)'
      : `registered are ${names.slice(0, named).join(', ')}${more}`;
  throw new CodedError('NOT_FOUND', `no ${noun} "${name}"; ${there}`);
}
