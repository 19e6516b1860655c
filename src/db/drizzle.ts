import type * as Orm from 'drizzle-orm';
import type * as Migrator from 'drizzle-orm/migrator';
import type * as Core from 'drizzle-orm/sqlite-core';
import { createRequire } from 'node:module';

// As CommonJS: its hundred ES modules take 1 s to import (Node reads a package.json of 180 KB for each), which every command and
// every start of a server would pay; required they take 0.1 s.
const require = createRequire(import.meta.url);

export const { getTableColumns, getTableName, sql } = require('drizzle-orm') as typeof Orm;
export const { blob, check, index, integer, primaryKey, real, sqliteTable, text, unique, uniqueIndex } =
  require('drizzle-orm/sqlite-core') as typeof Core;
export const { readMigrationFiles } = require('drizzle-orm/migrator') as typeof Migrator;

export type { Column, InferInsertModel, InferSelectModel } from 'drizzle-orm';
export type { SQLiteColumn, SQLiteTable } from 'drizzle-orm/sqlite-core';
