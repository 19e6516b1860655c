-- Written by drizzle-kit. By hand: STRICT (a wrong type is an error), which it does not know.
CREATE TABLE `idempotency_keys` (
	`client` text NOT NULL,
	`key` text NOT NULL,
	`payload_hash` text NOT NULL,
	`result_key` text,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`client`, `key`)
) STRICT;
--> statement-breakpoint
CREATE INDEX `idempotency_keys_oldest` ON `idempotency_keys` (`created_at`);--> statement-breakpoint
CREATE TABLE `job_events` (
	`id` integer PRIMARY KEY NOT NULL,
	`job_id` integer NOT NULL,
	`number` integer NOT NULL,
	`state` text NOT NULL,
	`phase` text,
	`done` integer,
	`total` integer,
	`message` text,
	`created_at` text NOT NULL,
	FOREIGN KEY (`job_id`) REFERENCES `jobs`(`id`) ON UPDATE no action ON DELETE cascade
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `job_events_number` ON `job_events` (`job_id`,`number`);--> statement-breakpoint
CREATE TABLE `jobs` (
	`id` integer PRIMARY KEY NOT NULL,
	`key` text NOT NULL,
	`identity` text NOT NULL,
	`kind` text NOT NULL,
	`spec` text NOT NULL,
	`organism_id` integer,
	`state` text NOT NULL,
	`priority` integer NOT NULL,
	`attempts` integer NOT NULL,
	`stalls` integer NOT NULL,
	`crashes` integer NOT NULL,
	`fence` integer NOT NULL,
	`owner` text,
	`boot` text NOT NULL,
	`lease_until` integer NOT NULL,
	`available_at` integer NOT NULL,
	`cancel_requested` integer NOT NULL,
	`phase` text,
	`done` integer,
	`total` integer,
	`error_code` text,
	`error_message` text,
	`result` text,
	`created_at` text NOT NULL,
	`started_at` text,
	`finished_at` text,
	FOREIGN KEY (`organism_id`) REFERENCES `organisms`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "jobs_state" CHECK("jobs"."state" in ('QUEUED', 'RUNNING', 'COMPLETED', 'ERROR', 'CANCELLED'))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `jobs_key_unique` ON `jobs` (`key`);--> statement-breakpoint
CREATE UNIQUE INDEX `jobs_identity_unique` ON `jobs` (`identity`);--> statement-breakpoint
CREATE INDEX `jobs_newest` ON `jobs` (`created_at`,`key`);--> statement-breakpoint
CREATE INDEX `jobs_waiting` ON `jobs` (`state`,`priority`,`id`);--> statement-breakpoint
CREATE INDEX `jobs_organism` ON `jobs` (`organism_id`);--> statement-breakpoint
CREATE TABLE `notes` (
	`id` integer PRIMARY KEY NOT NULL,
	`key` text NOT NULL,
	`organism_id` integer,
	`run_id` integer,
	`vector_id` integer,
	`subject_key` text NOT NULL,
	`text` text NOT NULL,
	`created_at` text NOT NULL,
	FOREIGN KEY (`organism_id`) REFERENCES `organisms`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`run_id`) REFERENCES `runs`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`vector_id`) REFERENCES `diff_vectors`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "notes_subject" CHECK(("notes"."organism_id" is not null) + ("notes"."run_id" is not null) + ("notes"."vector_id" is not null) = 1)
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `notes_key_unique` ON `notes` (`key`);--> statement-breakpoint
CREATE INDEX `notes_organism` ON `notes` (`organism_id`,`created_at`,`key`);--> statement-breakpoint
CREATE INDEX `notes_run` ON `notes` (`run_id`,`created_at`,`key`);--> statement-breakpoint
CREATE INDEX `notes_vector` ON `notes` (`vector_id`,`created_at`,`key`);--> statement-breakpoint
CREATE TABLE `tags` (
	`id` integer PRIMARY KEY NOT NULL,
	`organism_id` integer,
	`run_id` integer,
	`name` text NOT NULL,
	`created_at` text NOT NULL,
	FOREIGN KEY (`organism_id`) REFERENCES `organisms`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`run_id`) REFERENCES `runs`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "tags_subject" CHECK(("tags"."organism_id" is null) <> ("tags"."run_id" is null))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `tags_organism` ON `tags` (`organism_id`,`name`);--> statement-breakpoint
CREATE UNIQUE INDEX `tags_run` ON `tags` (`run_id`,`name`);