# make help tells the targets. Each one installs what it needs.
.DEFAULT_GOAL := help
.PHONY: help setup demo soak fuzz sbom restore reproducible audit test cluster cluster-down generate format faults attacks clean

help: ## this list
	@grep -hE '^[a-z%-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z%-]+):.*## /  make \1\t/' | expand -t 28

setup: ## install into the clone what training needs; afterwards `npx autoai` works here
	@scripts/setup

demo: setup ## train, verify and publish a churn model, and ask it for a prediction
	@scripts/demo

test: ## every check and every test
	@scripts/setup --dev
	@scripts/test

attacks: ## try every attack TIMES times (3), and once without its guard: a table, in test-results/attacks.md too
	@scripts/setup --dev
	@scripts/attacks $(TIMES)

cluster: ## a real Kubernetes of one node for the tests, and the operator in it (root, on Linux)
	@scripts/setup --dev
	@test/cluster/up

cluster-down: ## end it and remove all that it made on the machine
	@test/cluster/down

generate: ## write crds/ and docs/reference/ from the schemas
	@scripts/setup --dev
	@npm run --silent generate

soak: ## four virtual hours of jobs made, suspended and deleted, one each minute, and as many over HTTP: nothing of them is left
	@scripts/setup --dev
	@AUTOAI_SOAK_MINUTES=$${AUTOAI_SOAK_MINUTES:-240} npx vitest run --project local test/faults/embedded-soak.test.ts
	@AUTOAI_SOAK_JOBS=$${AUTOAI_SOAK_JOBS:-240} npx vitest run --project local test/faults/soak.test.ts

fuzz: ## every test that makes its inputs up, ROUNDS times (10) with other inputs
	@scripts/setup --dev
	@scripts/fuzz $(ROUNDS)

sbom: ## bills of materials of the four images, by CycloneDX, into sbom/
	@scripts/setup --dev
	@scripts/sbom

restore: ## lose this machine's cluster with its store in the middle of a job, and bring it back by the commands of docs/backup.md
	@scripts/setup --dev
	@command -v rclone >/dev/null || apt-get install --yes --no-install-recommends rclone
	@eval "$$(test/cluster/up --without-operator)" && AUTOAI_RESTORE=$(or $(ARGS),short) npx vitest run --project cluster test/cluster/backup.test.ts

reproducible: ## build each image twice from nothing, and say where the two differ (root, on Linux)
	@scripts/setup --dev
	@test/cluster/images twice

audit: ## known vulnerabilities of what is locked, as npm's and PyPI's services know them
	@scripts/setup --dev
	@scripts/audit

format: ## format and fix
	@scripts/setup --dev
	@npm run --silent format
	@cd runner && ../.venv/bin/ruff check --fix . && ../.venv/bin/ruff format .
	@cd clients/python && ../../.venv/bin/ruff check --fix . && ../../.venv/bin/ruff format .
	@.venv/bin/ruff check --fix examples bench test
	@.venv/bin/ruff format examples bench test

faults: ## seeded schedules of faults, and what held (ARGS="--schedules N", ARGS="--seed N", ARGS="--cluster N" on make cluster's)
	@scripts/setup --dev
	@npx node test/faults/main.ts $(ARGS)
	@$(if $(ARGS),,AUTOAI_FAULTS=all npx vitest run --project local test/faults/kill.test.ts)

bench-%: ## measure beside the peer, and write bench/results/NAME.json and .md (quality, intake, overhead, cluster, serving, console)
	@scripts/setup --dev
	@if [ -x bench/$*/run ]; then bench/$*/run $(ARGS); else .venv/bin/python bench/$*.py $(ARGS); fi

clean: ## remove what setup and tests made in the clone
	rm -rf .venv node_modules dist console/web/dist .setup test-results
