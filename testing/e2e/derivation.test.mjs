// A fresh node derives the sequencer's chain from L1 alone, after garbage, forced entries and L1 reorgs.
import assert from "node:assert/strict";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { createPublicClient, createWalletClient, http, keccak256, parseEther, parseGwei } from "viem";
import { walletActionsL1 } from "viem/op-stack";
import { anvil as anvilChain } from "viem/chains";

import { DEPOSIT_GAS, abiOf, appendArguments, compileProbe } from "./clients.mjs";
import { CHAIN_ID, get, post, rpc, startAnvil, step, until, untilMined } from "./harness.mjs";
import { Program, run, temporaryFolder, turnpike } from "./programs.mjs";
import { deployChain, developmentAccounts, keyOf } from "./standalone.mjs";
import { buildWorkload } from "./workload.mjs";

const FORCE_WINDOW_SECONDS = 60;
const TRANSFERS = 3_000;
const REORG_DEPTHS = [1, 4];

/** A rollup whose roles the test starts and stops, on an L1 that the test mines. */
class Chain {
  #roles = {};

  constructor(t, anvil, folder) {
    Object.assign(this, { t, folder, l1Url: anvil.url });
    this.accounts = developmentAccounts();
    const options = { chain: anvilChain, transport: http(anvil.url), pollingInterval: 50, cacheTime: 0 };
    this.l1 = createPublicClient(options);
    this.l1Wallet = (account) => createWalletClient({ account, ...options }).extend(walletActionsL1());
  }

  file(name) {
    return join(this.folder, name);
  }

  get batcher() {
    return this.accounts[7];
  }

  async deploy() {
    const { inbox, portal } = await deployChain(this.t, this.l1Url, this.folder);
    this.inbox = { address: inbox, abi: abiOf("Inbox") };
    this.portal = { address: portal, abi: abiOf("Portal") };
  }

  #start(name, args) {
    const follow = ["--genesis", this.file("genesis.json"), "--l1-url", this.l1Url];
    const deep = ["--l1-confirmations", "0", "--l1-poll-ms", "50"];
    this.#roles[name] = new Program(this.t, name, turnpike(), [name, ...follow, ...deep, ...args]);
    return this.#roles[name];
  }

  async startSequencer() {
    const files = ["--database", this.file("sequencer.db"), "--listen", "127.0.0.1:0"];
    const sequencer = this.#start("sequencer", files);
    const listening = () => sequencer.stderr.match(/sequencer is up address=(\S+)/);
    this.url = `http://${(await until(listening, "the sequencer to listen"))[1]}`;
  }

  startBatcher(...args) {
    const files = ["--journal", this.file("sequencer.db"), "--database", this.file("batcher.db")];
    this.#start("batcher", [...files, "--key", keyOf(this.batcher), "--max-latency", "0", ...args]);
  }

  loseDatabases() {
    for (const name of readdirSync(this.folder)) {
      if (!name.endsWith(".json")) rmSync(this.file(name), { recursive: true });
    }
  }

  stop(name) {
    return this.#roles[name].stop();
  }

  kill(name) {
    return this.#roles[name].kill();
  }

  /** Mines L1 blocks until the predicate holds. */
  settle(predicate, what) {
    return untilMined(this.l1Url, predicate, what);
  }

  async status() {
    return (await get(`${this.url}/v1/status`)).body;
  }

  /** Waits until L1 holds every block and `more` holds. */
  settleAll(more = () => true) {
    return this.settle(async () => {
      const { head, safe, pool, preconfirmed } = await this.status();
      return pool.transactions + preconfirmed.transactions === 0 && safe === head.number && (await more());
    }, "every block to be safe");
  }

  async submit(raws) {
    const { status, body } = await post(`${this.url}/v1/transactions`, { transactions: raws });
    assert.equal(status, 200, JSON.stringify(body));
    for (const result of body.results) assert.ok(result.hash, JSON.stringify(result));
    return body.results.map(({ hash }) => hash);
  }

  async deposit(from, value) {
    const request = { gas: 100_000n, mint: value, to: from.address, value: 0n };
    const wallet = this.l1Wallet(from);
    return wallet.depositTransaction({ portalAddress: this.portal.address, request, gas: DEPOSIT_GAS });
  }

  /** Appends to the inbox with the batcher's key, as a thief of the key would. */
  async appendGarbage(data) {
    const hash = await this.l1Wallet(this.batcher).writeContract({
      ...this.inbox,
      functionName: "append",
      args: await appendArguments(this.l1, this.inbox.address, this.portal.address, data),
    });
    await rpc(this.l1Url, "evm_mine");
    const receipt = await this.l1.getTransactionReceipt({ hash });
    assert.equal(receipt.status, "success");
  }

  /** The chain that a node derives from L1 alone. */
  async derive() {
    const follow = ["--genesis", this.file("genesis.json"), "--l1-url", this.l1Url];
    const { code, stdout, stderr } = await run(this.t, turnpike(), ["derive", ...follow, "--json"]);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  }

  /** Checks that a fresh node derives the sequencer's safe head. */
  async checkDerived() {
    const { head, entries } = await this.derive();
    const { body: block } = await get(`${this.url}/v1/blocks/safe`);
    assert.deepEqual(
      { number: head.number, hash: head.hash, stateRoot: head.stateRoot },
      { number: block.number, hash: block.hash, stateRoot: block.stateRoot },
    );
    return { head, entries };
  }
}

test("a fresh node derives the sequencer's chain from L1 alone", async (t) => {
  const chain = new Chain(t, await startAnvil(t), temporaryFolder(t));
  const [alice, bob] = chain.accounts;
  // A deposit increases its sender's nonce: this account sends nothing else.
  const depositor = chain.accounts[9];
  const acknowledged = [];
  await chain.deploy();
  await chain.startSequencer();
  chain.startBatcher("--data-kind", "blobs");
  let workload;

  /** Sends ether from accounts that nothing else uses. */
  const transfers = async (from, count) => {
    const { body } = await post(chain.url, {
      jsonrpc: "2.0",
      id: 1,
      method: "eth_getTransactionCount",
      params: [from.address, "pending"],
    });
    const first = Number(body.result);
    const sign = (nonce) =>
      from.signTransaction({
        chainId: CHAIN_ID,
        nonce,
        gas: 21_000n,
        maxFeePerGas: parseGwei("1"),
        maxPriorityFeePerGas: 0n,
        to: `0x${keccak256(`0x${nonce.toString(16).padStart(8, "0")}`).slice(26)}`,
        value: BigInt(nonce),
      });
    const raws = await Promise.all(Array.from({ length: count }, (_, index) => sign(first + index)));
    for (let at = 0; at < raws.length; at += 500) {
      // The pool limits the transactions of one sender.
      const isEmpty = async () => {
        const { pool, preconfirmed } = await chain.status();
        return pool.transactions + preconfirmed.transactions === 0;
      };
      if (at > 0) await until(isEmpty, "the pool to be empty");
      acknowledged.push(...(await chain.submit(raws.slice(at, at + 500))));
    }
  };

  await step(t, "thousands of transactions and deposits are posted in blobs", async () => {
    workload = await buildWorkload(chain.accounts.slice(0, 8), compileProbe());
    acknowledged.push(...(await chain.submit(workload.setUp.map(({ raw }) => raw))));
    for (let index = 0; index < 5; index++) await chain.deposit(depositor, parseEther("1"));
    await rpc(chain.l1Url, "evm_mine");
    await transfers(chain.accounts[8], TRANSFERS / 2);
    await chain.settleAll();
    const { entries } = await chain.checkDerived();
    assert.ok(entries.blobs > 0, JSON.stringify(entries));
    assert.deepEqual([entries.calldata, entries.forced, entries.bad], [0, 0, 0]);
  });

  await step(t, "and in calldata", async () => {
    await chain.stop("batcher");
    chain.startBatcher("--data-kind", "calldata");
    acknowledged.push(...(await chain.submit(workload.mixed.map(({ raw }) => raw))));
    await transfers(chain.accounts[8], TRANSFERS / 2);
    await chain.settleAll();
    const { entries } = await chain.checkDerived();
    assert.ok(entries.calldata > 0, JSON.stringify(entries));
  });

  await step(t, "garbage posted with the batcher's key reorders blocks and loses no transaction", async () => {
    await chain.stop("batcher");
    await transfers(bob, 10);
    for (const data of ["0xdeadbeef", "0x", `0x02${"00".repeat(5_000)}`]) await chain.appendGarbage(data);
    chain.startBatcher("--data-kind", "blobs");
    await transfers(bob, 10);
    await chain.settleAll(async () => (await chain.derive()).entries.bad === 3);
    await chain.checkDerived();
  });

  await step(t, "deposits are force-included while the batcher is down", async () => {
    await chain.stop("batcher");
    await transfers(bob, 5);
    await chain.deposit(depositor, parseEther("3"));
    await rpc(chain.l1Url, "evm_mine");
    await rpc(chain.l1Url, "evm_increaseTime", [FORCE_WINDOW_SECONDS + 1]);
    await rpc(chain.l1Url, "evm_mine");
    await chain.l1Wallet(alice).writeContract({ ...chain.inbox, functionName: "forceInclude" });
    await rpc(chain.l1Url, "evm_mine");
    await until(async () => (await chain.derive()).entries.forced === 1, "the forced entry");
    chain.startBatcher("--data-kind", "blobs");
    await transfers(bob, 5);
    await chain.settleAll();
    await chain.checkDerived();
  });

  for (const depth of REORG_DEPTHS) {
    await step(t, `L1 drops ${depth} blocks`, async () => {
      await transfers(bob, 5);
      await chain.deposit(depositor, parseEther("1"));
      await chain.settleAll();
      await rpc(chain.l1Url, "anvil_reorg", [depth, []]);
      await transfers(bob, 5);
      await chain.settleAll();
      await chain.checkDerived();
    });
  }

  await step(t, "every acknowledged transaction is in a block", async () => {
    for (const hash of acknowledged) {
      const { status, body } = await get(`${chain.url}/v1/transactions/${hash}`);
      assert.equal(status, 200, hash);
      assert.ok(["safe", "proposed", "final"].includes(body.state), `${hash} is ${body.state}`);
    }
  });

  await step(t, "the sequencer loses its database and derives the chain from L1", async () => {
    const before = await chain.derive();
    await chain.kill("sequencer");
    await chain.stop("batcher");
    chain.loseDatabases();
    await chain.startSequencer();
    await until(async () => (await chain.status()).head.number >= before.head.number, "the chain to be back");
    await chain.checkDerived();
  });
});
