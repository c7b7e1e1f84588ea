// A sequencer that falsifies the state: the challenger finds the false block, reports it and wins the game against the defender,
// down to one instruction. The output is rejected, and proposer and defender lose their bonds.
import assert from "node:assert/strict";
import { test } from "node:test";

import { BaseError, ContractFunctionRevertedError, parseEther, parseGwei } from "viem";

import { DEPOSIT_GAS, abiOf, connect, succeeded } from "./clients.mjs";
import { CHAIN_ID, PROPOSE_INTERVAL, startDev, step, until } from "./harness.mjs";
import { run, turnpike } from "./programs.mjs";

/** Output statuses of the Rollup contract. */
const PROPOSED = 1;
const REJECTED = 4;
const CHALLENGED = 2;
/** Seconds on each side's clock, as in the development chain. */
const GAME_CLOCK = 60;
/** Bond of an output and of its defence, in wei. */
const BOND = parseEther("0.1");
/** Exit code of a challenger that found a wrong output. */
const WRONG_OUTPUT = 2;

test("a false output is challenged, defended and rejected", async (t) => {
  const dev = await startDev(t, { liar: true });
  const { accounts, l1, l2, l1Wallets, l2Wallets } = connect(dev);
  const [alice, bob, carol, dave] = accounts;
  const rollup = { address: dev.contracts.rollup, abi: abiOf("Rollup") };
  const dispute = { address: dev.contracts.dispute, abi: abiOf("Dispute") };
  const [adversary, proposer, challenger] = [5, 8, 9].map((index) => accounts[index]);
  const said = (name) => dev.program.events.find(({ event, output }) => event === name && output === wrong.index);
  const output = (index) => l1.readContract({ ...rollup, functionName: "output", args: [BigInt(index)] });

  let honest;
  await step(t, "a block that holds a deposit alone is honest", async () => {
    const request = { gas: 21_000n, mint: 1n, to: bob.address };
    // A deposit uses a nonce of its sender, like any transaction.
    await l1Wallets[4].depositTransaction({ portalAddress: dev.contracts.portal, request, gas: DEPOSIT_GAS });
    await dev.advanceL1();
    const hasRun = async () => (await l2.getTransactionCount(accounts[4])) === 1;
    await until(hasRun, "the deposit's block");
    const { head } = await dev.status();
    honest = await dev.settleAll();
    assert.equal(honest.verdict, "ok");
    assert.ok(honest.block >= head.number, `${honest.block}`);
  });

  let falsified;
  await step(t, "the next block credits its last sender with an unpaid ether", async () => {
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
    falsified = receipts.at(-1);
    const paid = falsified.gasUsed * falsified.effectiveGasPrice + falsified.l1Fee + 1n;
    assert.equal(await l2.getBalance(dave), before - paid + parseEther("1"));
  });

  let wrong;
  await step(t, "the challenger names block, transaction and account", async () => {
    await dev.advanceL1(1, PROPOSE_INTERVAL);
    const isProposed = async () => {
      const count = await l1.readContract({ ...rollup, functionName: "outputCount" });
      return (await output(count - 1n)).l2BlockNumber >= falsified.blockNumber;
    };
    await dev.settle(isProposed, "an output after the false block");
    // From here on L1 stands still, so that the challenge cannot land before the test looks for it.
    wrong = await until(
      () => dev.verdicts().find(({ verdict }) => verdict !== "ok"),
      "the challenger to find the false block",
    );
    assert.equal(wrong.verdict, "wrong");
    assert.ok(wrong.block >= Number(falsified.blockNumber));
    assert.equal(Number((await output(wrong.index)).l2BlockNumber), wrong.block);

    const { trueBlock, firstBlock, findings } = wrong.divergence;
    assert.ok(trueBlock >= honest.block && trueBlock < Number(falsified.blockNumber), `${trueBlock}`);
    assert.equal(firstBlock.block, Number(falsified.blockNumber));
    assert.equal(findings.firstTransaction.hash, falsified.transactionHash);
    const [{ address, field, claimed, derived }, ...more] = findings.state;
    assert.deepEqual([address, field, more], [dave.address.toLowerCase(), "balance", []]);
    assert.equal(BigInt(claimed) - BigInt(derived), parseEther("1"));
    assert.match(
      wrong.text,
      new RegExp(`^output ${wrong.index} \\(entry ${wrong.entry}, block ${wrong.block}\\): WRONG`),
    );
    for (const said of [`block: ${falsified.blockNumber} `, falsified.transactionHash, dave.address])
      assert.ok(wrong.text.includes(said), said);
  });

  await step(t, "the challenge lands on L1 within the window", async () => {
    const isSaid = ({ event, index }) => event === "challenged" && index === wrong.index;
    const waiting = await dev.l1Transaction("dispute", "the challenger to send its challenge");
    assert.equal((await output(wrong.index)).status, PROPOSED);
    assert.equal(dev.program.events.find(isSaid), undefined, "the event is not printed before the challenge is on L1");
    await dev.advanceL1();
    await succeeded(l1, waiting);
    assert.equal((await output(wrong.index)).status, CHALLENGED);
    const { l1Transaction } = await until(
      () => dev.program.events.find(isSaid),
      "the challenger to report its challenge",
    );
    assert.equal(l1Transaction, waiting);
  });

  let follower;
  await step(t, "blocks on top of the false block look like any others", async () => {
    follower = await succeeded(l2, l2Wallets[1].sendTransaction({ to: carol.address, value: 1n }));
    await dev.settle(async () => (await dev.status()).safe >= follower.blockNumber, "its block to be posted");
  });

  await step(t, "the adversary defends the output down to one instruction and has no move left", async () => {
    await dev.settle(() => said("defended"), "the adversary to defend the output");
    assert.equal(said("defended").defender, adversary.address.toLowerCase());
    await dev.settle(() => said("machineEntered"), "the game to come down to a block");
    assert.equal(said("machineEntered").l2Block, Number(falsified.blockNumber));
    const isRefused = ({ event, text }) => event === "adversary" && text.includes("has no move left");
    // The number of blocks decides which side has to prove the step.
    await dev.settle(
      () => said("gameEnded") ?? dev.program.events.find(isRefused),
      "the game to come down to an instruction",
    );
    await dev.advanceL1(1, GAME_CLOCK + 1);
    await dev.settle(() => said("gameEnded"), "the game to be decided");
    assert.equal(said("gameEnded").winner, "challenger");
  });

  await step(t, "the output is rejected, the challenger is paid, and proposer and defender lose their bonds", async () => {
    const isRejected = ({ event, index }) => event === "outputRejected" && index === wrong.index;
    await dev.settle(() => dev.program.events.find(isRejected), "the challenge to be resolved");
    assert.equal((await output(wrong.index)).status, REJECTED);
    assert.equal((await output(wrong.index)).proposer, proposer.address);
    // Its own bond and half of the proposer's and the defender's, in one withdrawal or in several.
    const due = BOND + BOND / 2n + BOND / 2n;
    const withdrawn = () => dev.program.events.filter(({ event }) => event === "bondWithdrawn");
    const paid = () => withdrawn().reduce((sum, { wei }) => sum + BigInt(wei), 0n);
    await dev.settle(() => paid() >= due, "the challenger to be paid");
    assert.equal(paid(), due);
    for (const account of [adversary, challenger]) {
      const owed = { ...dispute, functionName: "bondCredit", args: [account.address] };
      assert.equal(await l1.readContract(owed), 0n);
    }
    const isLost = ({ event, text }) => event === "adversary" && text.includes("its bond of 0.1 ether");
    await until(() => dev.program.events.find(isLost), "the adversary to report its lost bond");
  });

  await step(t, "the honest output is final, and the false one never will be", async () => {
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
    const final = async () => (await dev.status()).outputs.final;
    await dev.settle(async () => (await final()) >= honest.block, "the honest output to be final");
    assert.ok((await final()) < Number(falsified.blockNumber));
    for (const { transactionHash } of [falsified, follower]) {
      const { state } = await dev.transactionStatus(transactionHash);
      assert.ok(["safe", "proposed"].includes(state), `posted, and not final: ${state}`);
    }
  });

  await step(t, "a challenger that reads L1 alone finds the same", async () => {
    const args = ["challenger", "--l1-url", dev.l1Url, "--genesis", dev.genesis, "--once"];
    const { code, stdout, stderr } = await run(t, turnpike(), args);
    assert.equal(code, WRONG_OUTPUT, stdout + stderr);
    assert.match(stdout, new RegExp(`output ${honest.index} .*: ok\n`));
    assert.match(stdout, new RegExp(`output ${wrong.index} .*: WRONG`));
    assert.match(stdout, new RegExp(`first false block: ${falsified.blockNumber} `));
  });
});
