// Builds the contracts and writes contracts/artifacts/<Name>.json: ABI, creation code and runtime code; and
// contracts/artifacts/immutables.json: where the runtime code of the L1 contracts holds which immutable.
// With --check it writes nothing, and fails with the names of committed files that differ from the build.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const CONTRACTS = join(ROOT, "contracts");
const ARTIFACTS = join(CONTRACTS, "artifacts");
const L1_CONTRACTS = ["Inbox", "Portal", "Rollup", "Dispute", "L1StandardBridge", "PreimageOracle", "RiscvStep"];
// The next version of disputes, which no deployment uses yet.
const NEXT_CONTRACTS = ["RollupV2", "Tournament", "DisputeV2", "Programs"];
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
const WORD_BYTES = 32;

function checkSize(name, what, code, max) {
  const bytes = (code.length - 2) / 2;
  if (bytes > max) throw new Error(`${name}: ${bytes} bytes of ${what}, expected at most ${max}`);
}

// One compilation of everything: the names of immutables are found by syntax tree ids, which differ between two.
function build() {
  const { status, error, stdout, stderr } =
    spawnSync(join(CONTRACTS, "forge"), ["build", "--skip", "test", "--ast", "--force"], { encoding: "utf8" });
  if (error) throw error;
  if (status !== 0) throw new Error(`forge build failed:\n${stdout}${stderr}`);
}

function readBuilt(name) {
  return JSON.parse(readFileSync(join(CONTRACTS, "out", `${name}.sol`, `${name}.json`), "utf8"));
}

// Names of all immutables, by the ids of their declarations.
function immutableNames() {
  const names = {};
  const out = join(CONTRACTS, "out");
  for (const path of readdirSync(out, { recursive: true }).filter((path) => /\.sol\/\w+\.json$/.test(path))) {
    const { ast } = JSON.parse(readFileSync(join(out, path), "utf8"));
    const members = (ast?.nodes ?? []).flatMap((node) => node.nodes ?? []);
    for (const { id, name, mutability } of members) if (mutability === "immutable") names[id] = name;
  }
  return names;
}

// Offsets of the words that hold each immutable in a contract's runtime code. The build leaves them zero.
function immutables(contract, names) {
  const { object, immutableReferences } = readBuilt(contract).deployedBytecode;
  const offsets = {};
  for (const [id, references] of Object.entries(immutableReferences ?? {})) {
    if (!names[id] || offsets[names[id]]) throw new Error(`${contract}: immutable ${id} has no name of its own`);
    offsets[names[id]] = references.map(({ start, length }) => {
      const word = object.slice(2 + 2 * start, 2 + 2 * (start + length));
      if (word !== "00".repeat(WORD_BYTES)) throw new Error(`${contract}: ${names[id]} at ${start} is no zero word`);
      return start;
    });
  }
  return Object.fromEntries(Object.entries(offsets).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function artifact(name) {
  const built = readBuilt(name);
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
  const files = [...L1_CONTRACTS, ...NEXT_CONTRACTS, ...L2_CONTRACTS, ...TOKENS].map((name) => [name, artifact(name)]);
  const names = immutableNames();
  files.push(["immutables", Object.fromEntries(L1_CONTRACTS.map((name) => [name, immutables(name, names)]))]);
  for (const [name, content] of files) {
    const path = join(ARTIFACTS, `${name}.json`);
    const text = `${JSON.stringify(content, null, 2)}\n`;
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
