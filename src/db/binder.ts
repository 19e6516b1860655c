import { onceEach } from '../lib/once-each.ts';

/** Names a value for binding and gives the parameter that stands for it. */
export type Bind = (value: string | number) => string;

/** Binds values to names of their own, one for each value, so that equal questions are equal SQL. */
export function binder(): { bind: Bind; parameters: Record<string, string | number> } {
  const parameters: Record<string, string | number> = {};
  const nameOf = onceEach((value: string | number) => {
    const name = `where${Object.keys(parameters).length}`;
    parameters[name] = value;
    return name;
  });
  return { bind: (value) => `@${nameOf(value)}`, parameters };
}
