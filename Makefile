# Two commands: `make dev` runs the whole rollup, `make test` runs all tests.
# Needed beforehand: Rust (rustup), Node.js and a C compiler. Everything else is installed from the lock files. Tests on PostgreSQL are
# left out where it is not installed; with CI set that is an error.

.DEFAULT_GOAL := help
.PHONY: help dev build test test-rust test-faults test-contracts test-e2e test-crash test-riscv python-env lint bench bench-codec bench-load bench-restart bench-attack artifacts tools clean

TOOLS := node_modules/.package-lock.json
TURNPIKE := target/debug/turnpike
# They want the machine for themselves.
CRASH_TESTS := testing/e2e/crash.test.mjs testing/e2e/journal.test.mjs
# cargo nextest where it is installed, cargo test otherwise.
RUN_TESTS := $(shell cargo nextest --version >/dev/null 2>&1 && echo nextest run || echo test)

help:
	@echo 'make dev      build and run the whole rollup (ARGS="--liar" passes flags on)'
	@echo 'make test     all tests'
	@echo 'make lint     formatting and lints'
	@echo 'make bench    measure this machine'
	@echo 'make bench-load  a sequencer under load, next to anvil'
	@echo 'make bench-restart  a sequencer with a million accounts, killed and started again'
	@echo 'make bench-attack  a healthy client while others attack'

dev: build
	$(TURNPIKE) dev $(ARGS)

build: $(TOOLS)
	cargo build --locked -p turnpike

# anvil, forge, cast, solc and the client libraries, from package-lock.json.
tools: $(TOOLS)
$(TOOLS): package.json package-lock.json
	npm ci --no-audit --no-fund
	@touch $(TOOLS)

test: test-contracts test-rust test-faults test-e2e test-crash test-riscv

test-rust: $(TOOLS)
	cargo $(RUN_TESTS) --locked --workspace

# The executor with its feature `faults`: it gets over what must not happen, and no suite stays green that must not.
# Neither do the tests of one step with a RiscvStep that is wrong.
test-faults: $(TOOLS)
	cargo test --locked --workspace --features turnpike-executor/faults,turnpike-challenger/faults --test faults
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
test-e2e: build python-env
	cargo build --locked -p turnpike-test-postgres
	node --test --test-concurrency=2 $(filter-out $(CRASH_TESTS),$(wildcard testing/e2e/*.test.mjs))

# What tests in Python need. Where that cannot be had they are left out, and it says so; with CI set that is an error.
python-env:
	@tools/python-env >/dev/null || [ $$? -eq 3 ]

# The real binary on a store that forgets what was not synced, that fills up and that fails.
test-crash: build
	node --test --test-concurrency=1 testing/crash/*.test.mjs $(wildcard $(CRASH_TESTS))

# The proof program is pure RV64IM, and the committed one is what these sources make.
test-riscv:
	cargo test --locked --manifest-path fraud-proof/guest/Cargo.toml
	tools/riscv check

lint: $(TOOLS)
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --workspace --features turnpike-executor/faults,turnpike-challenger/faults --test faults -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items
	npm run --silent fmt:check

bench: $(TOOLS)
	cargo run --locked --release -p turnpike -- bench
	$(if $(TURNPIKE_TEST_DATA),$(MAKE) bench-codec)

# The batch codec and the OP stack's encoder on the same recorded transactions.
bench-codec:
	cargo run --locked --release -p turnpike-protocol --example codec -- $(TURNPIKE_TEST_DATA)/defi-transactions.bin testing/bench/traffic.bin
	cargo run --locked --release --manifest-path testing/bench/op-span/Cargo.toml -- $(TURNPIKE_TEST_DATA)/defi-transactions.bin testing/bench/traffic.bin

# The sequencer's maximum, its latency at half of that, and anvil's maximum, in one run, as most use them and each in the shape that suits
# it best (ARGS="--html load.html" passes flags on).
bench-load: $(TOOLS)
	cargo build --locked --release -p turnpike
	node tools/bench-load.mjs $(ARGS)

# How long a sequencer with a million accounts takes to answer again after kill -9 (ACCOUNTS and KILLS say how many).
bench-restart: $(TOOLS)
	cargo build --locked --release -p turnpike
	node tools/bench-restart.mjs

# What a healthy client notices of an attack (ARGS="--seconds 30" passes flags on).
bench-attack: $(TOOLS)
	cargo build --locked --release -p turnpike
	node tools/bench-attack.mjs $(ARGS)

# After a change to a contract: what genesis and bindings are made from.
artifacts: $(TOOLS)
	node tools/artifacts.mjs
	node tools/dev-genesis.mjs
	npm run --silent snapshot

clean:
	rm -rf target target-riscv node_modules contracts/out contracts/cache
