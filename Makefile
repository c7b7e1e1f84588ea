# Two commands: `make dev` runs the whole rollup, `make test` runs all tests.
# Needed beforehand: Rust (rustup), Node.js and a C compiler. Everything else is installed from the lock files.

.DEFAULT_GOAL := help
.PHONY: help dev build test test-rust test-faults test-contracts test-e2e test-riscv lint bench bench-codec artifacts tools clean

TOOLS := node_modules/.package-lock.json
TURNPIKE := target/debug/turnpike
# cargo nextest where it is installed, cargo test otherwise.
RUN_TESTS := $(shell cargo nextest --version >/dev/null 2>&1 && echo nextest run || echo test)

help:
	@echo 'make dev      build and run the whole rollup (ARGS="--liar" passes flags on)'
	@echo 'make test     all tests'
	@echo 'make lint     formatting and lints'
	@echo 'make bench    measure this machine'

dev: build
	$(TURNPIKE) dev $(ARGS)

build: $(TOOLS)
	cargo build --locked -p turnpike

# anvil, forge, cast, solc and the client libraries, from package-lock.json.
tools: $(TOOLS)
$(TOOLS): package.json package-lock.json
	npm ci --no-audit --no-fund
	@touch $(TOOLS)

test: test-contracts test-rust test-faults test-e2e test-riscv

test-rust: $(TOOLS)
	cargo $(RUN_TESTS) --locked --workspace

# The executor with its feature `faults`: it gets over what must not happen, and no suite stays green that must not.
# Neither do the tests of one step with a RiscvStep that is wrong.
test-faults: $(TOOLS)
	cargo test --locked --workspace --features turnpike-executor/faults,turnpike-fraud-proof/faults --test faults
	node tools/mutants.mjs
	node tools/step-mutants.mjs

test-contracts: $(TOOLS)
	contracts/forge test
	node tools/artifacts.mjs --check
	node tools/dev-genesis.mjs --check
	node contracts/vectors.mjs --check
	node bench/traffic.mjs --check
	npm run --silent snapshot:check

# Real clients against the real binary.
test-e2e: build
	node --test --test-concurrency=2 tests/e2e/*.test.mjs

# The proof program is pure RV64IM, and the committed one is what these sources make.
test-riscv:
	cargo test --locked --manifest-path fraud-proof/guest/Cargo.toml
	tools/riscv check

lint: $(TOOLS)
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --workspace --features turnpike-executor/faults,turnpike-fraud-proof/faults --test faults -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items
	npm run --silent fmt:check

bench: $(TOOLS)
	cargo run --locked --release -p turnpike -- bench
	$(if $(TURNPIKE_TEST_DATA),$(MAKE) bench-codec)

# The batch codec and the OP stack's encoder on the same recorded transactions.
bench-codec:
	cargo run --locked --release -p turnpike-protocol --example codec -- $(TURNPIKE_TEST_DATA)/defi-transactions.bin bench/traffic.bin
	cargo run --locked --release --manifest-path bench/op-span/Cargo.toml -- $(TURNPIKE_TEST_DATA)/defi-transactions.bin bench/traffic.bin

# After a change to a contract: what genesis and bindings are made from.
artifacts: $(TOOLS)
	node tools/artifacts.mjs
	node tools/dev-genesis.mjs
	npm run --silent snapshot

clean:
	rm -rf target target-riscv node_modules contracts/out contracts/cache
