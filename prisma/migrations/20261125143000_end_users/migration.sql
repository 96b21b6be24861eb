-- CreateEnum
CREATE TYPE "RunOverride" AS ENUM ('MODEL', 'INSTRUCTIONS', 'TOOLS', 'LIMITS', 'SYSTEM_MESSAGES');

-- AlterTable
ALTER TABLE "Workspace" ADD COLUMN     "userAssistantIds" JSONB,
ADD COLUMN     "userModels" JSONB,
ADD COLUMN     "userOverrides" "RunOverride"[] DEFAULT ARRAY[]::"RunOverride"[];
