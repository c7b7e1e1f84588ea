// A sequencer that lies about the state: the challenger finds it, says what is wrong, and L1 never makes it final.
import assert from "node:assert/strict";
import { test } from "node:test";

import { BaseError, ContractFunctionRevertedError, parseEther, parseGwei } from "viem";

import { abiOf, connect, succeeded } from "./clients.mjs";
import { CHAIN_ID, CHALLENGE_WINDOW, PROPOSE_INTERVAL, startDev, step, until } from "./harness.mjs";
import { run, turnpike } from "./programs.mjs";

/** Output statuses of the Rollup contract. */
const PROPOSED = 1;
const CHALLENGED = 2;
/** Exit code of a challenger that found a wrong output. */
const WRONG_OUTPUT = 2;

test("a false output is challenged and does not become final", async (t) => {
  const dev = await startDev(t, { liar: true });
  const { accounts, l1, l2, l1Wallets, l2Wallets } = connect(dev);
  const [alice, bob, carol, dave] = accounts;
  const rollup = { address: dev.contracts.rollup, abi: abiOf("Rollup") };
  const output = (index) => l1.readContract({ ...rollup, functionName: "output", args: [BigInt(index)] });

  let honest;
  await step(t, "a block that holds a deposit alone is honest", async () => {
    const request = { gas: 21_000n, mint: 1n, to: bob.address };
    // It takes up a nonce of its sender's, as any transaction would.
    await l1Wallets[4].depositTransaction({ portalAddress: dev.contracts.portal, request });
    await dev.advanceL1();
    await until(async () => (await dev.status()).head.number === 1, "the deposit's block");
    honest = await dev.settleAll();
    assert.deepEqual([honest.verdict, honest.block], ["ok", 1]);
  });

  let lie;
  await step(t, "the next credits its last sender with an ether that nobody paid", async () => {
    const before = await l2.getBalance(dave);
    const transfer = {
      type: "eip1559",
      chainId: CHAIN_ID,
      nonce: 0,
      value: 1n,
      gas: 21_000n,
      maxFeePerGas: parseGwei("1"),
      maxPriorityFeePerGas: 0n,
    };
    const sends = [
      [alice, bob],
      [bob, carol],
      [dave, carol],
    ];
    const { body } = await dev.submit(
      await Promise.all(sends.map(([from, to]) => from.signTransaction({ ...transfer, to: to.address }))),
    );
    assert.deepEqual(
      body.results.filter(({ error }) => error),
      [],
    );
    const receipts = await Promise.all(body.results.map(({ hash }) => succeeded(l2, hash)));
    assert.equal(new Set(receipts.map(({ blockHash }) => blockHash)).size, 1, "one block holds them all");
    lie = receipts.at(-1);
    const paid = lie.gasUsed * lie.effectiveGasPrice + lie.l1Fee + 1n;
    assert.equal(await l2.getBalance(dave), before - paid + parseEther("1"));
  });

  let wrong;
  await step(t, "the challenger names block, transaction and account", async () => {
    await dev.advanceL1(1, PROPOSE_INTERVAL);
    const isProposed = async () =>
      Number(await l1.readContract({ ...rollup, functionName: "outputCount" })) > honest.index + 1;
    await dev.settle(isProposed, "the next output");
    // From here on L1 stands still: the challenge is not to land before it is looked for.
    wrong = await until(
      () => dev.verdicts().find(({ verdict }) => verdict !== "ok"),
      "the challenger to find the lie",
    );
    assert.equal(wrong.verdict, "wrong");
    assert.ok(wrong.block >= Number(lie.blockNumber));
    assert.equal(Number((await output(wrong.index)).l2BlockNumber), wrong.block);

    const { trueBlock, firstBlock, findings } = wrong.divergence;
    assert.equal(trueBlock, honest.block);
    assert.equal(firstBlock.block, Number(lie.blockNumber));
    assert.equal(findings.firstTransaction.hash, lie.transactionHash);
    const [{ address, field, claimed, derived }, ...more] = findings.state;
    assert.deepEqual([address, field, more], [dave.address.toLowerCase(), "balance", []]);
    assert.equal(BigInt(claimed) - BigInt(derived), parseEther("1"));
    assert.match(
      wrong.text,
      new RegExp(`^output ${wrong.index} \\(entry ${wrong.entry}, block ${wrong.block}\\): WRONG`),
    );
    for (const said of [`block: ${lie.blockNumber} `, lie.transactionHash, dave.address])
      assert.ok(wrong.text.includes(said), said);
  });

  await step(t, "the challenge lands on L1 within the window", async () => {
    const isSaid = ({ event, index }) => event === "challenged" && index === wrong.index;
    const waiting = await dev.l1Transaction("rollup", "the challenger to send its challenge");
    assert.equal((await output(wrong.index)).status, PROPOSED);
    assert.equal(dev.program.events.find(isSaid), undefined, "it is not said before it is so");
    await dev.advanceL1();
    await succeeded(l1, waiting);
    const { status, challenger } = await output(wrong.index);
    assert.deepEqual([status, challenger], [CHALLENGED, accounts[9].address]);
    const { l1Transaction } = await until(
      () => dev.program.events.find(isSaid),
      "the challenger to say that it has challenged",
    );
    assert.equal(l1Transaction, waiting);
  });

  let follower;
  await step(t, "what is built on the lie looks like anything else", async () => {
    follower = await succeeded(l2, l2Wallets[1].sendTransaction({ to: carol.address, value: 1n }));
    await dev.settle(async () => (await dev.status()).safe >= follower.blockNumber, "its block to be posted");
  });

  await step(t, "the output does not become final; the honest one does", async () => {
    await dev.advanceL1(1, CHALLENGE_WINDOW + PROPOSE_INTERVAL);
    const attempt = l1.simulateContract({
      ...rollup,
      functionName: "finalize",
      args: [BigInt(wrong.index)],
      account: alice,
    });
    await assert.rejects(attempt, (error) => {
      assert.ok(error instanceof BaseError, error);
      const revert = error.walk((cause) => cause instanceof ContractFunctionRevertedError);
      assert.equal(revert?.data?.errorName, "Rollup_NotProposed", error.message);
      return true;
    });
    await dev.settle(
      async () => (await dev.status()).outputs.final === honest.block,
      "the honest output to be final",
    );
    // Nor does the sequencer talk its way around the challenge.
    await dev.advanceL1(2, CHALLENGE_WINDOW);
    assert.equal((await output(wrong.index)).status, CHALLENGED);
    const { outputs } = await dev.status();
    assert.deepEqual([outputs.final, outputs.challenged], [honest.block, [wrong.index]]);
    for (const { transactionHash } of [lie, follower]) {
      assert.equal((await dev.life(transactionHash)).state, "safe", "posted, and no output speaks for it");
    }
  });

  await step(t, "whoever looks at L1 alone finds the same", async () => {
    const args = ["challenger", "--l1-url", dev.l1Url, "--genesis", dev.genesis, "--once"];
    const { code, stdout, stderr } = await run(t, turnpike(), args);
    assert.equal(code, WRONG_OUTPUT, stdout + stderr);
    assert.match(stdout, new RegExp(`output ${honest.index} .*: ok\n`));
    assert.match(stdout, new RegExp(`output ${wrong.index} .*: WRONG`));
    assert.match(stdout, new RegExp(`first false block: ${lie.blockNumber} `));
  });
});
