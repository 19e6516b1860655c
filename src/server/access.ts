import type { IncomingMessage } from 'node:http';
import type { ErrorCode } from '../../schema/error-codes.ts';
import { refuse } from './respond.ts';
import type { Call, Route, Services } from './route.ts';

/** Who may come in. A server without it is open to all who reach it. */
export interface Access {
  /** Id of the valid token that a request carries. */
  tokenOf(request: IncomingMessage): string | undefined;
  /** Whether URLs signed for this token still open. */
  isTokenValid(tokenId: string): boolean;
}

/** Whether a call may go on, by its token or its signature; where not, it has been refused. */
export function admit({ access, signer }: Services, route: Route, call: Call): boolean {
  if (!access || route.access === 'OPEN') return true;
  call.tokenId = access.tokenOf(call.request);
  if (call.tokenId !== undefined) return true;
  const { response } = call;
  if (route.access === 'SIGNED' && signer && call.search.has('signature')) {
    const signed = signer.verify(call.path, call.search);
    if (typeof signed === 'object' && access.isTokenValid(signed.tokenId)) {
      call.tokenId = signed.tokenId;
      return true;
    }
    const [code, message]: [ErrorCode, string] =
      signed === 'EXPIRED'
        ? ['URL_EXPIRED', 'this URL has expired; ask the graph for a new one']
        : ['SIGNATURE_INVALID', 'this URL was not signed here, or its token is no longer valid'];
    refuse(response, 403, code, message);
    return false;
  }
  response.setHeader('WWW-Authenticate', 'Bearer');
  refuse(response, 401, 'UNAUTHENTICATED', 'send a valid token as Authorization: Bearer …');
  return false;
}
