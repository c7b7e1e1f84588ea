# Two commands: `make dev` runs the whole rollup, `make test` runs all tests.
# Prerequisites: Rust (rustup), Node.js and a C compiler. Everything else is installed from the lock files. Tests that need PostgreSQL or
# Python are skipped, with a message, where those are missing; with CI set that is an error.

.DEFAULT_GOAL := help
.PHONY: help dev build test test-build test-rust test-faults test-contracts test-e2e test-crash test-riscv python-env lint docs bench \
	bench-codec bench-load bench-restart bench-attack bench-settle artifacts tools clean

TOOLS := node_modules/.package-lock.json
TURNPIKE := target/debug/turnpike
# These suites kill and overload processes: nothing else runs beside them.
CRASH_TESTS := testing/e2e/crash.test.mjs testing/e2e/journal.test.mjs
# cargo nextest where it is installed, cargo test otherwise.
RUN_TESTS := $(shell cargo nextest --version >/dev/null 2>&1 && echo nextest run || echo test)
FAULTS := turnpike-executor/faults,turnpike-challenger/faults

help:
	@echo 'make dev      build and run the whole rollup (ARGS="--liar" passes flags on)'
	@echo 'make test     run all tests (TURNPIKE_LONG=1 adds the long suites)'
	@echo 'make lint     check formatting, lints, licences and links'
	@echo 'make docs     build the book into target/book and the API documentation into target/doc'
	@echo 'make bench    measure this machine'
	@echo 'make bench-load     measure a sequencer under load, next to anvil'
	@echo 'make bench-restart  time the restart of a sequencer with a million accounts after kill -9'
	@echo 'make bench-attack   measure a healthy client while others attack'
	@echo 'make bench-settle   measure the whole rollup until L1 holds every transaction'

dev: build
	$(TURNPIKE) dev $(ARGS)

build: $(TOOLS)
	cargo build --locked -p turnpike

# anvil, forge, cast, solc and the client libraries, from package-lock.json.
tools: $(TOOLS)
$(TOOLS): package.json package-lock.json
	npm ci --no-audit --no-fund
	@touch $(TOOLS)

# Each suite, with the seconds that it took.
test:
	@tools/timed test-contracts test-build test-rust test-faults test-e2e test-crash test-riscv

# One build serves the Rust tests and the end-to-end tests: integration tests have the binaries built beside them.
test-build: $(TOOLS)
	cargo $(RUN_TESTS) --locked --workspace --no-run

test-rust: test-build
	cargo $(RUN_TESTS) --locked --workspace
	cargo test --locked --workspace --doc

# The executor with its feature `faults` breaks on purpose: the engine recovers from each fault that it must survive, and the suite
# in charge of any other fault fails. The one-step tests fail with each wrong RiscvStep.
test-faults: test-build
	cargo test --locked --workspace --features $(FAULTS) --test faults
	node tools/mutants.mjs
	node tools/step-mutants.mjs

test-contracts: $(TOOLS)
	contracts/forge test
	node tools/artifacts.mjs --check
	node tools/dev-genesis.mjs --check
	node contracts/vectors.mjs --check
	node testing/bench/traffic.mjs --check
	npm run --silent snapshot:check

# Real clients against the real binary.
test-e2e: test-build python-env
	node --test --test-concurrency=2 $(filter-out $(CRASH_TESTS),$(wildcard testing/e2e/*.test.mjs))

# The pinned Python packages of tests and lints. Where they cannot be installed, tests and lints that need them are skipped with a message;
# with CI set that is an error.
python-env:
	@tools/python-env >/dev/null || [ $$? -eq 3 ]

# The real binary on a store that loses unsynced writes, runs full and fails.
test-crash: test-build
	node --test --test-concurrency=1 testing/crash/*.test.mjs $(wildcard $(CRASH_TESTS))

# The proof program is pure RV64IM, and the committed ELF is what these sources build.
test-riscv:
	cargo test --locked --manifest-path fraud-proof/guest/Cargo.toml --target-dir target/guest
	tools/riscv check

lint: $(TOOLS) python-env
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --workspace --features $(FAULTS) --test faults -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items
	npm run --silent fmt:check
	node tools/check-docs.mjs
	tools/deny

# mdBook is installed into target/tools on first use.
docs:
	tools/book
	cargo doc --locked --workspace --no-deps

bench: $(TOOLS)
	cargo run --locked --release -p turnpike -- bench
	$(if $(TURNPIKE_TEST_DATA),$(MAKE) bench-codec)

# The batch codec and the OP stack's encoder on the same recorded transactions.
bench-codec:
	cargo run --locked --release -p turnpike-protocol --example codec -- $(TURNPIKE_TEST_DATA)/defi-transactions.bin testing/bench/traffic.bin
	cargo run --locked --release --manifest-path testing/bench/op-span/Cargo.toml -- $(TURNPIKE_TEST_DATA)/defi-transactions.bin testing/bench/traffic.bin

# The sequencer's maximum throughput, its latency at half of that, and anvil's maximum, in one run (ARGS="--html load.html" passes flags on).
bench-load: $(TOOLS)
	cargo build --locked --release -p turnpike
	node tools/bench-load.mjs $(ARGS)

# Seconds until a sequencer with a million accounts answers again after kill -9 (ACCOUNTS and KILLS set the numbers).
bench-restart: $(TOOLS)
	cargo build --locked --release -p turnpike
	node tools/bench-restart.mjs

# Latency of a healthy client during an attack (ARGS="--seconds 30" passes flags on).
bench-attack: $(TOOLS)
	cargo build --locked --release -p turnpike
	node tools/bench-attack.mjs $(ARGS)

# The whole rollup on this machine, client included, under a steady load: rate, time until safe, processor time by role. First five minutes
# of 4,000 transactions a second, then half of that.
bench-settle: $(TOOLS)
	cargo build --locked --release -p turnpike
	target/release/turnpike bench settle --only together --rate 4000 --seconds 300 $(ARGS)
	target/release/turnpike bench settle --rate 2000 --seconds 60 $(ARGS)

# After a change to a contract: the artefacts that genesis and bindings are made from.
artifacts: $(TOOLS)
	node tools/artifacts.mjs
	node tools/dev-genesis.mjs
	npm run --silent snapshot

clean:
	rm -rf target target-riscv node_modules contracts/out contracts/cache
