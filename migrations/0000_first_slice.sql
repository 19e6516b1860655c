-- Written by drizzle-kit; STRICT (a wrong type is an error) and WITHOUT ROWID (the key is the row) added by hand: it knows neither.
CREATE TABLE `corpora` (
	`id` integer PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`path` text NOT NULL,
	`text_column` text NOT NULL,
	`digest` text NOT NULL,
	`rows` integer NOT NULL,
	`created_at` text NOT NULL
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `corpora_name_unique` ON `corpora` (`name`);--> statement-breakpoint
CREATE TABLE `diff_vectors` (
	`id` integer PRIMARY KEY NOT NULL,
	`layer_id` integer NOT NULL,
	`position` integer NOT NULL,
	`samples` integer NOT NULL,
	`norm` real,
	`base_mean_norm` real,
	`finetuned_mean_norm` real,
	`standard_error_norm` real,
	`split_half_cosine` real,
	`cosine_base_finetuned` real,
	FOREIGN KEY (`layer_id`) REFERENCES `run_layers`(`id`) ON UPDATE no action ON DELETE cascade
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `diff_vectors_position` ON `diff_vectors` (`layer_id`,`position`);--> statement-breakpoint
CREATE TABLE `models` (
	`id` integer PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`path` text NOT NULL,
	`digest` text NOT NULL,
	`architecture` text NOT NULL,
	`layers` integer NOT NULL,
	`d_model` integer NOT NULL,
	`vocab_size` integer NOT NULL,
	`parameters` integer NOT NULL,
	`dtype` text NOT NULL,
	`tied_head` integer NOT NULL,
	`created_at` text NOT NULL
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `models_name_unique` ON `models` (`name`);--> statement-breakpoint
CREATE TABLE `organisms` (
	`id` integer PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`base_model_id` integer NOT NULL,
	`path` text NOT NULL,
	`form` text NOT NULL,
	`kind` text NOT NULL,
	`description` text NOT NULL,
	`ground_truth` text,
	`training_corpus` text,
	`mix_ratio` real,
	`digest` text NOT NULL,
	`created_at` text NOT NULL,
	FOREIGN KEY (`base_model_id`) REFERENCES `models`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "organisms_form" CHECK("organisms"."form" in ('LORA', 'FULL'))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `organisms_name_unique` ON `organisms` (`name`);--> statement-breakpoint
CREATE INDEX `organisms_base_model` ON `organisms` (`base_model_id`,`name`);--> statement-breakpoint
CREATE TABLE `projection_tokens` (
	`projection_id` integer NOT NULL,
	`rank` integer NOT NULL,
	`token_id` integer NOT NULL,
	`text` text,
	`probability` real,
	PRIMARY KEY(`projection_id`, `rank`),
	FOREIGN KEY (`projection_id`) REFERENCES `projections`(`id`) ON UPDATE no action ON DELETE cascade
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `projections` (
	`id` integer PRIMARY KEY NOT NULL,
	`vector_id` integer NOT NULL,
	`method` text NOT NULL,
	`method_version` integer NOT NULL,
	`variant` text NOT NULL,
	`sign` text NOT NULL,
	`parameters` text NOT NULL,
	FOREIGN KEY (`vector_id`) REFERENCES `diff_vectors`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "projections_variant" CHECK("projections"."variant" in ('DIFF', 'BASE', 'FINETUNED')),
	CONSTRAINT "projections_sign" CHECK("projections"."sign" in ('PROMOTED', 'SUPPRESSED'))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `projections_reading` ON `projections` (`vector_id`,`method`,`variant`,`sign`);--> statement-breakpoint
CREATE TABLE `run_layers` (
	`id` integer PRIMARY KEY NOT NULL,
	`run_id` integer NOT NULL,
	`layer` integer NOT NULL,
	`relative_depth` real NOT NULL,
	`base_norm` real,
	`finetuned_norm` real,
	FOREIGN KEY (`run_id`) REFERENCES `runs`(`id`) ON UPDATE no action ON DELETE cascade
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `run_layers_layer` ON `run_layers` (`run_id`,`layer`);--> statement-breakpoint
CREATE TABLE `runs` (
	`id` integer PRIMARY KEY NOT NULL,
	`key` text NOT NULL,
	`organism_id` integer NOT NULL,
	`base_model_id` integer NOT NULL,
	`corpus_id` integer NOT NULL,
	`method` text NOT NULL,
	`method_version` integer NOT NULL,
	`positions` integer NOT NULL,
	`samples` integer NOT NULL,
	`unique_prefixes` integer NOT NULL,
	`d_model` integer NOT NULL,
	`base_digest` text NOT NULL,
	`finetuned_digest` text NOT NULL,
	`corpus_digest` text NOT NULL,
	`tokens_digest` text NOT NULL,
	`seed` integer,
	`compute_dtype` text NOT NULL,
	`accumulate_dtype` text NOT NULL,
	`store_dtype` text NOT NULL,
	`engine_version` text NOT NULL,
	`device` text NOT NULL,
	`spec` text NOT NULL,
	`parameters` text NOT NULL,
	`certificate` text NOT NULL,
	`duration_ms` real NOT NULL,
	`created_at` text NOT NULL,
	`digest` text NOT NULL,
	FOREIGN KEY (`organism_id`) REFERENCES `organisms`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`base_model_id`) REFERENCES `models`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`corpus_id`) REFERENCES `corpora`(`id`) ON UPDATE no action ON DELETE no action
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `runs_key_unique` ON `runs` (`key`);--> statement-breakpoint
CREATE INDEX `runs_newest` ON `runs` (`created_at`,`key`);--> statement-breakpoint
CREATE INDEX `runs_organism` ON `runs` (`organism_id`,`created_at`,`key`);--> statement-breakpoint
CREATE INDEX `runs_corpus` ON `runs` (`corpus_id`,`created_at`,`key`);--> statement-breakpoint
CREATE INDEX `runs_base_model` ON `runs` (`base_model_id`);--> statement-breakpoint
CREATE TABLE `vector_data` (
	`id` integer PRIMARY KEY NOT NULL,
	`vector_id` integer NOT NULL,
	`kind` text NOT NULL,
	`sha256` text NOT NULL,
	`data` blob NOT NULL,
	FOREIGN KEY (`vector_id`) REFERENCES `diff_vectors`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "vector_data_kind_known" CHECK("vector_data"."kind" in ('DIFF', 'BASE_MEAN', 'FINETUNED_MEAN')),
	CONSTRAINT "vector_data_whole_floats" CHECK(length("vector_data"."data") % 4 = 0)
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `vector_data_kind` ON `vector_data` (`vector_id`,`kind`);