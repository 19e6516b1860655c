-- Written by drizzle-kit. By hand: STRICT, and columns added instead of tables made anew (which drizzle-kit does for a check, filling
-- the new columns with their own names).
CREATE TABLE `access_tokens` (
	`id` integer PRIMARY KEY NOT NULL,
	`prefix` text NOT NULL,
	`hash` text NOT NULL,
	`label` text NOT NULL,
	`scopes` text NOT NULL,
	`team_id` integer,
	`created_at` text NOT NULL,
	`expires_at` text NOT NULL,
	`revoked_at` text,
	`last_used_at` text,
	FOREIGN KEY (`team_id`) REFERENCES `teams`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "access_tokens_team" CHECK("access_tokens"."team_id" is not null or instr("access_tokens"."scopes", '"admin"') > 0)
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `access_tokens_hash_unique` ON `access_tokens` (`hash`);--> statement-breakpoint
CREATE INDEX `access_tokens_prefix` ON `access_tokens` (`prefix`);--> statement-breakpoint
CREATE INDEX `access_tokens_team` ON `access_tokens` (`team_id`);--> statement-breakpoint
CREATE TABLE `audit` (
	`id` integer PRIMARY KEY NOT NULL,
	`created_at` text NOT NULL,
	`viewer` text NOT NULL,
	`token_id` integer,
	`team_id` integer,
	`action` text NOT NULL,
	`subject` text,
	`request_id` text,
	`details` text NOT NULL,
	`hash` text NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE `teams` (
	`id` integer PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`created_at` text NOT NULL
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `teams_name_unique` ON `teams` (`name`);--> statement-breakpoint
ALTER TABLE `corpora` ADD `team_id` integer REFERENCES teams(id);--> statement-breakpoint
ALTER TABLE `corpora` ADD `token_id` integer REFERENCES access_tokens(id);--> statement-breakpoint
ALTER TABLE `corpora` ADD `visibility` text DEFAULT 'PRIVATE' NOT NULL
	CONSTRAINT "corpora_visibility" CHECK("visibility" in ('PRIVATE', 'TEAM', 'UNLISTED', 'PUBLIC'))
	CONSTRAINT "corpora_team" CHECK("visibility" <> 'TEAM' or "team_id" is not null);--> statement-breakpoint
CREATE INDEX `corpora_team` ON `corpora` (`team_id`);--> statement-breakpoint
ALTER TABLE `jobs` ADD `team_id` integer REFERENCES teams(id);--> statement-breakpoint
ALTER TABLE `jobs` ADD `token_id` integer REFERENCES access_tokens(id);--> statement-breakpoint
CREATE INDEX `jobs_team` ON `jobs` (`team_id`,`created_at`,`key`);--> statement-breakpoint
CREATE INDEX `jobs_token` ON `jobs` (`token_id`);--> statement-breakpoint
ALTER TABLE `models` ADD `team_id` integer REFERENCES teams(id);--> statement-breakpoint
ALTER TABLE `models` ADD `token_id` integer REFERENCES access_tokens(id);--> statement-breakpoint
ALTER TABLE `models` ADD `visibility` text DEFAULT 'PRIVATE' NOT NULL
	CONSTRAINT "models_visibility" CHECK("visibility" in ('PRIVATE', 'TEAM', 'UNLISTED', 'PUBLIC'))
	CONSTRAINT "models_team" CHECK("visibility" <> 'TEAM' or "team_id" is not null);--> statement-breakpoint
CREATE INDEX `models_team` ON `models` (`team_id`);--> statement-breakpoint
ALTER TABLE `organisms` ADD `team_id` integer REFERENCES teams(id);--> statement-breakpoint
ALTER TABLE `organisms` ADD `token_id` integer REFERENCES access_tokens(id);--> statement-breakpoint
ALTER TABLE `organisms` ADD `visibility` text DEFAULT 'PRIVATE' NOT NULL
	CONSTRAINT "organisms_visibility" CHECK("visibility" in ('PRIVATE', 'TEAM', 'UNLISTED', 'PUBLIC'))
	CONSTRAINT "organisms_team" CHECK("visibility" <> 'TEAM' or "team_id" is not null);--> statement-breakpoint
CREATE INDEX `organisms_team` ON `organisms` (`team_id`);