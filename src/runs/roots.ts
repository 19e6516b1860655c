import { lstatSync, readdirSync, realpathSync, statSync, type Stats } from 'node:fs';
import { isAbsolute, join, sep } from 'node:path';
import { CodedError } from '../lib/coded-error.ts';
import { sha256 } from '../lib/sha256.ts';

/** A place on the server's disks as clients name it. */
export interface Place {
  /** Name of a registered root. */
  root: string;
  /** Below it, parts divided by slashes; '.' is the root itself. */
  path: string;
}

/** A client's place is none that we open. The message names nothing of this machine. */
export class RootError extends CodedError {
  /** The member of the place that is wrong. */
  readonly what: 'root' | 'path';

  constructor(what: 'root' | 'path', message: string) {
    super('PATH_NOT_ALLOWED', message);
    this.what = what;
  }
}

export type RegisteredRoots = ReturnType<typeof registeredRoots>;

const notAllowed = (why: string) =>
  new RootError('path', `This path ${why}; give one below the root, its parts divided by slashes.`);
/** Missing, leading out and being something else look the same: nobody learns what lies outside. */
const notThere = (kind: 'folder' | 'file') =>
  new RootError('path', `There is no such ${kind} under this root, or a link in it leads out of the root.`);

/**
 * Folders that clients may name files in, by name: nothing outside is opened for them, whichever links there are.
 * @throws CodedError ROOT_MISSING for a folder that is not there
 */
export function registeredRoots(folders: Readonly<Record<string, string>> = {}) {
  const roots = new Map(
    Object.entries(folders).map(([name, folder]) => {
      try {
        if (!statSync(folder).isDirectory()) throw new Error('not a folder');
        return [name, realpathSync(folder)] as const;
      } catch (error) {
        throw new CodedError('ROOT_MISSING', `root "${name}": ${folder} is not a folder`, { cause: error });
      }
    }),
  );
  const inside = (root: string, path: string): boolean =>
    path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);

  /**
   * The one path, free of links, that a place leads to now.
   * @throws RootError
   */
  function resolve({ root: name, path }: Place, kind: 'folder' | 'file'): string {
    const root = roots.get(name);
    if (root === undefined) throw new RootError('root', 'There is no root of this name.');
    demandPlain(path);
    let real: string;
    let stats: Stats;
    try {
      real = realpathSync.native(join(root, path));
      stats = lstatSync(real);
    } catch {
      throw notThere(kind);
    }
    if (!inside(root, real) || !(kind === 'folder' ? stats.isDirectory() : stats.isFile()))
      throw notThere(kind);
    // What a folder holds is opened too, so none of it may lead out, as a checkpoint's links into a cache can.
    if (kind === 'folder') for (const file of filesOf(real)) demandFileInside(root, file);
    return real;
  }

  function demandFileInside(root: string, file: string): void {
    let real: string;
    let stats: Stats;
    try {
      real = realpathSync.native(file);
      stats = lstatSync(real);
    } catch {
      throw notThere('folder');
    }
    if (!inside(root, real)) throw notThere('folder');
    if (!stats.isFile() && !stats.isDirectory())
      throw new RootError('path', 'This folder holds something that is neither a file nor a folder.');
  }

  return {
    names: [...roots.keys()],
    folders: Object.fromEntries(roots),
    resolve,
    /** SHA-256 over the names, sizes and times of the files there: other files have another one. @throws RootError */
    fingerprint(place: Place, kind: 'folder' | 'file'): string {
      const path = resolve(place, kind);
      const files = kind === 'folder' ? filesOf(path) : [path];
      return sha256(
        files
          .map((file) => {
            const { size, mtimeMs, ino } = statSync(file);
            return `${file.slice(path.length)}\0${size}\0${mtimeMs}\0${ino}\n`;
          })
          .join(''),
      );
    },
    /** Refuses a place that leads elsewhere than it did, as when a link was exchanged while files were read. @throws RootError */
    demandSame(place: Place, kind: 'folder' | 'file', path: string): void {
      if (resolve(place, kind) !== path)
        throw new RootError('path', 'This path led elsewhere while it was read; nothing was registered.');
    },
    /** Refuses a stored path below a root whose links lead somewhere else by now. Others are the owner's own. @throws RootError */
    demandUnmoved(path: string): void {
      const root = [...roots.values()].find((folder) => inside(folder, path));
      if (root === undefined) return;
      let real: string;
      try {
        real = realpathSync.native(path);
      } catch {
        return; // missing: whoever opens it says so
      }
      if (real !== path) throw new RootError('path', 'A registered file has been replaced by a link since.');
    },
  };
}

function demandPlain(path: string): void {
  if (path === '' || path.length > 4096) throw notAllowed('is empty or too long');
  // eslint-disable-next-line no-control-regex -- these are what must not be there
  if (/[\u0000-\u001f\u007f]/.test(path)) throw notAllowed('has control characters');
  if (path.includes('\\')) throw notAllowed('has a backslash');
  if (isAbsolute(path) || /^[a-z]:/i.test(path) || path.startsWith('~')) throw notAllowed('is not relative');
  if (path !== '.' && path.split('/').some((part) => part === '' || part === '.' || part === '..'))
    throw notAllowed('has an empty part, "." or ".."');
}

/** Paths of what lies directly in a folder, sorted. */
const filesOf = (folder: string): string[] =>
  readdirSync(folder)
    .sort()
    .map((name) => join(folder, name));
