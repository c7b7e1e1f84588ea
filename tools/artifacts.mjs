// Builds the contracts and writes contracts/artifacts/<Name>.json: ABI, creation code and runtime code.
// With --check it writes nothing, and fails with the names of committed files that differ from the build.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const CONTRACTS = join(ROOT, "contracts");
const ARTIFACTS = join(CONTRACTS, "artifacts");
const L1_CONTRACTS = ["Inbox", "Portal", "Rollup", "Dispute", "L1StandardBridge", "PreimageOracle", "RiscvStep"];
// Genesis uses the runtime code of these directly, so they may have neither immutables nor links.
const L2_CONTRACTS = [
  "L1Block",
  "L2ToL1MessagePasser",
  "GasPriceOracle",
  "FeeVault",
  "L2StandardBridge",
  "OptimismMintableERC20Factory",
];
// Only the factory deploys it.
const TOKENS = ["OptimismMintableERC20"];

// Limits of EIP-170 and EIP-3860.
const CODE_BYTES_MAX = 24_576;
const CREATION_CODE_BYTES_MAX = 2 * CODE_BYTES_MAX;

function checkSize(name, what, code, max) {
  const bytes = (code.length - 2) / 2;
  if (bytes > max) throw new Error(`${name}: ${bytes} bytes of ${what}, expected at most ${max}`);
}

function build() {
  const { status, error, stdout, stderr } =
    spawnSync(join(CONTRACTS, "forge"), ["build", "--skip", "test"], { encoding: "utf8" });
  if (error) throw error;
  if (status !== 0) throw new Error(`forge build failed:\n${stdout}${stderr}`);
}

function artifact(name) {
  const built = JSON.parse(readFileSync(join(CONTRACTS, "out", `${name}.sol`, `${name}.json`), "utf8"));
  const { bytecode, deployedBytecode } = built;
  const unlinked = Object.keys(bytecode.linkReferences ?? {});
  if (unlinked.length !== 0) throw new Error(`${name}: code must be linked with ${unlinked}`);
  const immutables = Object.keys(deployedBytecode.immutableReferences ?? {});
  if (L2_CONTRACTS.includes(name) && immutables.length !== 0) {
    throw new Error(`${name}: a predeploy may not have immutables: genesis would leave them zero`);
  }
  checkSize(name, "creation code", bytecode.object, CREATION_CODE_BYTES_MAX);
  checkSize(name, "code", deployedBytecode.object, CODE_BYTES_MAX);
  return {
    contractName: name,
    abi: built.abi,
    bytecode: bytecode.object,
    deployedBytecode: deployedBytecode.object,
  };
}

function committed(path) {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return null;
    throw error;
  }
}

function main() {
  const check = process.argv.includes("--check");
  build();
  mkdirSync(ARTIFACTS, { recursive: true });
  const stale = [];
  for (const name of [...L1_CONTRACTS, ...L2_CONTRACTS, ...TOKENS]) {
    const path = join(ARTIFACTS, `${name}.json`);
    const text = `${JSON.stringify(artifact(name), null, 2)}\n`;
    if (committed(path) === text) continue;
    if (check) stale.push(name);
    else writeFileSync(path, text);
  }
  if (stale.length === 0) return;
  for (const name of stale) console.error(`contracts/artifacts/${name}.json differs from the build`);
  console.error("run `node tools/artifacts.mjs` and commit the result");
  process.exitCode = 1;
}

try {
  main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
