-- DropIndex
DROP INDEX "ApiKey_hash_key";

-- AlterTable
ALTER TABLE "ApiKey" DROP COLUMN "hash",
ADD COLUMN     "allWorkspaces" BOOLEAN NOT NULL DEFAULT false;

-- AlterTable
ALTER TABLE "Workspace" ADD COLUMN     "deletedAt" TIMESTAMPTZ(3);

-- CreateTable
CREATE TABLE "ApiKeySecret" (
    "workspaceId" TEXT NOT NULL,
    "keyId" TEXT NOT NULL,
    "hash" TEXT NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "validUntil" TIMESTAMPTZ(3),

    CONSTRAINT "ApiKeySecret_pkey" PRIMARY KEY ("workspaceId","keyId","hash")
);

-- CreateTable
CREATE TABLE "ApiKeyEntry" (
    "workspaceId" TEXT NOT NULL,
    "homeWorkspaceId" TEXT NOT NULL,
    "keyId" TEXT NOT NULL,

    CONSTRAINT "ApiKeyEntry_pkey" PRIMARY KEY ("workspaceId","homeWorkspaceId","keyId")
);

-- CreateTable
CREATE TABLE "Server" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "secretCheck" TEXT NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "Server_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "SigningKey" (
    "id" TEXT NOT NULL,
    "sealed" TEXT NOT NULL,
    "createdAt" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "validUntil" TIMESTAMPTZ(3),

    CONSTRAINT "SigningKey_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "ApiKeySecret_hash_key" ON "ApiKeySecret"("hash");

-- CreateIndex
CREATE INDEX "ApiKeyEntry_homeWorkspaceId_keyId_idx" ON "ApiKeyEntry"("homeWorkspaceId", "keyId");

-- CreateIndex
CREATE UNIQUE INDEX "ApiKey_id_key" ON "ApiKey"("id");

-- AddForeignKey
ALTER TABLE "ApiKeySecret" ADD CONSTRAINT "ApiKeySecret_workspaceId_keyId_fkey" FOREIGN KEY ("workspaceId", "keyId") REFERENCES "ApiKey"("workspaceId", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ApiKeyEntry" ADD CONSTRAINT "ApiKeyEntry_workspaceId_fkey" FOREIGN KEY ("workspaceId") REFERENCES "Workspace"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ApiKeyEntry" ADD CONSTRAINT "ApiKeyEntry_homeWorkspaceId_keyId_fkey" FOREIGN KEY ("homeWorkspaceId", "keyId") REFERENCES "ApiKey"("workspaceId", "id") ON DELETE CASCADE ON UPDATE CASCADE;
