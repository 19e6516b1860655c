import {
  type AgentMessageRow,
  type AgentRunRow,
  type HypothesisRow,
  LeaseLostError,
  type NewAgentMessage,
  type Store,
} from '../db/index.ts';
import { type Clock, wallClock } from '../graders/clock.ts';
import {
  type ChatReply,
  type ChatRequest,
  type ExchangeStore,
  type Limits,
  type Message,
  type Provider,
  type ProviderError,
  Runner,
  sealed,
} from '../graders/index.ts';
import type { RetryRule } from '../graders/retry.ts';
import { newDelimiter } from '../graders/untrusted.ts';
import { CodedError } from '../lib/coded-error.ts';
import { derivedSeed } from '../lib/derived-seed.ts';
import type { HeldLease } from '../runs/hold-lease.ts';
import { GraphRefusal } from './ask-graph.ts';
import { type Blinder, LeakError } from './blinder.ts';
import {
  type AgentBudget,
  leftOf,
  promptTokensOf,
  replyTokensOf,
  SpentError,
  withinBudget,
} from './budget.ts';
import { messageTurned, textsIn, turned } from './handed-over.ts';
import { instructionsFor } from './instructions.ts';
import { type Material, own, type Said, toJson } from './material.ts';
import { overviewOf } from './overview.ts';
import { demandPlaces } from './places.ts';
import { type CallForm, readTurn } from './reply.ts';
import { type Answer, boardOf, type Desk, giveAnswer, type Tool, ToolError } from './tools/index.ts';

/** Calls of one turn that are made. */
const mostCalls = 4;
const mostProblems = { characters: 2_000 };
/** Of a text of the agent; no tool takes a longer one. */
const mostWords = { characters: 100_000 };

/** What a process brings along; none of it decides what happens. */
export interface SessionOptions {
  provider: Provider;
  /** Told of every message, those of an earlier process included. */
  onMessage?: ((message: AgentMessageRow) => void) | undefined;
  signal?: AbortSignal | undefined;
  /** Of this process, beside the budget: how fast it may ask, and what may be spent. */
  limits?: Limits | undefined;
  retry?: Partial<RetryRule> | undefined;
  clock?: Clock | undefined;
  random?: (() => number) | undefined;
}

interface SessionParts {
  store: Store;
  agentRun: AgentRunRow;
  held: HeldLease;
  budget: AgentBudget;
  form: CallForm;
  tools: readonly Tool[];
  replyTokens: number;
  temperature: number | null;
  seed: number;
  options: SessionOptions;
  about: { vectors: boolean };
  blinder: Blinder;
  desk: Omit<Desk, 'interactionsLeft' | 'seed'>;
}

/** One agent run in this process. What happens next follows from the transcript alone, whoever wrote it. */
export class Session {
  readonly #parts: SessionParts;
  readonly #runner: Runner;
  readonly #clock: Clock;
  #messages: AgentMessageRow[];
  /** Up to when time has been counted. */
  #counted: number;
  /** Of the last call that failed. */
  #failure: ProviderError | undefined;

  constructor(parts: SessionParts) {
    const { store, agentRun, held, options } = parts;
    const { clock = wallClock, provider, limits, retry, random } = options;
    this.#parts = parts;
    this.#messages = store.agentMessages.after(agentRun, -1);
    this.#clock = clock;
    this.#counted = clock.now();
    this.#runner = new Runner({
      provider: withinBudget(provider, {
        ...{ store, agentRun, lease: held.lease, left: () => this.#left() },
        onFailure: (failure) => (this.#failure = failure),
      }),
      exchanges: store.exchanges as ExchangeStore,
      ...{ limits, retry, clock, random },
    });
  }

  /** Until the answer is given. @throws as runAgent */
  async run(): Promise<void> {
    const { options } = this.#parts;
    this.#messages.forEach((message) => options.onMessage?.(message));
    if (this.#messages.length === 0) await this.#open();
    if (this.#messages.length === 1) await this.#showOverview();
    for (;;) {
      options.signal?.throwIfAborted();
      if (this.#unanswered().length === 0 && !this.#problem()) await this.#ask();
      else if (await this.#act()) return;
    }
  }

  /** Counts the time since it was last counted, until a message tells of it. */
  pass(): void {
    const { store, agentRun, held } = this.#parts;
    const [since, now] = [this.#counted, this.#clock.now()];
    this.#counted = now;
    store.transaction(() => {
      if (store.leases.holds(held.lease) && store.agentRuns.getById(agentRun.id).state === 'RUNNING')
        store.agentRuns.pass(agentRun, Math.max(0, now - since));
    });
  }

  /** Keeps why it did not come to an end: what may go otherwise another time can be gone on with. */
  stop(error: unknown): void {
    const { store, agentRun, held } = this.#parts;
    if (error instanceof LeaseLostError || !store.leases.holds(held.lease)) return;
    this.pass();
    const row = store.agentRuns.getById(agentRun.id);
    if (row.state !== 'RUNNING') return;
    const coded = error instanceof CodedError ? error : null;
    const ends = error instanceof LeakError || error instanceof SpentError || coded?.code === 'NO_ANSWER';
    store.agentRuns.end(agentRun, ends ? 'FAILED' : 'STOPPED', {
      error: { code: coded?.code ?? 'INTERNAL', message: coded?.message ?? String(error) },
    });
  }

  /** By what these messages tell, so that a process which goes on decides as the one before it did. */
  #left(messages = this.#messages, untoldMs = 0): AgentBudget {
    const { store, agentRun, budget } = this.#parts;
    return leftOf(budget, store.agentRuns.getById(agentRun.id), messages, untoldMs);
  }

  /** Writes the next message, with the time that was counted until now. @throws LeaseLostError */
  #append({ spent, ...message }: NewAgentMessage): AgentMessageRow {
    const { store, agentRun, held, options } = this.#parts;
    const row = store.transaction(() => {
      store.leases.demand(held.lease);
      const { pendingMs: ms } = store.agentRuns.getById(agentRun.id);
      return store.agentMessages.append(agentRun, this.#messages.length, {
        ...message,
        spent: { ...spent, ms },
      });
    });
    this.#messages.push(row);
    options.onMessage?.(row);
    return row;
  }

  /** Everything the agent has said, its arguments with their escapes undone. */
  #words(): string[] {
    return this.#messages
      .filter(({ role }) => role === 'ASSISTANT')
      .flatMap(({ content, calls }) => [content, ...calls.flatMap((call) => textsIn(call.arguments))])
      .map((text) => text.slice(0, mostWords.characters));
  }

  /**
   * What is handed over: one JSON value between random lines, blinded. What the agent has written itself tells it nothing when it is told so
   * again, and would tell it much if that were hidden: in its own words, and in answers to a prompt that has it, it stays.
   * @throws LeakError for names of members, which nothing is taken out of
   */
  #sealed(material: Material, where: string): string {
    const { blinder } = this.#parts;
    let toItself: Blinder | undefined;
    const blinderOf = ({ to }: Said): Blinder => {
      if (to === null) return blinder;
      if (to === 'OWN') return (toItself ??= blinder.except(this.#words()));
      return blinder.except([to.prompt]);
    };
    const json = toJson(material, {
      said: (said) => blinderOf(said).said(said.text),
      ours: (text) => blinder.ours(text),
    });
    turned(json, {
      text: (text) => text,
      name(member) {
        blinder.check(member, where);
      },
    });
    return sealed(json).message(newDelimiter());
  }

  #open(): void {
    const { form, tools, about } = this.#parts;
    this.#append({ role: 'SYSTEM', content: instructionsFor(form, tools, about) });
  }

  async #showOverview(): Promise<void> {
    const { desk } = this.#parts;
    const { reading, ask, pair } = desk;
    const overview = reading
      ? await overviewOf(
          ask,
          await demandPlaces(ask, pair, {
            ...{ run: reading.run.key, layer: reading.layer, positions: reading.positions },
            tokens: 20,
          }),
        )
      : 'Two models to talk to, and nothing else.';
    this.pass();
    this.#append({ role: 'USER', content: this.#sealed(this.#told({ overview }), 'the overview') });
  }

  /** With what is left, and what that means. */
  #told(result: { [name: string]: Material }, spent: Partial<AgentBudget> = {}): Material {
    const { store, agentRun } = this.#parts;
    const { pendingMs } = store.agentRuns.getById(agentRun.id);
    const { calls, tokens, interactions, seconds } = this.#left(this.#messages, pendingMs);
    return {
      ...result,
      left: {
        ...{ calls, tokens, interactions: interactions - (spent.interactions ?? 0) },
        ...(seconds !== null && { seconds }),
      },
      ...((calls === 1 || seconds === 0) && { note: 'This is your last turn: give your answer now.' }),
    };
  }

  /** Whether the time was up when the message of this number was to come, by what the messages before it tell. */
  #timeWasUp(number: number): boolean {
    return this.#left(this.#messages.slice(0, number)).seconds === 0;
  }

  /** Calls of the last turn that have no result yet. */
  #unanswered(): { id: string; name: string; arguments: string }[] {
    const turn = this.#messages.findLast(({ role }) => role === 'ASSISTANT');
    if (!turn) return [];
    const answered = new Set(this.#messages.slice(turn.number + 1).map(({ callId }) => callId));
    return turn.calls.filter(({ id }) => !answered.has(id));
  }

  /** What was wrong with the last message, where that is a turn without a call. */
  #problem(): string | undefined {
    const last = this.#messages.at(-1);
    if (last?.role !== 'ASSISTANT' || last.calls.length > 0 || last.exchange === null) return undefined;
    const exchange = this.#parts.store.exchanges.get<ChatReply>(last.exchange);
    const turn = exchange && readTurn(exchange.reply, this.#parts.form);
    return turn && 'problem' in turn ? turn.problem : 'No call was found.';
  }

  /** Asks for the next turn. */
  async #ask(): Promise<void> {
    const { store, agentRun, held, form, tools, replyTokens, temperature, options } = this.#parts;
    for (;;) {
      const left = this.#left();
      if (left.calls < 1 || left.tokens < 1)
        throw new SpentError(
          `the agent had ${left.calls < 1 ? 'no call' : 'no token'} left before it answered; its transcript is kept${this.#lastFailure()}`,
        );
      const isLast = left.calls === 1 || left.seconds === 0;
      const maxTokens = Math.min(replyTokens, left.tokens);
      const request: ChatRequest = {
        messages: this.#chat(),
        maxTokens,
        temperature,
        verdict: form === 'FUNCTION' && isLast ? giveAnswer : null,
        ...(form === 'FUNCTION' && { tools }),
      };
      this.#checkOurs();
      const number = this.#messages.length;
      try {
        const { exchange, cached } = await this.#runner.ask(
          { name: 'agent', version: agentRun.version, promptDigest: agentRun.promptDigest ?? '' },
          () => request,
          { sample: { agentRun: agentRun.key, message: number }, signal: options.signal },
        );
        const { reply, key } = exchange;
        const turn = readTurn(reply, form);
        const calls = 'calls' in turn ? turn.calls : [];
        const { pendingCalls, pendingTokens } = store.agentRuns.getById(agentRun.id);
        const known = cached && pendingCalls === 0;
        this.pass();
        this.#append({
          role: 'ASSISTANT',
          content: reply.text,
          calls: calls.map((call, i) => ({ id: callId(number, i), ...call })),
          exchange: key,
          spent: {
            calls: known ? exchange.attempts : pendingCalls,
            promptTokens: promptTokensOf(reply),
            replyTokens: known ? replyTokensOf(reply, maxTokens) : pendingTokens,
          },
        });
        return;
      } catch (error) {
        const { pendingCalls } = store.agentRuns.getById(agentRun.id);
        store.transaction(() => {
          store.leases.demand(held.lease);
          store.agentRuns.lose(agentRun);
        });
        if (
          error instanceof CodedError &&
          error.code === 'BUDGET_EXHAUSTED' &&
          !(error instanceof SpentError)
        )
          throw new CodedError(
            'LIMIT_REACHED',
            `${error.message}; asked again, with a higher limit, it goes on${this.#lastFailure()}`,
          );
        // Earlier attempts, perhaps of a process that died, took what this one needed: what is left may still do.
        if (!(error instanceof SpentError) || pendingCalls === 0) throw error;
      }
    }
  }

  /** What went wrong, where that is why nothing is left. */
  #lastFailure(): string {
    return this.#failure ? `. Its last call failed, ${this.#failure.code}: ${this.#failure.message}` : '';
  }

  /** Does what the last turn asked for, one call after the other. */
  async #act(): Promise<HypothesisRow | null> {
    const problem = this.#problem();
    if (problem !== undefined) {
      this.#demandTurns();
      this.pass();
      this.#append({
        role: 'USER',
        content: this.#sealed(this.#told({ error: 'FORMAT', message: problem }), 'an error'),
      });
      return null;
    }
    const turn = this.#messages.findLast(({ role }) => role === 'ASSISTANT') as AgentMessageRow;
    for (const call of this.#unanswered()) {
      const answer = await this.#call(call, turn);
      if (answer) return answer;
    }
    this.#demandTurns();
    return null;
  }

  /** Whether the agent's last turn was its last one. */
  #hasEnded(): boolean {
    const turn = this.#messages.findLast(({ role }) => role === 'ASSISTANT');
    return this.#left().calls < 1 || (turn !== undefined && this.#timeWasUp(turn.number));
  }

  /** After the last turn there is nothing more to say. */
  #demandTurns(): void {
    if (this.#hasEnded())
      throw new CodedError('NO_ANSWER', 'the agent did not answer in its last turn; its transcript is kept');
  }

  async #call(
    call: { id: string; name: string; arguments: string },
    turn: AgentMessageRow,
  ): Promise<HypothesisRow | null> {
    const { store, agentRun, desk, seed, options } = this.#parts;
    const number = this.#messages.length;
    const about = { role: 'TOOL', tool: call.name.slice(0, 100), callId: call.id } as const;
    try {
      const tool = this.#toolOf(call, turn);
      const {
        result,
        interactions = 0,
        answer,
      } = await tool.call(call.arguments, {
        ...desk,
        interactionsLeft: this.#left().interactions,
        seed: derivedSeed(seed, 'agent', agentRun.parameters['repeat'] as number, number),
      });
      options.signal?.throwIfAborted();
      this.pass();
      let final: HypothesisRow | null = null;
      const before = this.#messages.length;
      try {
        store.transaction(() => {
          const found = typeof result === 'function' ? result() : result;
          const board = interactions > 0 ? { hypotheses: boardOf(store, agentRun) } : {};
          const told = this.#told({ result: found, ...board }, { interactions });
          this.#append({ ...about, content: this.#sealed(told, call.name), spent: { interactions } });
          if (answer) final = this.#finish(answer);
        });
      } catch (error) {
        this.#messages.length = before;
        throw error;
      }
      return final;
    } catch (error) {
      if (!(error instanceof ToolError || error instanceof GraphRefusal)) throw error;
      this.pass();
      const told = this.#told({
        error: error.code,
        message: own(error.message.slice(0, mostProblems.characters)),
      });
      this.#append({ ...about, content: this.#sealed(told, 'an error') });
      return null;
    }
  }

  #toolOf(call: { id: string; name: string }, turn: AgentMessageRow): Tool {
    const { tools } = this.#parts;
    const tool = tools.find(({ name }) => name === call.name);
    const names = tools.map(({ name }) => name).join(', ');
    if (!tool) throw new ToolError('UNKNOWN_TOOL', `There is no tool of this name; there are ${names}.`);
    if (turn.calls.length > 1 && tool.name === giveAnswer.name)
      throw new ToolError('NOT_ALONE', 'give_answer is called alone; it was not taken.');
    if (turn.calls.findIndex(({ id }) => id === call.id) >= mostCalls)
      throw new ToolError(
        'TOO_MANY_CALLS',
        `At most ${mostCalls} calls of a turn are made; this one was not.`,
      );
    if (tool.name !== giveAnswer.name && this.#hasEnded())
      throw new ToolError('LAST_TURN', 'The last turn is for the answer.');
    return tool;
  }

  #finish({ conclusive, ...answer }: Answer): HypothesisRow {
    const { store, agentRun } = this.#parts;
    const final = store.hypotheses.add(agentRun, answer, 'FINAL');
    store.agentRuns.end(agentRun, 'COMPLETED', { conclusive });
    return final;
  }

  /** The transcript as a provider takes it. What has become a secret since a message was stored is taken out of it. @throws LeakError */
  #chat(): Message[] {
    const { form, blinder } = this.#parts;
    const blindest = blinder.except(this.#words());
    return this.#messages.map(({ number, role, content, calls, callId }): Message => {
      if (role === 'SYSTEM') return { role: 'system', content };
      if (role === 'ASSISTANT')
        return { role: 'assistant', content, ...(form === 'FUNCTION' && calls.length > 0 && { calls }) };
      const blind = messageTurned(content, {
        text: (text) => blindest.said(text),
        name(member) {
          blindest.check(member, `message ${number}`);
        },
      });
      return role === 'TOOL' && form === 'FUNCTION' && callId !== null
        ? { role: 'tool', content: blind, callId }
        : { role: 'user', content: blind };
    });
  }

  /** The last look at what every request has of our own making: instructions and tools. @throws LeakError */
  #checkOurs(): void {
    const { blinder, tools } = this.#parts;
    for (const { role, content } of this.#messages)
      if (role === 'SYSTEM') blinder.check(content, 'the instructions');
    for (const { name, description, schema } of tools)
      for (const text of [name, description, ...textsIn(JSON.stringify(schema))])
        blinder.check(text, `the tool ${name}`);
  }
}

/** Nine letters and digits, which every provider takes for an id. */
const callId = (message: number, call: number): string =>
  `c${String(message).padStart(5, '0')}${String(call).padStart(3, '0')}`;
