// A user force-includes overdue deposits. The sequencer follows and loses no transaction.
import assert from "node:assert/strict";
import { test } from "node:test";

import { parseEther } from "viem";

import { get, rpc, step, until } from "./harness.mjs";
import { startStandalone } from "./standalone.mjs";

const FORCE_WINDOW = 40;

test("a forced inclusion replaces blocks that were not posted", async (t) => {
  const solo = await startStandalone(t, { forceWindow: FORCE_WINDOW });
  const [alice, bob] = solo.accounts;
  const value = parseEther("3");
  let first;
  let second;
  let deposited;
  let forcedBlock;

  await step(t, "transactions and a deposit are in blocks that are not posted", async () => {
    first = await solo.transfer(0, 0);
    await solo.sealed(first);
    const l1Transaction = await solo.deposit(3, { gas: 100_000n, mint: value, to: bob.address });
    const sealed = await until(async () => {
      const { deposits } = await solo.get(`/v1/deposits?l1Transaction=${l1Transaction}`);
      return deposits[0]?.transaction && deposits[0];
    }, "the deposit to be in a block");
    assert.deepEqual([sealed.index, sealed.state, sealed.l1Transaction], [0, "sealed", l1Transaction]);
    assert.equal(sealed.forcedFrom, sealed.queuedAt + FORCE_WINDOW);
    assert.equal(sealed.transaction.status, "success");
    deposited = sealed.transaction.hash;
    second = await solo.transfer(0, 1);
    await solo.sealed(second);
    assert.deepEqual(await solo.get("/v1/forced"), { deposits: [], entries: [] });
  });

  await step(t, "a warning says that the deposit is due after half of the window", async () => {
    await solo.mine(1, FORCE_WINDOW / 2);
    const due = await until(async () => {
      const { deposits } = await solo.get("/v1/forced");
      return deposits.length === 1 && deposits[0];
    }, "the deposit to be due");
    assert.equal(due.index, 0);
  });

  await step(t, "the forced deposit is in the first derived block", async () => {
    const balance = await solo.l2.getBalance({ address: bob.address });
    await solo.mine(1, FORCE_WINDOW);
    const l1Transaction = await solo.forceInclude(4);
    await until(async () => (await solo.status()).safe === 1, "the forced block to be safe");
    const { entries } = await solo.get("/v1/forced");
    assert.deepEqual([entries.length, entries[0].entry, entries[0].l1Transaction], [1, 1, l1Transaction]);
    forcedBlock = await solo.l2.getBlock({ blockTag: "safe" });
    assert.equal(forcedBlock.number, 1n);
    const deposit = await solo.get("/v1/deposits/0");
    assert.equal(deposit.transaction.block.number, 1);
    assert.notEqual(deposit.transaction.hash, deposited, "its hash derives from its position in the queue");
    assert.equal(await solo.l2.getBalance({ address: bob.address }), balance, "minted once");
    const before = await solo.transactionStatus(deposited);
    assert.equal(before.state, "reverted");
    assert.match(before.revertedFrom.reason, /forced/);
  });

  await step(t, "transactions of the replaced blocks are in later blocks, in order", async () => {
    const transactions = [await solo.sealed(first), await solo.sealed(second)];
    for (const { block, status, revertedFrom } of transactions) {
      assert.ok(block.number > 1);
      assert.equal(status, "success");
      assert.equal(revertedFrom.code, "forced");
      assert.match(revertedFrom.reason, /inbox entry 1 was forced/);
    }
    const [a, b] = transactions.map(({ block, position }) => block.number * 1_000 + position);
    assert.ok(a < b);
    assert.equal(await solo.l2.getTransactionCount({ address: alice.address }), 2);
  });

  await step(t, "the entry is listed as a forced batch with its cost", async () => {
    const batch = await solo.get("/v1/batches/1");
    assert.deepEqual(
      [batch.kind, batch.firstBlock, batch.lastBlock, batch.transactions, batch.deposits, batch.bytes],
      ["forced", 1, 1, 0, 1, 0],
    );
    const receipt = await solo.l1.getTransactionReceipt({ hash: batch.l1Transaction });
    assert.equal(BigInt(batch.l1GasUsed), receipt.gasUsed);
    assert.equal(BigInt(batch.l1FeeWei), receipt.gasUsed * receipt.effectiveGasPrice);
    const { batches } = await solo.get("/v1/batches");
    assert.deepEqual(batches.map(({ entry }) => entry), [1]);
    const problems = ["/v1/batches/0", "/v1/batches/x", "/v1/batches?limit=0", "/v1/deposits/7", "/v1/deposits"];
    for (const path of [...problems, "/v1/withdrawals/0x12", "/v1/outputs/99"]) {
      const { status, mediaType, body } = await get(`${solo.l2Url}${path}`);
      assert.ok(status === 400 || status === 404, path);
      assert.equal(mediaType, "application/problem+json");
      assert.equal(body.status, status);
    }
  });

  await step(t, "a sequencer that was down follows when it starts", async () => {
    await solo.kill();
    await solo.deposit(3, { gas: 100_000n, mint: value, to: bob.address });
    await solo.mine(1, FORCE_WINDOW);
    await solo.forceInclude(4);
    await solo.start();
    const { safe } = await solo.status();
    assert.equal(safe, 2);
    for (const hash of [first, second]) assert.ok((await solo.sealed(hash)).block.number > 2);
    const balance = await solo.l2.getBalance({ address: bob.address, blockTag: "safe" });
    assert.equal(balance, parseEther("10000") + 2n * value);
  });

  await step(t, "a fresh sequencer derives the same blocks from L1 alone and goes on", async () => {
    const safe = await solo.l2.getBlock({ blockTag: "safe" });
    await solo.kill();
    await solo.start("fresh.db");
    const derived = await solo.l2.getBlock({ blockNumber: safe.number });
    assert.equal(derived.hash, safe.hash);
    assert.equal((await solo.l2.getBlock({ blockNumber: 1n })).hash, forcedBlock.hash);
    const hash = await solo.transfer(0, 0);
    assert.ok((await solo.sealed(hash)).block.number > Number(safe.number));
    assert.equal(await rpc(solo.l2Url, "eth_chainId"), "0x1092");
  });
});
