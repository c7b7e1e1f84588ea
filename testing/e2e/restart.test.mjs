// kill -9 at any moment loses and changes nothing acknowledged, and leaves no process behind.
import assert from "node:assert/strict";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { parseEther, parseGwei, toHex } from "viem";

import { DEPOSIT_GAS, abiOf, accountsOf, connect, sealTo, succeeded } from "./clients.mjs";
import { CHAIN_ID, PROPOSE_INTERVAL, rpc, startAnvil, startDev, step, until } from "./harness.mjs";
import { temporaryFolder } from "./programs.mjs";
import { checkProof } from "./trie.mjs";

const BURST = 200;
/** Transaction type of deposits. */
const DEPOSIT = "0x7e";
const KILLS = 3;
/** States kept behind the newest block. */
const STATES_KEPT = 128;

const transfer = (account, nonce, to) =>
  account.signTransaction({
    type: "eip1559",
    chainId: CHAIN_ID,
    nonce,
    to,
    value: 1n,
    gas: 21_000n,
    maxFeePerGas: parseGwei("1"),
    maxPriorityFeePerGas: 0n,
  });

/** The whole chain, to compare before and after. */
async function portrait(dev, accounts) {
  const { head } = await dev.status();
  const blocks = [];
  for (let number = 0; number <= head.number; number++) {
    blocks.push({
      block: await rpc(dev.l2Url, "eth_getBlockByNumber", [toHex(number), true]),
      receipts: await rpc(dev.l2Url, "eth_getBlockReceipts", [toHex(number)]),
    });
  }
  const states = await Promise.all(
    accounts.map(({ address }) => rpc(dev.l2Url, "eth_getProof", [address, [], "latest"])),
  );
  return { head, blocks, states };
}

test("kill -9 loses nothing acknowledged", async (t) => {
  const anvil = await startAnvil(t);
  const data = temporaryFolder(t);
  const start = (fresh) => startDev(t, { data, fresh, l1Url: anvil.url });
  let dev = await start(true);
  const accounts = accountsOf(dev);
  const [alice, bob] = accounts;
  const sealed = [];
  let before;
  let waiting;

  await step(t, "blocks are on L1, in L1's pool and unposted; one transaction is pending", async () => {
    const { l1Wallets, l2, l2Wallets } = connect(dev);
    const { portal } = dev.contracts;
    await l1Wallets[3].depositTransaction({
      portalAddress: portal,
      gas: DEPOSIT_GAS,
      request: { gas: 100_000n, mint: parseEther("1"), to: bob.address },
    });
    await dev.advanceL1();
    for (let round = 0; round < 3; round++) {
      const receipt = await succeeded(l2, l2Wallets[0].sendTransaction({ to: bob.address, value: 1n }));
      sealed.push(receipt.transactionHash);
      if (round === 0) await dev.settleAll();
      if (round === 1) await dev.l1Transaction("inbox", "the batcher to post");
    }
    const { body, status } = await dev.submit(await transfer(bob, 1, alice.address));
    assert.equal(status, 202);
    waiting = body.hash;
    assert.equal((await dev.transactionStatus(waiting)).waitingForNonce, 0);
    before = await portrait(dev, accounts);
  });

  await step(t, "after kill -9 the chain is the same", async () => {
    assert.deepEqual(await dev.kill(), { code: null, signal: "SIGKILL" });
    dev = await start(false);
    assert.deepEqual(await portrait(dev, accounts), before);
    for (const hash of sealed) assert.notEqual((await dev.transactionStatus(hash)).block, undefined);
  });

  await step(t, "the pending transaction is still pending and runs once it can", async () => {
    const transaction = await dev.transactionStatus(waiting);
    assert.deepEqual([transaction.state, transaction.nonce, transaction.waitingForNonce], ["received", 1, 0]);
    const { body } = await dev.submit(await transfer(bob, 0, alice.address));
    for (const hash of [body.hash, waiting]) sealed.push((await dev.waitForState(hash, "sealed")).hash);
  });

  await step(t, "every block is posted once", async () => {
    const { head } = await dev.status();
    await dev.settleAll();
    const [first] = dev.verdicts();
    assert.deepEqual(
      dev.verdicts().filter(({ verdict }) => verdict !== "ok"),
      [],
      `all ok from ${first.index} on`,
    );
    for (const hash of sealed) {
      const { state } = await dev.transactionStatus(hash);
      assert.ok(["proposed", "final"].includes(state), state);
    }
    const now = await dev.status();
    for (let number = head.number + 1; number <= now.head.number; number++) {
      const { transactions } = await rpc(dev.l2Url, "eth_getBlockByNumber", [toHex(number), true]);
      const own = transactions.filter(({ type }) => type !== DEPOSIT);
      assert.deepEqual(own, [], "only empty blocks were built in between");
    }
  });

  const acknowledged = [];
  for (let kill = 1; kill <= KILLS; kill++) {
    await step(t, `a burst is answered and the process killed at once (${kill})`, async () => {
      const sender = accounts[1 + kill];
      const nonce = Number(await rpc(dev.l2Url, "eth_getTransactionCount", [sender.address, "latest"]));
      const raws = await Promise.all(
        Array.from({ length: BURST }, (_, index) => transfer(sender, nonce + index, bob.address)),
      );
      const { body } = await dev.submit(raws);
      acknowledged.push(...body.results.map(({ hash }) => hash));
      // Kills at a different point of the block interval each time.
      await new Promise((resolve) => setTimeout(resolve, 25 * (kill - 1)));
      await dev.kill();
      dev = await start(false);
      for (const hash of acknowledged) await dev.waitForState(hash, "sealed");
    });
  }

  await step(t, "L1 and the challenger agree with every block", async () => {
    const { verdict, index } = await dev.settleAll();
    assert.equal(verdict, "ok");
    const { l1, l2 } = connect(dev);
    const { l2BlockNumber } = await l1.readContract({
      address: dev.contracts.rollup,
      abi: abiOf("Rollup"),
      functionName: "output",
      args: [BigInt(index)],
    });
    assert.equal(l2BlockNumber, await l2.getBlockNumber());
    const blocks = new Set();
    for (const hash of acknowledged) blocks.add((await dev.transactionStatus(hash)).block.number);
    assert.ok(blocks.size >= KILLS);
  });
});

test("a restart loads the checkpoint or replays the journal", async (t) => {
  const anvil = await startAnvil(t);
  const data = temporaryFolder(t);
  const args = ["--block-interval-ms", "20"];
  const start = (fresh) => startDev(t, { data, fresh, l1Url: anvil.url, args });
  let dev = await start(true);
  const accounts = accountsOf(dev);
  let before;
  const said = (pattern) => dev.program.log.filter((line) => pattern.test(line));
  const sealBlocks = async (count) => {
    await sealTo(dev, connect(dev).l2Wallets[0], count);
    before = await portrait(dev, accounts);
  };
  /** Values that a restart must restore: the chain and the kept states. */
  const isAsBefore = async () => {
    assert.deepEqual(await portrait(dev, accounts), before);
    const oldest = before.head.number - STATES_KEPT;
    const { stateRoot } = before.blocks[oldest].block;
    const { l2 } = connect(dev);
    checkProof(stateRoot, await l2.getProof({ ...accounts[0], storageKeys: [], blockNumber: BigInt(oldest) }));
  };

  await step(t, "after a clean stop, only blocks with kept states are executed again", async () => {
    await sealBlocks(STATES_KEPT + 3);
    assert.deepEqual(await dev.stop(), { code: 0, signal: null });
    dev = await start(false);
    await isAsBefore();
    assert.match(said(/loaded from a checkpoint/)[0], /block=3$/);
    assert.match(said(/rebuilt from the journal/)[0], /head=131 blocks=128$/);
  });

  await step(t, "after kill -9, the blocks since the checkpoint are executed again", async () => {
    await sealBlocks(STATES_KEPT + 5);
    await dev.kill();
    dev = await start(false);
    await isAsBefore();
    assert.match(said(/loaded from a checkpoint/)[0], /block=3$/);
    assert.match(said(/rebuilt from the journal/)[0], /head=133 blocks=130$/);
  });

  await step(t, "damaged checkpoints are detected, and all blocks are executed again", async () => {
    assert.deepEqual(await dev.stop(), { code: 0, signal: null });
    const folder = join(data, "sequencer.state");
    for (const name of readdirSync(folder)) {
      const bytes = readFileSync(join(folder, name));
      bytes[Math.floor(bytes.length / 2)] ^= 1;
      writeFileSync(join(folder, name), bytes);
    }
    dev = await start(false);
    await isAsBefore();
    assert.ok(said(/state checkpoint damaged/).length > 0);
    assert.equal(said(/the whole journal is run/).length, 1);
    assert.match(said(/rebuilt from the journal/)[0], /head=133 blocks=133$/);
  });

  await step(t, "the chain goes on, and L1 and the challenger agree", async () => {
    await sealBlocks(STATES_KEPT + 6);
    assert.equal((await dev.settleAll()).verdict, "ok");
  });
});

/** Process ids of a process's descendants. */
function descendants(pid) {
  const parents = new Map();
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const [, parent] = readFileSync(`/proc/${entry}/stat`, "utf8").match(/\) \S (\d+)/);
      parents.set(Number(entry), Number(parent));
    } catch {
      // The process has ended.
    }
  }
  const isBelow = (id) => parents.has(id) && (parents.get(id) === pid || isBelow(parents.get(id)));
  return [...parents.keys()].filter(isBelow);
}

/** A process's command line; empty once it has ended. */
function commandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

test("kill -9 leaves no anvil behind and keeps its L1", async (t) => {
  const data = temporaryFolder(t);
  const dev = await startDev(t, { data });
  const { l2, l2Wallets, accounts } = connect(dev);
  let safe;

  await step(t, "a block is safe", async () => {
    await succeeded(l2, l2Wallets[0].sendTransaction({ to: accounts[1].address, value: 1n }));
    await dev.settleAll();
    safe = await l2.getBlock({ blockTag: "safe" });
    assert.equal(safe.number, 1n);
  });

  await step(t, "anvil ends with its parent process", async () => {
    const children = descendants(dev.pid);
    assert.ok(
      children.some((pid) => /\banvil\b.*--port/.test(commandLine(pid))),
      children.map(commandLine).join("\n"),
    );
    await dev.kill();
    await until(() => children.every((pid) => commandLine(pid) === ""), "anvil to end");
    await assert.rejects(rpc(dev.l1Url, "eth_chainId"));
  });

  await step(t, "a new process resumes both layers", async () => {
    const again = await startDev(t, { data, fresh: false });
    assert.deepEqual(again.contracts, dev.contracts);
    const { l2, l2Wallets } = connect(again);
    assert.equal((await l2.getBlock({ blockTag: "safe" })).hash, safe.hash);
    const receipt = await succeeded(l2, l2Wallets[0].sendTransaction({ to: accounts[1].address, value: 1n }));
    // The old anvil's clock was ahead; the new one's is not.
    await again.advanceL1(1, PROPOSE_INTERVAL);
    await again.settleAll();
    assert.equal((await again.transactionStatus(receipt.transactionHash)).state, "proposed");
  });
});
