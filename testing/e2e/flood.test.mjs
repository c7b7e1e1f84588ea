// An adversary floods L1 with deposits and forces an entry ahead of every batch. All batches land, and no transaction is lost.
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { parseEther, parseEventLogs, parseGwei } from "viem";

import { DEPOSIT_GAS, abiOf } from "./clients.mjs";
import { CHAIN_ID, get, post, rpc, step, until, untilMined } from "./harness.mjs";
import { Program, run, turnpike } from "./programs.mjs";
import { developmentAccounts, keyOf, startStandalone } from "./standalone.mjs";

/** Rounds with calldata and with blobs, whose commitments take long. */
const [CALLDATA_ROUNDS, BLOB_ROUNDS] = process.env.TURNPIKE_LONG ? [100, 100] : [9, 3];
const FORCE_WINDOW = 8;
const DEPOSITS_PER_ROUND = 12;
/** Deposits of an entry, at most: a forced entry takes all of a round, or leaves some to the batch behind it. */
const [MANY_DEPOSITS, FEW_DEPOSITS] = [256, 8];
/** Transactions of a round that are in blocks before L1 includes the forced entry. */
const SEALED_PER_ROUND = 6;
const USER_PAUSE_MS = 20;

/** Accounts of users, of the adversary and of the batcher. */
const USERS = [0, 1, 2];
const [ADVERSARY, FORCER] = [3, 4];
const BATCHER = 7;

/** The base fee of an L1 block: below every bid, or above the batcher's, so that its transactions wait. */
const [LOW_BASE_FEE, HIGH_BASE_FEE] = [1_000n, parseGwei("150")];
/** anvil orders a block's transactions by the first of these: the adversary's come before the batcher's. */
const ADVERSARY_FEES = { maxFeePerGas: parseGwei("1000000"), maxPriorityFeePerGas: parseGwei("1") };

/** Where the forced entry lands, in turn. */
const PLACES = ["in the same L1 block", "in the L1 block before", "in an L1 block before, after which the blocks move"];

test("every batch in calldata lands behind forced entries with all deposits", (t) =>
  flood(t, { kind: "calldata", rounds: CALLDATA_ROUNDS, entryDepositsMax: MANY_DEPOSITS }));
test("every batch in blobs lands behind forced entries with some of the deposits", (t) =>
  flood(t, { kind: "blobs", rounds: BLOB_ROUNDS, entryDepositsMax: FEW_DEPOSITS }));

async function flood(t, { kind, rounds, entryDepositsMax }) {
  const solo = await startStandalone(t, { forceWindow: FORCE_WINDOW, entryDepositsMax });
  const file = (name) => join(dirname(solo.genesis), name);
  const chain = ["--genesis", solo.genesis, "--l1-url", solo.l1Url];
  const follow = [...chain, "--l1-confirmations", "0", "--l1-poll-ms", "50"];
  const inbox = { address: solo.contracts.inbox, abi: abiOf("Inbox") };
  const portal = { address: solo.contracts.portal, abi: abiOf("Portal") };
  const user = startUser(t, solo);
  const batcherAddress = solo.accounts[BATCHER].address.toLowerCase();
  const database = ["--journal", file("sequencer.db"), "--database", file("batcher.db")];
  const posting = ["--key", keyOf(developmentAccounts()[BATCHER]), "--max-latency", "0", "--data-kind", kind];
  const batcher = new Program(t, "turnpike batcher", turnpike(), ["batcher", ...follow, ...database, ...posting]);

  const pending = async (from) => {
    const { pending } = await rpc(solo.l1Url, "txpool_content");
    const all = Object.values(pending).flatMap((byNonce) => Object.values(byNonce));
    return all.filter((transaction) => transaction.from.toLowerCase() === from.toLowerCase());
  };
  const mine = async (baseFee, seconds = 0) => {
    await rpc(solo.l1Url, "anvil_setNextBlockBaseFeePerGas", [`0x${baseFee.toString(16)}`]);
    await solo.mine(1, seconds);
  };
  const isInBlock = async (hash) => (await solo.transactionStatus(hash)).block?.hash !== undefined;

  /** Makes the round's deposits in one L1 block, and waits until the sequencer has taken them. */
  const makeDeposits = async (round) => {
    const nonce = await solo.l1.getTransactionCount(solo.accounts[ADVERSARY]);
    const hashes = [];
    for (let index = 0; index < DEPOSITS_PER_ROUND; index++) {
      const request = { gas: 21_000n, mint: 1n, to: solo.accounts[ADVERSARY].address };
      const options = { portalAddress: portal.address, request, nonce: nonce + index, gas: DEPOSIT_GAS, ...ADVERSARY_FEES };
      hashes.push(await solo.l1Wallets[ADVERSARY].depositTransaction(options));
    }
    await mine(LOW_BASE_FEE);
    for (const hash of hashes) assert.equal((await solo.l1.getTransactionReceipt({ hash })).status, "success");
    const last = (round + 1) * DEPOSITS_PER_ROUND - 1;
    const isTaken = async () => (await get(`${solo.l2Url}/v1/deposits/${last}`)).body.transaction !== undefined;
    await until(isTaken, `deposit ${last} to be in a block`);
  };

  // Overdue deposits that a forced entry leaves add blocks to the batch behind it, which move the blocks behind that.
  const codes = entryDepositsMax >= DEPOSITS_PER_ROUND ? ["forced"] : ["forced", "other-blocks"];
  const forced = [];
  let checked = 0;

  // The first block may be months after the genesis block. Behind a forced entry it would be as far in the future as the rules allow,
  // where each block's time depends on its entry's.
  await step(t, "the first blocks are on L1", () =>
    untilMined(solo.l1Url, async () => (await solo.status()).safe > 0, "a block to be safe"));

  for (let round = 0; round < rounds; round++) {
    const place = PLACES[round % PLACES.length];
    await step(t, `round ${round}: an entry is forced ahead of a batch, ${place}`, async () => {
      await makeDeposits(round);
      const since = user.sent.length;
      await until(() => user.sent.length >= since + SEALED_PER_ROUND, "the user to send transactions");
      const newest = user.sent[since + SEALED_PER_ROUND - 1];
      await until(() => isInBlock(newest), "the transactions to be in blocks");
      await until(async () => (await pending(batcherAddress)).length > 0, "a batch in flight");

      // L1 stands still, so that blocks behind its newest entry are not on L1 when the next one is forced.
      const count = await solo.l1.readContract({ ...inbox, functionName: "entryCount" });
      const followed = async () => (await solo.get("/v1/batches?limit=1")).batches[0]?.entry === Number(count) - 1;
      await until(followed, "the sequencer to follow L1");
      const { safe } = await solo.status();
      const moved = [];
      for (; checked < since + SEALED_PER_ROUND; checked++) {
        const { block } = await solo.sealed(user.sent[checked]);
        if (block.number > safe) moved.push(user.sent[checked]);
      }
      assert.ok(moved.length >= SEALED_PER_ROUND, `${moved.length}`);

      const call = { ...inbox, functionName: "forceInclude", gas: 500_000n, ...ADVERSARY_FEES };
      const force = await solo.l1Wallets[FORCER].writeContract(call);
      await mine(place === PLACES[0] ? LOW_BASE_FEE : HIGH_BASE_FEE, FORCE_WINDOW);
      const receipt = await solo.l1.getTransactionReceipt({ hash: force });
      assert.equal(receipt.status, "success");
      const [{ args }] = parseEventLogs({ abi: inbox.abi, logs: receipt.logs });
      forced.push({ ...args, l1Block: receipt.blockNumber });
      if (place === PLACES[2]) {
        await until(async () => (await solo.status()).safe > safe, "the sequencer to follow the forced entry");
        for (const hash of moved) await solo.sealed(hash);
      }
      if (place !== PLACES[0]) await mine(LOW_BASE_FEE);
      // anvil drops transactions whose bid is below the base fee: they may land a block later.
      await until(async () => {
        if ((await solo.l1.readContract({ ...inbox, functionName: "entryCount" })) > args.index + 1n) return true;
        if ((await pending(batcherAddress)).length > 0) await mine(LOW_BASE_FEE);
      }, "a batch behind the forced entry");
      for (const hash of moved) {
        const revertedFrom = await until(async () => {
          const { revertedFrom } = await solo.transactionStatus(hash);
          return revertedFrom;
        }, `${hash} to be moved`);
        assert.ok(codes.includes(revertedFrom.code), `${hash}: ${revertedFrom.code}, ${revertedFrom.reason}`);
      }
    });
  }

  await step(t, "when the user stops, every block gets to L1 and the deposit queue is empty", async () => {
    await user.stop();
    await untilMined(solo.l1Url, async () => {
      const { head, safe, pool, preconfirmed } = await solo.status();
      return pool.transactions + preconfirmed.transactions === 0 && safe === head.number;
    }, "every block to be safe");
    const consumed = await solo.l1.readContract({ ...inbox, functionName: "consumedDeposits" });
    const queued = await solo.l1.readContract({ ...portal, functionName: "depositCount" });
    assert.deepEqual([consumed, queued], [queued, BigInt(rounds * DEPOSITS_PER_ROUND)]);
  });

  await step(t, "every batch landed, and one right behind each forced entry", async () => {
    const logs = await solo.l1.getContractEvents({ ...inbox, eventName: "EntryAppended", fromBlock: 0n, strict: true });
    const kinds = logs.map(({ args }) => args.entry.dataKind);
    assert.equal(forced.length, rounds);
    assert.equal(kinds.filter((kind) => kind === 0).length, rounds + 1, "entry 0 and the forced ones");
    for (const [round, { index, entry, l1Block }] of forced.entries()) {
      const [, behind] = logs.slice(Number(index)).map(({ args }) => args.entry);
      assert.deepEqual([behind.index, behind.dataKind], [index + 1n, kind === "blobs" ? 2 : 1]);
      assert.equal(behind.l1BlockNumber === l1Block, PLACES[round % PLACES.length] === PLACES[0], `round ${round}`);
      const taken = BigInt(round * DEPOSITS_PER_ROUND + Math.min(DEPOSITS_PER_ROUND, entryDepositsMax));
      assert.deepEqual([entry.depositCount, behind.depositCount], [taken, BigInt((round + 1) * DEPOSITS_PER_ROUND)]);
    }
    const head = await solo.l1.getBlockNumber();
    let sent = 0;
    for (let number = 0n; number <= head; number++) {
      const { transactions } = await solo.l1.getBlock({ blockNumber: number, includeTransactions: true });
      for (const { from, hash } of transactions) {
        if (from.toLowerCase() !== batcherAddress) continue;
        sent++;
        assert.equal((await solo.l1.getTransactionReceipt({ hash })).status, "success", hash);
      }
    }
    assert.ok(sent >= rounds, `${sent}`);
    assert.deepEqual(await pending(batcherAddress), []);
    assert.doesNotMatch(batcher.stderr, /packing again|forgetting the batch/);
  });

  let head;
  await step(t, "every transaction is in a block once, in the order sent", async () => {
    ({ head } = await solo.status());
    const known = new Set(user.sent);
    const found = [];
    for (let number = 1; number <= head.number; number++) {
      const { transactions } = await solo.rpc("eth_getBlockByNumber", [`0x${number.toString(16)}`, false]);
      found.push(...transactions.filter((hash) => known.has(hash)));
    }
    assert.deepEqual(found, user.sent);
    for (const hash of user.sent) {
      const { state, status } = await solo.transactionStatus(hash);
      assert.deepEqual([state, status], ["safe", "success"], hash);
    }
  });

  await step(t, "L1 alone gives the journal's chain", async () => {
    const derived = await run(t, turnpike(), ["derive", ...chain, "--json"]);
    assert.equal(derived.code, 0, derived.stderr);
    const { head: last, entries } = JSON.parse(derived.stdout);
    assert.deepEqual([last.number, last.hash], [head.number, head.hash]);
    assert.deepEqual([entries.forced, entries.bad], [rounds, 0]);

    const files = ["--database", file("replica.db"), "--state", file("replica.state"), "--listen", "127.0.0.1:0"];
    const replica = new Program(t, "turnpike replica", turnpike(), ["replica", ...follow, "--from", "l1", ...files]);
    const listening = () => replica.stderr.match(/(?:sequencer|replica) is up address=(\S+)/);
    const url = `http://${(await until(listening, "the replica to listen"))[1]}`;
    await until(async () => (await get(`${url}/v1/status`)).body.head.number === head.number, "the replica's head");
    assert.equal((await get(`${url}/v1/status`)).body.head.hash, head.hash);
  });

  await step(t, "the database is sound", async () => {
    const args = ["db", "verify", "--genesis", solo.genesis, "--database", file("sequencer.db")];
    const { code, stdout, stderr } = await run(t, turnpike(), [...args, "--checkpoints", file("sequencer.state")]);
    assert.equal(code, 0, stdout + stderr);
  });
}

/** Users who send a transaction at a time, in turn, until they are stopped. */
function startUser(t, solo) {
  const sent = [];
  let stopped = false;
  let failure;
  const loop = async () => {
    for (let count = 0; !stopped; count++) {
      const account = solo.accounts[USERS[count % USERS.length]];
      const transaction = await account.signTransaction({
        type: "eip1559",
        chainId: CHAIN_ID,
        nonce: Math.floor(count / USERS.length),
        to: account.address,
        value: parseEther("0.001"),
        gas: 21_000n,
        maxFeePerGas: parseGwei("1"),
        maxPriorityFeePerGas: 0n,
      });
      const { status, body } = await post(`${solo.l2Url}/v1/transactions`, { transaction });
      assert.equal(status, 202, JSON.stringify(body));
      sent.push(body.hash);
      await new Promise((resolve) => setTimeout(resolve, USER_PAUSE_MS));
    }
  };
  const running = loop().catch((error) => (failure = error));
  const stop = async () => {
    stopped = true;
    await running;
    if (failure) throw failure;
  };
  t.after(() => void (stopped = true));
  return { sent, stop };
}
