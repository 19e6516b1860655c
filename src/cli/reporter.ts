import { SingleBar } from 'cli-progress';
import type { Phase } from '../runs/phase.ts';
import type { Progress } from '../native/index.ts';

/** How a long command tells what it is doing. */
export interface Reporter {
  phase(phase: Phase): void;
  progress(progress: Progress): void;
  /** Clears the bar, if there is one. */
  stop(): void;
}

const titles: Record<Phase, string> = {
  digest: 'checking model files',
  tokens: 'reading texts',
  forward: 'running both models',
  lens: 'reading vectors',
  patchscope: 'reading vectors by Patchscope',
  calibrate: 'learning what ordinary text is',
  search: 'searching the strength',
  samples: 'writing texts',
  judge: 'judging texts',
  causal: 'exchanging directions',
  divergence: 'comparing predictions',
  components: 'finding directions',
  embed: 'embedding texts',
  save: 'storing',
};

/** A bar on a terminal. */
export function barReporter(label: string): Reporter {
  const bar = new SingleBar({
    format: `${label} {bar} {percentage} % · {phase} · {eta_formatted} left`,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 24,
    hideCursor: true,
    clearOnComplete: true,
    stream: process.stderr,
  });
  bar.start(1, 0, { phase: '' });
  return {
    phase: (phase) => bar.update({ phase: titles[phase] }),
    progress: ({ done, total }) => {
      bar.setTotal(total);
      bar.update(done);
    },
    stop: () => bar.stop(),
  };
}

/** One JSON object a line, for programs. */
export function lineReporter(write: (line: string) => void): Reporter {
  let last = -1;
  return {
    phase: (phase) => write(JSON.stringify({ event: 'phase', phase })),
    progress({ done, total }) {
      const percent = Math.floor((100 * done) / total);
      if (percent === last) return; // at most a hundred lines
      last = percent;
      write(JSON.stringify({ event: 'progress', done, total }));
    },
    stop: () => undefined,
  };
}

export const silentReporter: Reporter = {
  phase: () => undefined,
  progress: () => undefined,
  stop: () => undefined,
};
