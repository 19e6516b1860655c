-- Written by drizzle-kit; STRICT by hand.
CREATE TABLE `leases` (
	`name` text PRIMARY KEY NOT NULL,
	`fence` integer NOT NULL,
	`owner` text,
	`since` text NOT NULL,
	`boot` text NOT NULL,
	`until` integer NOT NULL
) STRICT;
--> statement-breakpoint
ALTER TABLE `agent_messages` ADD `spent_ms` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `agent_runs` ADD `spent_ms` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `agent_runs` ADD `pending_ms` integer DEFAULT 0 NOT NULL;