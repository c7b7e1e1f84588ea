// Deposits and withdrawals with viem's op-stack actions, unmodified.
import assert from "node:assert/strict";
import { test } from "node:test";

import { parseEther, parseEventLogs } from "viem";
import { getL2TransactionHashes, getWithdrawals } from "viem/op-stack";

import { abiOf, succeeded } from "./clients.mjs";
import { CHALLENGE_WINDOW, PROPOSE_INTERVAL, get, startDev, step, until } from "./harness.mjs";
import {
  L2_STANDARD_BRIDGE,
  MESSAGE_PASSER,
  TOKEN_FACTORY,
  atL1Time,
  opStack,
  propose,
  refuses,
  tokenArtifact,
  waitsOf,
} from "./opstack.mjs";

/** Seconds that viem adds to the rest of a waiting time. */
const VIEM_BUFFER = 10;
/** Gas limit of proving and finalizing together. */
const GAS_MAX = 400_000n;
const GUARDIAN = 6;
/** Seconds on each side's clock, as in the development chain, and parts of a bisected range. */
const GAME_CLOCK = 60;
const SEGMENTS = 32;
/** The portal's errors for a proof of another withdrawal. */
const TRIE_ERRORS = ["Portal_NotSent", "MerkleTrie_KeyAbsent", "MerkleTrie_WrongNode", "MerkleTrie_Malformed"];
const VALUE = parseEther("1.5");
/** The portal pays out deposits only: L2's genesis ether is not backed on L1. */
const DEPOSITED = 2n * VALUE;

test("viem's op-stack actions deposit and withdraw", async (t) => {
  const dev = await startDev(t);
  const { accounts, l1, l2, l1Wallets, l2Wallets, l2Chain: targetChain } = opStack(dev);
  const [alice, bob] = accounts;
  const [aliceL1] = l1Wallets;
  const [aliceL2] = l2Wallets;
  const portal = { address: dev.contracts.portal, abi: abiOf("Portal") };
  const rollup = { address: dev.contracts.rollup, abi: abiOf("Rollup") };
  const dispute = { address: dev.contracts.dispute, abi: abiOf("Dispute") };
  const read = (contract, functionName, ...args) => l1.readContract({ ...contract, functionName, args });
  /** Sends on L1 and mines the transaction. */
  const onL1 = async (sending) => {
    const hash = await sending;
    await dev.advanceL1();
    return succeeded(l1, hash);
  };
  const status = (receipt) => atL1Time(l1, () => l1.getWithdrawalStatus({ receipt, targetChain }));
  const hasOutput = async (receipt) =>
    l1.getL2Output({ l2BlockNumber: receipt.blockNumber, targetChain }).catch(() => false);
  /** Waits until an output covers a receipt's block. */
  const settleOutput = async (receipt) => {
    await dev.settle(
      async () => (await dev.status()).safe >= Number(receipt.blockNumber),
      "the withdrawal's block to be posted",
    );
    await dev.advanceL1(1, PROPOSE_INTERVAL);
    await dev.settle(() => hasOutput(receipt), "an output that covers the withdrawal");
  };
  /** Lets a proof's waiting time pass and the proposer finalize, so that viem's gas estimate stays right. */
  const settleFinal = async ({ withdrawalHash }) => {
    const { l2OutputIndex } = await provenOn(withdrawalHash);
    // In the last second of the wait viem still waits.
    await dev.advanceL1(1, CHALLENGE_WINDOW + 1);
    const isFinal = () => read(portal, "isOutputFinalized", l2OutputIndex);
    await dev.settle(isFinal, "the output to be final");
  };
  const proofOf = async (receipt) => {
    const { output, withdrawal } = await l1.waitToProve({ receipt, targetChain });
    return l2.buildProveWithdrawal({ account: alice, output, withdrawal });
  };

  await step(t, "a deposit is built, sent and found on L2 by its hash", async () => {
    const before = await l2.getBalance(bob);
    const deposit = await l2.buildDepositTransaction({ mint: DEPOSITED, to: bob.address });
    const receipt = await onL1(aliceL1.depositTransaction({ ...deposit, account: alice }));
    const [hash, ...more] = getL2TransactionHashes(receipt);
    assert.deepEqual(more, []);
    await succeeded(l2, hash);
    assert.equal(await l2.getBalance(bob), before + DEPOSITED);
  });

  let receipt, withdrawal;
  await step(t, "a withdrawal is initiated and waits for an output", async () => {
    const before = await l2.getBalance(alice);
    const request = await l1.buildInitiateWithdrawal({ to: bob.address, value: VALUE });
    receipt = await succeeded(l2, aliceL2.initiateWithdrawal({ ...request, account: alice }));
    const paid = receipt.gasUsed * receipt.effectiveGasPrice + receipt.l1Fee;
    assert.equal(await l2.getBalance(alice), before - VALUE - paid);
    [withdrawal] = getWithdrawals(receipt);
    assert.deepEqual([withdrawal.sender, withdrawal.target], [alice.address, bob.address]);
    assert.equal(withdrawal.value, VALUE);
    assert.equal(await status(receipt), "waiting-to-prove");
    const { interval, seconds } = await atL1Time(l1, () => l1.getTimeToProve({ receipt, targetChain }));
    assert.ok(interval > 0 && seconds > 0, `${interval}, ${seconds}`);
  });

  await step(t, "an earlier output cannot prove it", async () => {
    const waiting = l1.getL2Output({ l2BlockNumber: receipt.blockNumber, targetChain });
    await assert.rejects(waiting, /has not been proposed/);
    // Output 0 covers block 0, whose state has no withdrawal.
    const [block, { storageHash }] = await Promise.all([
      l2.getBlock({ blockNumber: 0n }),
      l2.getProof({ address: MESSAGE_PASSER, storageKeys: [], blockNumber: 0n }),
    ]);
    const outputRootProof = {
      version: `0x${"00".repeat(32)}`,
      stateRoot: block.stateRoot,
      messagePasserStorageRoot: storageHash,
      latestBlockhash: block.hash,
    };
    const proof = { withdrawal, l2OutputIndex: 0n, outputRootProof, targetChain };
    await refuses(aliceL1.proveWithdrawal({ ...proof, withdrawalProof: [] }), "MerkleTrie_ProofTooShort");
    const emptyTrie = { ...proof, withdrawalProof: ["0x80"] };
    await refuses(aliceL1.proveWithdrawal(emptyTrie), ...TRIE_ERRORS);
    const unknown = aliceL1.proveWithdrawal({ ...emptyTrie, l2OutputIndex: 99n });
    await refuses(unknown, "Rollup_UnknownOutput");
    await refuses(aliceL1.finalizeWithdrawal({ withdrawal, targetChain }), "Portal_NotProven");
  });

  let proof;
  await step(t, "a later output can prove it, and only unaltered", async () => {
    await settleOutput(receipt);
    assert.equal(await status(receipt), "ready-to-prove");
    assert.equal((await atL1Time(l1, () => l1.getTimeToProve({ receipt, targetChain }))).seconds, 0);
    proof = await proofOf(receipt);
    const tampered = [
      [{ ...proof, withdrawal: { ...withdrawal, value: VALUE + 1n } }, ...TRIE_ERRORS],
      [{ ...proof, withdrawal: { ...withdrawal, target: alice.address } }, ...TRIE_ERRORS],
      [{ ...proof, l2OutputIndex: 0n }, "Portal_WrongOutputRoot"],
      [
        { ...proof, outputRootProof: { ...proof.outputRootProof, stateRoot: `0x${"11".repeat(32)}` } },
        "Portal_WrongOutputRoot",
      ],
    ];
    for (const [args, ...errors] of tampered) await refuses(aliceL1.proveWithdrawal(args), ...errors);
    const nodes = proof.withdrawalProof.map((node) => `${node.slice(0, -2)}ff`);
    await refuses(aliceL1.proveWithdrawal({ ...proof, withdrawalProof: nodes }), "MerkleTrie_WrongNode");
    await refuses(aliceL1.proveWithdrawal({ ...proof, withdrawalProof: [] }), "MerkleTrie_ProofTooShort");
    assert.equal(await status(receipt), "ready-to-prove");
  });

  let gas = 0n;
  await step(t, "it is proven once and then waits", async () => {
    const proven = await onL1(aliceL1.proveWithdrawal(proof));
    gas += proven.gasUsed;
    assert.equal(await status(receipt), "waiting-to-finalize");
    const args = { withdrawalHash: withdrawal.withdrawalHash, targetChain };
    const left = await atL1Time(l1, () => l1.getTimeToFinalize(args));
    assert.deepEqual([left.period, left.seconds], [CHALLENGE_WINDOW, CHALLENGE_WINDOW + VIEM_BUFFER]);
    const waits = await atL1Time(l1, () => waitsOf(() => l1.waitToFinalize(args)));
    assert.deepEqual(waits, [CHALLENGE_WINDOW + VIEM_BUFFER]);
    await refuses(aliceL1.finalizeWithdrawal({ withdrawal, targetChain }), "Portal_ProofTooYoung");
    await refuses(aliceL1.proveWithdrawal(proof), "Portal_AlreadyProven");
  });

  await step(t, "it is finalized once and pays the ether", async () => {
    await settleFinal(withdrawal);
    assert.equal(await status(receipt), "ready-to-finalize");
    const args = { withdrawalHash: withdrawal.withdrawalHash, targetChain };
    assert.deepEqual(await atL1Time(l1, () => waitsOf(() => l1.waitToFinalize(args))), []);
    const [before, held] = await Promise.all([l1.getBalance(bob), l1.getBalance(portal)]);
    const finalized = await onL1(aliceL1.finalizeWithdrawal({ withdrawal, targetChain }));
    gas += finalized.gasUsed;
    assert.equal(await l1.getBalance(bob), before + VALUE);
    assert.equal(await l1.getBalance(portal), held - VALUE);
    assert.equal(await status(receipt), "finalized");
    await refuses(aliceL1.finalizeWithdrawal({ withdrawal, targetChain }), "Portal_AlreadyFinalized");
    await refuses(aliceL1.proveWithdrawal(proof), "Portal_AlreadyFinalized");
    assert.ok(gas < GAS_MAX, `proving and finalizing cost ${gas} gas`);
  });

  const balance = (client, token, { address }) =>
    client.readContract({ ...token, functionName: "balanceOf", args: [address] });

  const supply = parseEther("1000");
  const amount = parseEther("7");
  let l1Token, l2Token;
  await step(t, "an L1 token moves to L2", async () => {
    const { abi, bytecode } = tokenArtifact();
    const deployed = await onL1(
      aliceL1.deployContract({ abi, bytecode, args: ["Coin", "COIN", supply, alice.address] }),
    );
    l1Token = { address: deployed.contractAddress, abi };
    const factory = { address: TOKEN_FACTORY, abi: abiOf("OptimismMintableERC20Factory") };
    const created = await succeeded(
      l2,
      aliceL2.writeContract({
        ...factory,
        functionName: "createOptimismMintableERC20",
        args: [l1Token.address, "Coin", "COIN"],
      }),
    );
    const [{ args }] = parseEventLogs({
      abi: factory.abi,
      logs: created.logs,
      eventName: "OptimismMintableERC20Created",
    });
    l2Token = { address: args.localToken, abi };
    const bridge = { address: dev.contracts.bridge, abi: abiOf("L1StandardBridge") };
    await onL1(
      aliceL1.writeContract({ ...l1Token, functionName: "approve", args: [bridge.address, amount] }),
    );
    const sent = await onL1(
      aliceL1.writeContract({
        ...bridge,
        functionName: "depositERC20",
        args: [l1Token.address, l2Token.address, amount, 200_000, "0x"],
      }),
    );
    const [hash] = getL2TransactionHashes(sent);
    await succeeded(l2, hash);
    assert.equal(await balance(l2, l2Token, alice), amount);
    assert.equal(await balance(l1, l1Token, alice), supply - amount);
  });

  let tokenReceipt;
  await step(t, "it moves back while the guardian pauses withdrawals and nothing else", async () => {
    tokenReceipt = await succeeded(
      l2,
      aliceL2.writeContract({
        address: L2_STANDARD_BRIDGE,
        abi: abiOf("L2StandardBridge"),
        functionName: "withdraw",
        args: [l2Token.address, amount, 200_000, "0x"],
      }),
    );
    assert.equal(await balance(l2, l2Token, alice), 0n);
    await settleOutput(tokenReceipt);
    const tokenProof = await proofOf(tokenReceipt);

    await onL1(l1Wallets[GUARDIAN].writeContract({ ...portal, functionName: "pause" }));
    assert.equal(await read(portal, "paused"), true);
    await refuses(aliceL1.proveWithdrawal(tokenProof), "Portal_Paused");
    const deposit = await l2.buildDepositTransaction({ mint: 1n, to: bob.address });
    const [hash] = getL2TransactionHashes(
      await onL1(aliceL1.depositTransaction({ ...deposit, account: alice })),
    );
    await succeeded(l2, hash);
    await onL1(l1Wallets[GUARDIAN].writeContract({ ...portal, functionName: "unpause" }));

    await onL1(aliceL1.proveWithdrawal(tokenProof));
    const [tokenWithdrawal] = getWithdrawals(tokenReceipt);
    await settleFinal(tokenWithdrawal);
    await onL1(aliceL1.finalizeWithdrawal({ withdrawal: tokenWithdrawal, targetChain }));
    assert.equal(await balance(l1, l1Token, alice), supply);
    assert.equal(await status(tokenReceipt), "finalized");
  });

  await step(t, "after its output is challenged, a withdrawal is proven on another output", async () => {
    const request = { to: bob.address, value: VALUE, gas: 21_000n };
    const last = await succeeded(l2, aliceL2.initiateWithdrawal({ request, account: alice }));
    await settleOutput(last);
    const { outputIndex } = await hasOutput(last);
    const { parentIndex } = await read(rollup, "output", outputIndex);
    await onL1(aliceL1.proveWithdrawal(await proofOf(last)));
    assert.equal(await status(last), "waiting-to-finalize");
    const { challenge, game } = await challengeAndDefend(outputIndex);
    assert.equal(await status(last), "waiting-to-prove");

    // A later proposal of the same chain has another entry and so another claim.
    const next = await succeeded(l2, l2Wallets[1].sendTransaction({ to: alice.address, value: 1n }));
    const block = Number(next.blockNumber);
    await dev.settle(async () => (await dev.status()).safe >= block, "the next block to be posted");
    if (!(await hasOutput(last))) {
      const inbox = { address: dev.contracts.inbox, abi: abiOf("Inbox") };
      const entry = (await read(inbox, "entryCount")) - 1n;
      const proposal = { parent: parentIndex, entry, block: (await dev.status()).safe };
      await onL1(propose(dev, { l1, wallet: l1Wallets[4] }, proposal));
    }
    assert.equal(await status(last), "ready-to-prove");
    await onL1(aliceL1.proveWithdrawal(await proofOf(last)));
    const { l2OutputIndex } = await provenOn(getWithdrawals(last)[0].withdrawalHash);
    assert.notEqual(l2OutputIndex, outputIndex);
    // The portal finalizes the output itself.
    await dev.advanceL1(1, CHALLENGE_WINDOW);
    const before = await l1.getBalance(bob);
    await onL1(aliceL1.finalizeWithdrawal({ withdrawal: getWithdrawals(last)[0], targetChain }));
    assert.equal(await l1.getBalance(bob), before + VALUE);

    // The challenger has no valid answer.
    await dev.advanceL1(1, GAME_CLOCK);
    // The node's challenger, which also defends the output, may be faster.
    const timeOut = l1Wallets[4].writeContract({ ...dispute, functionName: "timeOut", args: [BigInt(game)] });
    await timeOut.catch(() => {});
    const isFinal = async () => (await output(outputIndex)).state === "final";
    await dev.settle(isFinal, "the output to be final after all");
    const { state, playable, games } = await rest(`disputes/${challenge}`);
    assert.deepEqual([state, playable], ["failed", false]);
    assert.ok(games.some(({ state, end }) => state === "defenderWon" && end.by === "clock"));
    assert.equal((await output(outputIndex)).openChallenges, 0);
  });

  /** Challenges a true output and waits for its defence; no further moves are played. */
  async function challengeAndDefend(index) {
    const { claim } = await read(rollup, "output", index);
    const said = `0x${"66".repeat(32)}`;
    const challenging = await onL1(
      l1Wallets[5].writeContract({
        ...dispute,
        functionName: "challenge",
        args: [index, claim, { segment: 0n, claims: Array(SEGMENTS).fill(said), finalState: "0x" }],
        value: await read(dispute, "gameBond"),
      }),
    );
    const [opened] = parseEventLogs({ ...dispute, logs: challenging.logs, eventName: "ChallengeOpened" });
    const challenge = Number(opened.args.challenge);
    const isKnown = async () => (await dev.status()).outputs.challenged.includes(Number(index));
    // No block is mined, so no defence is in one.
    await until(isKnown, "the sequencer to know of the challenge");
    const before = await rest(`disputes/${challenge}`);
    assert.deepEqual([before.output, before.challenger], [Number(index), l1Wallets[5].account.address.toLowerCase()]);
    assert.deepEqual([before.state, before.playable], ["open", true]);
    assert.ok(before.secondsToDefend > 0 && before.secondsToDefend <= GAME_CLOCK, `${before.secondsToDefend}`);
    assert.equal(before.l1Transaction, challenging.transactionHash);
    const challenged = await output(index);
    assert.deepEqual([challenged.state, challenged.agreed, challenged.secondsToFinal], ["challenged", true, null]);
    assert.equal(challenged.openChallenges, 1);

    // The node's challenger defends the output.
    const { first, last } = before.opening;
    const parts = Number((BigInt(last - first) + BigInt(SEGMENTS) - 1n) / BigInt(SEGMENTS));
    const find = async () => (await rest(`disputes/${challenge}`)).games[0];
    const found = await dev.settle(find, "the sequencer to know of the game");
    assert.deepEqual([found.state, found.toMove, found.rounds, found.phase], ["open", "challenger", 2, "blocks"]);
    assert.deepEqual([found.first, found.last], [first, first + parts]);
    const [move, ...more] = found.moves;
    assert.deepEqual([move.side, more], ["defender", []]);
    const defending = await succeeded(l1, move.l1Transaction);
    assert.deepEqual([defending.to, defending.from], [dev.contracts.dispute.toLowerCase(), found.defender]);
    const { timestamp } = await l1.getBlock({ blockNumber: defending.blockNumber });
    assert.equal(found.deadline, Number(timestamp) + GAME_CLOCK);
    const { disputes } = await rest("disputes?limit=1");
    assert.deepEqual(disputes.map((it) => it.challenge), [challenge]);
    return { challenge, game: found.game };
  }

  async function rest(path) {
    const { status, body } = await get(`${dev.l2Url}/v1/${path}`);
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  }

  function output(index) {
    return rest(`outputs/${index}`);
  }

  async function provenOn(withdrawalHash) {
    const [outputRoot, timestamp, l2OutputIndex] = await read(portal, "provenWithdrawals", withdrawalHash);
    return { outputRoot, timestamp, l2OutputIndex };
  }
});
