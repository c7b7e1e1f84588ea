// Checks that the executor's tests detect faults: builds the executor with the feature `faults`, injects one fault at a time and expects its
// test suite to fail. Exits 0 if every fault is detected and no suite fails without a fault.
//
//   node tools/mutants.mjs [fault…]   all faults, or the named ones
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const EXECUTOR = join(dirname(dirname(fileURLToPath(import.meta.url))), "executor");

/** libtest's exit code for failed tests. An unknown fault or a crash gives another code. */
const TESTS_FAILED = 101;
const SECONDS_MAX = 60;

/** Suites: tests to run, number of cases, and the faults to detect (executor/src/faults.rs). */
const SUITES = [
  {
    test: "parallel",
    filter: "_equal_the_reference",
    cases: 150,
    faults: [
      "accounts-unchecked",
      "slots-unchecked",
      "lane-key-truncated",
      "fees-forgotten",
      "adopt-unchecked",
      "slots-forgotten",
      "overlay-forgotten",
      "join-backwards",
      "gas-unchecked",
    ],
  },
  {
    test: "differential",
    filter: "block_equals_plain_revm",
    cases: 1_000,
    faults: ["key-truncated", "revert-forgotten"],
  },
];

/** Builds the suites. Returns the path of each executable. */
function build() {
  const suites = SUITES.flatMap(({ test }) => ["--test", test]);
  // Builds with the whole workspace's features, so that no dependency is built twice.
  const features = ["--workspace", "--features", "turnpike-executor/faults"];
  const args = ["test", "--locked", ...features, ...suites, "--no-run", "--message-format=json-render-diagnostics"];
  const options = { cwd: EXECUTOR, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 28 };
  const { status, stdout } = spawnSync("cargo", args, options);
  if (status !== 0) process.exit(1);
  const messages = stdout.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  const built = messages.filter(({ executable, manifest_path }) => executable && dirname(manifest_path) === EXECUTOR);
  return Object.fromEntries(built.map(({ target, executable }) => [target.name, executable]));
}

/** Runs a suite. Returns its exit code, the number of failed tests and its duration. */
function run(executable, { filter, cases }, fault) {
  const env = { ...process.env, TURNPIKE_CASES: String(cases), TURNPIKE_MINIMIZE: "0", RUST_BACKTRACE: "0" };
  for (const other of ["TURNPIKE_FAULT", "TURNPIKE_SEED", "TURNPIKE_LONG"]) delete env[other];
  if (fault) env.TURNPIKE_FAULT = fault;
  const start = Date.now();
  const options = { cwd: EXECUTOR, env, encoding: "utf8", timeout: SECONDS_MAX * 1_000, maxBuffer: 1 << 28 };
  const { status, stdout } = spawnSync(executable, [filter], options);
  const [, passed = "0", failed = "0"] = /(\d+) passed; (\d+) failed/.exec(stdout ?? "") ?? [];
  return { status, passed: Number(passed), failed: Number(failed), seconds: (Date.now() - start) / 1_000 };
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((fault) => !SUITES.some(({ faults }) => faults.includes(fault)));
if (unknown.length > 0) {
  console.error(`unknown fault: ${unknown.join(", ")}`);
  process.exit(1);
}
const executables = build();
let survivors = 0;
for (const suite of SUITES) {
  const faults = suite.faults.filter((fault) => wanted.length === 0 || wanted.includes(fault));
  for (const fault of [undefined, ...faults]) {
    const { status, passed, failed, seconds } = run(executables[suite.test], suite, fault);
    const isRight = fault ? status === TESTS_FAILED && failed > 0 : status === 0 && passed > 0;
    const came = `${failed} of ${passed + failed} tests failed, exit code ${status}, ${seconds.toFixed(1)} s`;
    console.log(`${isRight ? "ok  " : "BAD "} ${suite.test}: ${fault ?? "no fault"}: ${came}`);
    if (!isRight) survivors += 1;
  }
}
process.exit(survivors === 0 ? 0 : 1);
