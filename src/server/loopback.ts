import { BlockList, isIP } from 'node:net';

const addresses = new BlockList();
addresses.addSubnet('127.0.0.0', 8, 'ipv4');
addresses.addAddress('::1', 'ipv6');

/** Whether this name or address (IPv6 without brackets) reaches this machine only. */
export function isLoopback(host: string): boolean {
  const version = isIP(host);
  return version === 0
    ? host.toLowerCase() === 'localhost'
    : addresses.check(host, version === 6 ? 'ipv6' : 'ipv4');
}

/**
 * Whether a Host header names this machine. A page of another site can make a browser send requests here under a name it
 * controls (DNS rebinding), but not under one of these.
 */
export function isLoopbackHost(header: string | undefined): boolean {
  const [, bracketed, plain] = /^(?:\[([0-9a-f:]+)\]|([a-z0-9.-]+))(?::\d{1,5})?$/i.exec(header ?? '') ?? [];
  const host = bracketed ?? plain;
  return host !== undefined && isLoopback(host);
}
