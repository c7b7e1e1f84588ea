// `turnpike dispute`: watch and explain a dispute, and play moves by hand.
import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeFunctionData, parseEther, toHex } from "viem";

import { abiOf } from "./clients.mjs";
import { rpc, step, until } from "./harness.mjs";
import { propose } from "./opstack.mjs";
import { Program, run, turnpike } from "./programs.mjs";
import { developmentAccounts, keyOf, startStandalone } from "./standalone.mjs";

const FORCE_WINDOW = 40;
/** Seconds on each side's clock, as in the development chain. */
const GAME_CLOCK = 60;
/** Claims of a bisection over the most blocks that an entry may have. */
const PARTS = 32;
const ZERO = `0x${"00".repeat(32)}`;

/** The roots that the griefer claims. */
const madeUp = Array.from({ length: PARTS }, (_, index) => toHex(index + 1, { size: 32 }));

test("a challenge of a true output is shown, explained, defended and lost", async (t) => {
  const solo = await startStandalone(t, { forceWindow: FORCE_WINDOW });
  const [proposer, griefer, defender] = [0, 1, 2];
  const contract = (name, address) => ({ address, abi: abiOf(name) });
  const dispute = contract("Dispute", solo.contracts.dispute);
  const rollup = contract("Rollup", solo.contracts.rollup);
  const chain = ["--genesis", solo.genesis, "--l1-url", solo.l1Url, "--l1-poll-ms", "50"];
  const cli = (...args) => run(t, turnpike(), ["dispute", ...args, ...chain]);
  const succeeds = async (...args) => {
    const { code, stdout, stderr } = await cli(...args);
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };
  const fails = async (...args) => {
    const { code, stdout, stderr } = await cli(...args);
    assert.equal(code, 1, stdout + stderr);
    return stderr;
  };
  const json = async (...args) => JSON.parse(await succeeds(...args, "--format", "json"));
  /** Runs a command, and mines L1 blocks while it waits for its transactions. */
  const sends = async (...args) => {
    let mining = true;
    const mine = (async () => {
      while (mining) {
        const { pending } = await rpc(solo.l1Url, "txpool_status");
        if (pending !== "0x0") await solo.mine();
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    try {
      return await succeeds(...args);
    } finally {
      mining = false;
      await mine;
    }
  };

  await step(t, "without disputes the list is empty", async () => {
    assert.equal(await succeeds("list"), "there is no challenge\n");
    assert.equal(await succeeds("list", "--format", "json"), "");
    assert.equal(await succeeds("watch", "--once"), "");
    assert.match(await fails("show", "0"), /there is no challenge 0: L1 has none yet/);
    assert.match(await fails("explain", "--game", "3"), /there is no game 3: L1 has none yet/);
  });

  await step(t, "an output after a forced entry is proposed by hand", async () => {
    await solo.deposit(3, { gas: 100_000n, mint: parseEther("1"), to: solo.accounts[4].address });
    await solo.mine(1, FORCE_WINDOW);
    await solo.forceInclude(4);
    await until(async () => (await solo.status()).safe === 1, "the forced block to be safe");
    const by = { l1: solo.l1, wallet: solo.l1Wallets[proposer] };
    await solo.l1Send(propose(solo, by, { parent: 0n, entry: 1n, block: 1 }));
  });

  let opening;
  const watcher = new Program(t, "turnpike dispute watch", turnpike(), [
    ...["dispute", "watch", "--format", "json", "--l1-confirmations", "0"],
    ...chain,
  ]);
  const challenge = async () => {
    const { claim } = await solo.l1.readContract({ ...rollup, functionName: "output", args: [1n] });
    return solo.l1Send(
      solo.l1Wallets[griefer].writeContract({
        ...dispute,
        functionName: "challenge",
        args: [1n, claim, { segment: 0n, claims: madeUp, finalState: "0x" }],
        value: await solo.l1.readContract({ ...dispute, functionName: "gameBond" }),
      }),
    );
  };

  await step(t, "after an L1 reorg the dropped output is gone", async () => {
    const before = await rpc(solo.l1Url, "evm_snapshot");
    const dropped = await challenge();
    const isTold = ({ event, l1Transaction }) => event === "challenged" && l1Transaction === dropped;
    await until(() => watcher.events.find(isTold), "the watcher to report the challenge");
    await rpc(solo.l1Url, "evm_revert", [before]);
    await solo.mine(3, 1);
    const isReorged = ({ event, news }) => event === "dropped" && news.l1Transaction === dropped;
    await until(() => watcher.events.find(isReorged), "the challenge to be reported as dropped");
  });

  await step(t, "the challenge is shown", async () => {
    opening = await challenge();
    const row = await json("list");
    const { challenger, games, output, status, waitsFor, secondsLeft } = row;
    assert.deepEqual([row.challenge, output, row.entry, row.block, status], [0, 1, 1, 1, "open"]);
    assert.equal(challenger, solo.accounts[griefer].address.toLowerCase());
    assert.deepEqual([games, waitsFor], [[], "defenders"]);
    assert.ok(secondsLeft > 0 && secondsLeft <= GAME_CLOCK + 1, `${secondsLeft}`);
    const listed = await succeeds("list");
    assert.match(listed, /^challenge 0: output 1 \(entry 1, L2 block 1\) by 0x\w{40}, open, can be defended/);

    const story = await json("show", "0");
    assert.deepEqual(story.opening.claims, madeUp);
    assert.equal(story.opening.l1Transaction, opening);
    const { gasUsed } = await solo.l1.getTransactionReceipt({ hash: opening });
    assert.equal(BigInt(story.opening.gas), gasUsed);
    assert.equal(story.opening.range.text, "entry 1");
    assert.match(await succeeds("show", "0"), new RegExp(`${opening}\n +entry 1: ${PARTS} roots, `));
    assert.match(await fails("show", "1"), /there is no challenge 1: the newest is 0/);
  });

  await step(t, "the challenge is explained", async () => {
    const explained = await json("explain", "0");
    assert.deepEqual([explained.right, explained.verdict.verdict], ["defender", "ok"]);
    const { finding, within, claimed } = explained.opening;
    assert.deepEqual([finding, claimed], ["false", madeUp[0]]);
    assert.equal(within.first, 0);
    const text = await succeeds("explain", "0");
    assert.match(text, /the defender is right: output 1 is what derivation gives/);
    assert.match(text, /round 1, challenger, entry 1: leaves the truth in blocks 0-\d+ of entry 1: 0x00000000…/);
  });

  const key = (user) => ["--key", keyOf(developmentAccounts()[user])];

  await step(t, "the output is defended", async () => {
    assert.match(await fails("move", "0", ...key(griefer)), /there is no game 0/);
    assert.match(
      await fails("move", "--defend", "0", ...key(griefer)),
      /account 0x\w{40} has challenged the output itself/,
    );
    const { to, value, input } = await json("move", "--defend", "0", "--dry-run");
    assert.deepEqual([to, BigInt(value)], [dispute.address.toLowerCase(), parseEther("0.1")]);
    const { functionName, args } = decodeFunctionData({ ...dispute, data: input });
    // The first part of an entry's 256 blocks has eight.
    assert.deepEqual([functionName, args[0], args[2].claims.length], ["defend", 0n, 256 / PARTS]);

    await sends("move", "--defend", "0", ...key(defender));
    const [game] = (await json("list")).games;
    assert.deepEqual([game.game, game.status, game.side, game.rounds], [0, "toMove", "challenger", 2]);
    assert.equal(game.defender, solo.accounts[defender].address.toLowerCase());
    assert.match(await fails("move", "0", ...key(defender)), /it is the challenger's move/);
    assert.match(await fails("move", "0", ...key(griefer)), /there is nothing to object to/);
    assert.match(await fails("resolve", "--game", "0", ...key(3)), /nothing is due: .*challenger to move/);
    const { right, opening: made, games } = await json("explain", "--game", "0");
    const found = [made, ...games[0].rounds].map(({ side, finding }) => `${side} ${finding}`);
    assert.deepEqual([right, ...found], ["defender", "challenger false", "defender true"]);
  });

  await step(t, "the griefer has no valid move and loses", async () => {
    await solo.mine(1, GAME_CLOCK + 1);
    const before = await solo.l1.getBalance(solo.accounts[defender]);
    const said = await sends("resolve", "0", ...key(defender));
    assert.match(said, /^game 0: the clock ran out: L1 transaction 0x\w{64}, [\d,]+ gas\ntake out 0\.15 ether of bonds/);
    const won = (await solo.l1.getBalance(solo.accounts[defender])) - before;
    assert.ok(won > parseEther("0.149") && won < parseEther("0.15"), `${won}`);
    const row = await json("list");
    assert.deepEqual([row.status, row.games[0].status, row.games[0].side], ["failed", "won", "defender"]);
    assert.equal(await succeeds("list", "--open"), "there is no open challenge\n");
    assert.match(await fails("resolve", "0", ...key(defender)), /nothing is due: challenge 0 failed/);
    assert.match(await fails("move", "0", ...key(defender)), /game 0 is over: defender has won/);
  });

  await step(t, "the watch command reported every event in order", async () => {
    const isEnd = ({ event }) => event === "challengeEnded";
    await until(() => watcher.events.find(isEnd), "the watcher to report the challenge's end");
    const told = watcher.events.slice(watcher.events.findIndex(({ event }) => event === "dropped") + 1);
    assert.deepEqual(
      told.map(({ event }) => event),
      ["challenged", "defended", "gameEnded", "challengeEnded"],
    );
    assert.notEqual(told[0].l1Transaction, ZERO);
    const { code } = await watcher.stop();
    assert.equal(code, 0, "interrupted, it ends");
    const lines = (await succeeds("watch", "--once")).trimEnd().split("\n");
    assert.equal(lines.length, told.length);
    assert.match(lines[0], /^challenge 0: output 1 is challenged by 0x\w{40}; round 1: entry 1 \(L1 transaction /);
    assert.match(lines.at(-1), /^challenge 0: output 1: failed: a defender has won/);
  });
});
