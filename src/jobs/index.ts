export { JobInputError, jobKinds, type JobResult } from './kinds/index.ts';
export type { JobQueue } from './queue.ts';
export { startJob } from './start.ts';
export { type EngineStatus, supervise, type Supervisor, type SupervisorOptions } from './supervisor.ts';
