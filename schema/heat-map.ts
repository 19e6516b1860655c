import type { HeatMap } from '../src/db/index.ts';
import { float32Bytes } from '../src/lib/float32-bytes.ts';
import { builder } from './builder.ts';
import { costs } from './cost.ts';
import { MapStatisticEnum } from './enums.ts';
import { RunRef } from './run.ts';
import { rowsOf, spend } from './spend.ts';

const HeatMapRef = builder.objectRef<HeatMap>('HeatMap').implement({
  description: 'One number for each layer and position of a run, as one block of float32.',
  fields: (t) => ({
    statistic: t.expose('statistic', { type: MapStatisticEnum, description: 'Which number.' }),
    layers: t.exposeIntList('layers', {
      ...costs({ assumedSize: 50 }),

      description: 'Decoder blocks of the rows, 0-based, ascending.',
    }),
    positions: t.exposeIntList('positions', {
      ...costs({ assumedSize: 50 }),
      description: 'Positions of the columns, 0-based, ascending.',
    }),
    shape: t.intList({
      ...costs({ assumedSize: 2 }),

      description: 'Length along each axis: layers, then positions.',
      resolve: ({ layers, positions }) => [layers.length, positions.length],
    }),
    data: t.field({
      type: 'Base64Bytes',
      description:
        'Little-endian float32 in C order, NaN where there is no number: numpy.frombuffer(base64.b64decode(data), "<f4").reshape(shape).',
      resolve: ({ values }) => float32Bytes(values),
    }),
  }),
});

builder.objectField(RunRef, 'heatMap', (t) =>
  t.field({
    type: HeatMapRef,
    ...costs({ weight: 10 }),
    description: 'A number of every diff vector of this run in one piece, for plots.',
    args: {
      statistic: t.arg({
        type: MapStatisticEnum,
        required: true,
        defaultValue: 'RELATIVE_NORM',
        description: 'Which number.',
      }),
    },
    resolve: (run, { statistic }, context) => {
      const map = context.store.diffVectors.heatMap(run, statistic);
      spend(context, rowsOf(map.values.byteLength));
      return map;
    },
  }),
);
