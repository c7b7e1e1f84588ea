// A challenger verifies the chain with L1 and the genesis file alone, after the sequencer is gone.
import assert from "node:assert/strict";
import { copyFileSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { encodeFunctionData, parseEther } from "viem";
import { getL2TransactionHashes } from "viem/op-stack";

import { DEPOSIT_GAS, abiOf, compileProbe, connect, deploy, receiptOf, succeeded } from "./clients.mjs";
import { PROPOSE_INTERVAL, startAnvil, startDev, step, until } from "./harness.mjs";
import { run, temporaryFolder, turnpike } from "./programs.mjs";

const OUTPUTS_MIN = 3;
/** An entry holds 32 deposits. */
const DEPOSITS = 40;

test("a challenger verifies every output from L1 and genesis alone", async (t) => {
  const anvil = await startAnvil(t);
  const data = temporaryFolder(t);
  const empty = temporaryFolder(t);
  const dev = await startDev(t, { data, l1Url: anvil.url });
  const { accounts, l1, l2, l1Wallets, l2Wallets } = connect(dev);
  const [alice, bob] = accounts;

  await step(t, "the chain has transactions and deposits", async () => {
    const probe = await deploy(l2, l2Wallets[0], compileProbe(), [1n]);
    const depositor = l1Wallets[2];
    const request = { gas: 200_000n, to: probe.address, mint: parseEther("1"), value: 5n };
    const hashes = [
      await depositor.depositTransaction({
        portalAddress: dev.contracts.portal,
        gas: DEPOSIT_GAS,
        request: { ...request, value: 0n, to: bob.address },
      }),
      // This deposit reverts and still mints.
      await depositor.depositTransaction({
        portalAddress: dev.contracts.portal,
        gas: DEPOSIT_GAS,
        request: { ...request, data: encodeFunctionData({ ...probe, functionName: "refuse", args: [1n] }) },
      }),
    ];
    await dev.advanceL1();
    const [minted, failed] = await Promise.all(
      hashes.map(async (hash) => {
        const { logs } = await succeeded(l1, hash);
        const [deposit] = getL2TransactionHashes({ logs });
        return receiptOf(l2, deposit);
      }),
    );
    assert.deepEqual([minted.status, failed.status], ["success", "reverted"]);
    assert.equal(await l2.getBalance(accounts[2]), parseEther("10002"));

    // More deposits than one entry may hold.
    const nonce = await l1.getTransactionCount({ address: bob.address });
    for (let index = 0; index < DEPOSITS; index++) {
      const request = { gas: 21_000n, mint: 1n, to: probe.address, value: 0n };
      await l1Wallets[1].depositTransaction({
        portalAddress: dev.contracts.portal,
        request,
        nonce: nonce + index,
        gas: DEPOSIT_GAS,
      });
    }
    const before = await l2.getBalance(bob);
    await dev.advanceL1();
    await until(async () => (await l2.getBalance(bob)) === before + BigInt(DEPOSITS), "the deposits to mint");

    for (let round = 0; round < OUTPUTS_MIN; round++) {
      const write = { ...probe, functionName: "write", args: [BigInt(round), `0x${"77".repeat(32)}`, "0x"] };
      await succeeded(l2, l2Wallets[0].writeContract(write));
      await succeeded(l2, l2Wallets[1].sendTransaction({ to: alice.address, value: 1n }));
      await dev.settleAll();
      await dev.advanceL1(1, PROPOSE_INTERVAL);
    }
  });

  let outputs;
  await step(t, "the sequencer and its files are gone", async () => {
    const rollup = { address: dev.contracts.rollup, abi: abiOf("Rollup") };
    const count = await l1.readContract({ ...rollup, functionName: "outputCount" });
    const indexes = Array.from({ length: Number(count) - 1 }, (_, index) => index + 1);
    outputs = await Promise.all(
      indexes.map(async (index) => {
        const { entry, l2BlockNumber } = await l1.readContract({
          ...rollup,
          functionName: "output",
          args: [BigInt(index)],
        });
        return { index, entry: Number(entry), block: Number(l2BlockNumber) };
      }),
    );
    assert.ok(outputs.length >= OUTPUTS_MIN, `${outputs.length} outputs`);

    assert.deepEqual(await dev.stop(), { code: 0, signal: null });
    copyFileSync(dev.genesis, join(empty, "genesis.json"));
    rmSync(data, { recursive: true });
    assert.equal(await l1.getChainId(), dev.ready.l1ChainId, "L1 is still there");
  });

  const challenger = (...args) =>
    run(t, turnpike(), ["challenger", "--l1-url", anvil.url, "--once", ...args], { cwd: empty });

  await step(t, "a challenger in an empty folder verifies every output", async () => {
    const { code, stdout, stderr } = await challenger("--genesis", "genesis.json");
    assert.equal(code, 0, stdout + stderr);
    const found = [...stdout.matchAll(/output (\d+) \(entry (\d+), block (\d+)\): ok/g)];
    assert.deepEqual(
      found.map(([, index, entry, block]) => ({ index: +index, entry: +entry, block: +block })),
      outputs,
    );
    assert.deepEqual(readdirSync(empty), ["genesis.json"], "it has written nothing");
  });

  await step(t, "the JSON output agrees", async () => {
    const { code, stdout, stderr } = await challenger("--genesis", "genesis.json", "--json");
    assert.equal(code, 0, stdout + stderr);
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
      .filter(({ event }) => event === "output");
    assert.deepEqual(
      events.map(({ index, entry, block }) => ({ index, entry, block })),
      outputs,
    );
    assert.deepEqual([...new Set(events.map(({ verdict }) => verdict))], ["ok"]);
  });

  await step(t, "another genesis file is refused", async () => {
    const genesis = JSON.parse(readFileSync(join(empty, "genesis.json"), "utf8"));
    genesis.alloc[alice.address.toLowerCase()].balance = "0x1";
    writeFileSync(join(empty, "other.json"), JSON.stringify(genesis));
    const { code, stdout, stderr } = await challenger("--genesis", "other.json");
    assert.equal(code, 1, stdout);
    assert.match(stderr, /belongs to another chain/);
    assert.doesNotMatch(stdout, /output/);
  });
});
