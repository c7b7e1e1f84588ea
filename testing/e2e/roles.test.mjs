// Each role in its own process, with an L1 that needs several confirmations.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { parseEther, parseGwei } from "viem";

import { get, post, rpc, startAnvil, step, until, untilMined } from "./harness.mjs";
import { startPostgres } from "./postgres.mjs";
import { Program, temporaryFolder, turnpike } from "./programs.mjs";
import { deployChain, developmentAccounts, keyOf } from "./standalone.mjs";

const CONFIRMATIONS = 2;

test("each role runs in its own process", (t) => rolesApart(t, (folder) => (name) => join(folder, `${name}.db`)));

test("each role runs in its own process on PostgreSQL", async (t) => {
  const createDatabase = await startPostgres(t);
  if (createDatabase === undefined) return t.skip("PostgreSQL is not installed");
  const urls = {};
  for (const role of ["sequencer", "batcher", "challenger"]) urls[role] = await createDatabase();
  await rolesApart(t, () => (name) => urls[name]);
});

/** Runs a whole chain; `databases` gives the database of each role, in a folder or on a server. */
async function rolesApart(t, databases) {
  const anvil = await startAnvil(t);
  const folder = temporaryFolder(t);
  const at = (name) => join(folder, name);
  const database = databases(folder);
  const accounts = developmentAccounts();
  const [alice, batcher, proposer, challenger] = [0, 7, 8, 9].map((index) => accounts[index]);
  const chain = ["--genesis", at("genesis.json"), "--l1-url", anvil.url];
  const follow = [...chain, "--l1-confirmations", `${CONFIRMATIONS}`, "--l1-poll-ms", "50"];
  const role = (name, args) => new Program(t, name, turnpike(), [name, ...follow, ...args], { cwd: folder });
  /** Mines L1 blocks while waiting, because every role waits for confirmations. */
  const settle = (predicate, what) => untilMined(anvil.url, predicate, what);
  let url;
  let judge;

  await step(t, "the chain is deployed", async () => {
    await deployChain(t, anvil.url, folder);
  });

  await step(t, "all roles start before the deployment is confirmed", async () => {
    const sequencer = role("sequencer", ["--database", database("sequencer"), "--listen", "127.0.0.1:0"]);
    const listening = () => sequencer.stderr.match(/sequencer is up address=(\S+)/);
    url = `http://${(await until(listening, "the sequencer to listen"))[1]}`;
    const both = ["--journal", database("sequencer"), "--database", database("batcher")];
    role("batcher", [...both, "--max-latency", "0", "--key", keyOf(batcher)]);
    role("proposer", ["--key", keyOf(proposer), "--propose-interval", "1"]);
    judge = role("challenger", ["--database", database("challenger"), "--key", keyOf(challenger), "--json"]);
  });

  await step(t, "a transaction is accepted, sealed, posted, proposed and verified", async () => {
    const transaction = await alice.signTransaction({
      chainId: 4242,
      nonce: 0,
      gas: 21_000n,
      maxFeePerGas: 1_000_000_000n,
      maxPriorityFeePerGas: 0n,
      to: batcher.address,
      value: parseEther("1"),
    });
    const { status, body } = await post(`${url}/v1/transactions`, { transaction });
    assert.equal(status, 202);
    const transactionStatus = async () => (await get(`${url}/v1/transactions/${body.hash}`)).body;
    await settle(async () => (await transactionStatus()).state === "proposed", "the transaction to be proposed");
    const ok = () => judge.events.find(({ event, verdict }) => event === "output" && verdict === "ok");
    assert.equal((await settle(ok, "the challenger's verdict")).block, 1);
  });

  await step(t, "the proposer raises its fee when L1's base fee rises", async () => {
    const rollup = JSON.parse(readFileSync(at("genesis.json"), "utf8")).l1.rollup.toLowerCase();
    const waiting = async () => {
      const { pending } = await rpc(anvil.url, "txpool_content");
      const all = Object.values(pending).flatMap((byNonce) => Object.values(byNonce));
      return all.find(({ to }) => to?.toLowerCase() === rollup)?.hash;
    };
    const outputs = async () => (await get(`${url}/v1/status`)).body.outputs.count;
    const pay = async (nonce) => {
      const transaction = await alice.signTransaction({
        chainId: 4242,
        nonce,
        gas: 21_000n,
        maxFeePerGas: 1_000_000_000n,
        maxPriorityFeePerGas: 0n,
        to: batcher.address,
        value: 1n,
      });
      await post(`${url}/v1/transactions`, { transaction });
    };
    let nonce = 1;
    let count = await outputs();
    await pay(nonce);
    const first = await settle(async () => {
      const found = await waiting();
      if (found !== undefined) return found;
      const now = await outputs();
      // The transaction was mined before the test saw it: wait for the next one.
      if (now > count) await pay(++nonce);
      count = now;
    }, "the proposer to send something");
    // From here on no block includes the first transaction.
    const price = `0x${parseGwei("20").toString(16)}`;
    const replaced = await until(async () => {
      const now = await waiting();
      if (now !== first) return now;
      await rpc(anvil.url, "anvil_setNextBlockBaseFeePerGas", [price]);
      await rpc(anvil.url, "evm_mine");
    }, "another transaction in its place");
    await rpc(anvil.url, "evm_mine");
    const receipt = await rpc(anvil.url, "eth_getTransactionReceipt", [replaced]);
    assert.equal(receipt.status, "0x1");
    assert.equal(await rpc(anvil.url, "eth_getTransactionReceipt", [first]), null);
  });
}
