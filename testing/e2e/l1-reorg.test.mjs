// L1 reorgs: the chain follows L1's new blocks and loses no accepted transaction.
import assert from "node:assert/strict";
import { test } from "node:test";

import { parseEther } from "viem";

import { rpc, step, until } from "./harness.mjs";
import { startStandalone } from "./standalone.mjs";

const FORCE_WINDOW = 40;
const DEPTHS = [1, 2, 5, 20];

test("the chain follows L1 reorgs of several depths", async (t) => {
  const solo = await startStandalone(t, { forceWindow: FORCE_WINDOW });
  const [, bob] = solo.accounts;
  const mint = parseEther("1");
  const sent = [];
  const balance = (blockTag = "latest") => solo.l2.getBalance({ address: bob.address, blockTag });
  const start = await balance();

  await step(t, "the first blocks are safe", async () => {
    sent.push(await solo.transfer(0, 0));
    await solo.sealed(sent[0]);
  });

  for (const depth of DEPTHS) {
    await step(t, `a deposit dropped by an L1 reorg is reverted on L2 (depth ${depth})`, async () => {
      const before = await balance();
      await solo.mine(1);
      const l1Transaction = await solo.deposit(3, { gas: 100_000n, mint, to: bob.address });
      await until(async () => (await balance()) === before + mint, "the deposit to be minted");
      const { deposits } = await solo.get(`/v1/deposits?l1Transaction=${l1Transaction}`);
      const name = deposits[0].transaction.hash;
      sent.push(await solo.transfer(0, sent.length));
      await solo.sealed(sent.at(-1));
      await solo.mine(depth - 1);

      await rpc(solo.l1Url, "anvil_reorg", [depth, []]);
      await solo.mine(1);
      await until(async () => (await balance()) === before, "the deposit to be reverted");
      const transaction = await solo.transactionStatus(name);
      assert.deepEqual([transaction.state, transaction.block], ["reverted", undefined]);
      assert.equal(transaction.revertedFrom.code, "l1-reorg");
      assert.match(transaction.revertedFrom.reason, /L1 has dropped deposit/);
      for (const hash of sent) assert.equal((await solo.sealed(hash)).status, "success");
    });
  }

  await step(t, "an entry dropped by L1 is no longer safe, and its block is posted again", async () => {
    await solo.deposit(3, { gas: 100_000n, mint, to: bob.address });
    await until(async () => (await balance()) === start + mint, "the deposit to be minted");
    await solo.mine(1, FORCE_WINDOW);
    await solo.forceInclude(4);
    await until(async () => (await solo.status()).safe === 1, "the forced block to be safe");
    for (const hash of sent) await solo.sealed(hash);
    await rpc(solo.l1Url, "anvil_reorg", [1, []]);
    await solo.mine(1);
    await until(async () => (await solo.status()).safe === 0, "no block to be safe");
    await until(async () => (await balance()) === start + mint, "a block that the sequencer built to hold the deposit");
    for (const hash of sent) assert.equal((await solo.sealed(hash)).status, "success");
  });

  await step(t, "the chain goes on, also after a restart", async () => {
    await solo.kill();
    await solo.start();
    sent.push(await solo.transfer(0, sent.length));
    for (const hash of sent) assert.equal((await solo.sealed(hash)).status, "success");
    assert.equal(await balance(), start + mint);
  });
});
