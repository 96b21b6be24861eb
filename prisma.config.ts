import { defineConfig } from 'prisma/config';

// For Prisma's own command line only (`prisma migrate deploy`, `prisma studio`); the server reads src/config/config.ts.
export default defineConfig({
  schema: 'prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env.DATABASE_URL ?? '' },
});
