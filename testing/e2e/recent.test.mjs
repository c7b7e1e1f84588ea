// Queries on recent states by number, tag and hash, with proofs; older states are refused.
import assert from "node:assert/strict";
import { test } from "node:test";

import { keccak256, parseEther, toHex } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";

import { compileProbe, connect, deploy, sealTo, succeeded } from "./clients.mjs";
import { ask, rpc, startDev, step } from "./harness.mjs";
import { run, tool } from "./programs.mjs";
import { checkProof } from "./trie.mjs";

/** States kept behind the newest block. */
const STATES_KEPT = 128;
const ROUNDS = 6;

/** Creation code that stores the block's number as the contract's code. */
const NUMBER = "0x435f5260205ff3";

test("recent states can be queried, older ones are refused", async (t) => {
  const dev = await startDev(t, { args: ["--block-interval-ms", "20"] });
  const { accounts, l2, l2Wallets } = connect(dev);
  const [alice] = accounts;
  const [aliceWallet] = l2Wallets;
  const stranger = privateKeyToAccount(generatePrivateKey());
  const states = [];
  let probe;

  /** Values in the newest state. */
  const look = async () => ({
    block: await l2.getBlock(),
    alice: await l2.getBalance(alice),
    nonce: await l2.getTransactionCount(alice),
    stranger: await l2.getBalance(stranger),
    code: await l2.getCode(probe),
    count: await l2.getStorageAt({ ...probe, slot: "0x1" }),
  });

  await step(t, "each block changes balances and a contract", async () => {
    probe = { address: "0x0000000000000000000000000000000000000001" };
    states.push(await look());
    probe = await deploy(l2, aliceWallet, compileProbe(), [0n]);
    states[0].code = undefined;
    states.push(await look());
    for (let round = 1; round <= ROUNDS; round++) {
      const args = [BigInt(round), toHex(round, { size: 32 }), "0x"];
      await succeeded(l2, aliceWallet.writeContract({ ...probe, functionName: "write", args }));
      states.push(await look());
      await succeeded(l2, aliceWallet.sendTransaction({ to: stranger.address, value: BigInt(round) }));
      states.push(await look());
    }
    assert.deepEqual(
      states.map(({ block }) => Number(block.number)),
      [...states.keys()],
    );
  });

  await step(t, "viem reads each state by block number", async () => {
    for (const { block, ...state } of states) {
      const { number: blockNumber } = block;
      assert.equal(await l2.getBalance({ ...alice, blockNumber }), state.alice);
      assert.equal(await l2.getBalance({ ...stranger, blockNumber }), state.stranger);
      assert.equal(await l2.getTransactionCount({ ...alice, blockNumber }), state.nonce);
      assert.equal(await l2.getCode({ ...probe, blockNumber }), state.code);
      assert.equal(await l2.getStorageAt({ ...probe, slot: "0x1", blockNumber }), state.count);
      if (state.code === undefined) continue;
      const count = await l2.readContract({ ...probe, functionName: "count", blockNumber });
      assert.equal(count, BigInt(state.count));
    }
  });

  await step(t, "proofs verify against each block's state root", async () => {
    for (const { block, ...state } of states) {
      const { number: blockNumber, stateRoot } = block;
      const proof = (address, storageKeys) => l2.getProof({ address, storageKeys, blockNumber });
      const { balance, nonce } = checkProof(stateRoot, await proof(alice.address, []));
      assert.deepEqual([balance, nonce], [state.alice, state.nonce]);
      if (state.code === undefined) continue;
      const contract = await proof(probe.address, ["0x1", "0xffff"]);
      checkProof(stateRoot, contract);
      assert.deepEqual(
        contract.storageProof.map(({ value }) => value),
        [BigInt(state.count), 0n],
      );
    }
  });

  await step(t, "calls and estimates run at their block", async () => {
    for (const { block } of states) {
      assert.equal(BigInt(await rpc(dev.l2Url, "eth_call", [{ data: NUMBER }, toHex(block.number)])), block.number);
    }
    const funded = states.findIndex((state) => state.stranger > 0n);
    const request = { from: stranger.address, to: alice.address, value: "0x1" };
    const at = (number) => ask(dev.l2Url, "eth_estimateGas", [request, toHex(number)]);
    assert.equal(BigInt((await at(funded)).result), 21_000n);
    assert.match((await at(funded - 1)).error.message, /^insufficient funds/);
  });

  await step(t, "a state is selected by block hash, also by cast", async (t) => {
    for (const { block, ...state } of [states[0], states[3], states.at(-1)]) {
      for (const id of [block.hash, { blockHash: block.hash }, { blockHash: block.hash, requireCanonical: true }]) {
        assert.equal(BigInt(await rpc(dev.l2Url, "eth_getBalance", [alice.address, id])), state.alice);
      }
      const args = ["balance", alice.address, "--block", String(block.number), "--rpc-url", dev.l2Url];
      const { code, stdout, stderr } = await run(t, tool("cast"), args);
      assert.equal(code, 0, stderr);
      assert.equal(BigInt(stdout.trim()), state.alice);
    }
  });

  await step(t, "a state is selected by tag", async () => {
    const first = await l2.getBalance({ ...alice, blockTag: "earliest" });
    assert.equal(first, states[0].alice);
    await dev.settleAll();
    const send = aliceWallet.sendTransaction({ to: stranger.address, value: parseEther("1") });
    const { blockNumber } = await succeeded(l2, send);
    const [safe, finalized] = await Promise.all(
      ["safe", "finalized"].map((blockTag) => l2.getBlock({ blockTag })),
    );
    // Empty blocks change nothing that this test reads.
    assert.ok(safe.number >= states.at(-1).block.number && safe.number < blockNumber, `${safe.number}`);
    assert.equal(await l2.getBalance({ ...stranger, blockTag: "safe" }), states.at(-1).stranger);
    const known = states[Number(finalized.number)] ?? states.at(-1);
    assert.equal(await l2.getBalance({ ...stranger, blockTag: "finalized" }), known.stranger);
  });

  await step(t, "old states are pruned", async () => {
    await sealTo(dev, aliceWallet, STATES_KEPT + 2);
    const balance = (id) => ask(dev.l2Url, "eth_getBalance", [alice.address, id]);
    const head = Number(await l2.getBlockNumber());
    const oldest = head - STATES_KEPT;
    for (const id of [toHex(oldest - 1), "earliest", { blockHash: states[1].block.hash }]) {
      const { error } = await balance(id);
      assert.equal(error.code, -32_000);
      assert.match(
        error.message,
        new RegExp(`^historical state is not available: block \\d+ was asked for, block ${oldest} is the oldest`),
      );
    }
    assert.equal(BigInt((await balance(toHex(oldest))).result), states[oldest].alice);
    for (const id of [toHex(head + 1), { blockHash: keccak256("0x77") }]) {
      assert.equal((await balance(id)).error.message, "header not found");
    }
    const { stateRoot } = states[oldest].block;
    checkProof(stateRoot, await l2.getProof({ ...alice, storageKeys: [], blockNumber: BigInt(oldest) }));
  });
});
