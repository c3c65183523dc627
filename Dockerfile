# Images of AutoAI. Base images are build arguments, so that they can be mirrored; by default they are held by their digests, which
# scripts/pin-bases brings up to date. Built twice of the same tree and base, with the times of files set, they have the same layers: make reproducible.
#   docker build --target operator -t autoai-operator .
#   docker build --target runner -t autoai-runner .
#   docker build --target inference-server -t autoai-inference-server .
#   docker build --target console -t autoai-console .
ARG NODE_IMAGE=node:24.18.1-bookworm-slim@sha256:235600a8101ab264e117b1768e925532262668dc9b581ef1dd7d96ced463b8e7
ARG PYTHON_IMAGE=python:3.13.14-slim-bookworm@sha256:67a1e1f215ccda113cfc024e8639049257e88f273898f595b61476d128d387e8

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

# With the ONNX runtime: its package holds the libraries of every platform, 280 MB, of which one is kept.
FROM dependencies AS serving-dependencies
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
 && find node_modules/onnxruntime-node/bin -type f ! -path "*/linux/$(node -p process.arch)/*" -delete

FROM serving-dependencies AS build
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY operator operator
COPY inference-server inference-server
COPY console/server console/server
RUN npm run build

FROM ${PYTHON_IMAGE} AS runner
WORKDIR /opt/autoai/runner
COPY runner/bootstrap.txt runner/requirements.txt runner/environment.txt runner/pyproject.toml ./
# Bytecode names its source by content: by the time of the source it would be other bytes each time, and stale once the times of files are set.
# One process compiles it in the order of names, so that it depends on no other.
RUN pip install --no-cache-dir --no-compile --require-hashes --only-binary :all: -r bootstrap.txt \
 && uv pip install --system --no-cache --require-hashes --only-binary :all: -r requirements.txt \
 && python -m compileall -q --invalidation-mode unchecked-hash "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
COPY runner/autoai_runner autoai_runner
RUN python -m compileall -q --invalidation-mode unchecked-hash autoai_runner
ENV PYTHONPATH=/opt/autoai/runner PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
ENTRYPOINT ["python", "-m", "autoai_runner"]

FROM ${NODE_IMAGE} AS operator
WORKDIR /opt/autoai
COPY --from=dependencies /src/package.json ./
COPY --from=dependencies /src/node_modules node_modules
COPY --from=build /src/dist dist
COPY crds crds
COPY runner runner
ENV NODE_ENV=production
USER 65532:65532
ENTRYPOINT ["node", "dist/operator/cli.js"]

# The front of a ModelDeployment. It holds no model: the worker, in the runner's image beside it, does.
FROM ${NODE_IMAGE} AS inference-server
WORKDIR /opt/autoai
COPY --from=serving-dependencies /src/package.json ./
COPY --from=serving-dependencies /src/node_modules node_modules
COPY --from=build /src/dist dist
ENV NODE_ENV=production
USER 65532:65532
# Beside a hundred callers V8 would keep twice the memory that it needs; bench-serving starts the front with these words too.
ENTRYPOINT ["node", "--max-semi-space-size=16", "--heap-growing-percent=60", "dist/inference-server/server.js"]

FROM build AS pages
COPY console/web console/web
RUN npm run build:console

# The web console of a cluster. It has no rights of its own: who signs in brings a token.
FROM ${NODE_IMAGE} AS console
WORKDIR /opt/autoai
COPY --from=dependencies /src/package.json ./
COPY --from=dependencies /src/node_modules node_modules
COPY --from=build /src/dist dist
COPY --from=pages /src/console/web/dist console/web/dist
ENV NODE_ENV=production
USER 65532:65532
ENTRYPOINT ["node", "dist/console/server/main.js"]
