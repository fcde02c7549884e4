.PHONY: help demo test torture crashes posture image pictures lint format bench requirements reference clean
.DEFAULT_GOAL := help
bin := .venv/bin

help: ## what can be made
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

demo: ## see bots trade through the sidecar while their brokers misbehave
	@scripts/setup demo
	@$(bin)/sidecar demo $(ARGS)

test: ## install what the tests need, then check and test everything
	@scripts/setup test
	@$(MAKE) --no-print-directory lint
	@$(bin)/pytest --numprocesses=logical --maxprocesses=4 --dist=loadfile --no-loadscope-reorder $(ARGS)

lint: ## style, formatting and types
	@$(bin)/ruff check .
	@$(bin)/ruff format --check .
	@$(bin)/mypy

format: ## put the code into its form
	@$(bin)/ruff check --fix-only --quiet .
	@$(bin)/ruff format .

torture: ## orders, faults, kills and power cuts at random, and every promise counted: make torture N=5000
	@scripts/setup test
	@$(bin)/python -m tests.torture --orders $(or $(N),400) $(ARGS)

crashes: ## operations of every type, cut off at every write to the disk, once and twice
	@scripts/setup test
	@$(bin)/python -m tests.orders.operations.crashes $(ARGS)

posture: ## the chart and the Dockerfiles held against checkov, each finding explained
	@scripts/setup test
	@scripts/check-posture

image: ## build the images without a base from a registry, and play the chart's pod with them (as root, on Debian)
	@scripts/setup test
	@$(bin)/pytest tests/helm/test_image.py $(ARGS)

bench: ## throughput, latency and CPU beside nginx, HAProxy, Envoy and a bare pass-through
	@scripts/setup bench
	@$(bin)/python -m bench $(ARGS)

requirements: ## pin the newest allowed packages
	@scripts/pin-requirements

reference: ## write what is generated: the JSON Schema, metrics, errors, the dashboards, parts of the chart
	@$(bin)/python -m sidecar.config.schema
	@$(bin)/python -m sidecar.telemetry.reference
	@$(bin)/python -m dashboards
	@$(bin)/python -m helm.generate
	@$(bin)/python -m sidecar.alerting.reference

pictures: ## draw the boards and sidecar top for the docs; needs Node.js and Chromium, and takes six minutes
	@scripts/setup test
	@$(bin)/python -m dashboards.pictures $(ARGS)

clean: ## remove everything that was made
	@rm -rf .venv .venv-posture .cache .demo .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
