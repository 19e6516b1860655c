DROP INDEX `grades_organism`;--> statement-breakpoint
CREATE INDEX `grades_organism` ON `grades` (`organism_id`,`grader_id`);