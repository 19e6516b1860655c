// Ends the process in the middle of a computation. Arguments: the folders of a base and of an adapter on it.
import { diff, Model } from '../../src/index.ts';
import { randomTokens } from './random.ts';

const [folder = '', adapter = ''] = process.argv.slice(2);
const pair = [await Model.open(folder), await Model.open(folder, { adapter })] as const;
await diff(...pair, randomTokens(2000, 24, 2048), { layers: [7], onProgress: () => process.exit(7) });
