import type {
  AgentRunRow,
  AgentRunSpec,
  HypothesisRow,
  OrganismRow,
  RunRow,
  Store,
} from '../../src/db/index.ts';

export const syntheticAgentSpec = (
  organism: OrganismRow,
  run: RunRow | null,
  change: Partial<AgentRunSpec> = {},
): AgentRunSpec => ({
  organism,
  run,
  kind: 'AGENT',
  pair: 'ORGANISM',
  version: 1,
  promptDigest: 'p',
  provider: 'openai-compatible',
  endpoint: 'https://a.example/v1',
  model: 'm',
  parameters: { budget: { calls: 10, tokens: 1000, interactions: 5 } },
  ...change,
});

/** An agent run that has ended: three messages with `mark` in them, a hypothesis on the board and the answer. */
export function seedAgentRun(
  store: Store,
  organism: OrganismRow,
  run: RunRow | null,
  mark = 'cakes',
): { agentRun: AgentRunRow; answer: HypothesisRow } {
  const begun = store.agentRuns.begin(syntheticAgentSpec(organism, run));
  store.agentMessages.append(begun, 0, { role: 'SYSTEM', content: `Find it out: ${mark}` });
  store.agentMessages.append(begun, 1, {
    role: 'ASSISTANT',
    content: '',
    calls: [{ id: 'c00001000', name: 'track_hypothesis', arguments: `{"text":"${mark}"}` }],
    spent: { calls: 1, promptTokens: 100, replyTokens: 10 },
  });
  store.hypotheses.add(begun, { text: `About ${mark}`, confidence: 0.25, reason: mark });
  store.agentMessages.append(begun, 2, {
    role: 'TOOL',
    content: `{"number":1,"about":"${mark}"}`,
    tool: 'track_hypothesis',
    callId: 'c00001000',
  });
  const answer = store.hypotheses.add(
    begun,
    { text: `False facts: ${mark}`, confidence: 0.75, reason: mark },
    'FINAL',
  );
  return { agentRun: store.agentRuns.end(begun, 'COMPLETED', { conclusive: true }), answer };
}
