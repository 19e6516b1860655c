-- By hand: what is in the log stays in it, and a store that had tokens keeps knowing it.
CREATE TRIGGER `audit_appended` BEFORE INSERT ON `audit` WHEN new.`id` <> (SELECT coalesce(max(`id`), 0) + 1 FROM `audit`)
BEGIN SELECT raise(ABORT, 'the audit log is only appended to'); END;
--> statement-breakpoint
CREATE TRIGGER `audit_unchanged` BEFORE UPDATE ON `audit`
BEGIN SELECT raise(ABORT, 'the audit log is only appended to'); END;
--> statement-breakpoint
CREATE TRIGGER `audit_kept` BEFORE DELETE ON `audit`
BEGIN SELECT raise(ABORT, 'the audit log is only appended to'); END;
--> statement-breakpoint
CREATE TRIGGER `access_tokens_kept` BEFORE DELETE ON `access_tokens`
BEGIN SELECT raise(ABORT, 'tokens are revoked, never deleted'); END;
--> statement-breakpoint
CREATE TRIGGER `access_tokens_unchanged` BEFORE UPDATE OF `id`, `prefix`, `hash`, `scopes`, `team_id`, `created_at`, `expires_at` ON `access_tokens`
BEGIN SELECT raise(ABORT, 'what a token may do never changes'); END;
--> statement-breakpoint
CREATE TRIGGER `access_tokens_revoked` BEFORE UPDATE OF `revoked_at` ON `access_tokens` WHEN old.`revoked_at` IS NOT NULL AND new.`revoked_at` IS NOT old.`revoked_at`
BEGIN SELECT raise(ABORT, 'a revoked token stays revoked'); END;
