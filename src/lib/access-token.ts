import { randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';

const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const mark = 'dscp_';
const secretLength = 30;
const checkLength = 6;

/** How many characters after the mark find a token in a store; the other 22 alone have 131 bits. */
const prefixLength = 8;

const form = new RegExp(`^${mark}[0-9A-Za-z]{${secretLength + checkLength}}$`);

/** CRC-32 of the text in base 62, so that scanners of leaked secrets can tell a token from what only looks like one. */
function checkOf(text: string): string {
  let rest = crc32(text);
  let check = '';
  for (let i = 0; i < checkLength; i++) {
    check = (digits[rest % digits.length] as string) + check;
    rest = Math.floor(rest / digits.length);
  }
  return check;
}

/** A new secret: `dscp_`, 30 random characters (178 bits), 6 that check them. */
export function newAccessToken(): string {
  const secret = Array.from({ length: secretLength }, () => digits[randomInt(digits.length)]).join('');
  return `${mark}${secret}${checkOf(mark + secret)}`;
}

/** Whether a text can be a token at all; nothing is looked up for one that cannot. */
export const isAccessToken = (text: string): boolean =>
  form.test(text) && checkOf(text.slice(0, -checkLength)) === text.slice(-checkLength);

/** What a store finds a token by. Not enough to be it. */
export const prefixOf = (token: string): string => token.slice(mark.length, mark.length + prefixLength);
