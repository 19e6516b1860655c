const rfc3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt]([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:\.(\d{1,30}))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))$/;

/**
 * An RFC 3339 time in the form in which stores have theirs, UTC with milliseconds, so that comparing the texts compares the times;
 * undefined for a text that is none, or one outside the years 0 to 9999. What is finer than a millisecond is kept behind the Z, where
 * it sorts after the millisecond that it is in and before the next. A leap second is the second after it.
 */
export function momentOf(text: string): string | undefined {
  const [, year, month, day, hour, minute, second, fraction = '', sign, offsetHours, offsetMinutes] =
    rfc3339.exec(text) ?? [];
  if (year === undefined) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return undefined;
  const offset = (sign === '-' ? -1 : 1) * (Number(offsetHours ?? 0) * 60 + Number(offsetMinutes ?? 0));
  const milliseconds = fraction.slice(0, 3).padEnd(3, '0');
  date.setUTCHours(Number(hour), Number(minute) - offset, Number(second), Number(milliseconds));
  const stored = date.toISOString();
  return stored.length === 24 ? `${stored}${fraction.slice(3).replace(/0+$/, '')}` : undefined;
}
