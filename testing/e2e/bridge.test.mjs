// `turnpike bridge`: deposits, withdrawals and forced transactions on the command line.
import assert from "node:assert/strict";
import { test } from "node:test";

import { parseEther, parseEventLogs } from "viem";

import { Bridge } from "./bridge-command.mjs";
import { abiOf, compileProbe, deploy, succeeded } from "./clients.mjs";
import { CHALLENGE_WINDOW, PROPOSE_INTERVAL, rpc, startDev, step, until } from "./harness.mjs";
import { TOKEN_FACTORY, opStack, tokenArtifact } from "./opstack.mjs";

const GUARDIAN = 6;

test("turnpike bridge moves money between the layers", async (t) => {
  const dev = await startDev(t);
  const { accounts, l1, l2, l1Wallets, l2Wallets } = opStack(dev);
  const [alice, bob] = accounts;
  const key = ["--key", dev.accounts[0].privateKey];
  const bridge = new Bridge(dev);
  const onL1 = async (sending) => {
    const hash = await sending;
    await dev.advanceL1();
    return succeeded(l1, hash);
  };
  const settleOutput = async (block) => {
    await dev.settle(async () => (await dev.status()).safe >= block, "the block to be posted");
    await dev.advanceL1(1, PROPOSE_INTERVAL);
    const isCovered = async () => (await dev.status()).outputs.newestBlock >= block;
    await dev.settle(isCovered, "an output that covers the block");
  };

  await step(t, "the command follows a deposit to L2", async (t) => {
    const before = await l2.getBalance(bob);
    const { code, events, stderr } = await bridge.run(
      t,
      "deposit",
      ...key,
      ...["--amount", "1.5ether", "--to", bob.address],
    );
    assert.equal(code, 0, stderr);
    const names = events.map(({ event }) => event).filter((event) => event !== "waiting");
    assert.deepEqual(names, ["sent", "queued", "included"]);
    const [sent, queued] = events;
    const included = events.at(-1);
    assert.equal(queued.index, 0);
    assert.equal(included.l2Transaction, queued.l2Transaction);
    assert.equal(included.success, true);
    assert.equal(await l2.getBalance(bob), before + parseEther("1.5"));
    const receipt = await succeeded(l2, included.l2Transaction);
    assert.equal(Number(receipt.blockNumber), included.l2Block);

    const status = await bridge.does(t, "status", sent.l1Transaction);
    assert.deepEqual([status.kind, status.stage, status.block], ["deposit", "included", included.l2Block]);
  });

  await step(t, "a deposit whose call fails is reported as failed", async (t) => {
    const probe = await deploy(l2, l2Wallets[0], compileProbe(), [1n]);
    const { code, events } = await bridge.run(
      t,
      "deposit",
      ...key,
      ...["--amount", "1gwei", "--to", probe.address, "--data", "0xdeadbeef"],
    );
    assert.equal(code, 1);
    const { event, success } = events.at(-1);
    assert.deepEqual([event, success], ["included", false]);
  });

  let withdrawn;
  await step(t, "a withdrawal reports the next action and its time", async (t) => {
    withdrawn = await bridge.does(t, "withdraw", ...key, "--amount", "0.25ether", "--to", bob.address);
    assert.deepEqual(
      [withdrawn.event, withdrawn.stage, withdrawn.next],
      ["withdrawn", "waiting-to-prove", "wait"],
    );
    await bridge.refuses(t, /not yet provable/, "prove", ...key, withdrawn.l2Transaction);
    await bridge.refuses(t, /is not proven/, "finalize", ...key, withdrawn.l2Transaction);
  });

  const statusOf = async (t, transaction, ...args) => {
    const { withdrawals } = await bridge.does(t, "status", transaction, ...args);
    assert.equal(withdrawals.length, 1);
    return withdrawals[0];
  };

  await step(t, "the withdrawal is proven with a node's data", async (t) => {
    await settleOutput(withdrawn.l2Block);
    const ready = await statusOf(t, withdrawn.l2Transaction);
    assert.deepEqual([ready.stage, ready.next], ["ready-to-prove", "prove"]);
    assert.equal(ready.withdrawalHash, withdrawn.withdrawalHash);
    assert.ok(ready.secondsToFinalize >= CHALLENGE_WINDOW, `${ready.secondsToFinalize}`);
    assert.deepEqual(
      (await statusOf(t, withdrawn.l2Transaction, "--from-l1")).stage,
      ready.stage,
      "L1 alone says the same",
    );
    const proven = await bridge.does(t, "prove", ...key, withdrawn.l2Transaction);
    assert.deepEqual([proven.event, proven.stage], ["proven", "waiting-to-finalize"]);
    const left = proven.estimatedSeconds;
    assert.ok(left > 0 && left <= CHALLENGE_WINDOW, `${left}`);
    await bridge.refuses(t, /not yet final/, "finalize", ...key, withdrawn.l2Transaction);
    const again = await bridge.does(t, "prove", ...key, withdrawn.l2Transaction);
    assert.equal(again.event, "already-proven");
  });

  await step(t, "the withdrawal is finalized, once", async (t) => {
    const before = await l1.getBalance(bob);
    await dev.advanceL1(1, CHALLENGE_WINDOW);
    assert.equal((await statusOf(t, withdrawn.l2Transaction)).stage, "ready-to-finalize");
    const portal = { address: dev.contracts.portal, abi: abiOf("Portal") };
    await onL1(l1Wallets[GUARDIAN].writeContract({ ...portal, functionName: "pause" }));
    assert.equal((await statusOf(t, withdrawn.l2Transaction)).paused, true);
    await bridge.refuses(t, /guardian has paused withdrawals/, "finalize", ...key, withdrawn.l2Transaction);
    await onL1(l1Wallets[GUARDIAN].writeContract({ ...portal, functionName: "unpause" }));
    const finalized = await bridge.does(t, "finalize", ...key, withdrawn.l2Transaction);
    assert.deepEqual([finalized.event, finalized.value], ["finalized", String(parseEther("0.25"))]);
    assert.equal(await l1.getBalance(bob), before + parseEther("0.25"));
    assert.equal((await statusOf(t, withdrawn.l2Transaction)).stage, "finalized");
    await bridge.refuses(t, /already finalized/, "finalize", ...key, withdrawn.l2Transaction);
    await bridge.refuses(t, /already finalized/, "prove", ...key, withdrawn.l2Transaction);
  });

  await step(t, "L1 refuses to pay out more than was deposited", async (t) => {
    const much = await bridge.does(t, "withdraw", ...key, "--amount", "5000ether");
    await settleOutput(much.l2Block);
    await bridge.does(t, "prove", ...key, much.l2Transaction);
    await dev.advanceL1(1, CHALLENGE_WINDOW);
    await bridge.refuses(t, /the portal holds 1.25\d* ether/, "finalize", ...key, much.l2Transaction);
  });

  await step(t, "a token moves to L2 and back", async (t) => {
    const { abi, bytecode } = tokenArtifact();
    const args = ["Coin", "COIN", 1_000n, alice.address];
    const { contractAddress } = await onL1(l1Wallets[0].deployContract({ abi, bytecode, args }));
    const factory = { address: TOKEN_FACTORY, abi: abiOf("OptimismMintableERC20Factory") };
    const created = await succeeded(
      l2,
      l2Wallets[0].writeContract({
        ...factory,
        functionName: "createOptimismMintableERC20",
        args: [contractAddress, "Coin", "COIN"],
      }),
    );
    const [{ args: made }] = parseEventLogs({
      abi: factory.abi,
      logs: created.logs,
      eventName: "OptimismMintableERC20Created",
    });
    const l2Token = made.localToken;
    const held = (client, address) =>
      client.readContract({ address, abi, functionName: "balanceOf", args: [alice.address] });

    const tokens = ["--token", contractAddress, "--l2-token", l2Token];
    await bridge.refuses(t, /balance too small/, "deposit", ...key, ...tokens, "--amount", "1001");
    const unbridged = ["--token", contractAddress, "--l2-token", contractAddress];
    await bridge.refuses(t, /no bridged token/, "deposit", ...key, ...unbridged, "--amount", "1");
    const otherPair = ["--token", dev.contracts.portal, "--l2-token", l2Token];
    await bridge.refuses(t, /represents/, "deposit", ...key, ...otherPair, "--amount", "1");

    await bridge.does(t, "deposit", ...key, ...tokens, "--amount", "700");
    assert.deepEqual([await held(l1, contractAddress), await held(l2, l2Token)], [300n, 700n]);
    await bridge.refuses(
      t,
      /balance too small/,
      "withdraw",
      ...key,
      ...["--token", l2Token, "--amount", "701"],
    );
    const back = await bridge.does(t, "withdraw", ...key, "--token", l2Token, "--amount", "200");
    await settleOutput(back.l2Block);
    await bridge.does(t, "prove", ...key, "--from-l1", back.l2Transaction);
    await dev.advanceL1(1, CHALLENGE_WINDOW);
    await bridge.does(t, "finalize", ...key, back.l2Transaction);
    assert.deepEqual([await held(l1, contractAddress), await held(l2, l2Token)], [500n, 500n]);
  });

  await step(t, "a withdrawal initiated on L1 is found by its L1 transaction", async (t) => {
    const forced = await bridge.does(t, "force", ...key, "--withdraw", "1gwei");
    assert.equal(forced.event, "queued");
    // The sequencer is honest, so nothing becomes overdue.
    const isIncluded = async () =>
      (await bridge.does(t, "status", forced.l1Transaction)).stage === "included";
    await dev.settle(isIncluded, "the forced withdrawal to be on L2");
    await settleOutput((await bridge.does(t, "status", forced.l1Transaction)).block);
    const { withdrawals } = await bridge.does(t, "status", forced.l1Transaction);
    assert.equal(withdrawals[0].stage, "ready-to-prove");
    await bridge.refuses(t, /no deposit waits|nothing to force/, "force", ...key, "--include");
  });

  await step(t, "a mistake gets a clear error and sends nothing", async (t) => {
    const nonces = () =>
      Promise.all([l1, l2].map((client) => client.getTransactionCount({ ...alice, blockTag: "pending" })));
    const before = await nonces();
    const refused = (words, ...args) => bridge.refuses(t, words, ...args);
    const nothing = `0x${"ab".repeat(32)}`;
    const plain = await succeeded(l2, l2Wallets[1].sendTransaction({ to: alice.address, value: 1n }));
    await refused(/no transaction 0xabab/, "prove", ...key, nothing);
    await refused(/no transaction 0xabab/, "prove", ...key, "--from-l1", nothing);
    await refused(/no transaction 0xabab/, "status", nothing);
    await refused(/is not a withdrawal/, "prove", ...key, plain.transactionHash);
    await refused(/choose one with --index 0 to 0/, "prove", ...key, "--index", "3", withdrawn.l2Transaction);
    await refused(/balance too small/, "deposit", ...key, "--amount", "20000ether");
    await refused(/balance too small/, "withdraw", ...key, "--amount", "20000ether");
    await refused(/balance too small/, "force", ...key, "--withdraw", "20000ether");
    await refused(/expected an amount/, "deposit", ...key, "--amount", "1.5");
    await refused(/--to is the portal/, "withdraw", ...key, "--amount", "1", "--to", dev.contracts.portal);
    await refused(
      /Portal_GasLimitTooLow \{ gasLimit: 1, min: 21000 \}/,
      "deposit",
      ...key,
      ...["--amount", "1", "--gas-limit", "1"],
    );
    await refused(/32 bytes in hexadecimal/, "deposit", "--key", "0x12", "--amount", "1");
    await refused(/required arguments/, "force", ...key);

    const other = (urls) => new Bridge({ genesis: dev.genesis, l1Url: dev.l1Url, ...urls });
    const withdrawing = ["withdraw", ...key, "--amount", "1"];
    await other({ l2Url: dev.l1Url }).refuses(t, /chain id is 31337/, ...withdrawing);
    await other({}).refuses(t, /--l2-url/, ...withdrawing);
    await other({}).refuses(t, /--from-l1/, "prove", ...key, withdrawn.l2Transaction);
    assert.deepEqual(await nonces(), before);
  });

  await step(t, "a deposit that replaces an underpriced one is reported under its own hash", async (t) => {
    let result;
    bridge.runUnmined(t, "deposit", ...key, "--amount", "1", "--no-wait").then((it) => (result = it));
    const first = await until(async () => (await dev.l1Pool("portal"))[0], "a deposit");
    // No block includes the first transaction any more; its replacement bids for such blocks.
    const price = `0x${(4n * BigInt(first.maxFeePerGas)).toString(16)}`;
    await until(async () => {
      if (result) return true;
      await rpc(dev.l1Url, "anvil_setNextBlockBaseFeePerGas", [price]);
      await dev.advanceL1();
    }, "the replacement to be reported");
    assert.equal(result.code, 0, result.stderr);
    const [sent, queued] = result.events;
    assert.deepEqual([sent.event, sent.l1Transaction], ["sent", first.hash]);
    assert.equal(queued.event, "queued");
    assert.notEqual(queued.l1Transaction, first.hash);
    const { blockNumber } = await succeeded(l1, queued.l1Transaction);
    assert.equal(queued.l1Block, Number(blockNumber));
  });
});
