import type { z } from 'zod';
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
  const parsed = kind.spec.safeParse(given, { error: whatIsRight });
  if (!parsed.success) {
    const [{ path, message } = { path: [], message: 'This cannot be' }] = parsed.error.issues;
    const where = path.map(String);
    const said = message.startsWith('must ') ? `${where.join('.') || 'The input'} ${message}` : message;
    throw new JobInputError('INVALID', where, `${said}.`.replace(/\.\.$/, '.'));
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

/** What the wrong member of a spec must be, to go on from its name; undefined where zod's own words or the spec's say it. */
function whatIsRight(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'too_small' || issue.code === 'too_big') {
    const least = issue.code === 'too_small';
    const limit = String(least ? issue.minimum : issue.maximum);
    const amount = `${limit} or ${least ? 'more' : 'less'}`;
    if (issue.origin === 'array') return `must have ${amount} members`;
    return issue.origin === 'string' ? `must have ${amount} characters` : `must be ${amount}`;
  }
  if (issue.code === 'invalid_type')
    return issue.input === undefined ? 'must be given' : `must be of type ${issue.expected}`;
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`;
  return issue.code === 'unrecognized_keys' ? `must not have ${issue.keys.join(', ')}` : undefined;
}
