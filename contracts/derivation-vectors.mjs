// Vectors of derivation: what the blocks of an inbox entry are, by the rules of docs/design/settlement.md. This is an implementation of
// its own, in unbounded integers: it follows the text, not the Rust code, and decodes no batch.
import { bytesToHex, concatHex, keccak256, numberToHex, pad, serializeTransaction, stringToHex } from "viem";

const KIND_NONE = 0n;
const KIND_CALLDATA = 1n;
const KIND_BLOBS = 2n;
const UINT64_MAX = 2n ** 64n - 1n;
/** The largest deposit that the portal takes. */
const LARGE = 2n ** 24n;
const TAIL_BLOCKS_MAX = 24;
/** Bytes that a block and a deposit count for, when the size of a batch is bounded. */
const [BLOCK_BYTES, DEPOSIT_BYTES] = [64n, 40n];

/** Source hashes of deposits: of the OP stack, and under this chain's domain. */
const [DOMAIN_USER, DOMAIN_ATTRIBUTES] = [0n, 1n];
const DOMAIN_QUEUE = BigInt(stringToHex("turnpike"));

const word = (value) => numberToHex(value, { size: 32 });
const named = (name) => keccak256(stringToHex(name));
const sourceHash = (domain, id) => keccak256(concatHex([word(domain), keccak256(id)]));
const max = (a, b) => (a > b ? a : b);
const clamp = (value, low, high) => (value < low ? low : value > high ? high : value);
const sum = (values) => values.reduce((total, value) => total + value, 0n);

// --------------------------------------------------------------------------------------------------------- rules

/** Rule 1: whether the data of an entry is a good batch. */
function isGood({ config, previous, origin, entry, batch }) {
  if (entry.kind === KIND_NONE || batch === null || batch.blocks.length === 0) return false;
  const deposits = sum(batch.blocks.map(({ depositCount }) => depositCount));
  if (batch.blocks.length > config.entryBlocksMax || deposits > config.entryDepositsMax) return false;
  const transactions = batch.blocks.flatMap((block) => block.transactions);
  const bytes = sum(transactions.map((raw) => BigInt(raw.length / 2 - 1)));
  const inflated = BLOCK_BYTES * BigInt(batch.blocks.length) + DEPOSIT_BYTES * deposits + bytes;
  if (inflated > config.entryInflatedBytesMax) return false;
  // Before a forced entry, which the batcher may not have known, that is the entry before it.
  const isNewest = origin.index === previous.index || (previous.kind === KIND_NONE && origin.index + 1n === previous.index);
  return isNewest || entry.l1Time - origin.l1Time <= config.originAgeMax;
}

/** Rule 2: where the deposits of each block end: those of the batch, then those of tail blocks. */
function ends({ config, previous, entry, deposits }, batch) {
  const [before, after] = [previous.depositCount, entry.depositCount];
  const gasOf = (index) => deposits[Number(index - before)].gasLimit;
  /** The deposits from `low` on, at most up to `high`, whose gas fits a block. */
  const cut = (low, high) => {
    let [end, gas] = [low, 0n];
    while (end < high && gas + gasOf(end) <= config.depositGasPerBlock) gas += gasOf(end++);
    return end;
  };
  const found = [];
  let [low, count] = [before, batch?.firstDeposit ?? 0n];
  for (const { depositCount } of batch?.blocks ?? []) {
    count += depositCount;
    low = cut(low, clamp(count, low, after));
    found.push(low);
  }
  while (low < after || found.length === 0) found.push((low = cut(low, after)));
  return found;
}

/** Rule 3: the source hash of each of the entry's deposits. */
function sources({ previous, deposits }, batch) {
  const before = previous.depositCount;
  const first = batch?.firstDeposit ?? 0n;
  const hintOf = (index) => (index < first ? undefined : batch?.hints[Number(index - first)]);
  const hinted = deposits
    .map((deposit, at) => ({ ...deposit, hint: hintOf(before + BigInt(at)) }))
    .filter(({ hint }) => hint !== undefined);
  const isUsable = hinted.every(({ l1BlockNumber, hint }, at) => {
    if (at === 0) return true;
    const last = hinted[at - 1];
    const isSameHash = hint.l1BlockHash === last.hint.l1BlockHash;
    return l1BlockNumber === last.l1BlockNumber ? isSameHash && last.hint.logIndex < hint.logIndex : !isSameHash;
  });
  return deposits.map((_, at) => {
    const index = before + BigInt(at);
    const hint = isUsable ? hintOf(index) : undefined;
    if (hint === undefined) return sourceHash(DOMAIN_QUEUE, word(index));
    return sourceHash(DOMAIN_USER, concatHex([hint.l1BlockHash, word(hint.logIndex)]));
  });
}

/** Rule 4: the time of a block in milliseconds; a tail block has no step. */
function timeOf({ config, origin, entry }, parentMs, stepMs) {
  const own = stepMs === undefined ? entry.l1Time * 1000n : parentMs + stepMs;
  const floor = max(parentMs, origin.l1Time * 1000n);
  const bound = max(floor, (entry.l1Time + config.timeDriftMax) * 1000n);
  return clamp(own, floor, bound);
}

/** The blocks of an entry. */
function derived(input) {
  const { previous, parent, origin } = input;
  const batch = isGood(input) ? input.batch : null;
  const names = sources(input, batch);
  let [first, timeMs, originBefore] = [previous.depositCount, parent.timeMs, parent.origin];
  const blocks = ends(input, batch).map((end, at) => {
    const own = batch?.blocks[at];
    const number = parent.number + 1n + BigInt(at);
    timeMs = timeOf(input, timeMs, own?.stepMs);
    const block = { number, timeMs };
    block.extraData = concatHex(["0x02", pad("0x", { size: 16 }), numberToHex(timeMs % 1000n, { size: 2 })]);
    if (originBefore !== origin.index) {
      block.attributes = sourceHash(DOMAIN_ATTRIBUTES, concatHex([origin.l1ParentHash, word(number)]));
    }
    Object.assign(block, { firstDeposit: first, endDeposit: end });
    const taken = names.slice(Number(first - previous.depositCount), Number(end - previous.depositCount));
    if (taken.length > 0) block.sources = taken;
    if (own?.transactions.length > 0) block.transactions = own.transactions;
    [first, originBefore] = [end, origin.index];
    return block;
  });
  const tails = blocks.length - (batch?.blocks.length ?? 0);
  if (tails > TAIL_BLOCKS_MAX) throw new Error(`${input.name}: ${tails} tail blocks`);
  return { isSkipped: input.entry.kind !== KIND_NONE && batch === null, blocks };
}

// --------------------------------------------------------------------------------------------------------- cases

const CONFIG = {
  timeDriftMax: 600n,
  originAgeMax: 3_600n,
  depositGasPerBlock: 241_591_910n,
  entryBlocksMax: 232n,
  entryDepositsMax: 256n,
  entryInflatedBytesMax: 8_388_608n,
};
/** Deposits that earlier entries consumed, unless a case says otherwise. */
const BEFORE = 5n;

/** An L1 block's hash that a hint names, and the hint. */
const hint = (l1Block, logIndex) => ({ l1BlockHash: named(`L1 block ${l1Block}`), logIndex: BigInt(logIndex) });
/** `count` deposits of an L1 block. */
const deposits = (count, { l1BlockNumber = 60n, gasLimit = 100_000n } = {}) =>
  Array.from({ length: count }, () => ({ l1BlockNumber, gasLimit }));
/** Deposits of these L1 blocks. */
const depositsOf = (...l1Blocks) => l1Blocks.flatMap((l1Block) => deposits(1, { l1BlockNumber: BigInt(l1Block) }));
const depositsOfGas = (...gas) => gas.flatMap((gasLimit) => deposits(1, { gasLimit }));
const block = (stepMs, depositCount = 0, transactions = []) =>
  ({ stepMs: BigInt(stepMs), depositCount: BigInt(depositCount), transactions });
/** The hints of cases that are not about hints: log 0, 1, ... of an L1 block. */
const plainHints = (count) => Array.from({ length: count }, (_, at) => hint(60, at));
function batch(blocks, { firstDeposit = BEFORE, hints } = {}) {
  const count = Number(sum(blocks.map(({ depositCount }) => depositCount)));
  return { firstDeposit, blocks, hints: hints ?? plainHints(count), hasPlainHints: hints === undefined };
}
/** A transaction. Derivation does not look at its signature. */
const transaction = (nonce) =>
  serializeTransaction(
    { type: "eip1559", chainId: 4242, nonce, gas: 21_000n, maxFeePerGas: 7n, maxPriorityFeePerGas: 1n, to: `0x${"22".repeat(20)}`,
      value: BigInt(nonce) },
    { r: named(`r ${nonce}`), s: pad("0x07", { size: 32 }), yParity: 1 });

/** A case: entry 9 after entry 8, with entry 2 as its origin. */
function given(name, { config, parent, origin, previous, entry, deposits: queued = [], data = null, ...rest }) {
  const input = {
    name,
    config: { ...CONFIG, ...config },
    parent: { number: 7n, timeMs: 1_000_000n, origin: 2n, ...parent },
    origin: { index: 2n, l1Time: 920n, ...origin },
    previous: { index: 8n, kind: KIND_CALLDATA, depositCount: BEFORE, l1Time: 1_090n, ...previous },
    entry: { index: 9n, kind: KIND_CALLDATA, l1Time: 1_100n, ...entry },
    deposits: queued,
    batch: rest.batch ?? null,
    data,
  };
  input.origin.l1ParentHash = named(`parent of the L1 block of entry ${input.origin.index}`);
  input.entry.depositCount ??= input.previous.depositCount + BigInt(queued.length);
  return input;
}

const forced = (name, fields) => given(name, { ...fields, entry: { kind: KIND_NONE, ...fields.entry } });
const steps = (...all) => batch(all.map((step) => block(step)));

function timeCases() {
  const at = (timeMs) => ({ parent: { timeMs } });
  return [
    given("time: each block is a step after the one before", { batch: steps(0, 7, 0, 992, 1, 100_000) }),
    ...[0, 999, 1_000, 1_001].map((step) =>
      given(`time: ${step} ms after a parent that is a second before the origin`, { ...at(919_000n), batch: steps(step, 1) })),
    given("time: far before the origin", { ...at(0n), batch: steps(0, 100, 250) }),
    ...[699_999, 700_000, 700_001].map((step) =>
      given(`time: the bound is 700,000 ms after the parent, the step is ${step}`, { batch: steps(step, 0, 5) })),
    given("time: each block is bounded", { batch: steps(699_990, 9, 1, 1, 0) }),
    given("time: a step that passes every number", { batch: steps(UINT64_MAX, 1) }),
    given("time: a parent at the bound", { ...at(1_700_000n), batch: steps(0, 1) }),
    given("time: a parent after the bound moves the bound", { ...at(1_700_001n), batch: steps(0, 5), deposits: deposits(1) }),
    given("time: the last parent", { ...at(UINT64_MAX), batch: steps(0, 5) }),
    given("time: behind an entry that moved the chain on, the steps stay", { ...at(1_100_000n), batch: steps(100, 100, 250) }),
    given("time: an origin after the entry", { origin: { l1Time: 1_200n }, batch: steps(100, 100), deposits: deposits(1) }),
    given("time: an origin after the bound", { origin: { l1Time: 1_701n }, batch: steps(0, 1_000_000), deposits: deposits(1) }),
    given("time: no drift", { config: { timeDriftMax: 0n }, batch: steps(99_999, 1, 1) }),
    ...[0n, 1_099_999n, 1_100_000n, 1_100_001n, 5_000_001n].map((parent) =>
      forced(`time: a tail block after a parent at ${parent} ms`, { ...at(parent), deposits: deposits(1) })),
    forced("time: a tail block whose origin is after the entry", { origin: { l1Time: 1_200n } }),
    given("time: a tail block after a block before the entry", { batch: steps(99_000), deposits: deposits(1) }),
    given("time: a tail block after a block after the entry", { batch: steps(100_500), deposits: deposits(1) }),
  ];
}

function depositCases() {
  const large = (count) => deposits(count, { gasLimit: LARGE });
  const small = CONFIG.depositGasPerBlock - 14n * LARGE;
  const tight = { depositGasPerBlock: 196_000_000n };
  return [
    given("deposits: transactions stay in their blocks, tail blocks have none",
      { batch: batch([block(1, 1, [transaction(0)]), block(1, 0, [transaction(1), transaction(2)])]), deposits: deposits(3) }),
    given("deposits: 14 of the largest fit a block, the next batch block takes the rest",
      { batch: batch([block(1, 20), block(1, 0)]), deposits: large(20) }),
    given("deposits: the cut moves deposits on, at last into tail blocks",
      { batch: batch([block(1, 40), block(1, 0)]), deposits: large(43) }),
    given("deposits: a later count takes what a cut left, and no more", { batch: batch([block(1, 16), block(1, 2)]), deposits: large(20) }),
    given("deposits: the gas of a block to the last unit",
      { batch: batch([block(1, 16)]), deposits: depositsOfGas(...Array(14).fill(LARGE), small, 21_000n) }),
    given("deposits: a unit of gas too many",
      { batch: batch([block(1, 16)]), deposits: depositsOfGas(...Array(14).fill(LARGE), small + 1n, 21_000n) }),
    given("deposits: a cut does not look ahead for one that fits",
      { batch: batch([block(1, 4)]), deposits: depositsOfGas(...Array(14).fill(LARGE), LARGE, 1n, 1n) }),
    given("deposits: tail blocks are full to the last unit of gas",
      { batch: batch([block(1, 0)]), deposits: depositsOfGas(...Array(14).fill(LARGE), small, 21_000n) }),
    forced("deposits: a forced entry of 43 of the largest", { deposits: large(43) }),
    given("deposits: 232 blocks of a batch and 24 tail blocks",
      { config: tight, batch: batch(Array.from({ length: 232 }, () => block(100))), deposits: large(256) }),
    given("deposits: 256 in a batch", { batch: batch([block(1, 255), block(1, 1)]), deposits: deposits(256, { gasLimit: 21_000n }) }),
    forced("deposits: a forced entry without any", {}),
    given("deposits: in blobs", { entry: { kind: KIND_BLOBS }, batch: batch([block(1, 1, [transaction(0)])]), deposits: deposits(2) }),
  ];
}

/** How many deposits each block takes, for first deposits, counts and numbers of consumed deposits. */
function countCases() {
  const firsts = [0n, 3n, 4n, 5n, 6n, 7n, 8n, UINT64_MAX - 1n, UINT64_MAX];
  const counts = [[0], [1, 2], [2, 2, 0, 1], [3, 0, 0], [1, 1, 1, 1, 1, 1, 1, 1]];
  const consumed = [0, 1, 3, 9];
  return firsts.flatMap((firstDeposit) =>
    counts.flatMap((counted) =>
      consumed.map((count) => {
        const blocks = counted.map((depositCount) => block(1, depositCount));
        const input = given("", { batch: batch(blocks, { firstDeposit }), deposits: deposits(count) });
        const taken = derived(input).blocks.map(({ firstDeposit, endDeposit }) => endDeposit - firstDeposit);
        return [firstDeposit, counted.join("+"), count, taken.join("+")].join(" ");
      })));
}

function hintCases() {
  const hinted = (name, hints, l1Blocks, firstDeposit = BEFORE) =>
    given(`hints: ${name}`, {
      batch: batch([block(1, 1), block(1, hints.length - 1)], { firstDeposit, hints }),
      deposits: depositsOf(...l1Blocks),
    });
  return [
    hinted("logs of an L1 block in order", [hint(1, 0), hint(1, 9)], [60, 60]),
    hinted("twice the same log", [hint(1, 3), hint(1, 3)], [60, 60]),
    hinted("logs of an L1 block in the wrong order", [hint(1, 4), hint(1, 3)], [60, 60]),
    hinted("two hashes of an L1 block", [hint(1, 3), hint(2, 4)], [60, 60]),
    hinted("L1 blocks in order, the log index begins again", [hint(1, 9), hint(2, 0)], [60, 61]),
    hinted("two L1 blocks with one hash", [hint(1, 3), hint(1, 4)], [60, 61]),
    hinted("one wrong pair makes all unusable", [hint(1, 0), hint(1, 1), hint(2, 5), hint(2, 5)], [60, 60, 61, 61]),
    hinted("a wrong pair across a batch block and a tail block", [hint(1, 0), hint(2, 1)], [60, 60]),
    hinted("the last deposit has none", [hint(1, 0), hint(1, 1)], [60, 60, 60]),
    hinted("the first deposit has none", [hint(1, 0), hint(1, 1)], [60, 60, 60], BEFORE + 1n),
    hinted("none of the deposits has one", [hint(1, 0), hint(1, 1)], [60, 60], BEFORE + 2n),
    hinted("those of deposits that an earlier entry took do not count",
      [hint(1, 9), hint(2, 9), hint(1, 0), hint(1, 1)], [60, 60], BEFORE - 2n),
    hinted("a wrong pair, half of it taken by an earlier entry, does not count", [hint(1, 9), hint(1, 0), hint(1, 1)], [60, 60], BEFORE - 1n),
    hinted("a wrong pair behind deposits that an earlier entry took",
      [hint(1, 0), hint(1, 1), hint(1, 3), hint(1, 2)], [60, 60], BEFORE - 2n),
    hinted("those of deposits that the entry does not consume do not count", [hint(1, 0), hint(1, 1), hint(1, 1)], [60, 60]),
    hinted("only those of deposits before the entry's", [hint(1, 0), hint(1, 1)], [60, 60], BEFORE - 2n),
    given("hints: a skipped batch has none", { batch: batch([block(1, 257)]), deposits: deposits(2) }),
  ];
}

function originCases() {
  const { originAgeMax } = CONFIG;
  const aged = (age, fields = {}) =>
    ({ batch: batch([block(1, 1, [transaction(0)])]), deposits: deposits(2), ...fields, entry: { l1Time: 920n + age } });
  const newer = (index, age) => ({ ...aged(age), origin: { index, l1Time: 920n } });
  const behindForced = (index, age) => ({ ...newer(index, age), previous: { kind: KIND_NONE } });
  return [
    given("origin: as old as allowed", aged(originAgeMax)),
    given("origin: a second too old", aged(originAgeMax + 1n)),
    given("origin: two entries before, a second too old", newer(7n, originAgeMax + 1n)),
    given("origin: the entry before is never too old", newer(8n, originAgeMax + 1n)),
    given("origin: the entry before, after a year", newer(8n, 31_536_000n)),
    given("origin: the entry before a forced one is never too old", behindForced(7n, originAgeMax + 1n)),
    given("origin: behind a forced entry, as old as allowed", behindForced(6n, originAgeMax)),
    given("origin: behind a forced entry, a second too old", behindForced(6n, originAgeMax + 1n)),
    given("origin: after the entry", { ...aged(originAgeMax), origin: { l1Time: 6_000n } }),
    forced("origin: a forced entry's is never a fault", { ...newer(2n, 31_536_000n), batch: null, entry: { l1Time: 31_536_920n } }),
    given("origin: a new one brings its attributes once", { batch: steps(1, 1), origin: { index: 3n } }),
    given("origin: the first block brings attributes", { batch: steps(1, 1), parent: { number: 0n, origin: null } }),
    forced("origin: tail blocks bring the attributes of a new one once", { origin: { index: 3n }, deposits: deposits(15, { gasLimit: LARGE }) }),
  ];
}

function faultCases() {
  const blocks = (count) => Array.from({ length: count }, () => block(100));
  const two = deposits(2);
  const bounded = (entryInflatedBytesMax) => ({
    config: { entryInflatedBytesMax }, batch: batch([block(1, 1), block(1, 1), block(1)]), deposits: two,
  });
  return [
    given("fault: no batch", { data: "0x", deposits: two }),
    given("fault: garbage", { data: bytesToHex(new TextEncoder().encode("garbage")), deposits: two }),
    given("fault: garbage in more than a tail block", { data: "0x02", deposits: deposits(15, { gasLimit: LARGE }) }),
    given("fault: a batch without block", { batch: batch([]), deposits: two }),
    given("fault: 233 blocks", { batch: batch(blocks(233)), deposits: two }),
    given("fault: 257 deposits in a batch", { batch: batch([block(1, 256), block(1, 1)]), deposits: two }),
    given("272 inflated bytes are not too many", bounded(272n)),
    given("fault: 272 inflated bytes, one too many", bounded(271n)),
    given("fault: in blobs", { entry: { kind: KIND_BLOBS }, batch: batch([]), deposits: two }),
  ];
}

/** Every number as a decimal string, everywhere. */
const shown = (value) => JSON.parse(JSON.stringify(value, (_, field) => (typeof field === "bigint" ? field.toString() : field)));

/** Equal items in a row as one, with their number. */
function runs(all) {
  const found = [];
  for (const item of all.map(shown)) {
    const last = found.at(-1);
    if (last !== undefined && JSON.stringify(last.item) === JSON.stringify(item)) last.count += 1n;
    else found.push({ count: 1n, item });
  }
  return found.map(({ count, item }) => ({ count, ...item }));
}

/** What a case's rules change. */
const changed = (config) => Object.fromEntries(Object.entries(config).filter(([name, value]) => CONFIG[name] !== value));

/** A case as the file shows it. */
function shownCase({ config, batch, deposits, ...input }) {
  const shortBatch = batch && {
    firstDeposit: batch.firstDeposit,
    blocks: runs(batch.blocks.map(({ transactions, ...block }) => (transactions.length > 0 ? { ...block, transactions } : block))),
    ...(batch.hasPlainHints ? {} : { hints: batch.hints }),
  };
  const expected = derived({ config, batch, deposits, ...input });
  return shown({ ...input, config: changed(config), deposits: runs(deposits), batch: shortBatch, derived: expected });
}

export function derivationVectors() {
  const cases = [...timeCases(), ...depositCases(), ...hintCases(), ...originCases(), ...faultCases()];
  return {
    about: "The blocks of entry 9, as docs/design/settlement.md derives them. kind: 0 is none, 1 calldata, 2 blobs. data: the entry's data; "
      + "where it is null and there is a batch, the reader encodes it. A batch without hints has log 0, 1, ... of L1 block plainHintHash. "
      + "count: so many equal deposits, from previous.depositCount on, or equal blocks. A block has the deposits from firstDeposit to before endDeposit, "
      + "with the given source hashes; attributes is the source hash of its attributes transaction, if it has one. config: of all cases, "
      + "with a case's changes. counts: a batch's firstDeposit; how many deposits its blocks count; how many the entry consumes, from "
      + "deposit 5 on; how many its blocks and tail blocks take.",
    config: shown(CONFIG),
    plainHintHash: hint(60, 0).l1BlockHash,
    cases: cases.map(shownCase),
    counts: countCases(),
  };
}
