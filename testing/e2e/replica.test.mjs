// A replica re-executes the journal, serves the same answers, resumes where it stopped, and names the
// first difference from its source.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { keccak256, parseEther, toHex } from "viem";

import {
  checksumAfter,
  cuttingProxy,
  tamperedFeed,
  partOf,
  readEntry,
  readFeed,
  sealedOf,
  writeEntry,
} from "./feed.mjs";
import { CHAIN_ID, ask, get, post, rpc, step, until, untilMined } from "./harness.mjs";
import { Program, run, temporaryFolder, turnpike } from "./programs.mjs";
import { startPostgres } from "./postgres.mjs";
import { developmentAccounts, keyOf, startStandalone } from "./standalone.mjs";

const BURST = 60;
const CUTS = 12;
const FORCE_WINDOW = 40;

const READ_ONLY = "this node is a read-only replica: transactions go to the sequencer";

function transfer(account, nonce, to) {
  return account.signTransaction({
    type: "eip1559",
    chainId: CHAIN_ID,
    nonce,
    to,
    value: BigInt(nonce + 1),
    gas: 21_000n,
    maxFeePerGas: 1_000_000_000n,
    maxPriorityFeePerGas: 0n,
  });
}

/** A replica of `from`. */
class Replica {
  constructor(t, solo, from, { folder = temporaryFolder(t), database = join(folder, "replica.db"), args = [] } = {}) {
    const state = ["--state", join(folder, "replica.state"), "--archive", join(folder, "replica.entries")];
    const files = ["--database", database, ...state, "--listen", "127.0.0.1:0"];
    const chain = ["--genesis", solo.genesis, "--l1-url", solo.l1Url];
    const l1 = ["--l1-confirmations", "0", "--l1-poll-ms", "50"];
    const all = ["replica", ...chain, ...l1, "--from", from, ...files, ...args];
    this.start = async () => {
      this.program = new Program(t, `replica of ${from}`, turnpike(), all);
      const up = () => this.program.stderr.match(/(?:sequencer|replica) is up address=(\S+)/);
      this.url = `http://${(await until(up, "the replica to listen"))[1]}`;
    };
    this.database = database;
    /** Runs it until it ends. */
    this.run = () => run(t, turnpike(), [...all, "--json"]);
  }

  /** Waits until it has another node's head. */
  async reach(url) {
    const { number } = await until(async () => {
      const { head } = (await get(`${url}/v1/status`)).body;
      // Compares hashes: both nodes may still reorg that block.
      return (await get(`${this.url}/v1/blocks/${head.hash}`)).status === 200 && head;
    }, "the replica to reach the other's head");
    return number;
  }
}

async function startReplica(...args) {
  const replica = new Replica(...args);
  await replica.start();
  return replica;
}

/** A node's answers about the chain up to a block. */
async function portrait(url, accounts, head) {
  const blocks = [];
  for (let number = 0; number <= head; number++) {
    blocks.push({
      block: await rpc(url, "eth_getBlockByNumber", [toHex(number), true]),
      receipts: await rpc(url, "eth_getBlockReceipts", [toHex(number)]),
    });
  }
  const states = [];
  for (const { address } of accounts) states.push(await rpc(url, "eth_getProof", [address, [], toHex(head)]));
  return { blocks, states };
}

/** Sends transfers while `body` runs, and returns their hashes. */
async function under(solo, load, body) {
  const hashes = [];
  let going = true;
  const senders = load.map(async (user) => {
    const account = solo.accounts[user];
    let nonce = Number(await rpc(solo.l2Url, "eth_getTransactionCount", [account.address, "latest"]));
    while (going) {
      const raws = [];
      for (let at = 0; at < BURST; at++) raws.push(await transfer(account, nonce + at, solo.accounts[9].address));
      const posted = await post(`${solo.l2Url}/v1/transactions`, { transactions: raws }).catch(() => undefined);
      if (posted === undefined) {
        // The sequencer was killed: the nonce tells which transactions it accepted.
        await new Promise((resolve) => setTimeout(resolve, 200));
        const count = await rpc(solo.l2Url, "eth_getTransactionCount", [account.address, "pending"]).catch(() => undefined);
        if (count !== undefined) nonce = Number(count);
        continue;
      }
      for (const { hash, refused } of posted.body.results ?? []) {
        if (hash && !refused) hashes.push(hash);
      }
      nonce += BURST;
    }
  });
  try {
    await body();
  } finally {
    going = false;
    await Promise.all(senders);
  }
  return hashes;
}

async function quiet(solo) {
  await until(async () => {
    const { head, pool } = await solo.status();
    await new Promise((resolve) => setTimeout(resolve, 300));
    return pool.transactions === 0 && (await solo.status()).head.number === head.number;
  }, "the sequencer to be quiet");
}

const sql = (database, ...statements) =>
  execFileSync("sqlite3", [database, ...statements.map((text) => `${text};`)], { encoding: "utf8", maxBuffer: 2 ** 30 }).trim();

/** Every row of a journal. */
const journal = (database) =>
  sql(database, "SELECT sequence, epoch, hex(checksum), hex(payload) FROM journal ORDER BY sequence").split("\n");

test("replicas equal the sequencer despite cuts and crashes", async (t) => {
  const solo = await startStandalone(t);
  const database = join(solo.genesis, "../sequencer.db");
  const proxy = await cuttingProxy(t, () => solo.l2Url, {
    cuts: CUTS,
    // Cuts later each time, usually within a frame.
    bytes: (left) => 700 + (CUTS - left) * 9_973,
  });
  let replicas;

  await step(t, "replicas follow a feed that breaks often, a database, and another replica's feed", async () => {
    const ofFeed = await startReplica(t, solo, proxy.url);
    const ofDatabase = await startReplica(t, solo, database);
    const ofReplica = await startReplica(t, solo, ofFeed.url.replace("http", "ws"));
    replicas = [ofFeed, ofDatabase, ofReplica];
    await solo.deposit(3, { gas: 100_000n, mint: parseEther("1"), to: solo.accounts[4].address });
    const hashes = await under(solo, [0, 1], async () => {
      await until(() => proxy.cuts === 0, "all cuts", 240_000);
    });
    assert.ok(hashes.length >= 2 * BURST);
    assert.ok(proxy.connections >= CUTS);
    await quiet(solo);
    for (const hash of hashes) assert.notEqual((await solo.transactionStatus(hash)).block, undefined);
  });

  const same = async () => {
    const head = await replicas[0].reach(solo.l2Url);
    const expected = await portrait(solo.l2Url, solo.accounts, head);
    for (const replica of replicas) {
      await replica.reach(solo.l2Url);
      assert.deepEqual(await portrait(replica.url, solo.accounts, head), expected);
    }
  };

  await step(t, "all nodes give the same blocks, receipts and accounts", same);

  await step(t, "replicas resume after kill -9 of themselves and of the sequencer", async () => {
    await under(solo, [2, 5], async () => {
      for (const replica of replicas) {
        await replica.program.kill();
        await replica.start();
      }
      await solo.kill();
      await solo.start();
      // The third replica follows a node whose port has changed.
      await replicas[2].program.kill();
    });
    replicas[2] = await startReplica(t, solo, replicas[0].url.replace("http", "ws"), {
      folder: join(replicas[2].database, ".."),
    });
    await quiet(solo);
    await same();
  });

  await step(t, "a replica refuses a transaction or forwards it", async () => {
    const account = solo.accounts[6];
    const raw = await transfer(account, 0, solo.accounts[7].address);
    const { error } = await ask(replicas[0].url, "eth_sendRawTransaction", [raw]);
    assert.equal(error.message, READ_ONLY);
    const rest = await post(`${replicas[0].url}/v1/transactions`, { transaction: raw });
    assert.deepEqual([rest.status, rest.body.type], [403, "/problems/read-only"]);
    await replicas[1].program.stop();
    const forwarding = await startReplica(t, solo, database, {
      folder: join(replicas[1].database, ".."),
      args: ["--forward", solo.l2Url],
    });
    replicas[1] = forwarding;
    assert.equal(await rpc(forwarding.url, "eth_sendRawTransaction", [raw]), keccak256(raw));
    await solo.sealed(keccak256(raw));
    const again = await ask(forwarding.url, "eth_sendRawTransaction", [await transfer(account, 0, account.address)]);
    assert.match(again.error.message, /^nonce too low/);
    await quiet(solo);
    await same();
  });

  await step(t, "the feed starts at any row of the journal, and not beyond", async () => {
    const end = Number(sql(database, "SELECT COUNT(*) FROM journal"));
    const all = await readFeed(solo.l2Url, 0, end);
    assert.deepEqual(all.map(({ sequence }) => sequence), Array.from({ length: end }, (_, at) => at));
    for (let at = 1; at < end; at++) assert.equal(checksumAfter(all[at - 1].checksum, all[at]), all[at].checksum);
    const from = Math.floor(end / 2);
    assert.deepEqual(await readFeed(replicas[2].url, from, end - from), all.slice(from));
    const ahead = await readFeed(solo.l2Url, end + 1_000_000, 1);
    assert.deepEqual([ahead.status, ahead.body.type], [416, "/problems/cursor-ahead"]);
    const plain = await get(`${solo.l2Url}/v1/feed`);
    assert.equal(plain.status, 426);
  });

  await step(t, "every replica's journal equals the sequencer's", async () => {
    await solo.stop();
    for (const replica of [...replicas].reverse()) assert.equal((await replica.program.stop()).code, 0);
    const expected = journal(database);
    for (const replica of replicas) {
      const rows = journal(replica.database);
      // Rows that the sequencer wrote while it stopped may be missing.
      assert.deepEqual(rows, expected.slice(0, rows.length));
      assert.ok(rows.length >= expected.length - 2, `${rows.length} of ${expected.length}`);
    }
  });
});

test("a replica that reads L1 alone derives the sequencer's chain", async (t) => {
  const solo = await startStandalone(t);
  const at = (name) => join(solo.genesis, "..", name);
  const chain = ["--genesis", solo.genesis, "--l1-url", solo.l1Url];
  const l1 = ["--l1-confirmations", "0", "--l1-poll-ms", "50"];
  new Program(t, "batcher", turnpike(), [
    "batcher", ...chain, ...l1, "--journal", at("sequencer.db"), "--database", at("batcher.db"),
    "--key", keyOf(developmentAccounts()[7]), "--max-latency", "0",
  ]);
  const replica = await startReplica(t, solo, "l1");
  await under(solo, [0, 1], () => new Promise((resolve) => setTimeout(resolve, 2_000)));
  await untilMined(solo.l1Url, async () => {
    const { head, safe } = await solo.status();
    return safe === head.number;
  }, "every block to be safe");
  const head = await replica.reach(solo.l2Url);
  assert.ok(head > 1);
  assert.deepEqual(
    await portrait(replica.url, solo.accounts, head),
    await portrait(solo.l2Url, solo.accounts, head),
  );
  const status = (await get(`${replica.url}/v1/status`)).body;
  assert.equal(status.safe, head);
  const { error } = await ask(replica.url, "eth_sendRawTransaction", [await transfer(solo.accounts[2], 0, solo.accounts[3].address)]);
  assert.equal(error.message, READ_ONLY);
});

test("replicas work on PostgreSQL", async (t) => {
  const createDatabase = await startPostgres(t);
  if (!createDatabase) return t.skip("PostgreSQL is not installed");
  const solo = await startStandalone(t);
  await solo.stop();
  const [theirs, ours] = [await createDatabase(), await createDatabase()];
  await solo.start(theirs);
  const folder = temporaryFolder(t);
  const replica = await startReplica(t, solo, theirs, { folder, database: ours });
  const hashes = await under(solo, [0, 1], () => new Promise((resolve) => setTimeout(resolve, 1_500)));
  await quiet(solo);
  await replica.program.kill();
  await replica.start();
  const same = async () => {
    const head = await replica.reach(solo.l2Url);
    const expected = await portrait(solo.l2Url, solo.accounts, head);
    assert.deepEqual(await portrait(replica.url, solo.accounts, head), expected);
  };
  await same();
  const db = (command, ...args) =>
    run(t, turnpike(), ["db", command, "--genesis", solo.genesis, "--database", ours, "--json", ...args]);
  assert.equal((await db("rebuild", "--checkpoints", join(folder, "replica.state"))).code, 1, "it is in use");
  assert.equal((await replica.program.stop()).code, 0);
  const rebuilt = await db("rebuild", "--checkpoints", join(folder, "replica.state"));
  assert.equal(rebuilt.code, 0, rebuilt.stderr);
  const verified = await db("verify");
  assert.equal(verified.code, 0, verified.stderr + verified.stdout);
  assert.ok(JSON.parse(verified.stdout).transactionsRun >= hashes.length);
  await replica.start();
  await same();
});

test("a replica names the first difference and exits with 2", async (t) => {
  const solo = await startStandalone(t, { forceWindow: FORCE_WINDOW });
  const [alice] = solo.accounts;
  const hashes = [];
  for (let nonce = 0; nonce < 3; nonce++) hashes.push((await solo.sealed(await solo.transfer(0, nonce))).hash);
  const places = [];
  for (const hash of hashes) places.push((await solo.transactionStatus(hash)).block);
  const database = join(solo.genesis, "../sequencer.db");

  /** Finds the slice of a block that holds a transaction. */
  const withTransaction = (change) => (entry) => {
    const part = partOf(entry);
    const at = part?.[2].findIndex(([raw]) => keccak256(raw) === hashes[1]) ?? -1;
    if (at < 0) return false;
    change(part, at);
    return true;
  };
  const forged = await transfer(alice, 1, solo.accounts[5].address);
  const lies = {
    outcome: [
      withTransaction((part, at) => {
        const first = part[3].length - part[2].length;
        part[3][first + at] = "0x1122334455667788";
      }),
      { kind: "outcome", block: places[1].number, hash: hashes[1], expected: "0x1122334455667788" },
    ],
    transaction: [
      withTransaction((part, at) => (part[2][at][0] = forged)),
      // The receipt stays the same; the state does not.
      { kind: "header", block: places[1].number, field: "stateRoot" },
    ],
    sender: [
      withTransaction((part, at) => (part[2][at][1] = solo.accounts[5].address.toLowerCase())),
      { kind: "sender", block: places[1].number, hash: hashes[1], found: alice.address.toLowerCase() },
    ],
    root: [
      (entry) => {
        const sealed = sealedOf(entry);
        if (!sealed || Number(sealed[0]) !== places[1].number) return false;
        sealed[2] = `0x${"77".repeat(32)}`;
        return true;
      },
      { kind: "header", block: places[1].number, field: "stateRoot", expected: `0x${"77".repeat(32)}` },
    ],
  };

  for (const [name, [change, report]] of Object.entries(lies)) {
    await step(t, `a feed with another ${name}`, async () => {
      const feed = await tamperedFeed(t, solo.l2Url, change);
      const { code, stdout, stderr } = await new Replica(t, solo, feed.url).run();
      assert.equal(code, 2, stderr);
      const found = JSON.parse(stdout);
      for (const [field, value] of Object.entries(report)) assert.deepEqual(found[field], value, `${field}: ${stdout}`);
    });
  }

  await step(t, "a changed row in the feed is detected", async () => {
    const feed = await tamperedFeed(t, solo.l2Url, lies.outcome[0], { chained: false });
    const { code, stdout } = await new Replica(t, solo, feed.url).run();
    assert.equal(code, 2);
    const found = JSON.parse(stdout);
    assert.deepEqual([found.kind, found.sequence], ["checksum", feed.changed]);
  });

  await step(t, "a feed that continues another journal is detected", async () => {
    // The replica stops, and its source is replaced.
    const folder = temporaryFolder(t);
    const replica = await startReplica(t, solo, solo.l2Url.replace("http", "ws"), { folder });
    await replica.reach(solo.l2Url);
    await replica.program.stop();
    const feed = await tamperedFeed(t, solo.l2Url, lies.outcome[0]);
    await solo.sealed(await solo.transfer(0, 3));
    const { code, stdout } = await new Replica(t, solo, feed.url, { folder }).run();
    assert.equal(code, 2);
    assert.equal(JSON.parse(stdout).kind, "checksum");
  });

  await step(t, "a changed outcome with valid checksums is detected", async () => {
    await solo.stop();
    const copy = join(temporaryFolder(t), "copy.db");
    for (const suffix of ["db", "index.db"]) {
      copyFileSync(database.replace(/db$/, suffix), copy.replace(/db$/, suffix));
    }
    const rows = journal(copy).map((line) => {
      const [sequence, epoch, checksum, payload] = line.split("|");
      const hex = (text) => `0x${text.toLowerCase()}`;
      return { sequence: Number(sequence), epoch: Number(epoch), checksum: hex(checksum), payload: hex(payload) };
    });
    const first = rows.findIndex((row) => {
      const entry = readEntry(row.payload);
      const isChanged = lies.outcome[0](entry);
      if (isChanged) row.payload = writeEntry(entry);
      return isChanged;
    });
    assert.ok(first > 0);
    const updates = rows.slice(first).map((row, at) => {
      row.checksum = checksumAfter(rows[first + at - 1].checksum, row);
      const blob = (bytes) => `x'${bytes.slice(2)}'`;
      return `UPDATE journal SET payload = ${blob(row.payload)}, checksum = ${blob(row.checksum)} WHERE sequence = ${row.sequence}`;
    });
    sql(copy, ...updates);
    const { code, stdout } = await new Replica(t, solo, copy).run();
    assert.equal(code, 2);
    const found = JSON.parse(stdout);
    assert.deepEqual([found.kind, found.hash], ["outcome", hashes[1]]);
    await solo.start();
  });

  await step(t, "a source whose blocks differ from L1 is detected", async () => {
    await solo.deposit(3, { gas: 100_000n, mint: 1n, to: alice.address });
    await until(async () => (await solo.status()).head.number > places[2].number + 1, "the deposit's block");
    await solo.stop();
    // A copy of the source that no longer follows L1.
    const copy = join(temporaryFolder(t), "copy.db");
    for (const suffix of ["db", "index.db"]) {
      copyFileSync(database.replace(/db$/, suffix), copy.replace(/db$/, suffix));
    }
    await solo.mine(1, 2 * FORCE_WINDOW);
    await solo.forceInclude(4);
    const { code, stdout, stderr } = await new Replica(t, solo, copy, { args: ["--l1-patience", "1"] }).run();
    assert.equal(code, 2, stderr);
    const found = JSON.parse(stdout);
    assert.deepEqual([found.kind, found.block, found.entry], ["l1", 1, 1]);
  });

  await step(t, "a replica follows its source's reorg", async () => {
    const replica = new Replica(t, solo, database, { folder: temporaryFolder(t) });
    await solo.start();
    await replica.start();
    await quiet(solo);
    const head = await replica.reach(solo.l2Url);
    assert.deepEqual(
      await portrait(replica.url, solo.accounts, head),
      await portrait(solo.l2Url, solo.accounts, head),
    );
    const transaction = await solo.transactionStatus(hashes[1]);
    assert.match(transaction.revertedFrom.reason, /forced/);
    const theirs = (await get(`${replica.url}/v1/transactions/${hashes[1]}`)).body;
    assert.deepEqual([theirs.block, theirs.revertedFrom], [transaction.block, transaction.revertedFrom]);
    const safe = async () => (await get(`${replica.url}/v1/status`)).body.safe;
    await until(async () => (await safe()) === 1, "the replica to see the forced block on L1");
  });
});
