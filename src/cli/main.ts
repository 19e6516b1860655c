#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { packageVersion } from '../lib/package-root.ts';
import { agentCommand } from './commands/agent.ts';
import { agreementCommand } from './commands/agreement.ts';
import { auditCommand } from './commands/audit.ts';
import { causalCommand } from './commands/causal.ts';
import { compareCommand } from './commands/compare.ts';
import { demoCommand } from './commands/demo.ts';
import { diffCommand } from './commands/diff.ts';
import { driftCommand } from './commands/drift.ts';
import { generateCommand } from './commands/generate.ts';
import { gradeCommand } from './commands/grade.ts';
import { jobCommand } from './commands/job.ts';
import { klCommand } from './commands/kl.ts';
import { organismCommand } from './commands/organism.ts';
import { patchscopeCommand } from './commands/patchscope.ts';
import { pcaCommand } from './commands/pca.ts';
import { reportCommand } from './commands/report.ts';
import { serveCommand } from './commands/serve.ts';
import { shareCommand } from './commands/share.ts';
import { showCommand } from './commands/show.ts';
import { steerCommand } from './commands/steer.ts';
import { teamCommand } from './commands/team.ts';
import { tokenCommand } from './commands/token.ts';
import { describeFailure } from './failure.ts';
import { plain } from './plain.ts';

/** Every command, in the order help lists them. A command is one file and one line here. */
const commands = [
  demoCommand,
  organismCommand,
  diffCommand,
  showCommand,
  patchscopeCommand,
  gradeCommand,
  agreementCommand,
  driftCommand,
  reportCommand,
  steerCommand,
  agentCommand,
  generateCommand,
  causalCommand,
  compareCommand,
  klCommand,
  pcaCommand,
  serveCommand,
  jobCommand,
  teamCommand,
  tokenCommand,
  shareCommand,
  auditCommand,
];

/**
 * Runs the command line. Exit codes: 0 done, 1 failed, 2 wrongly asked, 130 interrupted.
 * @param argv what follows the program's name
 */
export async function main(argv: readonly string[]): Promise<number> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 22 || (major === 22 && minor < 12)) {
    // SQLite's addon would bring an older Node down without a word.
    process.stderr.write(`deltascope: Node 22.12 or newer is needed, this is ${process.versions.node}\n`);
    return 1;
  }
  const program = new Command('deltascope')
    .description('Measure what a finetune did to a language model, and serve the answer as a graph.')
    .version(packageVersion());
  for (const command of commands) program.addCommand(command());
  forAll(program, (command) => command.exitOverride().configureOutput({ outputError }));
  try {
    await program.parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // it has printed its line
    const { line, exitCode } = describeFailure(error);
    process.stderr.write(`${line}\n`);
    return exitCode;
  }
}

/** A usage error in one line, with what the parser suggests and where help is. */
function outputError(text: string, write: (text: string) => void): void {
  const said = text
    .trim()
    .replace(/^error: /, '')
    .split('\n')
    .map(plain)
    .join(' ');
  write(`deltascope: ${said} (deltascope --help lists commands and options)\n`);
}

function forAll(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) forAll(child, visit);
}

// A reader that closes early (head, a pager) is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
process.exitCode = await main(process.argv.slice(2));
