// Runs the same signed transactions on Turnpike and, block by block, on anvil: the receipts must be equal.
import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";

import { keccak256, toHex } from "viem";

import { accountsOf, compileProbe } from "./clients.mjs";
import { CHAIN_ID, post, rpc, startAnvil, startDev, step, until } from "./harness.mjs";
import { storageRoot } from "./trie.mjs";
import { buildWorkload } from "./workload.mjs";

const SEQUENCER_FEE_VAULT = "0x4200000000000000000000000000000000000011";
const GENESIS_TIME = 1_767_225_600;
const INITIAL_BASE_FEE = 1_000_000;
const BLOCK_GAS_LIMIT = 268_435_456;
const DEPOSIT = "0x7e";
const CHUNK = 25;

/** Fields of a receipt that do not depend on the rest of the block. */
const RECEIPT_FIELDS = [
  "transactionHash",
  "type",
  "from",
  "to",
  "status",
  "gasUsed",
  "effectiveGasPrice",
  "contractAddress",
  "logsBloom",
  "blockNumber",
];
const LOG_FIELDS = ["address", "topics", "data", "logIndex", "blockNumber", "transactionHash", "removed"];

test("receipts equal anvil's", { timeout: 600_000 }, async (t) => {
  const dev = await startDev(t);
  const accounts = accountsOf(dev);
  const workload = await buildWorkload(accounts, compileProbe());
  const all = [...workload.setUp, ...workload.mixed];
  assert.ok(all.length >= 300, `${all.length} transactions`);
  const byHash = new Map(all.map((transaction) => [transaction.hash, transaction]));
  assert.equal(byHash.size, all.length);

  await step(t, `${all.length} transactions are accepted by every API`, async () => {
    await submitEverything(dev, workload);
    const { length } = all;
    await until(
      async () => (await dev.transactionStatus(all[length - 1].hash)).state === "sealed",
      "the last transaction to be sealed",
    );
    const isQuiet = async () => {
      const { pool, preconfirmed } = await dev.status();
      return pool.transactions + preconfirmed.transactions === 0;
    };
    await until(isQuiet, "every transaction to be in a block");
    for (const { hash, what } of all) assert.equal((await dev.transactionStatus(hash)).state, "sealed", what);
  });

  let blocks;
  await step(t, "every transaction has its intended outcome", async () => {
    blocks = await readBlocks(dev.l2Url);
    const receipts = blocks.flatMap(({ receipts }) => receipts);
    assert.deepEqual(
      receipts.map(({ transactionHash }) => transactionHash).sort(),
      [...byHash.keys()].sort(),
    );
    for (const { transactionHash, status } of receipts) {
      const { fails, what } = byHash.get(transactionHash);
      assert.equal(status, fails ? "0x0" : "0x1", what);
    }
    const types = new Set(receipts.map(({ type }) => type));
    assert.deepEqual([...types].sort(), ["0x0", "0x1", "0x2", "0x4"]);
    assert.ok(new Set(blocks.map(({ timestamp }) => timestamp)).size > 1, "blocks differ in time");
  });

  const anvil = await startAnvil(
    t,
    [
      "--chain-id",
      CHAIN_ID,
      "--order",
      "fifo",
      "--timestamp",
      GENESIS_TIME,
      "--base-fee",
      INITIAL_BASE_FEE,
      "--gas-limit",
      BLOCK_GAS_LIMIT,
    ].map(String),
  );
  let replayed;
  await step(t, "anvil mines the same blocks", async () => {
    await rpc(anvil.url, "anvil_setCoinbase", [SEQUENCER_FEE_VAULT]);
    for (const block of blocks) await replay(anvil.url, block, byHash);
    replayed = await readBlocks(anvil.url);
  });

  await step(t, "every receipt is equal", () => {
    assert.equal(replayed.length, blocks.length);
    for (const [index, block] of blocks.entries()) {
      const other = replayed[index];
      assert.deepEqual(
        other.receipts.map(({ transactionHash }) => transactionHash),
        block.receipts.map(({ transactionHash }) => transactionHash),
      );
      let [cumulativeGas, cumulativeGasThere] = [0n, 0n];
      for (const [position, receipt] of block.receipts.entries()) {
        const { what, pays } = byHash.get(receipt.transactionHash);
        const there = other.receipts[position];
        cumulativeGas += BigInt(receipt.gasUsed);
        cumulativeGasThere += BigInt(there.gasUsed);
        if (pays) assert.ok(BigInt(receipt.gasUsed) > BigInt(there.gasUsed), what);
        compare(receipt, pays ? { ...there, gasUsed: receipt.gasUsed } : there, what);
        assert.equal(BigInt(there.cumulativeGasUsed), cumulativeGasThere, what);
        assert.equal(BigInt(receipt.cumulativeGasUsed), cumulativeGas + block.depositGas, what);
      }
      assert.equal(BigInt(block.gasUsed), cumulativeGas + block.depositGas);
    }
  });

  await step(t, "every contract's state is equal", async () => {
    // Anvil's storage root includes zero slots: compute the root from its slots instead.
    const dump = JSON.parse(
      gunzipSync(Buffer.from((await rpc(anvil.url, "anvil_dumpState")).slice(2), "hex")),
    );
    for (const [name, { address }] of Object.entries(workload.contracts)) {
      const { nonce, balance, codeHash, storageHash } = await rpc(dev.l2Url, "eth_getProof", [
        address,
        [],
        "latest",
      ]);
      const there = dump.accounts[address.toLowerCase()];
      assert.ok(there, name);
      const expected = {
        nonce: BigInt(there.nonce),
        balance: BigInt(there.balance),
        codeHash: keccak256(there.code),
        storageHash: storageRoot(there.storage),
      };
      assert.deepEqual(
        { nonce: BigInt(nonce), balance: BigInt(balance), codeHash, storageHash },
        expected,
        name,
      );
    }
  });

  await step(t, "balances differ only by the L1 data fees and the gas that work costs more", async () => {
    const fees = new Map();
    const there = new Map(replayed.flatMap(({ receipts }) => receipts.map((one) => [one.transactionHash, one])));
    for (const { from, l1Fee, gasUsed, effectiveGasPrice, transactionHash } of blocks.flatMap(({ receipts }) => receipts)) {
      const more = BigInt(gasUsed) - BigInt(there.get(transactionHash).gasUsed);
      fees.set(from, (fees.get(from) ?? 0n) + BigInt(l1Fee) + more * BigInt(effectiveGasPrice));
    }
    for (const { address } of accounts) {
      const [here, there] = await Promise.all(
        [dev.l2Url, anvil.url].map(async (url) =>
          BigInt(await rpc(url, "eth_getBalance", [address, "latest"])),
        ),
      );
      assert.equal(there - here, fees.get(address.toLowerCase()), address);
    }
  });

  await step(t, "the chain derived from L1 is equal", async () => {
    const { verdict } = await dev.settleAll();
    assert.equal(verdict, "ok");
    for (const { hash, what } of all) {
      const { state } = await dev.transactionStatus(hash);
      assert.ok(["proposed", "final"].includes(state), `${what}: ${state}`);
    }
  });
});

/** Sends the set-up in order, one request each, and the rest in chunks over alternating APIs. */
async function submitEverything(dev, { setUp, mixed }) {
  const rest = `${dev.l2Url}/v1/transactions`;
  for (const { raw, hash, what } of setUp) {
    assert.equal(await rpc(dev.l2Url, "eth_sendRawTransaction", [raw]), hash, what);
  }
  const doors = [
    // Concurrent requests may overtake each other.
    (chunk) => Promise.all(chunk.map(({ raw }) => rpc(dev.l2Url, "eth_sendRawTransaction", [raw]))),
    async (chunk) => {
      const batch = chunk.map(({ raw }, id) => ({
        jsonrpc: "2.0",
        id,
        method: "eth_sendRawTransaction",
        params: [raw],
      }));
      return (await post(dev.l2Url, batch)).body.map(({ result }) => result);
    },
    async (chunk) => (await dev.submit(chunk.map(({ raw }) => raw))).body.results.map(({ hash }) => hash),
    async (chunk) => {
      const parts = chunk.flatMap(({ raw }) => {
        const bytes = Buffer.from(raw.slice(2), "hex");
        const length = Buffer.alloc(4);
        length.writeUInt32LE(bytes.length);
        return [length, bytes];
      });
      const { body } = await post(rest, Buffer.concat(parts), "application/octet-stream");
      return body.results.map(({ hash }) => hash);
    },
  ];
  for (let start = 0; start < mixed.length; start += CHUNK) {
    const chunk = mixed.slice(start, start + CHUNK);
    const hashes = await doors[(start / CHUNK) % doors.length](chunk);
    assert.deepEqual(
      hashes,
      chunk.map(({ hash }) => hash),
    );
    // Makes several blocks, with different timestamps.
    await dev.waitForState(hashes.at(-1), "sealed");
  }
}

/** All blocks after the first, with the receipts of user transactions. */
async function readBlocks(url) {
  const head = Number(await rpc(url, "eth_blockNumber"));
  const blocks = [];
  for (let number = 1; number <= head; number++) {
    const [{ timestamp, baseFeePerGas, gasUsed }, all] = await Promise.all([
      rpc(url, "eth_getBlockByNumber", [toHex(number), false]),
      rpc(url, "eth_getBlockReceipts", [toHex(number)]),
    ]);
    const receipts = all.filter(({ type }) => type !== DEPOSIT);
    const depositGas = all
      .filter(({ type }) => type === DEPOSIT)
      .reduce((sum, { gasUsed }) => sum + BigInt(gasUsed), 0n);
    blocks.push({ number, timestamp, baseFeePerGas, gasUsed, receipts, depositGas });
  }
  return blocks;
}

/** Mines a block on anvil with the same transactions, order, timestamp and base fee. */
async function replay(url, { number, timestamp, baseFeePerGas, receipts }, byHash) {
  for (const { transactionHash } of receipts) {
    const { raw, what } = byHash.get(transactionHash);
    assert.equal(await rpc(url, "eth_sendRawTransaction", [raw]), transactionHash, what);
  }
  await rpc(url, "evm_setNextBlockTimestamp", [timestamp]);
  await rpc(url, "anvil_setNextBlockBaseFeePerGas", [baseFeePerGas]);
  await rpc(url, "evm_mine");
  assert.equal(Number(await rpc(url, "eth_blockNumber")), number);
}

function compare(ours, theirs, what) {
  const pick = (object, fields) => Object.fromEntries(fields.map((field) => [field, object[field]]));
  const comparable = (receipt) => ({
    ...pick(receipt, RECEIPT_FIELDS),
    logs: receipt.logs.map((log) => pick(log, LOG_FIELDS)),
  });
  assert.deepEqual(comparable(ours), comparable(theirs), what);
}
