import type { Socket } from 'node:net';
import { isIP } from 'node:net';
import { isLoopback } from './loopback.ts';

/** The name or address in a Host header, without port and brackets; undefined for what is none. */
function hostIn(header: string | undefined): string | undefined {
  const [, bracketed, plain] = /^(?:\[([0-9a-f:]+)\]|([a-z0-9.-]+))(?::\d{1,5})?$/i.exec(header ?? '') ?? [];
  return (bracketed ?? plain)?.toLowerCase();
}

/** An IPv4 address as IPv6 carries it is that address. */
const plainAddress = (address = ''): string => address.replace(/^::ffff:(?=\d+\.)/i, '');

/**
 * Which Host headers are answered: names of this machine, names that the server was told, and the address itself that the client
 * reached. A page of another site can make a browser send requests here under a name it controls (DNS rebinding), but not under
 * one of these.
 */
export function allowedHosts(names: readonly string[]) {
  const allowed = new Set(names.map((name) => name.toLowerCase()));
  return (header: string | undefined, { localAddress }: Pick<Socket, 'localAddress'>): boolean => {
    const host = hostIn(header);
    if (host === undefined) return false;
    return isLoopback(host) || allowed.has(host) || (isIP(host) !== 0 && host === plainAddress(localAddress));
  };
}
