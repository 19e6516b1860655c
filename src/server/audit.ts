import type { AuditEvent } from '../db/index.ts';
import type { Call, Services } from './route.ts';
import { isKnown } from './serve-body.ts';

/**
 * Puts a download into the audit log before it begins, on a server with tokens; into the server's log where the store only reads.
 * A client that has the body already, or asks for its head alone, takes nothing.
 */
export function auditExport(
  { store, access, log }: Pick<Services, 'store' | 'access' | 'log'>,
  call: Call,
  etag: string,
  event: AuditEvent,
): void {
  if (!access.guarded() || call.request.method === 'HEAD' || isKnown(call.request, etag)) return;
  const { kind, tokenId } = call.viewer;
  if (!store.readonly) call.store.audit.record({ ...event, requestId: call.id });
  else {
    const message = JSON.stringify({ ...event, viewer: kind, tokenId });
    log({ level: 'audit', requestId: call.id, message });
  }
}
