// The operator is gone: users withdraw their money with L1 and the genesis file alone.
import assert from "node:assert/strict";
import { copyFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { parseEther } from "viem";

import { Bridge } from "./bridge-command.mjs";
import { abiOf, connect, succeeded } from "./clients.mjs";
import { CHALLENGE_WINDOW, startAnvil, startDev, step, until, untilMined } from "./harness.mjs";
import { Program, temporaryFolder, turnpike } from "./programs.mjs";

const FORCE_WINDOW = 60;
const OUT = parseEther("3");

test("users leave without the operator", async (t) => {
  const anvil = await startAnvil(t);
  const data = temporaryFolder(t);
  const folder = temporaryFolder(t);
  const genesis = join(folder, "genesis.json");
  const dev = await startDev(t, { data, l1Url: anvil.url });
  const { accounts, l1, l2, l2Wallets } = connect(dev);
  const [alice, bob] = accounts;
  const key = ["--key", dev.accounts[0].privateKey];
  const bridge = new Bridge({ genesis, l1Url: anvil.url });
  const rollup = { address: dev.contracts.rollup, abi: abiOf("Rollup") };
  const outputCount = () => l1.readContract({ ...rollup, functionName: "outputCount" });

  await step(t, "users hold ether on L2", async (t) => {
    copyFileSync(dev.genesis, genesis);
    const deposit = await bridge.does(t, "deposit", ...key, "--amount", "5ether", "--to", bob.address);
    await until(() => l2.getTransactionReceipt({ hash: deposit.l2Transaction }).catch(() => false), "L2");
    await succeeded(l2, l2Wallets[1].sendTransaction({ to: alice.address, value: parseEther("4") }));
    await dev.settleAll();
  });

  await step(t, "the operator is killed and its files are lost", async () => {
    await dev.kill();
    rmSync(data, { recursive: true });
    await assert.rejects(l2.getBlockNumber());
    await dev.advanceL1();
  });

  let forced;
  await step(t, "a user queues a withdrawal on L1, and no sequencer includes it", async (t) => {
    forced = await bridge.does(t, "force", ...key, "--withdraw", "3ether", "--to", bob.address);
    assert.equal(forced.event, "queued");
    const status = await bridge.does(t, "status", forced.l1Transaction);
    assert.deepEqual([status.kind, status.stage, status.next], ["deposit", "queued", "wait"]);
    await bridge.refuses(t, /is overdue in \d+ seconds/, "force", ...key, "--include");
    await bridge.refuses(t, /not on L2 yet/, "prove", ...key, "--from-l1", forced.l1Transaction);
  });

  await step(t, "once it is overdue, the user force-includes it", async (t) => {
    await dev.advanceL1(1, FORCE_WINDOW);
    const status = await bridge.does(t, "status", forced.l1Transaction);
    assert.deepEqual([status.stage, status.next], ["overdue", "force"]);
    const included = await bridge.does(t, "force", ...key, "--include");
    assert.deepEqual([included.event, included.first, included.count], ["forced", forced.index, 1]);
    assert.equal((await bridge.does(t, "status", forced.l1Transaction)).stage, "posted");
    await bridge.refuses(t, /no deposit waits/, "force", ...key, "--include");
  });

  await step(t, "a user proposes the output that covers it", async (t) => {
    await bridge.refuses(t, /not yet provable/, "prove", ...key, "--from-l1", forced.l1Transaction);
    const before = await outputCount();
    const chain = ["--genesis", genesis, "--l1-url", anvil.url, "--l1-confirmations", "0"];
    const proposing = ["--l1-poll-ms", "50", "--propose-interval", "1"];
    const keys = ["--key", dev.accounts[4].privateKey];
    const program = new Program(t, "proposer", turnpike(), ["proposer", ...chain, ...proposing, ...keys]);
    const withdrawal = async () => {
      const { withdrawals } = await bridge.does(t, "status", "--from-l1", forced.l1Transaction);
      return withdrawals[0].stage === "ready-to-prove";
    };
    const isCovered = async () => (await outputCount()) > before && withdrawal();
    await untilMined(anvil.url, isCovered, "an output that covers the withdrawal");
    await program.stop();
  });

  await step(t, "the user proves the withdrawal from L1 alone", async (t) => {
    const proven = await bridge.does(t, "prove", ...key, "--from-l1", forced.l1Transaction);
    assert.deepEqual([proven.event, proven.stage], ["proven", "waiting-to-finalize"]);
  });

  await step(t, "the money is on L1", async (t) => {
    await dev.advanceL1(1, CHALLENGE_WINDOW);
    const before = await l1.getBalance(bob);
    const finalized = await bridge.does(t, "finalize", ...key, "--from-l1", forced.l1Transaction);
    assert.deepEqual([finalized.event, finalized.value], ["finalized", String(OUT)]);
    assert.equal(await l1.getBalance(bob), before + OUT);
    assert.deepEqual(readdirSync(folder), ["genesis.json"], "no other file was read or written");
  });
});
