-- Written by drizzle-kit. By hand: STRICT (a wrong type is an error), which it does not know; what the new columns of projections hold for
-- readings that stand (all came with their run); no PRAGMA foreign_keys, which does nothing within the transaction that migrations run in.
CREATE TABLE `causal_effects` (
	`id` integer PRIMARY KEY NOT NULL,
	`vector_id` integer NOT NULL,
	`direction` text NOT NULL,
	`subset` text NOT NULL,
	`control` text NOT NULL,
	`mode` text NOT NULL,
	`corpus_name` text NOT NULL,
	`corpus_digest` text NOT NULL,
	`vectors` integer NOT NULL,
	`base_loss` real NOT NULL,
	`finetuned_loss` real NOT NULL,
	`intervened_loss` real NOT NULL,
	`intervened_loss_deviation` real,
	`count` integer NOT NULL,
	`seed` integer,
	`parameters` text NOT NULL,
	`conditions_key` text NOT NULL,
	`parameters_key` text NOT NULL,
	`engine_version` text NOT NULL,
	`created_at` text NOT NULL,
	FOREIGN KEY (`vector_id`) REFERENCES `diff_vectors`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "causal_effects_direction" CHECK("causal_effects"."direction" in ('BASE_TO_FINETUNED', 'FINETUNED_TO_BASE', 'ZERO_FINETUNED', 'ZERO_BASE')),
	CONSTRAINT "causal_effects_subset" CHECK("causal_effects"."subset" in ('ALL', 'AFTER_K', 'EXCLUDE_POSITION')),
	CONSTRAINT "causal_effects_control" CHECK("causal_effects"."control" in ('NONE', 'RANDOM', 'RANDOM_DIFFERENCE')),
	CONSTRAINT "causal_effects_mode" CHECK("causal_effects"."mode" in ('EXACT', 'COMPAT'))
) STRICT;
--> statement-breakpoint
CREATE INDEX `causal_effects_controls` ON `causal_effects` (`vector_id`,`conditions_key`,`direction`,`subset`,`control`);--> statement-breakpoint
CREATE UNIQUE INDEX `causal_effects_key` ON `causal_effects` (`vector_id`,`direction`,`subset`,`control`,`parameters_key`);--> statement-breakpoint
CREATE TABLE `divergences` (
	`id` integer PRIMARY KEY NOT NULL,
	`run_id` integer NOT NULL,
	`position` integer NOT NULL,
	`mean` real NOT NULL,
	`max` real NOT NULL,
	`count` integer NOT NULL,
	`vocabulary` integer NOT NULL,
	`parameters` text NOT NULL,
	`parameters_key` text NOT NULL,
	`engine_version` text NOT NULL,
	`created_at` text NOT NULL,
	FOREIGN KEY (`run_id`) REFERENCES `runs`(`id`) ON UPDATE no action ON DELETE cascade
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `divergences_key` ON `divergences` (`run_id`,`position`,`parameters_key`);--> statement-breakpoint
CREATE TABLE `principal_components` (
	`id` integer PRIMARY KEY NOT NULL,
	`vector_id` integer NOT NULL,
	`samples` integer NOT NULL,
	`explained` text NOT NULL,
	`total` real NOT NULL,
	`participation_ratio` real,
	`mean_share` real,
	`parameters` text NOT NULL,
	`parameters_key` text NOT NULL,
	`engine_version` text NOT NULL,
	`created_at` text NOT NULL,
	FOREIGN KEY (`vector_id`) REFERENCES `diff_vectors`(`id`) ON UPDATE no action ON DELETE cascade
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `principal_components_key` ON `principal_components` (`vector_id`,`parameters_key`);--> statement-breakpoint
CREATE TABLE `sample_texts` (
	`sample_id` integer PRIMARY KEY NOT NULL,
	`prompt` text NOT NULL,
	`text` text NOT NULL,
	`token_ids` text NOT NULL,
	FOREIGN KEY (`sample_id`) REFERENCES `samples`(`id`) ON UPDATE no action ON DELETE cascade
) STRICT;
--> statement-breakpoint
CREATE TABLE `samples` (
	`id` integer PRIMARY KEY NOT NULL,
	`experiment_id` integer NOT NULL,
	`prompt_index` integer NOT NULL,
	`steered` integer NOT NULL,
	`sample_index` integer NOT NULL,
	`strength` real NOT NULL,
	`finish` text NOT NULL,
	`tokens` integer NOT NULL,
	`perplexity` real,
	`coherent` integer,
	FOREIGN KEY (`experiment_id`) REFERENCES `steering_experiments`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "samples_finish" CHECK("samples"."finish" in ('STOP', 'LENGTH', 'REPETITION'))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `samples_place` ON `samples` (`experiment_id`,`prompt_index`,`steered`,`sample_index`);--> statement-breakpoint
CREATE TABLE `similarities` (
	`id` integer PRIMARY KEY NOT NULL,
	`experiment_id` integer NOT NULL,
	`text_group` text NOT NULL,
	`other_group` text NOT NULL,
	`encoder_name` text NOT NULL,
	`encoder_digest` text NOT NULL,
	`cosine` real NOT NULL,
	`texts` integer NOT NULL,
	`other_texts` integer NOT NULL,
	`parameters` text NOT NULL,
	`parameters_key` text NOT NULL,
	`engine_version` text NOT NULL,
	`created_at` text NOT NULL,
	FOREIGN KEY (`experiment_id`) REFERENCES `steering_experiments`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "similarities_group" CHECK("similarities"."text_group" in ('STEERED', 'UNSTEERED', 'TRAINING')),
	CONSTRAINT "similarities_other" CHECK("similarities"."other_group" in ('TRAINING', 'PROBE'))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `similarities_key` ON `similarities` (`experiment_id`,`text_group`,`other_group`,`parameters_key`);--> statement-breakpoint
CREATE TABLE `steering_experiments` (
	`id` integer PRIMARY KEY NOT NULL,
	`vector_id` integer NOT NULL,
	`judge` text NOT NULL,
	`judge_version` integer NOT NULL,
	`mode` text NOT NULL,
	`strength` real NOT NULL,
	`thresholds` text NOT NULL,
	`norm_multiple` real,
	`kl_from_unsteered` real,
	`seed` integer NOT NULL,
	`parameters` text NOT NULL,
	`settings` text NOT NULL,
	`parameters_key` text NOT NULL,
	`engine_version` text NOT NULL,
	`created_at` text NOT NULL,
	`search` text NOT NULL,
	FOREIGN KEY (`vector_id`) REFERENCES `diff_vectors`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "steering_experiments_mode" CHECK("steering_experiments"."mode" in ('EXACT', 'COMPAT'))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `steering_experiments_key` ON `steering_experiments` (`vector_id`,`judge`,`parameters_key`);--> statement-breakpoint
CREATE TABLE `__new_projections` (
	`id` integer PRIMARY KEY NOT NULL,
	`vector_id` integer NOT NULL,
	`method` text NOT NULL,
	`method_version` integer NOT NULL,
	`variant` text NOT NULL,
	`sign` text NOT NULL,
	`scale` real,
	`scale_order` real GENERATED ALWAYS AS (coalesce(scale, 0.0)) VIRTUAL NOT NULL,
	`chosen` integer NOT NULL,
	`score` real,
	`mode` text NOT NULL,
	`parameters` text NOT NULL,
	`parameters_key` text NOT NULL,
	`engine_version` text NOT NULL,
	`created_at` text NOT NULL,
	FOREIGN KEY (`vector_id`) REFERENCES `diff_vectors`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "projections_variant" CHECK("__new_projections"."variant" in ('DIFF', 'BASE', 'FINETUNED')),
	CONSTRAINT "projections_sign" CHECK("__new_projections"."sign" in ('PROMOTED', 'SUPPRESSED')),
	CONSTRAINT "projections_mode" CHECK("__new_projections"."mode" in ('EXACT', 'COMPAT')),
	CONSTRAINT "projections_scale" CHECK("__new_projections"."scale" > 0)
) STRICT;
--> statement-breakpoint
INSERT INTO `__new_projections`("id", "vector_id", "method", "method_version", "variant", "sign", "scale", "chosen", "score", "mode", "parameters", "parameters_key", "engine_version", "created_at")
	SELECT "projections"."id", "vector_id", "projections"."method", "projections"."method_version", "variant", "sign", NULL, 1, NULL, 'EXACT', "projections"."parameters", '', "engine_version", "created_at"
	FROM `projections`
		JOIN `diff_vectors` ON `diff_vectors`.`id` = `vector_id`
		JOIN `run_layers` ON `run_layers`.`id` = `layer_id`
		JOIN `runs` ON `runs`.`id` = `run_id`
	ORDER BY "projections"."id";--> statement-breakpoint
DROP TABLE `projections`;--> statement-breakpoint
ALTER TABLE `__new_projections` RENAME TO `projections`;--> statement-breakpoint
CREATE UNIQUE INDEX `projections_reading` ON `projections` (`vector_id`,`method`,`variant`,`sign`,`scale_order`,`mode`,`parameters_key`);--> statement-breakpoint
CREATE UNIQUE INDEX `projections_chosen` ON `projections` (`vector_id`,`method`,`variant`,`sign`,`mode`,`parameters_key`) WHERE chosen = 1;--> statement-breakpoint
ALTER TABLE `diff_vectors` ADD `swap_norm_mean` real;--> statement-breakpoint
ALTER TABLE `diff_vectors` ADD `swap_norm_deviation` real;--> statement-breakpoint
ALTER TABLE `diff_vectors` ADD `swap_norm_max` real;--> statement-breakpoint
ALTER TABLE `diff_vectors` ADD `base_split_norm` real;--> statement-breakpoint
CREATE INDEX `runs_width` ON `runs` (`d_model`,`key`);