-- CreateEnum
CREATE TYPE "ReasoningEffort" AS ENUM ('NONE', 'MINIMAL', 'LOW', 'MEDIUM', 'HIGH');

-- AlterTable
ALTER TABLE "Assistant" ADD COLUMN     "providerOptions" JSONB,
ADD COLUMN     "reasoningEffort" "ReasoningEffort",
ADD COLUMN     "seed" INTEGER,
ADD COLUMN     "stop" TEXT[] DEFAULT ARRAY[]::TEXT[],
ADD COLUMN     "topK" INTEGER;

-- AlterTable
ALTER TABLE "Run" ADD COLUMN     "providerOptions" JSONB,
ADD COLUMN     "reasoningEffort" "ReasoningEffort",
ADD COLUMN     "seed" INTEGER,
ADD COLUMN     "stop" TEXT[] DEFAULT ARRAY[]::TEXT[],
ADD COLUMN     "topK" INTEGER;
