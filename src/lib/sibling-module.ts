import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Path of the module of this name in the folder of another, given by its URL: TypeScript in the sources, JavaScript in dist. */
export const siblingModule = (url: string, name: string): string =>
  fileURLToPath(new URL(`./${name}${extname(fileURLToPath(url))}`, url));
