/** A message for clients: no path of this machine stays in it, only the file's own name. */
export const withoutPaths = (message: string): string =>
  message.replace(
    /(^|[\s"'`(=:,;[])((?:file:\/\/)?\/(?:[^\s"'`,;:()]*\/)*)([^\s"'`,;:()/]*)/g,
    (_, before: string, __: string, name: string) => `${before}${name || '…'}`,
  );
