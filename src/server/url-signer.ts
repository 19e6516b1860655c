import { createHmac, timingSafeEqual } from 'node:crypto';

/** What a signature is bound to of a token: the hash of its secret, so that no other token ever takes its place, and its team. */
export interface Signatory {
  id: number;
  hash: string;
  teamId: number | null;
}

export interface UrlSigner {
  /** The query that lets anybody GET this path until then, on behalf of a token. `expiresIn` in seconds. */
  sign(path: string, token: Signatory, expiresIn: number): string;
  /** Whether a URL was signed for this token, and still opens. */
  verify(path: string, search: URLSearchParams, token: Signatory): 'VALID' | 'EXPIRED' | 'INVALID';
}

/** Signs by HMAC-SHA256 over method, path, expiry and token. `now` in milliseconds since 1970. */
export function urlSigner(key: Buffer, now: () => number = Date.now): UrlSigner {
  const signatureOf = (path: string, expires: string, { id, hash, teamId }: Signatory): Buffer =>
    createHmac('sha256', key)
      .update(['GET', path, expires, id, hash, teamId ?? ''].join('\n'))
      .digest();
  return {
    sign(path, token, expiresIn) {
      const expires = String(Math.floor(now() / 1_000) + expiresIn);
      const signature = signatureOf(path, expires, token).toString('base64url');
      return String(new URLSearchParams({ expires, token: String(token.id), signature }));
    },
    verify(path, search, token) {
      const [expires, id, signature] = ['expires', 'token', 'signature'].map(
        (name) => search.get(name) ?? '',
      ) as [string, string, string];
      const given = Buffer.from(signature, 'base64url');
      const right = signatureOf(path, expires, token);
      if (id !== String(token.id) || given.length !== right.length || !timingSafeEqual(given, right))
        return 'INVALID';
      return now() < Number(expires) * 1_000 ? 'VALID' : 'EXPIRED';
    },
  };
}
