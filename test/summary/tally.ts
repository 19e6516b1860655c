/** Test cases counted. A check, such as lint, is one case. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

export const none: Tally = { passed: 0, failed: 0, skipped: 0 };
const oneFailed: Tally = { passed: 0, failed: 1, skipped: 0 };

export const add = (a: Tally, b: Tally): Tally => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
});

const readers: Record<string, (report: string) => Tally> = { vitest: readVitest, doctest: readDoctest };

/**
 * What a suite showed. `report` is the text it left behind, undefined when it left none.
 * A suite that crashed, ended badly without a failed case or ran no case at all counts as one failure, never as nothing.
 */
export function tallySuite(kind: string, exitStatus: number, report: string | undefined): Tally {
  if (kind === 'check') return exitStatus === 0 ? { ...none, passed: 1 } : oneFailed;
  const read = readers[kind];
  if (!read)
    throw new Error(`no suite of kind "${kind}"; there are check, ${Object.keys(readers).join(', ')}`);
  let tally = none;
  try {
    if (report !== undefined) tally = read(report);
  } catch {
    // A report cut short says nothing; the rule below counts it.
  }
  const unseen = tally.failed === 0 && (exitStatus !== 0 || tally.passed === 0);
  return unseen ? add(tally, oneFailed) : tally;
}

/** The closing line of a test run. */
export function renderTally({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** vitest's JSON report. A file that failed outside its cases (at import, in a hook) counts as one failure. */
function readVitest(report: string): Tally {
  const { testResults } = JSON.parse(report) as {
    testResults: { status: string; assertionResults: { status: string }[] }[];
  };
  return testResults
    .map(({ status, assertionResults }) => {
      const count = (wanted: string) => assertionResults.filter((result) => result.status === wanted).length;
      const [passed, failed] = [count('passed'), count('failed')];
      const tally = { passed, failed, skipped: assertionResults.length - passed - failed };
      return status === 'failed' && failed === 0 ? add(tally, oneFailed) : tally;
    })
    .reduce(add, none);
}

/** The closing lines of doctest programs in a log. */
function readDoctest(log: string): Tally {
  const line = /\[doctest\] test cases:\s*\d+\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed\s*\|\s*(\d+) skipped/g;
  return [...log.matchAll(line)]
    .map(([, passed, failed, skipped]) => ({
      passed: Number(passed),
      failed: Number(failed),
      skipped: Number(skipped),
    }))
    .reduce(add, none);
}
