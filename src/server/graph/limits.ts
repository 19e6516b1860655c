/** What documents that are kept, parsed, judged and compiled, may take together. */
export const maxDocumentBytes = 32 * 2 ** 20;

/** Queries that may cost more points than this are answered by a process of their own: some 20 ms of the thread. */
export const dearCost = 2_000;

/** As those are queries that go through more rows than this without showing them, in lists with conditions, orders or what is hidden. */
export const dearSearch = 10_000;
