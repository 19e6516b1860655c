import type { JobRow, Stores } from '../db/index.ts';
import { canonicalJson, type JsonObject } from '../lib/canonical-json.ts';
import { packageVersion } from '../lib/package-root.ts';
import { sha256 } from '../lib/sha256.ts';
import type { RegisteredRoots } from '../runs/roots.ts';
import { JobInputError, jobKinds } from './kinds/index.ts';

/**
 * Puts a job into the queue. The same spec, with defaults filled in, on the same files by the same version is the same job.
 * @throws JobInputError for a spec that is wrong or names what is not there
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
  const identity = sha256(
    canonicalJson({
      kind: kind.name,
      version: kind.version,
      spec,
      decisive,
      engineVersion: packageVersion(),
    }),
  );
  return store.jobs.add({ kind: kind.name, spec, identity, organismId, priority });
}
