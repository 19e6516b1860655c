/** What documents that are kept, parsed, judged and compiled, may take together. */
export const maxDocumentBytes = 32 * 2 ** 20;
