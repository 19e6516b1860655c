import { createHmac, timingSafeEqual } from 'node:crypto';

export interface UrlSigner {
  /** The query that lets anybody GET this path until then, on behalf of a token. `expiresIn` in seconds. */
  sign(path: string, tokenId: string, expiresIn: number): string;
  /** Whose URL it is, or why it is none. */
  verify(path: string, search: URLSearchParams): { tokenId: string } | 'EXPIRED' | 'INVALID';
}

/** Signs by HMAC-SHA256 over method, path, expiry and token id. `now` in milliseconds since 1970. */
export function urlSigner(key: Buffer, now: () => number = Date.now): UrlSigner {
  const signatureOf = (path: string, expires: string, tokenId: string): Buffer =>
    createHmac('sha256', key).update(['GET', path, expires, tokenId].join('\n')).digest();
  return {
    sign(path, tokenId, expiresIn) {
      const expires = String(Math.floor(now() / 1_000) + expiresIn);
      const signature = signatureOf(path, expires, tokenId).toString('base64url');
      return String(new URLSearchParams({ expires, token: tokenId, signature }));
    },
    verify(path, search) {
      const [expires, tokenId, signature] = ['expires', 'token', 'signature'].map(
        (name) => search.get(name) ?? '',
      ) as [string, string, string];
      const given = Buffer.from(signature, 'base64url');
      const right = signatureOf(path, expires, tokenId);
      if (given.length !== right.length || !timingSafeEqual(given, right)) return 'INVALID';
      return now() < Number(expires) * 1_000 ? { tokenId } : 'EXPIRED';
    },
  };
}
