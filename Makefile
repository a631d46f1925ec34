# What a person types. Each target installs what it needs first, and says so (tools/setup).

# Where tools/setup puts programs, also on the first run, before a shell knows of them.
SUNDIAL_TOOLS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/sundial
CARGO_HOME ?= $(HOME)/.cargo
export SUNDIAL_TOOLS
export PATH := $(SUNDIAL_TOOLS)/bin:$(SUNDIAL_TOOLS)/node_modules/.bin:$(CARGO_HOME)/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help demo test check-deploy check-cluster fuzz dev page bench
.DELETE_ON_ERROR:

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Build and run all of Sundial on this machine (PORT=8080, data in .demo/)
	@tools/setup demo
	@tools/demo

test: ## Check and test everything, on SQLite, PostgreSQL and in a browser
	@tools/test

check-deploy: ## Check chart, cloud resources, applications, images and workflows, without a cluster
	@tools/setup deploy
	@tools/check-deploy

check-cluster: ## Deploy everything to a real Kubernetes on this machine, and try it (Linux, as root)
	@tools/check-cluster

fuzz: ## Ask random things of the API for ten minutes (SEED=number repeats a run)
	@tools/setup rust node
	@cargo build --profile e2e
	@cd frontend && SECONDS=600 node --test e2e/generate.test.mjs

dev: ## Like demo, with quick builds; the page is rebuilt as its files change
	@tools/setup demo
	@tools/demo --dev

bench: ## Measure beside other databases (quarter of an hour), for docs/benchmarks.md
	@tools/setup bench
	@cargo build --release -p sundial -p sundial-bench
	@PG_VERSION=18 PG_DURABLE=1 tools/postgres node backend/bench/run/main.mjs

page: ## Build the web page into frontend/dist
	@tools/setup demo
	@mkdir -p frontend/build
	@# One build at a time, from the bundle to the compressed files. (macOS has no flock.)
	@$(if $(shell command -v flock),flock frontend/build/lock) $(MAKE) --no-print-directory --silent frontend/dist/index.html.br

page_sources := Cargo.lock Cargo.toml Trunk.toml backend/schema.graphql $(shell find frontend \
	\( -name node_modules -o -path frontend/dist -o -path frontend/build -o -path frontend/e2e \) -prune -o -type f -print)

# Compressing comes last, so that this file's presence says that all are there.
frontend/dist/index.html.br: $(page_sources)
	npm --prefix frontend run --silent bundle
	tools/wasm trunk build --release --cargo-profile page
	npm --prefix frontend run --silent compress
	@# What the server embeds is looked up when this file is compiled, and cargo does not know of files that are new.
	touch backend/src/api/spa.rs
