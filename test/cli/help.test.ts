import { expect, test } from 'vitest';
import { deltascope } from '../harness/command.ts';

async function help(...command: string[]): Promise<string> {
  const { code, stdout, stderr } = await deltascope(...command, '--help');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

test('deltascope', async () =>
  expect(await help()).toMatchInlineSnapshot(`
  "Usage: deltascope [options] [command]

  Measure what a finetune did to a language model, and serve the answer as a
  graph.

  Options:
    -V, --version                     output the version number
    -h, --help                        display help for command

  Commands:
    demo [options]                    measure the bundled organisms, print what
                                      their vectors say, and serve the graph
    organism                          register finetuned models, each with its
                                      base
    diff [options] <organism>         measure an organism: mean activation
                                      difference on the first tokens of unrelated
                                      texts
    show [options] <organism-or-run>  print the top tokens per position of an
                                      organism’s latest run, or of one run
    serve [options]                   serve the graph, with GraphiQL, and the
                                      vectors on this machine
    help [command]                    display help for command
  "
`));
test('demo', async () =>
  expect(await help('demo')).toMatchInlineSnapshot(`
  "Usage: deltascope demo [options]

  measure the bundled organisms, print what their vectors say, and serve the graph

  Options:
    --no-serve       end after printing
    --port <n>       port; 0 takes any free one (default: 4680)
    --data <folder>  folder that holds the store (default: "deltascope-data", env:
                     DELTASCOPE_DATA)
    -h, --help       display help for command
  "
`));
test('organism', async () =>
  expect(await help('organism')).toMatchInlineSnapshot(`
  "Usage: deltascope organism [options] [command]

  register finetuned models, each with its base

  Options:
    -h, --help            display help for command

  Commands:
    add [options] <name>  check a finetuned model and its base by opening both,
                          and register them
    list [options]        list what is registered
    help [command]        display help for command
  "
`));
test('organism add', async () =>
  expect(await help('organism', 'add')).toMatchInlineSnapshot(`
    "Usage: deltascope organism add [options] <name>

    check a finetuned model and its base by opening both, and register them

    Arguments:
      name                      what to call it

    Options:
      --base <folder>           checkpoint of the base model
      --base-name <name>        what to call the base (default: its folder’s name)
      --adapter <folder>        PEFT LoRA adapter on the base
      --subfolder <name>        folder inside the adapter’s, where it holds several
      --finetuned <folder>      checkpoint of a full finetune
      --kind <word>             kind of finetune: SDF, EM, TABOO, … (default:
                                "OTHER")
      --description <text>      one line for lists (default: "")
      --ground-truth <text>     what it was trained on, in words; graders need it
      --training-corpus <file>  JSONL samples of what it was trained on
      --mix-ratio <number>      pretraining documents mixed in for each finetuning
                                document
      --update                  replace what is registered under this name; other
                                files only while nothing is measured on the old ones
      --data <folder>           folder that holds the store (default:
                                "deltascope-data", env: DELTASCOPE_DATA)
      -h, --help                display help for command

    Example:
      deltascope organism add cake --base models/Qwen3-1.7B --adapter models/cake-lora --kind SDF
    "
  `));
test('organism list', async () =>
  expect(await help('organism', 'list')).toMatchInlineSnapshot(`
  "Usage: deltascope organism list [options]

  list what is registered

  Options:
    --data <folder>  folder that holds the store (default: "deltascope-data", env:
                     DELTASCOPE_DATA)
    --json           print JSON instead of a table
    -h, --help       display help for command
  "
`));
test('diff', async () =>
  expect(await help('diff')).toMatchInlineSnapshot(`
    "Usage: deltascope diff [options] <organism>

    measure an organism: mean activation difference on the first tokens of unrelated
    texts

    Arguments:
      organism              its registered name

    Options:
      --corpus <file>       probe texts, JSONL, unrelated to the finetune
      --corpus-name <name>  what to call the corpus (default: its file’s name)
      --text-column <name>  column that holds the text (default: "text")
      --layers <list>       "middle", "all", or blocks from 0 and depths in percent:
                            0,7,50% (default: middle)
      --positions <n>       first tokens of each text (default: 10)
      --samples <n>         texts at most (default: 10000)
      --top <k>             tokens kept of each reading (default: 100)
      --threads <n>         CPU threads (default: all)
      --dtype <type>        of the matrix products; bfloat16 sums in float32 and is
                            faster where processors have it (choices: "float32",
                            "bfloat16", default: "float32")
      --memory <size>       memory a measurement may take, like 2GiB (default: 1GiB,
                            or what it needs)
      --data <folder>       folder that holds the store (default: "deltascope-data",
                            env: DELTASCOPE_DATA)
      -h, --help            display help for command

    On a terminal: a progress bar and a summary. Otherwise JSON lines on standard output, the last one with "event": "run".
    "
  `));
test('show', async () =>
  expect(await help('show')).toMatchInlineSnapshot(`
  "Usage: deltascope show [options] <organism-or-run>

  print the top tokens per position of an organism’s latest run, or of one run

  Arguments:
    organism-or-run    registered name, or a run’s key

  Options:
    --layer <n>        one decoder block only, from 0
    --method <name>    how the vectors are read (default: "logit-lens")
    --variant <which>  vector that is read: the difference, or one of the two
                       means (choices: "diff", "base", "finetuned", default:
                       "diff")
    --suppressed       the tokens that the vector speaks against
    --scale <n>        of a method that knows scales, instead of the chosen one
    --top <k>          tokens a position (default: 10)
    --data <folder>    folder that holds the store (default: "deltascope-data",
                       env: DELTASCOPE_DATA)
    --json             print JSON instead of a table
    -h, --help         display help for command
  "
`));
test('serve', async () =>
  expect(await help('serve')).toMatchInlineSnapshot(`
  "Usage: deltascope serve [options]

  serve the graph, with GraphiQL, and the vectors on this machine

  Options:
    --port <n>        port; 0 takes any free one (default: 4680)
    --host <address>  loopback address to listen on (default: "127.0.0.1")
    --no-graphiql     no page at /graphql for browsers
    --data <folder>   folder that holds the store (default: "deltascope-data",
                      env: DELTASCOPE_DATA)
    -h, --help        display help for command
  "
`));

test('without a command, help goes to standard error with 2', async () => {
  const { code, stdout, stderr } = await deltascope();
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toBe(await help());
});

test('the version is the package’s', async () => {
  expect(await deltascope('--version')).toEqual({ code: 0, stdout: '0.3.0\n', stderr: '' });
});
