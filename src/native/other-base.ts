import { basename } from 'node:path';
import type { Model } from './model.ts';

/** What to tell people where a model's adapter names another base than the one it was put on; undefined where it does not. */
export function otherBaseWarning(model: Model): string | undefined {
  const trainedOn = model.spec.adapter?.baseName ?? '';
  // A folder of a download cache has the name in its middle, so the whole path is searched.
  if (trainedOn === '' || model.folder.includes(basename(trainedOn))) return undefined;
  return `the adapter names another base: ${trainedOn}`;
}
