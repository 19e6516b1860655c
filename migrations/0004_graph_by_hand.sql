-- By hand: the file's own secret, and an index of trigrams over the texts of tokens, which src/db/token-texts.ts keeps.
INSERT INTO `store_keys` (`name`, `value`) VALUES ('cursor', randomblob(32));
--> statement-breakpoint
INSERT INTO `token_texts` (`text`) SELECT DISTINCT `text` FROM `projection_tokens` WHERE `text` IS NOT NULL ORDER BY `text`;
--> statement-breakpoint
CREATE VIRTUAL TABLE `token_texts_trigrams` USING fts5(`text`, content='token_texts', content_rowid='id', columnsize=0, tokenize='trigram case_sensitive 1');
--> statement-breakpoint
INSERT INTO `token_texts_trigrams` (`token_texts_trigrams`) VALUES ('rebuild');
