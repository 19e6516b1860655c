/** The function, asked once for each argument and remembering what it gave. */
export function onceEach<Argument, Result>(
  find: (argument: Argument) => Result,
): (argument: Argument) => Result {
  const known = new Map<Argument, Result>();
  return (argument) => {
    const result = known.get(argument);
    if (result !== undefined) return result;
    const found = find(argument);
    known.set(argument, found);
    return found;
  };
}
