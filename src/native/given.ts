/** Options that types require and callers who are not compiled leave out: what is missing is then named. */
export const given = <T extends object>(options: T): T => (options as T | undefined) ?? ({} as T);
