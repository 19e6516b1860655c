import { ApiKey } from '../../src/graders/providers/api-key.ts';
import {
  openAiCompatible,
  type OpenAiCompatibleOptions,
} from '../../src/graders/providers/openai-compatible.ts';
import { Runner, type RunnerOptions } from '../../src/graders/runner.ts';
import { chatServer } from './chat-server.ts';
import { instantClock } from './instant-clock.ts';

/** A runner whose provider is OpenAI's client talking to a scripted server; retries wait on a clock of their own. */
export async function scriptedRunner(
  script: Parameters<typeof chatServer>[0],
  options: Partial<OpenAiCompatibleOptions> & Omit<Partial<RunnerOptions>, 'provider' | 'clock'> = {},
) {
  const server = await chatServer(script);
  const clock = instantClock();
  const provider = openAiCompatible({
    baseUrl: server.url,
    model: 'judge',
    key: new ApiKey('sk-of-no-account'),
    loopback: true,
    ...options,
  });
  return { server, clock, provider, runner: new Runner({ provider, clock, random: () => 1, ...options }) };
}
