// Checks that the one-step tests detect faults in the RiscvStep contract: injects one fault at a time into a copy of its sources and expects
// fraud-proof/game/tests/one_step to fail. Exits 0 if every fault is detected and the tests pass without a fault.
//
//   node tools/step-mutants.mjs [name…]   all faults, or the named ones
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** The copy of the sources, with links to node_modules and tools. */
const WORK = join(ROOT, "target/step-mutants");
const CONTRACTS = join(WORK, "contracts");
const ARTIFACT = join(CONTRACTS, "out/RiscvStep.sol/RiscvStep.json");

/** libtest's exit code for failed tests. */
const TESTS_FAILED = 101;
const SECONDS_MAX = 60;

/** Faults: the file, its right text, and the wrong text to replace it with. `tests` must detect them. */
const MUTANTS = [
  {
    name: "word-sign-forgotten",
    file: "lib/RiscvAlu.sol",
    right: "return uint64(int64(int32(value)));",
    wrong: "return uint64(value);",
    tests: "grid::two_registers",
  },
  {
    name: "load-sign-forgotten",
    file: "L1/RiscvStep.sol",
    right: "isSigned ? _extend(value, size) : value",
    wrong: "isSigned ? value : value",
    tests: "grid::loads_and_stores",
  },
  {
    name: "immediate-sign-forgotten",
    file: "lib/RiscvInstruction.sol",
    right: "_extend(int32(Instruction.unwrap(self)) >> 20)",
    wrong: "uint64(Instruction.unwrap(self) >> 20)",
    tests: "grid::register_and_immediate",
  },
  {
    name: "proof-unchecked",
    file: "L1/RiscvStep.sol",
    right: "if (found != expected) revert RiscvStep_WrongMemoryRoot(expected, found);",
    wrong: "if (found == 0) revert RiscvStep_WrongMemoryRoot(expected, found);",
    tests: "refused::altered_proof_is_refused",
  },
  {
    name: "proof-length-unchecked",
    file: "L1/RiscvStep.sol",
    right: "if (proof.length != expected) revert",
    wrong: "if (proof.length < expected) revert",
    tests: "refused::altered_proof_is_refused",
  },
  {
    name: "alignment-unchecked",
    file: "L1/RiscvStep.sol",
    right: "if (location % size != 0) return SIGBUS;",
    wrong: "if (size == 0) return SIGBUS;",
    tests: "grid::loads_and_stores",
  },
  {
    name: "bounds-unchecked",
    file: "L1/RiscvStep.sol",
    right: "location < RiscvMemory.BYTES ? NO_FAULT : SIGSEGV",
    wrong: "location <= RiscvMemory.BYTES ? NO_FAULT : SIGSEGV",
    tests: "grid::loads_and_stores",
  },
  {
    name: "local-key-unbound",
    file: "L1/RiscvStep.sol",
    right: "return uint256(key << 8) >> 8 < LOCAL_INPUTS;",
    wrong: "return uint8(uint256(key)) < LOCAL_INPUTS;",
    tests: "random::random_steps_agree_on_all_machines",
  },
  {
    name: "key-kind-unbound",
    file: "L1/RiscvStep.sol",
    right: "return kind >= KECCAK_KEY && kind <= PRECOMPILE_KEY;",
    wrong: "return kind >= KECCAK_KEY;",
    tests: "random::random_steps_agree_on_all_machines",
  },
  {
    name: "word-divisions-by-immediate",
    file: "L1/RiscvStep.sol",
    right: "opcode == OP_IMM_32 && !(isShift && funct7 == RiscvAlu.MULTIPLY)",
    wrong: "opcode == OP_IMM_32",
    tests: "grid::words_one_bit_off_instructions",
  },
  {
    name: "halted-state-steps",
    file: "lib/RiscvState.sol",
    right: "return uint8(_field(self, EXITED_END)) != RUNNING;",
    wrong: "return uint8(_field(self, EXITED_END)) > EXITED;",
    tests: "refused::",
  },
  {
    name: "state-not-canonical",
    file: "L1/RiscvStep.sol",
    right: "if (!machine.isCanonical()) revert",
    wrong: "if (machine.length == 0) revert",
    tests: "refused::altered_state_changes_the_result",
  },
];

function run(command, args, options) {
  const result = spawnSync(command, args, { encoding: "utf8", maxBuffer: 1 << 28, ...options });
  if (result.error) throw result.error;
  return result;
}

/** Builds the tests. Returns the path of the executable. */
function buildTests() {
  // Builds with the whole workspace's features, so that no dependency is built twice.
  const args = ["test", "--locked", "--workspace", "--test", "one_step", "--no-run", "--message-format=json-render-diagnostics"];
  const { status, stdout } = run("cargo", args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  if (status !== 0) process.exit(1);
  const messages = stdout.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  return messages.find(({ executable, target }) => executable && target.name === "one_step").executable;
}

/** Copies the sources, injects a fault, and builds the contract. */
function buildContract(mutant) {
  cpSync(join(ROOT, "contracts/src"), join(CONTRACTS, "src"), { recursive: true });
  if (mutant) {
    const path = join(CONTRACTS, "src", mutant.file);
    const source = readFileSync(path, "utf8");
    if (source.split(mutant.right).length !== 2) throw new Error(`${mutant.name}: ${mutant.file} does not hold the text exactly once`);
    writeFileSync(path, source.replace(mutant.right, mutant.wrong));
  }
  const args = ["build", "--root", CONTRACTS, "src/L1/RiscvStep.sol"];
  const { status, stdout, stderr } = run(join(ROOT, "node_modules/.bin/forge"), args, { cwd: CONTRACTS });
  if (status !== 0) throw new Error(`${mutant?.name}: forge build failed:\n${stdout}${stderr}`);
}

function runTests(executable, tests) {
  const env = { ...process.env, TURNPIKE_STEP_CONTRACT: ARTIFACT, RUST_BACKTRACE: "0" };
  delete env.TURNPIKE_LONG;
  const start = Date.now();
  const cwd = join(ROOT, "fraud-proof");
  const { status, stdout } = run(executable, [tests], { cwd, env, timeout: SECONDS_MAX * 1_000 });
  const [, passed = "0", failed = "0"] = /(\d+) passed; (\d+) failed/.exec(stdout ?? "") ?? [];
  return { status, passed: Number(passed), failed: Number(failed), seconds: (Date.now() - start) / 1_000 };
}

function main() {
  const wanted = process.argv.slice(2);
  const unknown = wanted.filter((name) => !MUTANTS.some((mutant) => mutant.name === name));
  if (unknown.length > 0) throw new Error(`unknown mutant: ${unknown.join(", ")}`);

  rmSync(WORK, { recursive: true, force: true });
  mkdirSync(CONTRACTS, { recursive: true });
  for (const name of ["node_modules", "tools"]) symlinkSync(join(ROOT, name), join(WORK, name));
  cpSync(join(ROOT, "contracts/foundry.toml"), join(CONTRACTS, "foundry.toml"));
  const executable = buildTests();
  let survivors = 0;
  const mutants = MUTANTS.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  for (const mutant of [undefined, ...mutants]) {
    buildContract(mutant);
    const { status, passed, failed, seconds } = runTests(executable, mutant?.tests ?? "grid::");
    const isRight = mutant ? status === TESTS_FAILED && failed > 0 : status === 0 && passed > 0;
    const came = `${failed} of ${passed + failed} tests failed, exit code ${status}, ${seconds.toFixed(1)} s`;
    console.log(`${isRight ? "ok  " : "BAD "} ${mutant?.name ?? "no fault"}: ${came}`);
    if (!isRight) survivors += 1;
  }
  rmSync(WORK, { recursive: true, force: true });
  process.exitCode = survivors === 0 ? 0 : 1;
}

try {
  main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
