// What a test puts in the reader's place: does as the query says.
process.on('disconnect', () => process.exit());
process.on('message', ({ source }: { source: string }) => {
  if (source.endsWith('die')) process.kill(process.pid, 'SIGKILL');
  else if (source !== 'hang') setTimeout(() => answer(source), /\bslow/.test(source) ? 300 : 0);
});

const answer = (source: string): void =>
  void process.send?.({ data: Buffer.from(JSON.stringify([source, process.pid])), rows: 1, log: [] });
