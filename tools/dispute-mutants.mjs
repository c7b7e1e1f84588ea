// Checks that the tests of the next disputes detect wrong rules: injects one fault at a time into a copy of contracts/src/v2 and expects
// contracts/test/v2 to fail. Exits 0 if every fault is detected and the tests pass without a fault.
//
//   node tools/dispute-mutants.mjs [name…]   all faults, or the named ones
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** The copy of the sources, with links to what they need. */
const WORK = join(ROOT, "target/dispute-mutants");
const CONTRACTS = join(WORK, "contracts");

/** Faults: the file, its right text, and the wrong text to replace it with. */
const MUTANTS = [
  // Paths and histories.
  ["path-ends-anywhere", "lib/HistoryLib.sol", "(level < depth && level % REVEAL_WIDTH == 0);", "level < depth;"],
  ["path-shows-equal-nodes", "lib/HistoryLib.sol", "if (path.nodeX == path.nodeY) revert", "if (path.depth > 99) revert"],
  ["path-words-left-over", "lib/HistoryLib.sol", "if (used != path.words.length) revert", "if (used > path.words.length) revert"],
  ["path-root-of-y-unchecked", "lib/HistoryLib.sol", "if (y != rootY) revert", "if (y == 0) revert"],
  ["leaf-index-unbounded", "lib/HistoryLib.sol", "if (index >> depth != 0) revert", "if (index >> depth == 2 ** 64) revert"],
  // The timeline.
  ["equal-limits-fail-x", "lib/TimelineLib.sol", "limitX < limitY", "limitX <= limitY"],
  ["last-second-is-late", "lib/TimelineLib.sol", "block.timestamp > until", "block.timestamp >= until"],
  ["increment-forgotten", "lib/TimelineLib.sol", "(left > increment ? left : increment)", "(increment == 2 ** 64 ? increment : left)"],
  ["early-reveal-gives-time", "lib/TimelineLib.sol", "revealed < from ? from : revealed", "revealed > from ? revealed : from - 1"],
  // Ranges and outputs.
  ["range-ends-after-its-time", "RollupV2.sol", "_timeOf(entry, opened[0]) <= endsAt", "_timeOf(entry, opened[0]) < endsAt"],
  ["range-ends-early", "RollupV2.sol", "_timeOf(entry + 1, opened[1]) > endsAt", "_timeOf(entry + 1, opened[1]) != 0"],
  ["range-open", "RollupV2.sol", "if (block.timestamp <= endsAt && entry != full) {", "if (block.timestamp < endsAt && entry != full) {"],
  ["window-never-closes", "RollupV2.sol", "if (block.timestamp >= endsAt) revert Rollup_WindowOver", "if (block.timestamp > endsAt) revert Rollup_WindowOver"],
  ["late-child-has-a-clock", "RollupV2.sol", "left < gameClock ? left : gameClock", "left > 0 ? gameClock : gameClock"],
  ["claim-without-generation", "RollupV2.sol", "abi.encode(generation_, parentClaim", "abi.encode(generation_ & 0, parentClaim"],
  ["any-child-is-final", "RollupV2.sol", "if (winnerOf(id) != path[i]) revert", "if (winnerOf(id) > path[i]) revert"],
  ["33-ancestors", "RollupV2.sol", "if (++length > ANCESTORS_MAX + 1) revert", "if (++length > ANCESTORS_MAX + 2) revert"],
  ["nothing-burned", "RollupV2.sol", "uint256 burned = proposerBond - 2 * reward;", "uint256 burned = reward;"],
  ["old-generation-stands", "OutputTreeV2.sol", "record.generation != generation ? Status.Void : status", "record.generation > generation ? Status.Void : status"],
  ["disputed-child-is-latest", "OutputTreeV2.sol", "found.standing == 1 ? found.xor : 0", "found.standing != 0 ? found.xor : 0"],
  // Groups.
  ["seats-swapped", "Tournament.sol", "a.seat < b.seat", "a.seat != b.seat"],
  ["groups-mixed", "Tournament.sol", "&& _groupOf(a) == _groupOf(b);", "&& _groupOf(a) <= _groupOf(b);"],
  ["incomplete-group-promotes", "Tournament.sol", "if (arrived != members || standing != 1) revert", "if (standing != 1) revert"],
  ["window-ignored", "Tournament.sol", "if (block.timestamp < endsAt) revert Tournament_WindowOpen", "if (block.timestamp + 1 < endsAt) revert Tournament_WindowOpen"],
  ["accused-times-out", "Tournament.sol", "if (dispute.isAccused(x, y)) revert", "if (x > y) revert"],
  ["padding-of-x", "Tournament.sol", "path.nodeY == before", "path.nodeX == before"],
  ["padding-at-blocks", "Tournament.sol", "if (path.index < found.positions) revert", "if (path.index + 1 < found.positions) revert"],
  // Accusations and games.
  ["accusation-past-blocks", "DisputeV2.sol", "if (path.index >= found.positions) revert", "if (path.index > 2 * found.positions) revert"],
  ["accusation-late", "DisputeV2.sol", "if (block.timestamp > endsAt) revert Dispute_AccusationsOver", "if (block.timestamp > endsAt + 1) revert Dispute_AccusationsOver"],
  ["root-unchecked", "DisputeV2.sol", "if (root != path.nodeY) revert", "if (root == 0) revert"],
  ["failure-counts", "DisputeV2.sol", "machine.exited() && machine.exitCode() == 0 ?", "machine.exited() ?"],
  ["answers-twice", "DisputeV2.sol", "accuser == msg.sender || _hasMet[id][accuser][msg.sender]", "accuser == msg.sender"],
  ["answers-itself", "DisputeV2.sol", "accuser == msg.sender || _hasMet", "_hasMet"],
  ["answer-late", "DisputeV2.sol", "if (block.timestamp > endsAt) revert Dispute_AnswersOver", "if (block.timestamp > endsAt + 1) revert Dispute_AnswersOver"],
  ["open-games-ignored", "DisputeV2.sol", "if (openGames != 0) revert Dispute_GamesOpen(accused.accuser", "if (openGames > 9) revert Dispute_GamesOpen(accused.accuser"],
  ["accusations-ignored", "DisputeV2.sol", "if (about.standing != 0) revert", "if (about.standing > 9) revert"],
  ["stands-until-struck", "DisputeV2.sol", "return !accused.isStruck && _isStanding", "return !accused.isStruck || _isStanding"],
  ["fallen-plays", "DisputeV2.sol", "if (stake.status == StakeStatus.Fallen || stake", "if (stake"],
  ["clock-below-the-increment", "DisputeV2.sol", "clock > used + _increment ? clock - used : _increment", "clock > used ? clock - used : _increment"],
  ["stake-returned-early", "DisputeV2.sol", "if (!isDecided) revert", "if (!isDecided && account == address(0)) revert"],
  ["no-stake-burned", "DisputeV2.sol", "uint256 burned = stakeAmount - 2 * reward;", "uint256 burned = reward;"],
  // Programs and withdrawals.
  ["notice-ignored", "Programs.sol", "if (block.timestamp < _announcedFrom) revert", "if (block.timestamp + 1 < _announcedFrom) revert"],
  ["first-program-judges", "Programs.sol", "while (_programs[number].fromEntry > entry) --number;", "while (_programs[number].fromEntry > entry / 2 && number != 0) --number;"],
  ["escape-early", "Programs.sol", "if (block.timestamp < from) revert Programs_NoEscape", "if (block.timestamp + 1 < from) revert Programs_NoEscape"],
  ["listed-proof-replaced", "WithdrawalsV2.sol", "if (!_stands(_listed[withdrawalHash])) _listed", "_listed"],
  ["listed-proof-first", "WithdrawalsV2.sol", "_stands(own) ? own : _listed[withdrawalHash]", "_stands(_listed[withdrawalHash]) ? _listed[withdrawalHash] : own"],
];

/** Copies the sources, and injects a fault. */
function copySources(mutant) {
  for (const name of ["src", "test"]) cpSync(join(ROOT, "contracts", name), join(CONTRACTS, name), { recursive: true });
  if (!mutant) return;
  const [name, file, right, wrong] = mutant;
  const path = join(CONTRACTS, "src/v2", file);
  const source = readFileSync(path, "utf8");
  if (source.split(right).length !== 2) throw new Error(`${name}: ${file} does not hold the text exactly once`);
  writeFileSync(path, source.replace(right, wrong));
}

function forge(...args) {
  return spawnSync(join(ROOT, "node_modules/.bin/forge"), args, { cwd: CONTRACTS, encoding: "utf8", maxBuffer: 1 << 28 });
}

function main() {
  const wanted = process.argv.slice(2);
  const unknown = wanted.filter((name) => !MUTANTS.some(([known]) => known === name));
  if (unknown.length > 0) throw new Error(`unknown mutant: ${unknown.join(", ")}`);

  rmSync(WORK, { recursive: true, force: true });
  mkdirSync(CONTRACTS, { recursive: true });
  for (const name of ["node_modules", "tools", "crates"]) symlinkSync(join(ROOT, name), join(WORK, name));
  cpSync(join(ROOT, "contracts/foundry.toml"), join(CONTRACTS, "foundry.toml"));
  let survivors = 0;
  for (const mutant of [undefined, ...MUTANTS.filter(([name]) => wanted.length === 0 || wanted.includes(name))]) {
    copySources(mutant);
    const { status, stdout, stderr } = forge("test", "--match-path", "test/v2/*");
    if (stderr.includes("Compil") && !stdout.includes("tests passed")) throw new Error(`${mutant?.[0]}: forge failed:\n${stdout}${stderr}`);
    const [, passed = "0", failed = "0"] = /(\d+) tests passed, (\d+) failed/.exec(stdout) ?? [];
    const isRight = mutant ? status !== 0 && Number(failed) > 0 : status === 0 && Number(passed) > 0;
    console.log(`${isRight ? "ok  " : "BAD "} ${mutant?.[0] ?? "no fault"}: ${failed} of ${Number(passed) + Number(failed)} tests failed`);
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
