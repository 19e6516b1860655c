/** What documents that are kept, parsed, judged and compiled, may take together. */
export const maxDocumentBytes = 48 * 2 ** 20;
