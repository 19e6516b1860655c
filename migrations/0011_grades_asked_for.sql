ALTER TABLE `grades` ADD `asked` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
UPDATE `grades` SET `asked` = `id`;--> statement-breakpoint
CREATE INDEX `grades_asked` ON `grades` (`asked`);