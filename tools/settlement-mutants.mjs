// Checks that tests detect faults in settlement, in the backlogs, in the counting of work and in the next disputes: changes one line of a
// source at a time and expects a suite to fail. Exits 0 if every fault is detected. Sources are changed in place and restored, so nothing
// else may build meanwhile. Not part of `make test`: it compiles a suite for each fault.
//
//   node tools/settlement-mutants.mjs [name…]   all faults, or those whose names begin so
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SECONDS_MAX = 900;

const cargo = (...args) => ["cargo", "test", "--locked", "--workspace", "--quiet", ...args];
/** The suites of Rust have the whole workspace's features, so that no dependency is built twice. */
const SUITES = {
  derivation: cargo("--test", "derivation", "--test", "derivation_vectors"),
  batch: cargo("--test", "batch"),
  inbox: cargo("--test", "vectors"),
  contracts: ["contracts/forge", "test", "--match-contract", "Inbox"],
  disputes: ["contracts/forge", "test", "--match-path", "test/v2/*"],
  posting: cargo("--test", "posting", "--", "--test-threads=2"),
  reference: cargo("--test", "reference"),
  parallel: cargo("--test", "parallel"),
  work: cargo("--test", "work"),
  backlog: cargo("--lib", "backlog::"),
  sequencer: ["cargo", "test", "--locked", "--workspace", "--quiet", "--lib", "driver::"],
};

/** [name, suite, file, line, changed line]. */
const FAULTS = [
  ["codec: a mixed byte more", "derivation", "crates/protocol/src/batch/bytes.rs", "self.budget.checked_sub(bytes.len())", "(self.budget + 1).checked_sub(bytes.len())"],
  ["clamp: no floor", "derivation", "crates/protocol/src/derive.rs", "own.clamp(floor, bound)", "own.min(bound)"],
  ["clamp: no bound", "derivation", "crates/protocol/src/derive.rs", "own.clamp(floor, bound)", "own.max(floor)"],
  ["clamp: more deposits than there are", "derivation", "crates/protocol/src/derive.rs", "goal.clamp(next, gas_limits.len())", "goal.max(next)"],
  ["clamp: first deposit", "derivation", "crates/protocol/src/derive.rs", "counted.saturating_sub(before)", "counted.saturating_sub(before + 1)"],
  ["clamp: unusable hints", "derivation", "crates/protocol/src/derive.rs", "hint.filter(|_| are_usable)", "hint"],
  ["origin age: a second", "derivation", "crates/protocol/src/derive.rs", "age > config.origin_age_max && !is_newest", "age > config.origin_age_max + 1 && !is_newest"],
  ["origin age: any behind a forced entry", "derivation", "crates/protocol/src/derive.rs", "(is_forced && entry.origin.checked_add(1) == Some(previous.index))", "is_forced"],
  ["content: no origin's accumulator", "inbox", "crates/protocol/src/inbox.rs", "            self.origin_acc,\n        ];\n        keccak256", "            B256::ZERO,\n        ];\n        keccak256"],
  ["content: not stored", "contracts", "contracts/src/L1/Inbox.sol", "        content = newContent;\n", ""],
  ["content: no deposit count", "contracts", "contracts/src/L1/Inbox.sol", "content_, item.kind, dataHash, item.depositCount,", "content_, item.kind, dataHash, uint64(0),"],
  ["inbox: taken deposits again", "contracts", "contracts/src/L1/Inbox.sol", "if (count < consumed) count = consumed;", ""],
  ["inbox: overdue deposits wait", "contracts", "contracts/src/L1/Inbox.sol", "count = count < max ? _overdueEnd(count, max) : max;", "count = count < max ? count : max;"],
  ["inbox: an older origin", "contracts", "contracts/src/L1/Inbox.sol", "if (origin < lastOrigin_) (origin", "if (origin > lastOrigin_ && origin < lastOrigin_) (origin"],
  ["repack: another origin", "posting", "batcher/src/recorded.rs", "&& self.view.acc(batch.origin) == Some(batch.origin_acc)", ""],
  ["repack: an old origin", "posting", "batcher/src/recorded.rs", "age > self.config.origin_age_max / 2", "age > u64::MAX / 2"],
  ["repack: other blocks", "posting", "batcher/src/recorded.rs", "if !is_held && !reads_again", "if !is_held && false"],
  ["repack: other nonces", "posting", "crates/tx-manager/src/nonces.rs", "unneeded.last().map(|(nonce, _)| nonce)", "unneeded.last().map(|(nonce, _)| nonce + 1)"],
  ["backlog: skipped at no charge", "reference", "executor/src/block.rs", "                self.room.skip(1);\n", ""],
  ["backlog: skipped in a lane at no charge", "parallel", "executor/src/block.rs", "        self.room.skip(skipped.len() as u64);\n", ""],
  ["backlog: full blocks are charged", "reference", "executor/src/block.rs", "if !is_deposit && self.room.is_full() {", "if false {"],
  ["backlog: time pays nothing off", "reference", "crates/protocol/src/backlog.rs", "backlog.minus(Load { gas: paid_off(config.gas_rate), work: paid_off(config.work_rate) })", "backlog.minus(Load { gas: 0 * paid_off(config.gas_rate), work: 0 })"],
  ["backlog: allowance after the block", "reference", "executor/src/room.rs", "self.used.deposits.plus(self.allowance)", "self.used.deposits.plus(self.allowance.minus(self.used.all))"],
  ["backlog: deposits take its room", "reference", "executor/src/room.rs", "self.used.deposits.plus(self.allowance)", "self.allowance"],
  ["backlog: no charge for a block", "reference", "executor/src/room.rs", "(BLOCK_LOAD, SKIPPED_LOAD) } else", "(Load::default(), SKIPPED_LOAD) } else"],
  ["backlog: uncapped base fee", "backlog", "crates/protocol/src/backlog.rs", "u128::from(open.min(max))", "u128::from(open.max(max.min(0)))"],
  ["backlog: the fee follows gas alone", "reference", "crates/protocol/src/backlog.rs", "if gas.0 * work.1 >= work.0 * gas.1 { gas }", "if true { gas }"],
  ["backlog: work has no maximum", "reference", "executor/src/room.rs", "|| self.work() == 0)", "|| false)"],
  ["backlog: lanes pass the maximum of work", "parallel", "executor/src/room.rs", "self.gas().min(self.work().saturating_sub(1) / crate::work::WORK_PER_GAS)", "self.gas()"],
  ["work: forgotten when a frame ends", "work", "executor/src/work.rs", "        self.limits.pop();\n", "        self.limits.pop();\n        self.beyond_gas = self.beyond_gas.min(TRANSACTION);\n"],
  ["work: a call gets all", "work", "executor/src/work.rs", "u128::from(left.unsigned_abs()) * u128::from(given) / all.max(1)", "u128::from(left.unsigned_abs()) * all / all.max(1)"],
  ["work: what a call leaves is lost", "work", "executor/src/work.rs", "self.limit = self.limits.last().copied().unwrap_or(self.limit);", "self.limit = self.beyond_gas;"],
  ["work: frames end as they like", "work", "executor/src/frames.rs", "if !meter.is_over(gas, given) {", "if true {"],
  ["work: hashes without end", "work", "executor/src/metered.rs", "if !host.chain_mut().meter().take(&interpreter.gas, work::keccak(len, cost)) {", "if host.chain_mut().meter().take(&interpreter.gas, i64::MAX) {"],
  ["work: no gas pays for it", "work", "executor/src/frames.rs", "init_and_floor_gas.floor_gas.max(least)", "init_and_floor_gas.floor_gas.max(least.min(0))"],
  ["work: precompiles count as gas", "work", "executor/src/work.rs", "            self.count(beyond_gas);\n", ""],
  ["rerun: distances lost", "sequencer", "sequencer/src/driver/rerun.rs", "entry.l1_time, Some(step_ms))", "entry.l1_time, Some(step_ms / 2))"],
  ["rerun: posted blocks again", "sequencer", "sequencer/src/driver/reorg.rs", "            taken.remove_posted(derived);\n", ""],
  ["rerun: deposits again", "sequencer", "sequencer/src/driver/rerun.rs", "&deposits[left_of(&deposits, next, deposits_end)]", "&deposits[left_of(&deposits, next.saturating_sub(1), deposits_end)]"],
  ["dispute: path ends anywhere", "disputes", "contracts/src/v2/lib/HistoryLib.sol", "(level < depth && level % REVEAL_WIDTH == 0);", "level < depth;"],
  ["dispute: path shows equal nodes", "disputes", "contracts/src/v2/lib/HistoryLib.sol", "if (path.nodeX == path.nodeY) revert", "if (path.depth > 99) revert"],
  ["dispute: path words left over", "disputes", "contracts/src/v2/lib/HistoryLib.sol", "if (used != path.words.length) revert", "if (used > path.words.length) revert"],
  ["dispute: path root of y unchecked", "disputes", "contracts/src/v2/lib/HistoryLib.sol", "if (y != rootY) revert", "if (y == 0) revert"],
  ["dispute: leaf index unbounded", "disputes", "contracts/src/v2/lib/HistoryLib.sol", "if (index >> depth != 0) revert", "if (index >> depth == 2 ** 64) revert"],
  ["dispute: equal limits fail x", "disputes", "contracts/src/v2/lib/TimelineLib.sol", "limitX < limitY", "limitX <= limitY"],
  ["dispute: last second is late", "disputes", "contracts/src/v2/lib/TimelineLib.sol", "block.timestamp > until", "block.timestamp >= until"],
  ["dispute: increment forgotten", "disputes", "contracts/src/v2/lib/TimelineLib.sol", "(left > increment ? left : increment)", "(increment == 2 ** 64 ? increment : left)"],
  ["dispute: early reveal gives time", "disputes", "contracts/src/v2/lib/TimelineLib.sol", "revealed < from ? from : revealed", "revealed > from ? revealed : from - 1"],
  ["dispute: range ends after its time", "disputes", "contracts/src/v2/RollupV2.sol", "inbox.acc(entry - 1), acc) <= endsAt", "inbox.acc(entry - 1), acc) < endsAt"],
  ["dispute: range ends early", "disputes", "contracts/src/v2/RollupV2.sol", "inbox.acc(entry + 1)) > endsAt", "inbox.acc(entry + 1)) != 0"],
  ["dispute: range open", "disputes", "contracts/src/v2/RollupV2.sol", "if (block.timestamp <= endsAt && !isFull) revert", "if (block.timestamp < endsAt && !isFull) revert"],
  ["dispute: window never closes", "disputes", "contracts/src/v2/RollupV2.sol", "if (block.timestamp >= endsAt) revert Rollup_WindowOver", "if (block.timestamp > endsAt) revert Rollup_WindowOver"],
  ["dispute: late child has a clock", "disputes", "contracts/src/v2/RollupV2.sol", "left < gameClock ? left : gameClock", "left > 0 ? gameClock : gameClock"],
  ["dispute: claim without generation", "disputes", "contracts/src/v2/RollupV2.sol", "abi.encode(generation_, parentClaim", "abi.encode(generation_ & 0, parentClaim"],
  ["dispute: any child is final", "disputes", "contracts/src/v2/RollupV2.sol", "if (winnerOf(id) != path[i]) revert", "if (winnerOf(id) > path[i]) revert"],
  ["dispute: 33 ancestors", "disputes", "contracts/src/v2/RollupV2.sol", "if (++length > ANCESTORS_MAX + 1) revert", "if (++length > ANCESTORS_MAX + 2) revert"],
  ["dispute: old generation stands", "disputes", "contracts/src/v2/OutputTreeV2.sol", "record.generation != generation ? Status.Void : status", "record.generation > generation ? Status.Void : status"],
  ["dispute: disputed child is latest", "disputes", "contracts/src/v2/OutputTreeV2.sol", "found.standing == 1 ? found.xor : 0", "found.standing != 0 ? found.xor : 0"],
  ["dispute: seats swapped", "disputes", "contracts/src/v2/Tournament.sol", "a.seat < b.seat", "a.seat != b.seat"],
  ["dispute: groups mixed", "disputes", "contracts/src/v2/Tournament.sol", "&& _groupOf(a) == _groupOf(b);", "&& _groupOf(a) <= _groupOf(b);"],
  ["dispute: incomplete group promotes", "disputes", "contracts/src/v2/Tournament.sol", "if (arrived != members || standing != 1) revert", "if (standing != 1) revert"],
  ["dispute: window ignored", "disputes", "contracts/src/v2/Tournament.sol", "if (block.timestamp < endsAt) revert Tournament_WindowOpen", "if (block.timestamp + 1 < endsAt) revert Tournament_WindowOpen"],
  ["dispute: hidden padding waits for ever", "disputes", "contracts/src/v2/Tournament.sol", "if (dispute.isAccused(x, y)) revert", "if (path.index >= found.positions || dispute.isAccused(x, y)) revert"],
  ["dispute: accused times out", "disputes", "contracts/src/v2/Tournament.sol", "if (dispute.isAccused(x, y)) revert", "if (x > y) revert"],
  ["dispute: padding of x", "disputes", "contracts/src/v2/Tournament.sol", "path.nodeY == before", "path.nodeX == before"],
  ["dispute: padding at blocks", "disputes", "contracts/src/v2/Tournament.sol", "if (path.index < found.positions) revert", "if (path.index + 1 < found.positions) revert"],
  ["dispute: accusation past blocks", "disputes", "contracts/src/v2/DisputeV2.sol", "if (path.index >= found.positions) revert", "if (path.index > 2 * found.positions) revert"],
  ["dispute: accusation late", "disputes", "contracts/src/v2/DisputeV2.sol", "if (block.timestamp > endsAt) revert Dispute_AccusationsOver", "if (block.timestamp > endsAt + 1) revert Dispute_AccusationsOver"],
  ["dispute: root unchecked", "disputes", "contracts/src/v2/DisputeV2.sol", "if (root != path.nodeY) revert", "if (root == 0) revert"],
  ["dispute: failure counts", "disputes", "contracts/src/v2/DisputeV2.sol", "machine.exited() && machine.exitCode() == 0 ?", "machine.exited() ?"],
  ["dispute: answers twice", "disputes", "contracts/src/v2/DisputeV2.sol", "accuser == msg.sender || _hasMet[id][accuser][msg.sender]", "accuser == msg.sender"],
  ["dispute: answers itself", "disputes", "contracts/src/v2/DisputeV2.sol", "accuser == msg.sender || _hasMet", "_hasMet"],
  ["dispute: answer late", "disputes", "contracts/src/v2/DisputeV2.sol", "if (block.timestamp > endsAt) revert Dispute_AnswersOver", "if (block.timestamp > endsAt + 1) revert Dispute_AnswersOver"],
  ["dispute: open games ignored", "disputes", "contracts/src/v2/DisputeV2.sol", "if (openGames != 0) revert Dispute_GamesOpen(accused.accuser", "if (openGames > 9) revert Dispute_GamesOpen(accused.accuser"],
  ["dispute: accusations ignored", "disputes", "contracts/src/v2/DisputeV2.sol", "if (about.standing != 0) revert", "if (about.standing > 9) revert"],
  ["dispute: stands until struck", "disputes", "contracts/src/v2/DisputeV2.sol", "return !accused.isStruck && _isStanding", "return !accused.isStruck || _isStanding"],
  ["dispute: fallen plays", "disputes", "contracts/src/v2/DisputeV2.sol", "if (stake.status == StakeStatus.Fallen || stake", "if (stake"],
  ["dispute: clock below the increment", "disputes", "contracts/src/v2/DisputeV2.sol", "clock > used + _increment ? clock - used : _increment", "clock > used ? clock - used : _increment"],
  ["dispute: stake returned early", "disputes", "contracts/src/v2/DisputeV2.sol", "if (!isDecided) revert", "if (!isDecided && account == address(0)) revert"],
  ["dispute: nothing burned", "disputes", "contracts/src/v2/LostBonds.sol", "uint256 burned = bond - 2 * reward;", "uint256 burned = reward;"],
  ["dispute: notice ignored", "disputes", "contracts/src/v2/Programs.sol", "if (block.timestamp < _announcedFrom) revert", "if (block.timestamp + 1 < _announcedFrom) revert"],
  ["dispute: first program judges", "disputes", "contracts/src/v2/Programs.sol", "while (_programs[number].fromEntry > entry) --number;", "while (_programs[number].fromEntry > entry / 2 && number != 0) --number;"],
  ["dispute: escape early", "disputes", "contracts/src/v2/Programs.sol", "if (block.timestamp < from) revert Programs_NoEscape", "if (block.timestamp + 1 < from) revert Programs_NoEscape"],
  ["dispute: listed proof replaced", "disputes", "contracts/src/v2/WithdrawalsV2.sol", "if (!_stands(_listed[withdrawalHash])) _listed", "_listed"],
  ["dispute: listed proof first", "disputes", "contracts/src/v2/WithdrawalsV2.sol", "_stands(own) ? own : _listed[withdrawalHash]", "_stands(_listed[withdrawalHash]) ? _listed[withdrawalHash] : own"],
];

/** Whether the suite fails because of its tests, and its output. */
function fails([program, ...args]) {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: ROOT, encoding: "utf8", maxBuffer: 1 << 28, timeout: SECONDS_MAX * 1_000,
  });
  const output = `${stdout}${stderr}`;
  return { isRed: status !== 0, isBroken: status !== 0 && /could not compile|Compiler run failed/.test(output), output };
}

const wanted = process.argv.slice(2);
const chosen = FAULTS.filter(([name]) => wanted.length === 0 || wanted.some((start) => name.startsWith(start)));
let missed = chosen.length === 0 ? 1 : 0;
for (const [name, suite, file, line, changed] of chosen) {
  const path = join(ROOT, file);
  const source = readFileSync(path, "utf8");
  const count = source.split(line).length - 1;
  let verdict = `the line is there ${count} times`;
  if (count === 1) {
    const restore = () => writeFileSync(path, source);
    const stop = () => {
      restore();
      process.exit(130);
    };
    process.once("SIGINT", stop);
    try {
      writeFileSync(path, source.replace(line, () => changed));
      const { isRed, isBroken, output } = fails(SUITES[suite]);
      verdict = isBroken ? `does not compile\n${output.slice(-2_000)}` : isRed ? "detected" : "MISSED";
    } finally {
      restore();
      process.off("SIGINT", stop);
    }
  }
  if (verdict !== "detected") missed++;
  console.log(`${name}: ${verdict}`);
}
process.exitCode = missed === 0 ? 0 : 1;
