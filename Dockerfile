# The service with its SQLite file in /data.
#
#   docker build -t sequence-service .
#   docker run --read-only -v sequence-data:/data -p 127.0.0.1:8080:8080 -e AUTH=none sequence-service
#
# It listens on all addresses of its container, so it starts only where AUTH says who may call: tokens, jwt, or none for
# everybody, which is for a port that only this machine reaches.
#
# Arguments are those of the command line: `docker run … sequence-service config`.
# With podman and buildah, build with --format docker: an OCI image has no HEALTHCHECK.

FROM node:24-bookworm-slim AS dependencies
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 make g++ \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
# sqlite3 is compiled here, with the headers of this image: its binary for download may ask for a newer glibc.
ENV npm_config_build_from_source=sqlite3 npm_config_nodedir=/usr/local
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund \
 && cd node_modules/sqlite3 \
 && mv build/Release/node_sqlite3.node . \
 && rm -rf build deps src \
 && mkdir -p build/Release \
 && mv node_sqlite3.node build/Release/

FROM node:24-bookworm-slim
# Nothing is installed at run time. /data belongs to the service; a new volume takes that over.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
      /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn-* \
 && install -d -m 0700 -o 10001 -g 10001 /data
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY LICENSE package.json ./
COPY gen ./gen
COPY src ./src
# What the commands that call a service speak with.
COPY client/src ./client/src
# SQLite's temporary files go to the volume too: nothing else need be writable. With two arenas malloc keeps less of
# what its threads gave back (docs/missed-targets.md, Memory).
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=8080 \
    DATABASE_URL=sqlite:////data/sequence.db \
    SQLITE_TMPDIR=/data \
    MALLOC_ARENA_MAX=2
USER 10001:10001
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "src/cli.ts", "healthcheck"]
# The flags of `npm start`: on a machine with much memory V8 would collect late, and on one core its helper threads take
# what they are to save (docs/missed-targets.md, Memory); with gc() the service collects between answers (ADR 15), and
# without pretenuring V8 makes nothing old at once (ADR 14).
ENTRYPOINT ["node", "--min-semi-space-size=16", "--max-semi-space-size=16", "--initial-old-space-size=64", "--heap-growing-percent=100", "--single-threaded-gc", "--no-allocation-site-pretenuring", "--expose-gc", "src/cli.ts"]
CMD ["serve"]
LABEL org.opencontainers.image.title="sequence-service" \
      org.opencontainers.image.description="Dense sequence numbers, version histories and a converging search index for ordered things, over gRPC, gRPC-web and Connect on one port." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
