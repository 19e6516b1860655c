import type { IncomingMessage } from 'node:http';
import { anonymous, bearer, owner, type Store, type TokenRow, type Viewer } from '../db/index.ts';
import type { RefusedTokens } from './refused-tokens.ts';
import { refuse } from './respond.ts';
import type { Call, Route } from './route.ts';
import type { UrlSigner } from './url-signer.ts';

/** Who somebody is. */
export interface Visitor {
  viewer: Viewer;
  /** What came with the request, or signed its URL. */
  token?: TokenRow | undefined;
  /** Whether this still holds; long answers ask now and then. */
  isCurrent: () => boolean;
}

/** Before anybody is known: sees what everybody sees. */
export const stranger: Visitor = { viewer: anonymous, isCurrent: () => true };

export interface AccessOptions {
  store: Store;
  /** Strangers are strangers even while the store has no token. */
  requireTokens: boolean;
  signer: () => UrlSigner;
  refused: RefusedTokens;
}

export type Access = ReturnType<typeof createAccess>;

/**
 * Says who comes. While the store has never had a token, whoever reaches the server is its owner; from the first on, who brings no
 * token sees what is shared with everybody. Tokens are looked up at every request, so other processes' changes count at once.
 */
export function createAccess({ store, requireTokens, signer, refused }: AccessOptions) {
  const { accessTokens } = store;
  const guarded = (): boolean => requireTokens || accessTokens.any();

  function byToken(row: TokenRow): Visitor {
    accessTokens.used(row);
    return { viewer: bearer(row), token: row, isCurrent: () => accessTokens.valid(row.id) !== undefined };
  }

  /** Who has this text for a token. */
  function presenting(text: string): Visitor | undefined {
    const { row, refused: reason } = accessTokens.present(text);
    if (reason === undefined) return byToken(row);
    refused.note(reason, row?.id);
    return undefined;
  }

  /** On whose behalf a URL was signed, or why it does not open. */
  function signing(call: Pick<Call, 'path' | 'search'>): Visitor | 'EXPIRED' | 'INVALID' {
    const id = Number(call.search.get('token') ?? NaN);
    const row = Number.isSafeInteger(id) ? accessTokens.valid(id) : undefined;
    if (!row) return 'INVALID';
    const verdict = signer().verify(call.path, call.search, row);
    return verdict === 'VALID' ? byToken(row) : verdict;
  }

  /** Lets a call in as who it is; where it may not come in it has been refused, and the answer is false. */
  function admit(route: Route, call: Call): boolean {
    if (route.access === 'OPEN') return true;
    const visitor = identify(route, call);
    if (!visitor) return false;
    Object.assign(call, visitor, { store: store.as(visitor.viewer) });
    if (route.access !== 'ADMIN' || visitor.viewer.all) return true;
    if (visitor.viewer.kind === 'ANONYMOUS')
      return unauthenticated(call, 'this needs a token with the scope admin');
    refuse(call.response, 403, 'FORBIDDEN', 'this needs a token with the scope admin');
    return false;
  }

  function identify(route: Route, call: Call): Visitor | false {
    if (!guarded()) return { viewer: owner, isCurrent: () => !guarded() };
    const given = credentialOf(call.request);
    if (given !== undefined)
      return presenting(given) ?? unauthenticated(call, 'this token is unknown, expired or revoked');
    if (route.access !== 'SIGNED' || !call.search.has('signature')) return stranger;
    const visitor = signing(call);
    if (typeof visitor === 'object') return visitor;
    const [code, message] =
      visitor === 'EXPIRED'
        ? (['URL_EXPIRED', 'this URL has expired; ask the graph for a new one'] as const)
        : (['SIGNATURE_INVALID', 'this URL was not signed here, or its token is no longer valid'] as const);
    refuse(call.response, 403, code, message);
    return false;
  }

  return { guarded, admit };
}

function unauthenticated({ response }: Call, message: string): false {
  response.setHeader('WWW-Authenticate', 'Bearer');
  refuse(response, 401, 'UNAUTHENTICATED', `${message}; send one as Authorization: Bearer …`);
  return false;
}

/** What a request presents as its token; what is no bearer token, or two different ones, is a text that is none. */
function credentialOf({ headers: { authorization, 'x-api-key': key } }: IncomingMessage): string | undefined {
  const given = [
    authorization === undefined ? undefined : (/^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? ''),
    key === undefined ? undefined : String(key),
  ].filter((text) => text !== undefined);
  return given.every((text) => text === given[0]) ? given[0] : '';
}
