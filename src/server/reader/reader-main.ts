// The reader's own process: node reader-main.js <store> <niceness>, started by reader.ts with a channel between them.
import { graphContext, schema } from '../../../schema/index.ts';
import { openStore } from '../../db/index.ts';
import { endWithParent, giveWay, goFirstWhenMemoryEnds } from '../../lib/child-manners.ts';
import { Documents } from '../graph/documents.ts';
import { executeWeighed, weigh } from '../graph/execute.ts';
import { maxDocumentBytes } from '../graph/limits.ts';
import { maskResult } from '../graph/mask-errors.ts';
import type { LogEntry } from '../log.ts';
import { urlKeyBeside } from '../url-key.ts';
import { type UrlSigner, urlSigner } from '../url-signer.ts';
import { pack, type ReaderAnswer, type ReaderRequest } from './protocol.ts';

goFirstWhenMemoryEnds();
giveWay(Number(process.argv[3] ?? 0));
endWithParent();

// The terminal's Ctrl-C reaches the whole group; the server decides when its reader stops.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit());

const store = openStore(process.argv[2] ?? '', { readonly: true });
const documents = new Documents(schema, maxDocumentBytes);
let made: UrlSigner | undefined;
const signer = (): UrlSigner => (made ??= urlSigner(urlKeyBeside(store.file)));

async function answer(request: ReaderRequest): Promise<ReaderAnswer> {
  const { source, operationName, variables, viewer, token, origin, requestId } = request;
  const { guarded, costLimit, service, timeoutMs } = request;
  const context = graphContext(store.as(viewer), origin, {
    ...(token && { signUrl: (path, expiresIn) => signer().sign(path, token, expiresIn) }),
    requestId,
    guarded,
    costLimit,
    service,
    timeoutMs,
  });
  const log: LogEntry[] = [];
  const prepared = documents.prepare(source);
  const weighed = weigh(schema, documents, { prepared, operationName, variables, context });
  const { result, rowsRead } = await executeWeighed(schema, documents, weighed);
  return {
    ...pack(maskResult(result, (entry) => void log.push(entry), requestId)),
    rows: rowsRead,
    log,
  };
}

process.on('message', (request) => {
  void answer(request as ReaderRequest).then((answered) => process.send?.(answered));
});
