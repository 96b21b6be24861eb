# syntax=docker/dockerfile:1
# One image for every role: `docker build -t assistant-graph .`, then see compose.yaml and compose.cluster.yaml.
ARG NODE_IMAGE=node:26-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
# The packages, the scripts of the installation and the data model first: a change of the sources keeps this layer.
COPY package.json package-lock.json .npmrc prisma.config.ts ./
COPY scripts/generate.mjs scripts/prune-modules.mjs scripts/
COPY prisma prisma
RUN npm ci --omit=dev && node scripts/prune-modules.mjs

FROM ${NODE_IMAGE}
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=4000 \
    DATA_DIR=/data
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY package.json LICENSE ./
COPY scripts/healthcheck.mjs scripts/
COPY prisma prisma
COPY src src
COPY --from=build /app/src/db/generated src/db/generated
# Only the data and the compile cache are writable. 1000 is the user `node` of the official images.
RUN mkdir -p /data/files node_modules/.cache && chown -R 1000:1000 /data node_modules/.cache
USER 1000:1000
VOLUME /data
EXPOSE 4000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["node", "scripts/healthcheck.mjs"]
# The server handles SIGTERM itself. Run with an init process (`docker run --init`, `init: true`), which reaps the
# processes of ended Python sandboxes.
CMD ["node", "src/main.ts"]
