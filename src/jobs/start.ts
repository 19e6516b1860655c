import { type JobRow, owns, type Stores } from '../db/index.ts';
import { canonicalJson, type JsonObject } from '../lib/canonical-json.ts';
import { CodedError } from '../lib/coded-error.ts';
import { packageVersion } from '../lib/package-root.ts';
import { sha256 } from '../lib/sha256.ts';
import type { RegisteredRoots } from '../runs/roots.ts';
import { JobInputError, jobKinds } from './kinds/index.ts';

/**
 * Puts a job into the queue. The same spec, with defaults filled in, on the same files by the same version is the same job.
 * Equal jobs of two teams are two jobs: neither learns of the other's; nor does a team of what one of its tokens keeps to itself.
 * @throws JobInputError for a spec that is wrong, names what is not there or is about what belongs to others
 */
export function startJob(
  store: Stores,
  roots: RegisteredRoots,
  kindName: string,
  given: unknown,
  priority = 0,
): JobRow {
  const kind = jobKinds.get(kindName);
  if (!kind) throw new JobInputError('NOT_FOUND', ['kind'], `There is no kind of job "${kindName}".`);
  const parsed = kind.spec.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new JobInputError(
      'INVALID',
      (issue?.path ?? []).map(String),
      `${issue?.message ?? 'This cannot be'}.`.replace(/\.\.$/, '.'),
    );
  }
  // Through JSON once: an option that was left out is not there.
  const spec = JSON.parse(JSON.stringify(parsed.data)) as JsonObject;
  const { organismId, decisive } = kind.prepare(store, parsed.data, roots);
  const { viewer } = store;
  const organism = organismId === null ? undefined : store.organisms.getById(organismId);
  if (organism && !owns(viewer, organism)) {
    const [field] = ['organism', 'run', 'name'].filter((name) => name in spec);
    throw new JobInputError(
      'FORBIDDEN',
      field === undefined ? [] : [field],
      `Organism "${organism.name}" belongs to others: they measure and change it.`,
    );
  }
  if (spec['visibility'] === 'TEAM' && viewer.teamId === null)
    throw new JobInputError(
      'INVALID',
      ['visibility'],
      'TEAM needs a token of a team; this is the store owner’s.',
    );
  const secret = organism?.visibility === 'PRIVATE' || spec['visibility'] === 'PRIVATE';
  const whose =
    viewer.teamId === null ? {} : { whose: secret ? { token: viewer.tokenId } : { team: viewer.teamId } };
  const identity = sha256(
    canonicalJson({
      kind: kind.name,
      version: kind.version,
      spec,
      decisive,
      engineVersion: packageVersion(),
      ...whose,
    }),
  );
  try {
    return store.jobs.add({ kind: kind.name, spec, identity, organismId, priority });
  } catch (error) {
    if (!(error instanceof CodedError && error.code === 'CONFLICT')) throw error;
    throw new JobInputError('CONFLICT', ['name'], 'Somebody else here asked for this; give it another name.');
  }
}
