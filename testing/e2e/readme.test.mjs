// Runs the commands of the README's tour and of the guides. Only ports and folders differ.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { until } from "./harness.mjs";
import { Program, ROOT, temporaryFolder, turnpike } from "./programs.mjs";

const run = promisify(execFile);

/** The commands in a document's `sh` blocks. */
function commandsOf(path) {
  const text = readFileSync(join(ROOT, path), "utf8");
  return [...text.matchAll(/```sh\n([^]*?)```/g)].map(([, block]) => block);
}

test("the README's tour works", async (t) => {
  const [start, ...commands] = commandsOf("README.md");
  assert.equal(start, "make dev\n");
  assert.equal(commands.length, 4);

  const stdout = await typeIn(t, commands);
  const [send, rest, deposit, verify] = stdout.split("---\n");
  assert.match(send, /^status +1 \(success\)/m);
  assert.match(rest, /^\{"hash":"0x[0-9a-f]{64}"\}/);
  assert.match(rest, /"state":"(safe|proposed|final)"/);
  // 10,000 minus two transfers of 1 and fees, plus the 2 deposited.
  assert.match(deposit, /^(9999|10000)\d{18}$/m);
  assert.match(verify, /^challenger: output 1 \(entry \d+, block \d+\): ok$/m);
});

test("the bridge guide works", async (t) => {
  const commands = commandsOf("docs/guide/bridge.md");
  assert.equal(commands.length, 2);
  const [deposit, withdrawal] = (await typeIn(t, commands)).split("---\n");
  assert.match(deposit, /^done: L2 block \d+ holds 0x[0-9a-f]{64}$/m);
  assert.match(withdrawal, /^proven on output \d+: L1 block \d+$/m);
  assert.match(withdrawal, /^finalized: L1 block \d+, 0.5 ether to 0xf39Fd6e5/m);
  assert.match(withdrawal, /finalized: nothing is left to do$/m);
});

test("the fraud proof guide works", async (t) => {
  const [, send] = commandsOf("README.md");
  const [prove] = commandsOf("docs/guide/fraud-proof.md");
  const witness = `${temporaryFolder(t)}/block-1.json`;
  const stdout = await typeIn(t, [send, prove.replaceAll("block-1.json", witness)]);
  const [, proven] = stdout.split("---\n");
  assert.match(proven, /node, native program and machine AGREE$/m);
  assert.match(proven, /^checked \d+ of \d+ steps in .*: all alike; exit 0$/m);
});

test("the disputes guide works", async (t) => {
  const commands = commandsOf("docs/guide/disputes.md");
  assert.equal(commands.length, 1);
  assert.equal(await typeIn(t, commands), "there is no challenge\n");
});

test("the load guide works", async (t) => {
  const commands = commandsOf("docs/guide/load.md");
  assert.equal(commands.length, 1);
  const page = `${temporaryFolder(t)}/load.html`;
  const stdout = await typeIn(t, [commands[0].replace("load.html", page)]);
  assert.match(stdout, /^    sent        600 accepted, 0 refused, 0 withheld, 0 not sent,/m);
  assert.match(stdout, /^    check       600 of 600 included, 0 lost, 0 twice; 0 of 600 receipts failed$/m);
  assert.match(readFileSync(page, "utf8"), /<svg/);
});

/** Starts a chain and runs blocks of commands in bash. Returns their output, with a line `---` between blocks. */
async function typeIn(t, commands) {
  const data = temporaryFolder(t);
  const flags = ["--json", "--data", data, "--port", "0", "--l1-port", "0"];
  const program = new Program(t, "turnpike dev", turnpike(), ["dev", ...flags]);
  const ready = () => program.events.find(({ event }) => event === "ready");
  const { l1Url, l2Url } = await until(ready, "turnpike dev to be up");

  const script = commands
    .join("echo ---\n")
    .replaceAll("http://127.0.0.1:9545", l2Url)
    .replaceAll("http://127.0.0.1:8545", l1Url)
    .replaceAll("target/debug/turnpike", turnpike())
    .replaceAll(".turnpike/dev", data)
    // A reader's time limits are tight on a slow machine.
    .replaceAll(/^sleep (\d+)$/gm, (_, seconds) => `sleep ${4 * Number(seconds)}`);
  const { stdout } = await run("bash", ["-euo", "pipefail", "-c", script], { cwd: ROOT });
  return stdout;
}
