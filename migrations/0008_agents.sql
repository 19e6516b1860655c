-- Written by drizzle-kit; STRICT and triggers by hand.
CREATE TABLE `agent_messages` (
	`id` integer PRIMARY KEY NOT NULL,
	`agent_run_id` integer NOT NULL,
	`number` integer NOT NULL,
	`role` text NOT NULL,
	`content` text NOT NULL,
	`calls` text NOT NULL,
	`tool` text,
	`call_id` text,
	`exchange` text,
	`spent_calls` integer NOT NULL,
	`prompt_tokens` integer NOT NULL,
	`reply_tokens` integer NOT NULL,
	`interactions` integer NOT NULL,
	`created_at` text NOT NULL,
	FOREIGN KEY (`agent_run_id`) REFERENCES `agent_runs`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "agent_messages_role" CHECK("agent_messages"."role" in ('SYSTEM', 'USER', 'ASSISTANT', 'TOOL'))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `agent_messages_number` ON `agent_messages` (`agent_run_id`,`number`);--> statement-breakpoint
CREATE TABLE `agent_runs` (
	`id` integer PRIMARY KEY NOT NULL,
	`key` text NOT NULL,
	`organism_id` integer NOT NULL,
	`run_id` integer,
	`kind` text NOT NULL,
	`pair` text NOT NULL,
	`version` integer NOT NULL,
	`prompt_digest` text,
	`provider` text,
	`endpoint` text,
	`model` text,
	`parameters` text NOT NULL,
	`state` text NOT NULL,
	`error_code` text,
	`error_message` text,
	`conclusive` integer,
	`calls` integer NOT NULL,
	`prompt_tokens` integer NOT NULL,
	`reply_tokens` integer NOT NULL,
	`interactions` integer NOT NULL,
	`lost_calls` integer NOT NULL,
	`lost_tokens` integer NOT NULL,
	`pending_calls` integer NOT NULL,
	`pending_tokens` integer NOT NULL,
	`engine_version` text NOT NULL,
	`created_at` text NOT NULL,
	`finished_at` text,
	FOREIGN KEY (`organism_id`) REFERENCES `organisms`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`run_id`) REFERENCES `runs`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "agent_runs_kind" CHECK("agent_runs"."kind" in ('AGENT', 'BLACK_BOX', 'OFFLINE')),
	CONSTRAINT "agent_runs_pair" CHECK("agent_runs"."pair" in ('ORGANISM', 'NULL')),
	CONSTRAINT "agent_runs_state" CHECK("agent_runs"."state" in ('RUNNING', 'STOPPED', 'COMPLETED', 'FAILED'))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `agent_runs_key_unique` ON `agent_runs` (`key`);--> statement-breakpoint
CREATE INDEX `agent_runs_newest` ON `agent_runs` (`created_at`,`key`);--> statement-breakpoint
CREATE INDEX `agent_runs_organism` ON `agent_runs` (`organism_id`,`created_at`,`key`);--> statement-breakpoint
CREATE INDEX `agent_runs_run` ON `agent_runs` (`run_id`);--> statement-breakpoint
CREATE TABLE `hypotheses` (
	`id` integer PRIMARY KEY NOT NULL,
	`agent_run_id` integer NOT NULL,
	`number` integer NOT NULL,
	`text` text NOT NULL,
	`confidence` real NOT NULL,
	`status` text NOT NULL,
	`reason` text NOT NULL,
	`revisions` integer NOT NULL,
	`created_at` text NOT NULL,
	`updated_at` text NOT NULL,
	FOREIGN KEY (`agent_run_id`) REFERENCES `agent_runs`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "hypotheses_confidence" CHECK("hypotheses"."confidence" between 0 and 1),
	CONSTRAINT "hypotheses_status" CHECK("hypotheses"."status" in ('ACTIVE', 'WITHDRAWN', 'FINAL'))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `hypotheses_number` ON `hypotheses` (`agent_run_id`,`number`);--> statement-breakpoint
ALTER TABLE `grades` ADD `hypothesis_id` integer REFERENCES hypotheses(id);--> statement-breakpoint
CREATE UNIQUE INDEX `grades_hypothesis` ON `grades` (`hypothesis_id`,`grader_id`,`parameters_key`);
--> statement-breakpoint
-- By hand: a transcript is only appended to, and what has ended stays as it ended.
CREATE TRIGGER `agent_messages_appended` BEFORE INSERT ON `agent_messages` WHEN new.`number` <> (SELECT coalesce(max(`number`), -1) + 1 FROM `agent_messages` WHERE `agent_run_id` = new.`agent_run_id`)
BEGIN SELECT raise(ABORT, 'a transcript is only appended to'); END;
--> statement-breakpoint
CREATE TRIGGER `agent_messages_ended` BEFORE INSERT ON `agent_messages` WHEN (SELECT `state` FROM `agent_runs` WHERE `id` = new.`agent_run_id`) IN ('COMPLETED', 'FAILED')
BEGIN SELECT raise(ABORT, 'an agent run that has ended stays as it is'); END;
--> statement-breakpoint
CREATE TRIGGER `agent_messages_unchanged` BEFORE UPDATE ON `agent_messages`
BEGIN SELECT raise(ABORT, 'a transcript is only appended to'); END;
--> statement-breakpoint
CREATE TRIGGER `agent_messages_kept` BEFORE DELETE ON `agent_messages`
BEGIN SELECT raise(ABORT, 'a transcript is only appended to'); END;
--> statement-breakpoint
CREATE TRIGGER `agent_runs_ended` BEFORE UPDATE ON `agent_runs` WHEN old.`state` IN ('COMPLETED', 'FAILED')
BEGIN SELECT raise(ABORT, 'an agent run that has ended stays as it is'); END;
--> statement-breakpoint
CREATE TRIGGER `hypotheses_ended` BEFORE UPDATE ON `hypotheses` WHEN (SELECT `state` FROM `agent_runs` WHERE `id` = old.`agent_run_id`) IN ('COMPLETED', 'FAILED')
BEGIN SELECT raise(ABORT, 'an agent run that has ended stays as it is'); END;
--> statement-breakpoint
CREATE TRIGGER `hypotheses_kept` BEFORE DELETE ON `hypotheses`
BEGIN SELECT raise(ABORT, 'hypotheses are withdrawn, never deleted'); END;
