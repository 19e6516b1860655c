import type { Connection } from '../connection.ts';
import { condition, rowsLookedAt, type Where } from '../filter.ts';
import { organismFields, organismJoins } from '../filters.ts';
import { storeSizes } from '../store-sizes.ts';
import { rowReader, selectList } from '../table-sql.ts';
import { agentRuns } from '../tables/agent-runs.ts';
import { bindings, listed, type Viewer } from '../visible.ts';
import type { AgentRunRow } from './agent-runs.ts';
import type { GraderRow } from './graders.ts';

/** An agent run, whose it is, and what a grader said of its answer. */
export interface AgentAttempt {
  agentRun: AgentRunRow;
  organism: string;
  kind: string;
  /** Name of its base; null where the viewer does not see it. */
  base: string | null;
  mixRatio: number | null;
  /** Decoder blocks of the base that its run was measured on; null for a black box. */
  layers: number | null;
  /** The last grade of the answer by the grader; null where there is none. */
  grade: { value: number | null; flagged: boolean } | null;
}

/** `kind` is the agent's. */
type Found = AgentRunRow &
  Pick<AgentAttempt, 'organism' | 'base' | 'mixRatio' | 'layers'> & {
    organismKind: string;
    graded: number | null;
    value: number | null;
    flagged: number | null;
  };

/**
 * Attempts to find out what organisms were finetuned on, each with a grader's verdict on the answer: those that read the organism's newest
 * run, and black boxes.
 */
export function agentScoreStore(sqlite: Connection, viewer: Viewer) {
  const select = (where: string) =>
    `select ${selectList(agentRuns)}, organisms.name as organism, organisms.kind as organismKind, models.name as base,
       organisms.mix_ratio as mixRatio, measured.layers as layers, grades.id as graded, grades.value as value,
       json_extract(grades.metrics, '$.canaryFlagged') as flagged
     from agent_runs join organisms on organisms.id = agent_runs.organism_id ${organismJoins(viewer)}
       left join runs on runs.id = agent_runs.run_id left join models measured on measured.id = runs.base_model_id
       left join hypotheses on hypotheses.agent_run_id = agent_runs.id and hypotheses.status = 'FINAL'
       left join grades on grades.id =
         (select last.id from grades last where last.hypothesis_id = hypotheses.id and last.grader_id = @grader
            order by +last.asked desc, +last.id desc limit 1)
     where ${listed(viewer, 'organisms')} and (${where})
       and (agent_runs.run_id is null or agent_runs.run_id =
         (select id from runs newest where newest.organism_id = organisms.id order by newest.created_at desc, newest.key desc limit 1))
     order by organisms.name, agent_runs.created_at, agent_runs.key
     limit @most`;
  const read = rowReader(agentRuns);
  const sizes = storeSizes(sqlite);
  return {
    /** Rows that `all` goes through, about. */
    looksAt: (where: Where | null | undefined): number =>
      sizes.rows('agent_runs') + rowsLookedAt(where, organismFields, sizes),
    /** Of all organisms that may be listed and match, by name, the oldest first. `grader`: null for no verdicts; `most`: rows that are read at most. */
    all(
      grader: GraderRow | null,
      where?: Where | null,
      most: number = Number.MAX_SAFE_INTEGER,
    ): AgentAttempt[] {
      const { sql, parameters } = condition(where, organismFields, { viewer, sizes });
      const bound = { ...bindings(viewer), grader: grader?.id ?? null, most, ...parameters };
      return sqlite
        .prepareAsked(select(sql))
        .all(bound)
        .map((row): AgentAttempt => {
          const { organism, organismKind, base, mixRatio, layers, graded, value, flagged, ...agentRun } =
            row as Found;
          return {
            agentRun: read(agentRun),
            ...{ organism, kind: organismKind, base, mixRatio, layers },
            grade: graded === null ? null : { value, flagged: flagged === 1 },
          };
        });
    },
  };
}
