# Images of AutoAI. Base images are build arguments, so that they can be mirrored or pinned by digest.
#   docker build --target operator -t autoai-operator .
#   docker build --target runner -t autoai-runner .
#   docker build --target inference-server -t autoai-inference-server .
#   docker build --target console -t autoai-console .
ARG NODE_IMAGE=node:24-bookworm-slim
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

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
RUN pip install --no-cache-dir --require-hashes --only-binary :all: -r bootstrap.txt \
 && uv pip install --system --no-cache --require-hashes --only-binary :all: --compile-bytecode -r requirements.txt
COPY runner/autoai_runner autoai_runner
RUN python -m compileall -q autoai_runner
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
ENTRYPOINT ["node", "dist/inference-server/server.js"]

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
