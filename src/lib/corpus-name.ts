import { basename } from 'node:path';

/** What a corpus is called when nobody says: its file's name without .json or .jsonl. */
export const corpusNameOf = (file: string): string => basename(file).replace(/\.jsonl?$/, '');
