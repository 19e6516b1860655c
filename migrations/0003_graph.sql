-- Written by drizzle-kit; STRICT added by hand: it does not know it.
CREATE TABLE `store_keys` (
	`name` text PRIMARY KEY NOT NULL,
	`value` blob NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE `token_texts` (
	`id` integer PRIMARY KEY NOT NULL,
	`text` text NOT NULL
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `token_texts_text_unique` ON `token_texts` (`text`);--> statement-breakpoint
ALTER TABLE `diff_vectors` ADD `above_noise` integer GENERATED ALWAYS AS (case when abs(swap_norm_mean + 5.0 * swap_norm_deviation) <= 1.7976931348623157e308 then norm > swap_norm_mean + 5.0 * swap_norm_deviation end) VIRTUAL;--> statement-breakpoint
CREATE INDEX `diff_vectors_norm` ON `diff_vectors` (`norm`);--> statement-breakpoint
CREATE INDEX `organisms_kind` ON `organisms` (`kind`,`name`);--> statement-breakpoint
CREATE INDEX `organisms_mix_ratio` ON `organisms` (`mix_ratio`);--> statement-breakpoint
CREATE INDEX `projection_tokens_text` ON `projection_tokens` (`text`,`rank`,`projection_id`);