// For Prisma's own CLI only (`npx prisma migrate deploy`, `npx prisma studio`). The server does not read this file.
export default {
  schema: 'prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env.DATABASE_URL ?? '' },
};
