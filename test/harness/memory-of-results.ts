// Prints what share of a result's bytes V8 counts while it is held; ends when they no longer count. Argument: a model's folder.
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Model } from '../../src/index.ts';
import { randomTokens } from './random.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const external = (): number => (collect(), process.memoryUsage().external);

const model = await Model.open(process.argv[2] ?? '');
const bytes = 40 * 250 * model.spec.dModel * 4;
const before = external();
const held = await model.residuals(randomTokens(40, 250, 2048), { layers: [0] });
process.stdout.write(`${((external() - before) / bytes).toFixed(1)}\n`);
held.length = 0;
while (external() - before > 0.1 * bytes) await setImmediate();
process.stdout.write('given back\n');
