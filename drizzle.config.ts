import { defineConfig } from 'drizzle-kit';

// `npm run db:generate -- --name words_that_say_why` writes the next migration; read it before it lands, never edit it after.
export default defineConfig({
  dialect: 'sqlite',
  schema: './src/db/tables/*.ts',
  out: './migrations',
});
