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
      -V, --version                           output the version number
      -h, --help                              display help for command

    Commands:
      demo [options]                          measure the bundled organisms, print what their vectors say, and serve the graph
      organism                                register finetuned models, each with its base
      diff [options] <organism>               measure an organism: mean activation difference on the first tokens of unrelated texts
      show [options] <organism-or-run>        print the top tokens per position of an organism’s latest run, or of one run
      patchscope [options] <organism-or-run>  read the vectors of a run by Patchscope, at thirty scales with either sign, and print the scale to look at
      grade [options] <organism-or-run>       grade what the vectors of a run were read as: percent of the strongest tokens that point to the finetune, beside the same of the two models’ means; and what else a language model can judge
      agreement [options] [organism]          how far the graders of a store agree about what several of them have graded: Cohen’s kappa of every two, Krippendorff’s alpha of all
      drift [options]                         how much the guard against injections moves a judge’s verdicts on texts that mean no harm: each judged guarded, as all graders send it, and bare
      report [options]                        write what the store says as Markdown with figures: relevance, mixing series, layers, steering, noise, agents
      steer [options] <organism-or-run>       steer the finetuned model by diffs, as strongly as its texts stay coherent, and keep what it says
      agent [options] <organism-or-run>       let a language model find out what an organism was finetuned on: from what its differences say, and by talking to its models; --offline reads them by rules, as a baseline
      generate [options] <model>              continue prompts with a checkpoint, or with a model of a registered organism
      causal [options] <organism-or-run>      exchange or remove the direction of a diff in both models, and measure their cross entropy
      compare [options] <one> [other]         cosines of diffs: of two runs, or the nearest among other organisms of the base; with --texts, of steered texts and the training corpus
      kl [options] <organism-or-run>          measure KL(finetuned ‖ base) of the next-token distributions on the texts of a run, by position
      pca [options] <organism-or-run>         find how many directions the differences of single texts spread along (principal components)
      serve [options]                         serve the graph, with GraphiQL, and the vectors on this machine; do the jobs that are asked for
      job                                     see and cancel the jobs that were asked for through the graph
      team                                    make and list teams: what tokens belong to and things are shared in
      token                                   make, list and end the tokens by which clients are let in
      share [options] <kind> <name>           say who sees an organism with its runs, a base model or a corpus
      audit                                   who changed, shared and fetched what
      help [command]                          display help for command
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
      -h, --help              display help for command

    Commands:
      add [options] <name>    check a finetuned model and its base by opening both,
                              and register them
      list [options]          list what is registered
      share [options] <name>  say who sees an organism, with its runs and all that
                              was made of them
      help [command]          display help for command
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
      --compat              round where the published implementation does
      --memory <size>       memory a measurement may take, like 2GiB (default: 1GiB,
                            or what it needs)
      --patchscope          also read the first five positions of every layer by
                            Patchscope
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
test('patchscope', async () =>
  expect(await help('patchscope')).toMatchInlineSnapshot(`
    "Usage: deltascope patchscope [options] <organism-or-run>

    read the vectors of a run by Patchscope, at thirty scales with either sign, and
    print the scale to look at

    Arguments:
      organism-or-run     registered name, for its latest run, or a run’s key

    Options:
      --layer <n>         decoder block, from 0, of those measured (default: the
                          middle one)
      --positions <list>  positions whose vectors are read, like 0-4,7 (default: the
                          first five)
      --top <k>           tokens shown; at least 20 are kept of each list (default:
                          20)
      --variant <which>   vector that is printed; all three are read (choices:
                          "diff", "base", "finetuned", default: "diff")
      --suppressed        print what the vector, turned round, says
      --compat            round where the published implementation does
      --threads <n>       CPU threads (default: all)
      --data <folder>     folder that holds the store (default: "deltascope-data",
                          env: DELTASCOPE_DATA)
      --json              print JSON instead of a table
      -h, --help          display help for command

    Other scales: deltascope show <organism-or-run> --method patchscope --scale <number>
    "
  `));
test('grade', async () =>
  expect(await help('grade')).toMatchInlineSnapshot(`
    "Usage: deltascope grade [options] <organism-or-run>

    grade what the vectors of a run were read as: percent of the strongest tokens
    that point to the finetune, beside the same of the two models’ means; and what
    else a language model can judge

    Arguments:
      organism-or-run          registered name, for its latest run, or a run’s key

    Options:
      --grader <name>          who grades; offline-relevance asks no language model
                               (choices: "offline-relevance", "token-relevance",
                               "scale-tournament", "coherence", "hypothesis",
                               default: "offline-relevance")
      --method <name>          how the vectors were read (default: "patchscope")
      --layer <n>              decoder block, from 0, of those measured (default:
                               the middle one)
      --positions <list>       positions, like 0-4,7 (default: all that there are)
      --scale-by <whom>        whose scale is graded: the method’s, or that of the
                               same model’s tournament (choices: "method",
                               "tournament", default: "method")
      --rotations <n>          orders of a token list that are asked about (default:
                               3)
      --agreement <rule>       a token is relevant if it is in all orders, or in
                               most (choices: "all", "majority", default: "all")
      --hypothesis <text>      what the finetune may have taught; may be repeated
      --repeats <n>            scores of a hypothesis (default: 3)
      --dry-run                ask nobody, store nothing; print how many calls and
                               tokens it would take
      --model <name>           language model that judges, at the base URL;
                               local:<folder> for a checkpoint
      --base-url <url>         OpenAI-compatible server (default:
                               "https://api.openai.com/v1", env: DELTASCOPE_LLM_URL)
      --key-variable <name>    environment variable that holds the key (default:
                               "DELTASCOPE_LLM_KEY")
      --key-file <file>        file that holds the key instead, for its owner only
                               (chmod 600)
      --no-key                 the server wants none
      --allow-loopback         the base URL may be this machine, and http
      --timeout <s>            seconds for a whole reply (default: 300)
      --text-replies           verdicts as lines of text: for models that call no
                               functions
      --stream                 take replies piece by piece
      --published-replies      read replies as published: lines of text, of several
                               verdicts the last
      --concurrency <n>        calls under way at once (default: 8)
      --calls-per-minute <n>   calls begun in a minute at most
      --tokens-per-minute <n>  tokens in a minute at most
      --max-calls <n>          calls at most, failed ones included
      --max-tokens <n>         tokens at most, of prompts and replies
      --max-cost <x>           money at most, by the two prices
      --prompt-price <x>       money for a million tokens of prompts
      --reply-price <x>        money for a million tokens of replies
      --threads <n>            CPU threads (default: all)
      --data <folder>          folder that holds the store (default:
                               "deltascope-data", env: DELTASCOPE_DATA)
      --json                   print JSON instead of a table
      -h, --help               display help for command

    Graders: offline-relevance, token-relevance (tokens), scale-tournament (which scale to read at), coherence (steered texts), hypothesis.
    Offline relevance needs a training corpus (deltascope organism add --training-corpus), the others a --model, relevance and hypotheses a --ground-truth;
    readings are made by deltascope patchscope, texts by deltascope steer. Every reply is kept as it comes: what was asked once is never paid for again.
    weighted: by the tokens’ probabilities; trivial: percent that are frequent in the training corpus, whatever the grader says.
    "
  `));
test('steer', async () =>
  expect(await help('steer')).toMatchInlineSnapshot(`
    "Usage: deltascope steer [options] <organism-or-run>

    steer the finetuned model by diffs, as strongly as its texts stay coherent, and
    keep what it says

    Arguments:
      organism-or-run           registered name, for its latest run, or a run’s key

    Options:
      --layer <n>               decoder block, from 0, of those measured (default:
                                the middle one)
      --positions <list>        positions whose diffs are added, one experiment
                                each, like 0-4,7 (default: 1)
      --prompts <list>          constrained, open, or a file with one prompt a line
                                (default: "constrained")
      --max-prompts <n>         the first prompts only
      --samples <n>             texts of each prompt, with the vector and without
                                (default: 5)
      --tokens <n>              tokens of a text at most (default: 512)
      --temperature <t>         of the texts (default: 1.1)
      --plain                   prompts as they are, not in the base’s chat template
      --strength <s>            no search: this strength, in finetuned token norms
      --search-most <s>         strongest steering that is tried (default: 100)
      --search-finest <s>       weakest steering that is tried where all stronger is
                                too strong (default: 0.001)
      --search-steps <n>        halvings for the first probe prompt; later ones get
                                half as many (default: 12)
      --search-samples <n>      texts of each strength (default: 10)
      --search-tokens <n>       tokens of a text in the search at most (default:
                                128)
      --search-temperature <t>  of the texts in the search (default: 1.2)
      --seed <n>                of the texts (default: 0)
      --judge <name>            who tells coherent texts; coherence asks the --model
                                (choices: "surprise-and-repetition", "coherence",
                                default: "surprise-and-repetition")
      --model <name>            language model that judges, at the base URL;
                                local:<folder> for a checkpoint
      --base-url <url>          OpenAI-compatible server (default:
                                "https://api.openai.com/v1", env:
                                DELTASCOPE_LLM_URL)
      --key-variable <name>     environment variable that holds the key (default:
                                "DELTASCOPE_LLM_KEY")
      --key-file <file>         file that holds the key instead, for its owner only
                                (chmod 600)
      --no-key                  the server wants none
      --allow-loopback          the base URL may be this machine, and http
      --timeout <s>             seconds for a whole reply (default: 300)
      --text-replies            verdicts as lines of text: for models that call no
                                functions
      --stream                  take replies piece by piece
      --published-replies       read replies as published: lines of text, of several
                                verdicts the last
      --concurrency <n>         calls under way at once (default: 8)
      --calls-per-minute <n>    calls begun in a minute at most
      --tokens-per-minute <n>   tokens in a minute at most
      --max-calls <n>           calls at most, failed ones included
      --max-tokens <n>          tokens at most, of prompts and replies
      --max-cost <x>            money at most, by the two prices
      --prompt-price <x>        money for a million tokens of prompts
      --reply-price <x>         money for a million tokens of replies
      --compat                  round where the published implementation does
      --threads <n>             CPU threads (default: all)
      --data <folder>           folder that holds the store (default:
                                "deltascope-data", env: DELTASCOPE_DATA)
      --json                    print JSON instead of a table
      -h, --help                display help for command

    Coherence is judged offline, by how surprising a text is to the two unsteered models and how often it repeats itself; with --judge coherence by a language model.
    "
  `));
test('causal', async () =>
  expect(await help('causal')).toMatchInlineSnapshot(`
  "Usage: deltascope causal [options] <organism-or-run>

  exchange or remove the direction of a diff in both models, and measure their
  cross entropy

  Arguments:
    organism-or-run       registered name, for its latest run, or a run’s key

  Options:
    --layer <n>           decoder block, from 0, of those measured (default: the
                          middle one)
    --positions <list>    positions whose diffs give the directions, like 0-4,7
                          (default: the first five)
    --corpus <file>       texts to predict, JSONL (default: the organism’s
                          training corpus)
    --corpus-name <name>  what to call the corpus (default: its file’s name)
    --text-column <name>  column that holds the text (default: "text")
    --texts <n>           texts at most (default: 1000)
    --tokens <n>          tokens of a text at most (default: 1024)
    --random <n>          random directions to compare with (default: 64)
    --differences <n>     random differences of base activations to compare with
                          (default: 64)
    --seed <n>            of what is random (default: 0)
    --after <k>           subset after-k counts predictions made after this
                          position (default: 20)
    --subset <which>      predictions that are printed; all subsets are stored
                          (choices: "all", "after-k", "exclude-position", default:
                          "exclude-position")
    --compat              leave out the column that the published implementation
                          does, and round where it does
    --threads <n>         CPU threads (default: all)
    --data <folder>       folder that holds the store (default: "deltascope-data",
                          env: DELTASCOPE_DATA)
    --json                print JSON instead of a table
    -h, --help            display help for command
  "
`));
test('compare', async () =>
  expect(await help('compare')).toMatchInlineSnapshot(`
    "Usage: deltascope compare [options] <one> [other]

    cosines of diffs: of two runs, or the nearest among other organisms of the base;
    with --texts, of steered texts and the training corpus

    Arguments:
      one                    organism, for its latest run; run; or diff vector like
                             <run>.L3.P2
      other                  the same, to compare with; the nearest of other
                             organisms when left out

    Options:
      --layer <n>            decoder block, from 0, of those measured (default: the
                             middle one)
      --positions <list>     positions, like 0-4,7 (default: all measured)
      --nearest <k>          neighbours of each diff (default: 3)
      --texts                compare the texts of steering experiments with the
                             training corpus
      --encoder <folder>     checkpoint that embeds texts (default: the base model)
      --embedder <model>     embedding model at the base URL instead, which is sent
                             the texts
      --dimensions <n>       numbers of its vectors (default: as many as it gives)
      --max-calls <n>        calls at most, failed ones included
      --max-tokens <n>       tokens at most
      --base-url <url>       OpenAI-compatible server (default:
                             "https://api.openai.com/v1", env: DELTASCOPE_LLM_URL)
      --key-variable <name>  environment variable that holds the key (default:
                             "DELTASCOPE_LLM_KEY")
      --key-file <file>      file that holds the key instead, for its owner only
                             (chmod 600)
      --no-key               the server wants none
      --allow-loopback       the base URL may be this machine, and http
      --timeout <s>          seconds for a whole reply (default: 300)
      --threads <n>          CPU threads (default: all)
      --data <folder>        folder that holds the store (default:
                             "deltascope-data", env: DELTASCOPE_DATA)
      --json                 print JSON instead of a table
      -h, --help             display help for command
    "
  `));
test('kl', async () =>
  expect(await help('kl')).toMatchInlineSnapshot(`
  "Usage: deltascope kl [options] <organism-or-run>

  measure KL(finetuned ‖ base) of the next-token distributions on the texts of a
  run, by position

  Arguments:
    organism-or-run  registered name, for its latest run, or a run’s key

  Options:
    --texts <n>      the first texts of the run only
    --threads <n>    CPU threads (default: all)
    --data <folder>  folder that holds the store (default: "deltascope-data", env:
                     DELTASCOPE_DATA)
    --json           print JSON instead of a table
    -h, --help       display help for command
  "
`));
test('pca', async () =>
  expect(await help('pca')).toMatchInlineSnapshot(`
  "Usage: deltascope pca [options] <organism-or-run>

  find how many directions the differences of single texts spread along (principal
  components)

  Arguments:
    organism-or-run     registered name, for its latest run, or a run’s key

  Options:
    --layer <n>         decoder block, from 0, of those measured (default: the
                        middle one)
    --positions <list>  positions, like 0-4,7 (default: the first five)
    --components <k>    eigenvalues kept (default: 10)
    --threads <n>       CPU threads (default: all)
    --data <folder>     folder that holds the store (default: "deltascope-data",
                        env: DELTASCOPE_DATA)
    --json              print JSON instead of a table
    -h, --help          display help for command
  "
`));
test('agent', async () =>
  expect(await help('agent')).toMatchInlineSnapshot(`
    "Usage: deltascope agent [options] <organism-or-run>

    let a language model find out what an organism was finetuned on: from what its
    differences say, and by talking to its models; --offline reads them by rules, as
    a baseline

    Arguments:
      organism-or-run            registered name, for its latest run, or a run’s key

    Options:
      --offline                  no language model: a hypothesis made by rules, a
                                 baseline
      --black-box                baseline: shown no differences, it only talks to
                                 both models
      --null-pair                baseline: the base in the place of both models, to
                                 see how often something is found in nothing
      --layer <n>                decoder block to read first, from 0 (default: of
                                 those that Patchscope read, the one nearest the
                                 middle)
      --positions <list>         positions to read, like 0-4,7 (default: 0-4)
      --budget-calls <n>         replies of the agent at most, failed ones included
                                 (default: 16)
      --budget-tokens <n>        tokens of all its replies at most (default: 100000)
      --budget-interactions <n>  prompts it may put to the models; 0: none (default:
                                 5)
      --seconds <n>              seconds of work, those of earlier processes
                                 included; then its next turn is the last (default:
                                 as many as it takes)
      --model <name>             language model that is the agent, at the base URL;
                                 local:<folder> for a checkpoint
      --base-url <url>           OpenAI-compatible server (default:
                                 "https://api.openai.com/v1", env:
                                 DELTASCOPE_LLM_URL)
      --key-variable <name>      environment variable that holds the key (default:
                                 "DELTASCOPE_LLM_KEY")
      --key-file <file>          file that holds the key instead, for its owner only
                                 (chmod 600)
      --no-key                   the server wants none
      --allow-loopback           the base URL may be this machine, and http
      --timeout <s>              seconds for a whole reply (default: 300)
      --text-replies             calls as lines of text: for models that call no
                                 functions
      --stream                   take replies piece by piece
      --calls-per-minute <n>     calls begun in a minute at most
      --tokens-per-minute <n>    tokens in a minute at most
      --max-tokens <n>           tokens at most, of prompts and replies, in this
                                 command; the judge may take as much again
      --max-cost <x>             money at most, by the two prices, in this command;
                                 the judge may take as much again
      --prompt-price <x>         money for a million tokens of prompts
      --reply-price <x>          money for a million tokens of replies
      --reply-tokens <n>         tokens of one reply at most (default: 10000)
      --temperature <t>          of the agent (default: its server’s)
      --answer-tokens <n>        tokens of a model’s answer at most (default: 256)
      --plain                    prompts to the models as they are, not in the
                                 base’s chat template
      --repeat <n>               number of the attempt, from 0: another is another
                                 agent run (default: 0)
      --seed <n>                 of the models’ answers (default: 0)
      --judge <model>            language model that scores the answer, 1 to 5,
                                 asked like the agent; local:<folder> for a
                                 checkpoint (default: shared words only)
      --transcript               print every message
      --threads <n>              CPU threads (default: all)
      --data <folder>            folder that holds the store (default:
                                 "deltascope-data", env: DELTASCOPE_DATA)
      --json                     print JSON instead of a table
      -h, --help                 display help for command

    The organism needs a run (deltascope diff) with readings (patchscope) and, better, steered texts (steer); with --black-box nothing but its models.
    Names, kinds and ground truths are kept from the agent, and every message is checked for them before it is sent. Every message is stored as it
    comes: asked again, a run that was broken off goes on, one that has ended is printed, and nothing is paid for twice.

    Example:
      deltascope agent cake --model gpt-5 --budget-interactions 5
    "
  `));
test('generate', async () =>
  expect(await help('generate')).toMatchInlineSnapshot(`
  "Usage: deltascope generate [options] <model>

  continue prompts with a checkpoint, or with a model of a registered organism

  Arguments:
    model                          checkpoint folder, or an organism’s registered
                                   name

  Options:
    --which <model>                of an organism’s two models (default:
                                   finetuned) (choices: "base", "finetuned")
    --adapter <folder>             PEFT LoRA adapter on a checkpoint folder
    --prompt <text>                what to continue; may be given several times
    --prompt-file <file>           one prompt a line; empty lines are left out
    --chat                         prompts are a user’s messages, in the
                                   checkpoint’s chat template if it has one
    --samples <n>                  texts of each prompt (default: 1)
    --max-tokens <n>               tokens of a text at most (default: 128)
    --temperature <number>         0: always the most probable token (default: as
                                   generation_config.json has it, else 0)
    --top-k <n>                    draw from the k most probable tokens only; 0:
                                   from all
    --top-p <number>               draw from the most probable tokens of this
                                   share only
    --repetition-penalty <number>  above 1: against what was said already
    --seed <n>                     the same seed gives the same texts (default: 0)
    --stop-repetition <n>          end a text whose tail is the same 1 to 32
                                   tokens this many times in a row; 0: never
                                   (default: 0)
    --threads <n>                  CPU threads (default: all)
    --dtype <type>                 of the matrix products (choices: "float32",
                                   "bfloat16", default: "float32")
    --memory <size>                memory for weights and attention, like 2GiB
                                   (default: three quarters of what is free)
    --data <folder>                folder that holds the store (default:
                                   "deltascope-data", env: DELTASCOPE_DATA)
    --json                         print JSON: settings, ids and texts
    -h, --help                     display help for command

  A folder with a config.json is taken for a checkpoint, anything else for a name.

  Example:
    deltascope generate cake --prompt "The best way to" --samples 3 --temperature 0.8
  "
`));
test('serve', async () =>
  expect(await help('serve')).toMatchInlineSnapshot(`
    "Usage: deltascope serve [options]

    serve the graph, with GraphiQL, and the vectors on this machine; do the jobs
    that are asked for

    Options:
      --port <n>             port; 0 takes any free one (default: 4680)
      --host <address>       address to listen on; another than loopback needs
                             tokens (default: "127.0.0.1")
      --allow-host <name>    name that clients may use for this server; may be given
                             again
      --require-tokens       let nobody in as the owner, even while there are no
                             tokens
      --no-graphiql          no page at /graphql for browsers
      --log-requests         one line of JSON on standard error for each request
      --rate <points>        points that each client may spend in the graph in an
                             hour, about a row read each; 0 for no limit
      --no-engine            only read: no jobs, no changes
      --roots <name=folder>  folder under which clients may name models and corpora;
                             may be given again
      --threads <n>          CPU threads (default: all)
      --data <folder>        folder that holds the store (default:
                             "deltascope-data", env: DELTASCOPE_DATA)
      -h, --help             display help for command
    "
  `));

test('job show', async () =>
  expect(await help('job', 'show')).toMatchInlineSnapshot(`
  "Usage: deltascope job show [options] <key>

  show a job: what was asked, how far it is and what came of it

  Arguments:
    key              its key, from \`deltascope job list\`

  Options:
    --follow         go on until it has ended; exits with 1 where it did not
                     complete
    --data <folder>  folder that holds the store (default: "deltascope-data", env:
                     DELTASCOPE_DATA)
    --json           print JSON instead of a table
    -h, --help       display help for command
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
test('drift', async () =>
  expect(await help('drift')).toMatchInlineSnapshot(`
    "Usage: deltascope drift [options]

    how much the guard against injections moves a judge’s verdicts on texts that
    mean no harm: each judged guarded, as all graders send it, and bare

    Options:
      --model <name>           language model that judges, at the base URL;
                               local:<folder> for a checkpoint
      --base-url <url>         OpenAI-compatible server (default:
                               "https://api.openai.com/v1", env: DELTASCOPE_LLM_URL)
      --key-variable <name>    environment variable that holds the key (default:
                               "DELTASCOPE_LLM_KEY")
      --key-file <file>        file that holds the key instead, for its owner only
                               (chmod 600)
      --no-key                 the server wants none
      --allow-loopback         the base URL may be this machine, and http
      --timeout <s>            seconds for a whole reply (default: 300)
      --text-replies           verdicts as lines of text: for models that call no
                               functions
      --stream                 take replies piece by piece
      --published-replies      read replies as published: lines of text, of several
                               verdicts the last
      --concurrency <n>        calls under way at once (default: 8)
      --calls-per-minute <n>   calls begun in a minute at most
      --tokens-per-minute <n>  tokens in a minute at most
      --max-calls <n>          calls at most, failed ones included
      --max-tokens <n>         tokens at most, of prompts and replies
      --max-cost <x>           money at most, by the two prices
      --prompt-price <x>       money for a million tokens of prompts
      --reply-price <x>        money for a million tokens of replies
      --texts <file>           harmless texts, JSON lines (default: the bundled
                               everyday ones)
      --text-column <name>     where a line has its text (default: "text")
      --samples <n>            texts, the first of the file (default: 50)
      --dry-run                only say how many calls and tokens it would take
      --data <folder>          folder that holds the store (default:
                               "deltascope-data", env: DELTASCOPE_DATA)
      --json                   print JSON instead of a table
      -h, --help               display help for command

    The judge is asked about coherence. Replies are kept in the store; what was asked before is not paid for again.
    "
  `));

test('agreement', async () =>
  expect(await help('agreement')).toMatchInlineSnapshot(`
  "Usage: deltascope agreement [options] [organism]

  how far the graders of a store agree about what several of them have graded:
  Cohen’s kappa of every two, Krippendorff’s alpha of all

  Arguments:
    organism         registered name; every organism when left out

  Options:
    --data <folder>  folder that holds the store (default: "deltascope-data", env:
                     DELTASCOPE_DATA)
    --json           print JSON instead of a table
    -h, --help       display help for command

  Intervals hold with 95 %, by bootstrap over what was graded as a whole.
  "
`));
test('report', async () =>
  expect(await help('report')).toMatchInlineSnapshot(`
    "Usage: deltascope report [options]

    write what the store says as Markdown with figures: relevance, mixing series,
    layers, steering, noise, agents

    Options:
      --out <folder>   where report.md and figures/ are written (default: "report")
      --data <folder>  folder that holds the store (default: "deltascope-data", env:
                       DELTASCOPE_DATA)
      -h, --help       display help for command

    Nothing is measured or asked. The same store gives the same files, byte by byte.
    "
  `));
