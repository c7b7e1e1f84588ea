// Preconfirmation, sealed block and derived block agree on every transaction of a long mixed run with
// restarts, as seen by a client.
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { test } from "node:test";

import {
  encodeDeployData,
  encodeFunctionData,
  getContractAddress,
  keccak256,
  parseEther,
  parseGwei,
  recoverTypedDataAddress,
  toHex,
} from "viem";
import { mnemonicToAccount } from "viem/accounts";

import { Ledger } from "../crash/ledger.mjs";
import { Stream, accountStream, submit, watch } from "../crash/load.mjs";
import { compileProbe } from "./clients.mjs";
import { CHAIN_ID, post, rpc, step, until } from "./harness.mjs";
import { Program, onTestEnd, run, turnpike } from "./programs.mjs";
import { MNEMONIC, developmentAccounts, keyOf, startStandalone } from "./standalone.mjs";
import { ERC20, NEVER } from "./uniswap.mjs";
import { buildWorkload } from "./workload.mjs";

/** Accounts without genesis funds, and transactions of each. */
const CROWD = 8;
const CROWD_TRANSACTIONS = 300;
/** Transactions in a request. */
const BULK = 10;
/** When the sequencer goes down, as a share of the run, and how. */
const STOPS = [
  [0.2, "kill"],
  [0.4, "stop"],
  [0.6, "kill"],
  [0.8, "kill"],
];
/** Nonces whose transactions are replaced. */
const REPLACEMENTS = 20;
const L1_BLOCK_MS = 100;
/** L1's clock runs ten times as fast as that of a busy machine: no deposit and no origin grows too old meanwhile. */
const RULES = { forceWindow: 36_000, originAgeMax: 36_000 };
/** Refusals after which the same transaction may be sent again. */
const STOPPING = "/problems/stopping";

/** The key that signs promises; the genesis file names none. */
const PROMISER = mnemonicToAccount(MNEMONIC, { addressIndex: 10 });
const PROMISE = {
  Preconfirmation: [
    { name: "block", type: "uint64" },
    { name: "index", type: "uint64" },
    { name: "transactionHash", type: "bytes32" },
    { name: "receiptHash", type: "bytes32" },
  ],
};

/** A stream of signed transactions. */
function listStream(entries) {
  let next = 0;
  return new Stream(async () => entries[next++]?.raw);
}

/** Transactions of one user: its own token, ether, swaps on another user's pair, and failures. */
function habits(account, others, { router, weth, token }) {
  const own = getContractAddress({ from: account.address, nonce: 0n });
  const call = (abi, functionName, args) => encodeFunctionData({ abi, functionName, args });
  const transfer = (to, amount) => ({ to: own, data: call(ERC20.abi, "transfer", [to, amount]), gas: 100_000n });
  const swap = (deadline) => ({
    to: router.address,
    value: 1_000_000_000n,
    gas: 300_000n,
    data: call(router.abi, "swapExactETHForTokens", [0n, [weth.address, token.address], account.address, deadline]),
  });
  return (nonce) => {
    const to = others[nonce % others.length].address;
    if (nonce === 0) return { data: encodeDeployData({ ...ERC20, args: [parseEther("1000")] }), gas: 3_000_000n };
    if (nonce >= CROWD_TRANSACTIONS) return undefined;
    const all = [{ to, value: 1n, gas: 21_000n }, transfer(to, 1n), swap(NEVER), swap(1n), transfer(to, parseEther("2000"))];
    return all[nonce % all.length];
  };
}

test("preconfirmed, sealed and derived blocks agree on every transaction", async (t) => {
  process.env.TURNPIKE_SEQUENCER_KEY = keyOf(PROMISER);
  const solo = await startStandalone(t, RULES);
  const at = (name) => join(dirname(solo.genesis), name);
  const accounts = developmentAccounts();
  const [depositor, batcher] = [9, 7];
  const crowd = Array.from({ length: CROWD }, (_, index) => mnemonicToAccount(MNEMONIC, { addressIndex: 20 + index }));
  const ledger = new Ledger();
  const signed = new Map();
  const told = (transaction) => transaction.signature && signed.set(transaction.hash, transaction);
  let workload;
  let sent = 0;

  const follow = ["--genesis", solo.genesis, "--l1-url", solo.l1Url];
  const files = ["--journal", at("sequencer.db"), "--database", at("batcher.db")];
  const often = ["--l1-confirmations", "0", "--l1-poll-ms", "50", "--max-latency", "0"];
  const batch = ["batcher", ...follow, ...files, ...often, "--key", keyOf(accounts[batcher])];
  new Program(t, "batcher", turnpike(), batch);
  const clock = setInterval(() => rpc(solo.l1Url, "evm_mine").catch(() => {}), L1_BLOCK_MS);
  onTestEnd(t, () => clearInterval(clock));

  /** Whether the sequencer is down, and for how long. */
  let isUp = Promise.resolve();
  const restart = async (how) => {
    let up;
    isUp = new Promise((resolve) => (up = resolve));
    await solo[how]();
    await solo.start();
    up();
  };

  /** Sends a stream, and sends again what got no answer. `order` sorts the transactions of a request. */
  const drain = async (stream, order = (raws) => raws) => {
    for (let request = 0; ; request++) {
      const raws = await stream.take(BULK);
      if (raws.length === 0) return;
      await isUp;
      const refusals = await submit(solo.l2Url, stream, order(raws, request), ledger, { told });
      assert.deepEqual((refusals ?? []).filter(({ type }) => type !== STOPPING), []);
      if (refusals?.length === 0) sent += raws.length;
    }
  };

  await step(t, "contracts, tokens and liquidity are deployed", async () => {
    workload = await buildWorkload(accounts.slice(0, 8), compileProbe());
    await drain(listStream(workload.setUp));
  });

  await step(t, "deposits fund many users", async () => {
    for (const { address } of crowd) await solo.deposit(depositor, { gas: 100_000n, mint: parseEther("5"), to: address });
    const balances = () => Promise.all(crowd.map(({ address }) => solo.l2.getBalance({ address })));
    await until(async () => (await balances()).every((balance) => balance > 0n), "the deposits");
  });

  await step(t, "all users send transactions while the sequencer restarts", async (t) => {
    const { router, WETH9: weth, "token A": token } = workload.contracts;
    const senders = new Set(workload.mixed.map(({ from }) => from));
    const mixed = [...senders].map((sender) =>
      drain(listStream(workload.mixed.filter(({ from }) => from === sender))),
    );
    // Every other request lists its last nonce first.
    const backwards = (raws, request) => (request % 2 === 0 ? raws : raws.toReversed());
    const others = crowd.map((account) => {
      const habit = habits(account, crowd, { router, weth, token });
      return drain(accountStream(account, habit), backwards);
    });
    const all = workload.mixed.length + CROWD * CROWD_TRANSACTIONS;
    const [before, stop] = [sent, new AbortController()];
    const disturb = async () => {
      for (const [share, how] of STOPS) {
        await until(() => sent - before >= share * all, `${share} of the transactions`, 120_000);
        await solo.deposit(depositor, { gas: 100_000n, mint: 1n, to: crowd[0].address });
        await restart(how);
      }
    };
    const look = async () => {
      while (!stop.signal.aborted) {
        await isUp;
        await watch(solo.l2Url, ledger, stop.signal);
      }
    };
    const looked = look();
    await Promise.all([...mixed, ...others, disturb()]).finally(() => stop.abort());
    await looked;
    t.diagnostic(`${sent - before} transactions`);
  });

  await step(t, "a user replaces pending transactions", async () => {
    const account = accounts[8];
    const sign = (nonce, gwei) =>
      account.signTransaction({
        type: "eip1559",
        chainId: CHAIN_ID,
        nonce,
        gas: 21_000n,
        to: crowd[0].address,
        value: 1n,
        maxFeePerGas: parseGwei(gwei),
        maxPriorityFeePerGas: parseGwei(gwei),
      });
    const [replaced, final] = [[], []];
    for (let nonce = 1; nonce <= REPLACEMENTS; nonce++) {
      const raws = [await sign(nonce, "2"), await sign(nonce, "3")];
      for (const transaction of raws) {
        const { status } = await post(`${solo.l2Url}/v1/transactions`, { transaction });
        assert.equal(status, 202);
      }
      replaced.push(keccak256(raws[0]));
      final.push({ raw: raws[1] });
    }
    await drain(listStream([{ raw: await sign(0, "2") }, ...final]));
    for (const [index, hash] of replaced.entries()) {
      const { state, reason } = await solo.transactionStatus(hash);
      assert.deepEqual([state, reason], ["refused", `replaced by ${keccak256(final[index].raw)} with a higher fee`]);
    }
  });

  await step(t, "blocks hold every preconfirmed transaction at its promised position", async (t) => {
    await ledger.compareAll(solo);
    assert.equal(ledger.promised, sent);
    const statuses = new Set(await Promise.all(workload.mixed.map(({ hash }) => solo.transactionStatus(hash).then(({ status }) => status))));
    assert.deepEqual(statuses, new Set(["success", "failed"]));
    t.diagnostic(`${ledger.promised} promises kept in ${ledger.blocks.length - 1} blocks`);
  });

  await step(t, "every promise is signed", async () => {
    const { hash: salt } = ledger.blocks[0];
    assert.equal(signed.size, sent);
    for (const { hash, block, position, receiptHash, signature } of signed.values()) {
      const message = { block: BigInt(block.number), index: BigInt(position), transactionHash: hash, receiptHash };
      const domain = { name: "Turnpike", version: "1", chainId: CHAIN_ID, salt };
      const signer = await recoverTypedDataAddress({
        domain,
        types: PROMISE,
        primaryType: "Preconfirmation",
        message,
        signature,
      });
      assert.equal(signer, PROMISER.address);
    }
  });

  await step(t, "derivation from L1 alone gives the same blocks", async () => {
    const newest = ledger.blocks.at(-1);
    await until(async () => (await solo.status()).safe >= newest.number, "every block to be safe");
    const { code, stdout, stderr } = await run(t, turnpike(), ["derive", ...follow, "--l1-confirmations", "0", "--json"]);
    assert.equal(code, 0, stderr);
    const { head, entries } = JSON.parse(stdout);
    assert.equal(entries.bad, 0);
    // A hash covers the parent's hash and the roots of transactions, receipts and state.
    const block = await solo.rpc("eth_getBlockByNumber", [toHex(newest.number), false]);
    assert.deepEqual(
      [head.number, head.hash, head.stateRoot],
      [newest.number, block.hash, block.stateRoot],
    );
    assert.equal(newest.hash, block.hash);
  });
});
