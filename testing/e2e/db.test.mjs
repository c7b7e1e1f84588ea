// `turnpike db verify` finds damage in a database; `turnpike db rebuild` writes the index anew.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { parseEther, toHex } from "viem";

import { checksumAfter, partOf, readEntry, sealedOf, writeEntry } from "./feed.mjs";
import { get, rpc, step, until } from "./harness.mjs";
import { run, temporaryFolder, turnpike } from "./programs.mjs";
import { startStandalone } from "./standalone.mjs";

const BLOCKS = 6;

const sql = (database, ...statements) =>
  execFileSync("sqlite3", [database, ...statements.map((text) => `${text};`)], { encoding: "utf8", maxBuffer: 2 ** 30 }).trim();

const blob = (bytes) => `x'${bytes.slice(2)}'`;

/** The rows of a journal. */
function rowsOf(database) {
  const lines = sql(database, "SELECT sequence, epoch, hex(checksum), hex(payload) FROM journal ORDER BY sequence");
  return lines.split("\n").map((line) => {
    const [sequence, epoch, checksum, payload] = line.split("|");
    const hex = (text) => `0x${text.toLowerCase()}`;
    return { sequence: Number(sequence), epoch: Number(epoch), checksum: hex(checksum), payload: hex(payload) };
  });
}

/** Applies `change` to rows until it returns true, and recomputes the checksums from that row on. */
function rewrite(database, change) {
  const rows = rowsOf(database);
  const first = rows.findIndex((row, at) => {
    if (at === 0) return false;
    const entry = readEntry(row.payload);
    const isChanged = change(entry);
    if (isChanged) row.payload = writeEntry(entry);
    return isChanged;
  });
  assert.ok(first > 0, "something was changed");
  const updates = rows.slice(first).map((row, at) => {
    row.checksum = checksumAfter(rows[first + at - 1].checksum, row);
    return `UPDATE journal SET payload = ${blob(row.payload)}, checksum = ${blob(row.checksum)} WHERE sequence = ${row.sequence}`;
  });
  sql(database, ...updates);
  return rows[first].sequence;
}

test("db verify finds damage, db rebuild restores the index", async (t) => {
  const solo = await startStandalone(t);
  const folder = dirname(solo.genesis);
  const hashes = [];
  let waiting;
  let before;

  /** Copies a database with its other files, to be damaged. */
  const copy = () => {
    const to = temporaryFolder(t);
    for (const name of readdirSync(folder).filter((name) => name.startsWith("sequencer."))) {
      cpSync(join(folder, name), join(to, name), { recursive: true });
    }
    return join(to, "sequencer.db");
  };
  const db = async (command, database, ...args) => {
    const { code, stdout, stderr } = await run(t, turnpike(), [
      "db", command, "--genesis", solo.genesis, "--database", database, "--json", ...args,
    ]);
    return { code, stderr, found: stdout === "" ? undefined : JSON.parse(stdout) };
  };
  /** Every answer that the node can give. */
  const answers = async () => {
    const all = [];
    const { head } = await solo.status();
    for (let number = 0; number <= head.number; number++) {
      const block = await rpc(solo.l2Url, "eth_getBlockByNumber", [toHex(number), true]);
      all.push(block, await rpc(solo.l2Url, "eth_getBlockReceipts", [toHex(number)]));
      all.push(await rpc(solo.l2Url, "eth_getBlockByHash", [block.hash, false]));
    }
    for (const hash of [...hashes, waiting]) {
      all.push(await rpc(solo.l2Url, "eth_getTransactionReceipt", [hash]));
      all.push(await rpc(solo.l2Url, "eth_getTransactionByHash", [hash]));
      all.push((await get(`${solo.l2Url}/v1/transactions/${hash}`)).body);
    }
    return all;
  };

  await step(t, "the chain has blocks and a pending transaction", async () => {
    await solo.deposit(3, { gas: 100_000n, mint: parseEther("1"), to: solo.accounts[4].address });
    const hasArrived = async () => (await solo.l2.getBalance(solo.accounts[4])) > parseEther("10000");
    await until(hasArrived, "the deposit to arrive");
    for (let nonce = 0; nonce < BLOCKS; nonce++) {
      const hash = await solo.transfer(0, nonce);
      hashes.push(hash);
      await solo.sealed(hash);
    }
    waiting = await solo.transfer(1, 5);
    // The index follows the journal, block by block.
    const last = await solo.transfer(0, BLOCKS);
    hashes.push(last);
    await solo.sealed(last);
    before = await answers();
  });

  await step(t, "a database in use verifies and cannot be rebuilt", async () => {
    const { code, stderr, found } = await db("verify", join(folder, "sequencer.db"));
    assert.equal(code, 0, stderr + JSON.stringify(found));
    const rebuilt = await db("rebuild", join(folder, "sequencer.db"));
    assert.equal(rebuilt.code, 1);
    assert.match(rebuilt.stderr, /in use/);
    assert.deepEqual(await answers(), before);
  });

  await step(t, "an undamaged database verifies", async () => {
    await solo.stop();
    for (const args of [[], ["--state"], ["--fast"], ["--fast", "--state"]]) {
      const { code, found, stderr } = await db("verify", copy(), ...args);
      assert.equal(code, 0, stderr + JSON.stringify(found));
      assert.deepEqual(found.wrong, []);
      assert.ok(found.head >= BLOCKS && found.indexed === found.head);
      assert.ok(found.rows > 2 * BLOCKS);
      if (args.length === 0) assert.ok(found.transactionsRun >= BLOCKS);
    }
  });

  const isPart = (entry) => partOf(entry)?.[2].length > 0;
  const index = (database) => database.replace(/db$/, "index.db");
  const damages = {
    "a flipped bit of a payload": [
      (database) => {
        const { sequence, payload } = rowsOf(database)[7];
        const bytes = Buffer.from(payload.slice(2), "hex");
        bytes[bytes.length >> 1] ^= 4;
        sql(database, `UPDATE journal SET payload = x'${bytes.toString("hex")}' WHERE sequence = ${sequence}`);
      },
      { kind: "row", sequence: 7 },
    ],
    "a missing row": [
      (database) => sql(database, "DELETE FROM journal WHERE sequence = 5"),
      { kind: "row", sequence: 5 },
    ],
    "a missing end": [
      (database) => sql(database, "DELETE FROM journal WHERE sequence >= 9"),
      { kind: "row", sequence: 9 },
    ],
    "a changed outcome": [
      (database) => rewrite(database, (entry) => isPart(entry) && ((partOf(entry)[3][partOf(entry)[3].length - 1] = "0x1111111111111111"), true)),
      { kind: "outcome", expected: "0x1111111111111111" },
    ],
    "a changed sender": [
      (database) => rewrite(database, (entry) => isPart(entry) && ((partOf(entry)[2][0][1] = solo.accounts[5].address), true)),
      { kind: "sender", found: solo.accounts[0].address.toLowerCase() },
    ],
    "a changed root": [
      (database) => rewrite(database, (entry) => sealedOf(entry) && ((sealedOf(entry)[2] = `0x${"77".repeat(32)}`), true)),
      { kind: "header", field: "stateRoot", expected: `0x${"77".repeat(32)}` },
    ],
    "a changed hash": [
      (database) => rewrite(database, (entry) => sealedOf(entry) && ((sealedOf(entry)[1] = `0x${"77".repeat(32)}`), true)),
      { kind: "header", field: "hash" },
    ],
    "a block that does not open": [
      (database) => rewrite(database, (entry) => partOf(entry)?.[1].length > 0 && ((partOf(entry)[1] = []), true)),
      { kind: "row" },
    ],
    "a block missing from the index": [
      (database) => sql(index(database), "DELETE FROM blocks WHERE number = 3"),
      { kind: "index", table: "blocks", key: "3" },
    ],
    "a changed receipt in the index": [
      (database) =>
        sql(index(database), "UPDATE blocks SET payload = (SELECT payload FROM blocks WHERE number = 4) WHERE number = 3"),
      { kind: "index", table: "blocks", key: "3" },
    ],
    "a transaction with a wrong location": [
      (database) =>
        sql(index(database), "UPDATE transactions SET entries = CAST(substr(entries, 1, length(entries) - 1) || x'09' AS BLOB)"),
      { kind: "index", table: "transactions" },
    ],
    "a transaction missing from the index": [
      (database) => sql(index(database), "DELETE FROM transactions WHERE run = (SELECT MAX(run) FROM transactions)"),
      { kind: "index", table: "transactions" },
    ],
    "a missing pending transaction": [
      (database) => sql(database, "DELETE FROM waiting"),
      { kind: "index", table: "waiting" },
    ],
    "a pending transaction with other bytes": [
      (database) => sql(database, "UPDATE waiting SET raw = x'02'"),
      { kind: "index", table: "waiting" },
    ],
    "a changed proof of the message passer": [
      (database) =>
        sql(index(database), "UPDATE passer_proofs SET payload = (SELECT payload FROM passer_proofs WHERE block = 1) WHERE block = 2"),
      { kind: "index", table: "passer_proofs", key: "2" },
    ],
  };
  for (const [name, [damage, report]] of Object.entries(damages)) {
    await step(t, `it finds ${name}`, async () => {
      const database = copy();
      damage(database);
      const { code, found, stderr } = await db("verify", database);
      assert.equal(code, 2, stderr + JSON.stringify(found));
      const [first] = found.wrong;
      for (const [field, value] of Object.entries(report)) {
        assert.deepEqual(first[field], value, `${field}: ${JSON.stringify(first)}`);
      }
    });
  }

  await step(t, "verify finds a damaged checkpoint", async () => {
    const database = copy();
    const state = join(dirname(database), "sequencer.state");
    const [segment] = readdirSync(state);
    const path = join(state, segment);
    execFileSync("truncate", ["-s", "-5", path]);
    const { code, found } = await db("verify", database, "--state");
    assert.equal(code, 2, JSON.stringify(found));
    assert.equal(found.wrong[0].table, "checkpoints");
  });

  await step(t, "a lost index is rebuilt, and every answer is the same", async () => {
    for (const name of readdirSync(folder).filter((name) => name.startsWith("sequencer.index."))) {
      rmSync(join(folder, name));
    }
    const { code, found, stderr } = await db("rebuild", join(folder, "sequencer.db"));
    assert.equal(code, 0, stderr);
    assert.ok(found.head >= BLOCKS);
    const verified = await db("verify", join(folder, "sequencer.db"));
    assert.equal(verified.code, 0, JSON.stringify(verified.found));
    await solo.start();
    assert.deepEqual(await answers(), before);
  });
});
