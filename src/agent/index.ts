export type { AgentBudget } from './budget.ts';
export { LeakError } from './blinder.ts';
export { type Answering, type Models, organismModels } from './models.ts';
export {
  type AgentOptions,
  type AgentOutcome,
  answerOf,
  defaultAnswering,
  defaultBudget,
  runAgent,
} from './run-agent.ts';
export { gradeByRubric, gradeOffline } from './grade-answer.ts';
export { type OfflineOptions, readOffline } from './offline-agent.ts';
