import type { AuditEvent } from '../db/index.ts';
import { isStranger } from './graph/strangers.ts';
import type { Call, Services } from './route.ts';

const hourMs = 60 * 60 * 1_000;
/** Downloads that are remembered, so that they are not written again. */
const mostRemembered = 10_000;

/**
 * Who downloads what, on a server with tokens: what a token takes is a row of the audit log, one an hour for the same thing however
 * often and in whatever pieces; what strangers take, and all of it where the store only reads, is a line of the server's log, so
 * that nobody without a token makes the store grow. `now` in milliseconds.
 */
export function exportAudit(
  { store, access, log }: Pick<Services, 'store' | 'access' | 'log'>,
  now: () => number = () => performance.now(),
): (call: Call, event: AuditEvent) => void {
  const written = new Map<string, number>(); // in the order of writing, oldest first

  function isNew(what: string): boolean {
    const at = now();
    const before = written.get(what);
    if (before !== undefined && at - before < hourMs) return false;
    written.delete(what);
    written.set(what, at);
    for (const oldest of written.keys()) {
      if (written.size <= mostRemembered) break;
      written.delete(oldest);
    }
    return true;
  }

  return (call, event) => {
    if (!access.guarded()) return;
    const { kind, tokenId } = call.viewer;
    if (isStranger(call) || store.readonly) {
      const message = JSON.stringify({ ...event, viewer: kind, tokenId });
      log({ level: 'audit', requestId: call.id, message });
    } else if (isNew(`${tokenId} ${event.action} ${event.subject}`)) {
      call.store.audit.record({ ...event, requestId: call.id });
    }
  };
}
