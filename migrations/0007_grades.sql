-- Written by drizzle-kit; STRICT by hand.
CREATE TABLE `exchanges` (
	`key` text PRIMARY KEY NOT NULL,
	`grader` text NOT NULL,
	`grader_version` integer NOT NULL,
	`prompt_digest` text NOT NULL,
	`provider` text NOT NULL,
	`endpoint` text NOT NULL,
	`model` text NOT NULL,
	`answered_by` text NOT NULL,
	`request` text NOT NULL,
	`reply` text NOT NULL,
	`at` text NOT NULL,
	`duration_ms` real NOT NULL,
	`attempts` integer NOT NULL,
	`cost` real
) STRICT;
--> statement-breakpoint
CREATE TABLE `graders` (
	`id` integer PRIMARY KEY NOT NULL,
	`key` text NOT NULL,
	`name` text NOT NULL,
	`version` integer NOT NULL,
	`prompt_digest` text,
	`provider` text,
	`endpoint` text,
	`model` text,
	`parameters` text NOT NULL,
	`created_at` text NOT NULL
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `graders_key_unique` ON `graders` (`key`);--> statement-breakpoint
CREATE UNIQUE INDEX `graders_name` ON `graders` (`name`,`version`,`key`);--> statement-breakpoint
CREATE TABLE `grades` (
	`id` integer PRIMARY KEY NOT NULL,
	`grader_id` integer NOT NULL,
	`organism_id` integer NOT NULL,
	`projection_id` integer,
	`sample_id` integer,
	`subject_key` text NOT NULL,
	`scale` text NOT NULL,
	`label` text,
	`value` real,
	`invalid` text,
	`rationale` text,
	`token_labels` text,
	`metrics` text NOT NULL,
	`exchanges` text NOT NULL,
	`parameters` text NOT NULL,
	`parameters_key` text NOT NULL,
	`engine_version` text NOT NULL,
	`created_at` text NOT NULL,
	FOREIGN KEY (`grader_id`) REFERENCES `graders`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`organism_id`) REFERENCES `organisms`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`projection_id`) REFERENCES `projections`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`sample_id`) REFERENCES `samples`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "grades_scale" CHECK("grades"."scale" in ('LABEL', 'SHARE', 'SCORE')),
	CONSTRAINT "grades_verdict" CHECK(("grades"."invalid" is null) = ("grades"."label" is not null or "grades"."value" is not null))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `grades_projection` ON `grades` (`projection_id`,`grader_id`,`parameters_key`);--> statement-breakpoint
CREATE UNIQUE INDEX `grades_sample` ON `grades` (`sample_id`,`grader_id`,`parameters_key`);--> statement-breakpoint
CREATE INDEX `grades_grader` ON `grades` (`grader_id`,`id`);--> statement-breakpoint
CREATE INDEX `grades_organism` ON `grades` (`organism_id`);