/** The decoder block at a relative depth r, 0 to 1, of L blocks: trunc(r · (L − 1)), as the published method has it. */
export const layerAtDepth = (relative: number, layers: number): number => Math.trunc(relative * (layers - 1));
