// Starts a release build's sequencer with an L1 for benchmarks, without batcher and verifiers, which would use the same processors.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
export const TURNPIKE = process.env.TURNPIKE_BIN ?? join(ROOT, "target/release/turnpike");
const ANVIL = join(ROOT, "node_modules/.bin/anvil");

// Development accounts: the deployer's key and the batcher's address.
const DEPLOYER_KEY = "0x92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e";
const BATCHER = "0x14dC79964da2C08b23698B3D3cc7Ca32193d9955";

// No batcher runs: the sequencer must accept any backlog.
const BACKLOG = ["--backlog-bytes-max", `${2 ** 40}`, "--backlog-seconds-max", "1000000"];

const START_MS = 60_000;
const folder = mkdtempSync(join(tmpdir(), "turnpike-bench-"));
const children = new Set();

function end() {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}
process.on("exit", end);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

const at = (name) => join(folder, name);

/** Starts a program and waits for output that matches `up`. Returns the match and the process. */
function start(command, args, up) {
  const child = spawn(command, args, { cwd: ROOT, env: { ...process.env, NO_COLOR: "1" } });
  children.add(child);
  return new Promise((resolve, reject) => {
    let said = "";
    const fail = (why) => reject(new Error(`${command} ${why}\n${said}`));
    const timeout = setTimeout(() => fail(`is not up after ${START_MS} ms`), START_MS);
    const read = (chunk) => {
      if (said === null) return;
      said += chunk;
      const match = said.match(up);
      if (!match) return;
      said = null;
      clearTimeout(timeout);
      resolve({ match, child });
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.once("exit", (code) => {
      children.delete(child);
      if (said !== null) fail(`ended with ${code}`);
    });
  });
}

function turnpike(...args) {
  const { status, stdout, stderr } = spawnSync(TURNPIKE, args, { cwd: ROOT, encoding: "utf8" });
  if (status !== 0) throw new Error(`turnpike ${args[0]} failed: ${stderr}`);
  return stdout;
}

/** Starts an L1 and deploys a chain. Returns the sequencer's arguments. */
export async function deploy() {
  const l1Flags = ["--port", "0", "--hardfork", "osaka", "--slots-in-an-epoch", "1", "--mixed-mining", "--block-time", "1"];
  const { match } = await start(ANVIL, l1Flags, /Listening on 127\.0\.0\.1:(\d+)/);
  const l1 = ["--l1-url", `http://127.0.0.1:${match[1]}`];
  writeFileSync(at("undeployed.json"), turnpike("genesis"));
  const files = ["--genesis", at("undeployed.json"), "--out", at("genesis.json")];
  turnpike("deploy", ...l1, ...files, "--key", DEPLOYER_KEY, "--batcher", BATCHER);
  const limits = ["--l1-confirmations", "0", ...BACKLOG];
  return [...l1, "--genesis", at("genesis.json"), "--database", at("sequencer.db"), ...limits];
}

/** Starts a sequencer with these arguments. Returns its URL and the process. */
export async function sequencer(told) {
  const up = /sequencer is up address=(\S+)/;
  const { match, child } = await start(TURNPIKE, ["sequencer", ...told, "--listen", "127.0.0.1:0"], up);
  return { url: `http://${match[1]}`, child };
}

/** Runs `turnpike load` and returns its exit code. */
export function load(url, args, stdio = "inherit") {
  const child = spawn(TURNPIKE, ["load", "--rpc", url, ...args], { cwd: ROOT, stdio });
  children.add(child);
  return new Promise((resolve) => child.once("exit", (code) => resolve(code ?? 1)));
}

/** Runs `main` and exits with its result. */
export function run(main) {
  main().then(
    (code) => process.exit(code),
    (error) => {
      console.error(error.message);
      process.exit(1);
    },
  );
}
