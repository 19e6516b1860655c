import { at, type Row } from './world.ts';

// Keys of rows, said a second time.

export const text = (row: Row, of: string): string => String(at(row, of));
export const slug = (row: Row, of: string): string => text(row, of).toLowerCase().replaceAll('_', '-');

export const layerKey = (layer: Row): string => `${text(layer, 'run.key')}.L${text(layer, 'layer')}`;
export const vectorKey = (vector: Row): string =>
  `${layerKey(vector.up['layer']!)}.P${text(vector, 'position')}`;
export const projectionKey = (row: Row): string => {
  const [scale, compat] = [at(row, 'scale'), at(row, 'mode') === 'COMPAT' ? '.compat' : ''];
  const reading = `${text(row, 'method')}${scale === null ? '' : `@${String(scale)}`}.${slug(row, 'variant')}.${slug(row, 'sign')}`;
  return `${vectorKey(row.up['vector']!)}.${reading}${compat}.${text(row, 'parameters_key')}`;
};
export const experimentKey = (row: Row): string =>
  `${vectorKey(row.up['vector']!)}.steering.${text(row, 'judge')}.${text(row, 'parameters_key')}`;

export const sampleKey = (row: Row): string =>
  `${experimentKey(row.up['experiment']!)}.${at(row, 'steered') ? 'steered' : 'unsteered'}.${text(row, 'prompt_index')}.${text(row, 'sample_index')}`;

/** Of what is graded. */
export const gradedKey = ({ projection, sample }: Record<string, Row | undefined>): string =>
  projection ? projectionKey(projection) : sampleKey(sample!);

export const gradeKey = (row: Row): string =>
  `${gradedKey(row.up)}.grade.${text(row, 'grader.name')}.${text(row, 'parameters_key')}`;
