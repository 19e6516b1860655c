import { z } from 'zod';
import type { Place } from '../places.ts';
import { placesFor } from '../places.ts';
import { type Desk, ToolError } from './define-tool.ts';

/** The most that the graph takes for a whole number. */
const mostInt = 2 ** 31 - 1;

export const position = z.int().min(0).max(mostInt);
export const layer = z
  .int()
  .min(0)
  .max(mostInt)
  .nullish()
  .describe('decoder block; null: that of the overview');

/** What was read at positions of a layer, which the overview's is where none is named. @throws ToolError NOT_FOUND where it was not measured */
export async function placesAsked(
  { ask, pair, reading }: Pick<Desk, 'ask' | 'pair' | 'reading'>,
  asked: { layer: number | null | undefined; positions: readonly number[]; tokens: number },
): Promise<{ layer: number; places: Place[] }> {
  if (!reading) throw new ToolError('NOT_FOUND', 'There are no vectors.');
  const where = { ...asked, run: reading.run.key, layer: asked.layer ?? reading.layer };
  const found = await placesFor(ask, pair, where);
  if (!found) throw new ToolError('NOT_FOUND', `Layer ${where.layer} was not measured.`);
  return found;
}
