// The execution mode changes no result, and the status reports counters of the engine.
import assert from "node:assert/strict";
import { test } from "node:test";

import { encodeFunctionData, pad, parseGwei, toHex } from "viem";

import { accountsOf, compileProbe, connect, deploy, succeeded } from "./clients.mjs";
import { CHAIN_ID, get, startAnvil, startDev, step } from "./harness.mjs";
import { temporaryFolder } from "./programs.mjs";

const WORKERS = 2;
/** Transactions that each account sends in one request. */
const ROUNDS = 40;
/** Accounts with dependent transactions. */
const TOGETHER = 3;
const STAGES = ["check", "execute", "merge", "partition", "predict", "sequential"];

/** Some accounts pay each other and share storage; the others are independent. */
async function mixed(accounts, probe) {
  const stranger = (from, round) => pad(toHex(0xbeef_0000 + from * ROUNDS + round), { size: 20 });
  const call = (functionName, ...args) => ({
    to: probe.address,
    data: encodeFunctionData({ ...probe, functionName, args }),
    gas: 200_000n,
  });
  const alone = [
    (from, round) => ({ to: stranger(from, round), value: 1n, gas: 21_000n }),
    (_, round) => call("log", pad(toHex(round), { size: 32 })),
    () => call("refuse", 1_000n),
  ];
  const together = [
    ...alone,
    (from) => ({ to: accounts[(from + 1) % TOGETHER].address, value: 1n, gas: 21_000n }),
    (from) => call("write", BigInt(from), pad("0x7", { size: 32 }), "0x"),
  ];
  const raws = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [from, account] of accounts.entries()) {
      const kinds = from < TOGETHER ? together : alone;
      const transaction = kinds[(round + from) % kinds.length](from, round);
      // The first account has deployed the contract.
      const nonce = round + (from === 0 ? 1 : 0);
      const fees = { maxFeePerGas: parseGwei("2"), maxPriorityFeePerGas: 0n };
      const request = { type: "eip1559", chainId: CHAIN_ID, nonce, ...fees, ...transaction };
      raws.push(await account.signTransaction(request));
    }
  }
  return raws;
}

test("parallel and sequential execution give the same blocks", async (t) => {
  const anvil = await startAnvil(t);
  const data = temporaryFolder(t);
  const start = (fresh, ...args) => startDev(t, { data, fresh, l1Url: anvil.url, args });
  let dev = await start(true, "--execution", "shadow", "--execution-workers", `${WORKERS}`);
  let shadowed;

  await step(t, "shadow mode finds no difference", async () => {
    const { l2, l2Wallets } = connect(dev);
    const { execution } = await dev.status();
    assert.deepEqual([execution.mode, execution.workers], ["shadow", WORKERS]);
    assert.equal(execution.lastBlock, null, "no block was built yet");

    const probe = await deploy(l2, l2Wallets[0], compileProbe(), [1n]);
    const raws = await mixed(accountsOf(dev), probe);
    const { body } = await dev.submit(raws);
    await dev.waitForState(body.results.at(-1).hash, "sealed");
    shadowed = await dev.status();
    for (const { hash } of body.results) await dev.waitForState(hash, "sealed");

    const { lastBlock, sinceStart } = shadowed.execution;
    assert.equal(sinceStart.mismatches, 0);
    assert.equal(sinceStart.shadowed, shadowed.head.number);
    assert.ok(sinceStart.transactions > raws.length, `${sinceStart.transactions} transactions ran`);
    assert.ok(sinceStart.inLanes > 0, "there was something to compare");
    assert.equal(lastBlock.number, shadowed.head.number);
    assert.ok(lastBlock.inLanes <= lastBlock.transactions);
    assert.ok(lastBlock.largestLaneTransactions <= lastBlock.inLanes);
    assert.deepEqual(Object.keys(lastBlock.stageMicroseconds).sort(), STAGES);
    assert.ok(Object.values(lastBlock.stageMicroseconds).some((time) => time > 0));
  });

  await step(t, "sequential execution gives the same states", async () => {
    assert.deepEqual(await dev.stop(), { code: 0, signal: null });
    dev = await start(false, "--execution", "sequential");
    const { execution } = await dev.status();
    const { body: block } = await get(`${dev.l2Url}/v1/blocks/${shadowed.head.number}`);
    assert.deepEqual([block.hash, block.stateRoot], [shadowed.head.hash, shadowed.head.stateRoot]);
    assert.equal(execution.mode, "sequential");
    assert.equal(execution.lastBlock, null);
    assert.ok(execution.sinceStart.transactions > 0, "the journal's blocks were run");

    const { accounts, l2, l2Wallets } = connect(dev);
    await succeeded(l2, l2Wallets[0].sendTransaction({ to: accounts[1].address, value: 1n }));
    const { lastBlock, sinceStart } = (await dev.status()).execution;
    assert.ok(lastBlock.transactions > 0);
    assert.deepEqual([lastBlock.inLanes, sinceStart.inLanes, sinceStart.shadowed], [0, 0, 0]);
  });

  await step(t, "a challenger in the same mode agrees", async () => {
    assert.equal((await dev.settleAll()).verdict, "ok");
  });
});
