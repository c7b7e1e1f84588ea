// Prints the gas of the longest dispute by the number of parts that a range is divided into, and fails if the number
// in the contracts is not the cheapest of those with at most 14 bisections. test/DisputeGas.t.sol measures each number
// with adapted sources, in about a minute altogether.
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const CONTRACTS = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(CONTRACTS);
const PARTS = [8, 16, 32, 64, 128];
const ROUNDS_MAX = 14;
// Files that hold the number. The test limits bisections, which other numbers exceed.
const LIBRARY = "src/lib/BisectionLib.sol";
const FIXTURE = "test/utils/DisputeFixture.sol";
const TEST = "test/DisputeGas.t.sol";

function replace(path, pattern, replacement) {
  const text = readFileSync(path, "utf8");
  if (!pattern.test(text)) throw new Error(`${path} has no ${pattern}`);
  writeFileSync(path, text.replace(pattern, replacement));
}

/** A copy of the sources in which ranges are divided into `parts` at most. */
function copyWith(parts, copy) {
  const contracts = join(copy, "contracts");
  for (const name of ["src", "test", "foundry.toml"]) cpSync(join(CONTRACTS, name), join(contracts, name), { recursive: true });
  for (const name of ["node_modules", "tools", "crates"]) symlinkSync(join(ROOT, name), join(copy, name));
  replace(join(contracts, LIBRARY), /(SEGMENTS_MAX =) \d+;/, `$1 ${parts};`);
  replace(join(contracts, FIXTURE), /(PARTS_MAX =) \d+;/, `$1 ${parts};`);
  replace(join(contracts, TEST), /(ROUNDS_MAX =) \d+;/, "$1 100;");
  return contracts;
}

function measure(parts) {
  const copy = mkdtempSync(join(tmpdir(), "turnpike-gas-"));
  try {
    const forge = join(ROOT, "node_modules", ".bin", "forge");
    const { status, error, stdout, stderr } =
      spawnSync(forge, ["test", "-vv", "--match-path", TEST], { cwd: copyWith(parts, copy), encoding: "utf8" });
    if (error) throw error;
    if (status !== 0) throw new Error(`forge failed:\n${stdout}${stderr}`);
    const logged = (name) => [...stdout.matchAll(new RegExp(`^ {2}${name}: (\\d+)$`, "gm"))].map(([, value]) => Number(value));
    const [bisections] = logged("bisections");
    const [total] = logged("total");
    return { parts, bisections, move: Math.max(...logged("move")), total };
  } finally {
    rmSync(copy, { recursive: true });
  }
}

const rows = PARTS.map(measure);
const columns = ["parts", "bisections", "move", "total"];
console.log("What the longest dispute over 2^18 blocks and 2^42 steps costs, with a step that reads 32 KiB. Gas; move: the dearest one.\n");
for (const row of [Object.fromEntries(columns.map((name) => [name, name])), ...rows]) {
  console.log(columns.map((name) => String(row[name]).padStart(12)).join(""));
}

const [, own] = /SEGMENTS_MAX = (\d+);/.exec(readFileSync(join(CONTRACTS, LIBRARY), "utf8"));
const [cheapest] = rows.filter(({ bisections }) => bisections <= ROUNDS_MAX).sort((a, b) => a.total - b.total);
if (cheapest.parts !== Number(own)) {
  console.error(`\n${own} parts are not the cheapest with at most ${ROUNDS_MAX} bisections: ${cheapest.parts} are`);
  process.exitCode = 1;
}
