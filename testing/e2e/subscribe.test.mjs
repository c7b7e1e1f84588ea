// Logs, filters and subscriptions as wallets and indexers use them: with viem, and frame by frame.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import {
  createPublicClient,
  encodeFunctionData,
  http,
  parseAbiItem,
  parseEther,
  toEventSelector,
  toHex,
  webSocket,
} from "viem";

import { compileProbe, connect, deploy, succeeded } from "./clients.mjs";
import { SYNC_TIMEOUT_MAX, ask, post, rpc, startDev, step, until } from "./harness.mjs";
import { Program, onTestEnd, require, temporaryFolder, turnpike } from "./programs.mjs";
import { startStandalone } from "./standalone.mjs";

const { WebSocket } = require("ws");

/** More blocks than one section of the index holds. */
const BLOCKS = 300;
const KEYS = 7;
const FORCE_WINDOW = 40;
const SUBSCRIPTIONS_MAX = 128;

const WRITTEN = "event Written(address indexed writer, uint256 indexed key, bytes32 value, bytes data)";
const written = parseAbiItem(WRITTEN);

/** A WebSocket that records every frame, in order. */
class Frames {
  #socket;
  #id = 0;
  /** Received frames, and how the connection ended. */
  all = [];
  closed = undefined;

  static async open(t, url) {
    const frames = new Frames();
    const socket = new WebSocket(url.replace("http", "ws"));
    frames.#socket = socket;
    onTestEnd(t, () => socket.terminate());
    socket.on("message", (data) => frames.all.push(JSON.parse(data)));
    socket.on("close", (code, reason) => (frames.closed = { code, reason: `${reason}` }));
    await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
    return frames;
  }

  send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  async ask(method, params = []) {
    const id = `ask-${++this.#id}`;
    this.send({ jsonrpc: "2.0", id, method, params });
    return until(() => this.all.find((frame) => frame.id === id), `an answer to ${method}`);
  }

  async subscribe(...params) {
    const { result, error } = await this.ask("eth_subscribe", params);
    assert.equal(error, undefined, JSON.stringify(error));
    return result;
  }

  /** Notifications of a subscription so far. */
  told(id) {
    const of = this.all.filter(({ params }) => params?.subscription === id);
    return of.map(({ method, params }) => (assert.equal(method, "eth_subscription"), params.result));
  }

  /** Waits for this many notifications of a subscription. */
  async tells(id, count) {
    await until(() => this.told(id).length >= count, `${count} notifications`);
    return this.told(id);
  }
}

/** Signed calls that emit logs, from one account, starting at this nonce. */
async function writes(account, probe, nonce, keys) {
  const sign = (key, at) =>
    account.signTransaction({
      type: "eip1559",
      chainId: 4242,
      nonce: nonce + at,
      to: probe.address,
      data: encodeFunctionData({
        abi: probe.abi,
        functionName: "write",
        args: [BigInt(key), toHex(at, { size: 32 }), "0x"],
      }),
      gas: 200_000n,
      maxFeePerGas: 1_000_000_000n,
      maxPriorityFeePerGas: 0n,
    });
  return Promise.all(keys.map(sign));
}

test("logs are found by query, filter and subscription", async (t) => {
  const dev = await startDev(t, { args: ["--block-interval-ms", "10"] });
  const { accounts, l2, l2Wallets } = connect(dev);
  const [alice] = accounts;
  const [aliceWallet, bobWallet] = l2Wallets;
  const client = createPublicClient({ chain: l2.chain, transport: webSocket(dev.l2Url.replace("http", "ws")) });
  onTestEnd(t, async () => (await client.transport.getRpcClient()).close());
  const probe = await deploy(l2, aliceWallet, compileProbe(), [0n]);
  const other = await deploy(l2, aliceWallet, compileProbe(), [0n]);
  let receipts;

  await step(t, "over hundreds of blocks, eth_getLogs equals the receipts", async () => {
    const keys = Array.from({ length: BLOCKS }, (_, at) => (at * at) % KEYS);
    for (const raw of await writes(alice, probe, 2, keys)) {
      await rpc(dev.l2Url, "eth_sendRawTransactionSync", [raw, SYNC_TIMEOUT_MAX]);
    }
    const head = Number(await l2.getBlockNumber());
    assert.ok(head > 256, `${head} blocks`);
    receipts = [];
    for (let number = 1; number <= head; number++) {
      receipts.push(...(await rpc(dev.l2Url, "eth_getBlockReceipts", [toHex(number)])));
    }
    const logs = receipts.flatMap(({ logs }) => logs);
    const same = (found, expected) => {
      const place = ({ blockNumber, logIndex, transactionHash, topics, data }) =>
        [Number(blockNumber), Number(logIndex), transactionHash, topics.join(), data].join(" ");
      assert.deepEqual(found.map(place), expected.map(place));
      return found.length;
    };
    const of = ({ address }) => logs.filter((log) => log.address === address.toLowerCase());
    assert.ok(same(await l2.getLogs({ fromBlock: 0n }), logs) > BLOCKS);
    assert.ok(same(await l2.getLogs({ ...probe, fromBlock: 0n }), of(probe)) > BLOCKS);
    assert.equal(same(await l2.getLogs({ ...other, fromBlock: 0n }), of(other)), 1);
    const both = { address: [probe.address, other.address], fromBlock: 0n };
    assert.equal(same(await l2.getLogs(both), [...of(probe), ...of(other)].sort((a, b) => a.blockNumber - b.blockNumber)), BLOCKS + 2);
    for (const key of [0n, 1n, 2n, 3n]) {
      const withKey = of(probe).filter(({ topics }) => BigInt(topics[2]) === key);
      const found = await l2.getLogs({ ...probe, event: written, args: { key }, fromBlock: 0n });
      assert.equal(same(found, withKey) > 0, key !== 3n, "squares are 0, 1, 2 or 4 modulo 7");
    }
    const some = of(probe).filter(({ blockNumber }) => BigInt(blockNumber) >= 250n && BigInt(blockNumber) <= 260n);
    assert.ok(same(await l2.getLogs({ event: written, fromBlock: 250n, toBlock: 260n }), some) > 0);
    assert.deepEqual(await l2.getLogs({ address: alice.address, fromBlock: 0n }), []);
  });

  await step(t, "a query that is too large gets geth's error and a range that works", async () => {
    const logs = (filter) => ask(dev.l2Url, "eth_getLogs", [filter]);
    const unknown = toHex(1, { size: 32 });
    for (const [filter, code, message] of [
      [{ fromBlock: "0x2", toBlock: "0x1" }, -32602, /^invalid block range params$/],
      [{ fromBlock: "pending" }, -32602, /^pending logs are not supported$/],
      [{ blockHash: unknown }, -32000, /^unknown block$/],
      [{ blockHash: unknown, fromBlock: "0x0" }, -32602, /can't specify fromBlock\/toBlock with blockHash/],
      [{ topics: [null, null, null, null, null] }, -32602, /exceed max topics/],
      [{ address: Array(1001).fill(alice.address) }, -32602, /exceed max addresses or topics per search position/],
    ]) {
      const { error } = await logs(filter);
      assert.equal(error?.code, code, JSON.stringify(filter));
      assert.match(error.message, message);
    }
    const head = Number(await l2.getBlockNumber());
    assert.deepEqual((await logs({ fromBlock: toHex(head + 5) })).result, [], "nothing is there yet");
    assert.deepEqual((await logs({ fromBlock: toHex(head + 5), toBlock: toHex(head + 9) })).result, []);
    const topics = [null, null, null, null];
    assert.deepEqual((await logs({ fromBlock: "0x0", topics })).result, [], "no log has four topics");
  });

  await step(t, "viem's WebSocket watchers see every event exactly once", async () => {
    const seen = { blocks: [], logs: [], pending: [] };
    const failed = [];
    const onError = (error) => failed.push(error);
    const unwatch = [
      client.watchBlocks({ onBlock: (block) => seen.blocks.push(block), onError }),
      client.watchContractEvent({ ...probe, onLogs: (logs) => seen.logs.push(...logs), onError }),
      client.watchPendingTransactions({ onTransactions: (hashes) => seen.pending.push(...hashes), onError }),
    ];
    // The first event shows that the watchers are subscribed.
    await until(async () => {
      await succeeded(l2, bobWallet.writeContract({ ...probe, functionName: "write", args: [99n, unset, "0x"] }));
      return seen.blocks.length > 0 && seen.logs.length > 0 && seen.pending.length > 0;
    }, "all three to begin");
    const nonce = await l2.getTransactionCount(alice);
    const first = Number(await l2.getBlockNumber()) + 1;
    const raws = await writes(alice, probe, nonce, Array(40).fill(5));
    const sent = await Promise.all(raws.map((raw) => rpc(dev.l2Url, "eth_sendRawTransaction", [raw])));
    const last = await succeeded(l2, sent.at(-1));
    await until(() => seen.logs.at(-1)?.transactionHash === last.transactionHash, "the last log");
    await until(() => sent.every((hash) => seen.pending.includes(hash)), "all transactions");
    // viem fetches each block, so blocks may arrive out of order.
    const numbersSeen = () => seen.blocks.map(({ number }) => Number(number)).sort((a, b) => a - b);
    await until(() => {
      const found = numbersSeen();
      return found.at(-1) >= last.blockNumber && new Set(found).size === found.at(-1) - found[0] + 1;
    }, "every block up to the last");
    unwatch.forEach((end) => end());
    assert.deepEqual(failed, []);
    const numbers = numbersSeen();
    const start = numbers[0];
    assert.deepEqual(numbers, numbers.map((_, at) => start + at));
    assert.ok(start <= first);
    const mine = seen.logs.filter(({ args }) => args.key === 5n);
    const inChain = await l2.getLogs({ ...probe, event: written, args: { key: 5n }, fromBlock: BigInt(first) });
    assert.deepEqual(mine.map(({ transactionHash }) => transactionHash), inChain.map(({ transactionHash }) => transactionHash));
    assert.equal(mine.length, 40);
    for (const hash of sent) assert.equal(seen.pending.filter((other) => other === hash).length, 1);
  });

  await step(t, "the answer precedes the first notification, and a batch opens several subscriptions", async () => {
    const frames = await Frames.open(t, dev.l2Url);
    const call = (id, method, ...params) => ({ jsonrpc: "2.0", id, method, params });
    frames.send([
      call(1, "eth_subscribe", "newHeads"),
      call(2, "eth_subscribe", "logs", { address: probe.address, topics: [toEventSelector(written)] }),
      call(3, "eth_subscribe", "newPendingTransactions", true),
      call(4, "eth_subscribe", "syncing"),
      call(5, "eth_subscribe", "nonsense"),
      // A request without an id gets no answer.
      { jsonrpc: "2.0", method: "eth_chainId" },
    ]);
    const answers = await until(() => frames.all[0], "the answers");
    assert.deepEqual(answers.map(({ id }) => id), [1, 2, 3, 4, 5]);
    const [heads, logs, pending, syncing] = answers.map(({ result }) => result);
    const { error } = answers[4];
    assert.deepEqual([error.code, error.message], [-32601, 'no "nonsense" subscription in eth namespace']);
    const receipt = await succeeded(
      l2,
      bobWallet.writeContract({ ...probe, functionName: "write", args: [7n, unset, "0x1234"] }),
    );
    const [head] = await frames.tells(heads, 1);
    assert.equal(head.hash, receipt.blockHash);
    const block = await rpc(dev.l2Url, "eth_getBlockByHash", [receipt.blockHash, false]);
    for (const [field, value] of Object.entries(head)) assert.deepEqual(value, block[field], field);
    const [log] = await frames.tells(logs, 1);
    const [{ blockHash, logs: inReceipt }] = [await rpc(dev.l2Url, "eth_getTransactionReceipt", [receipt.transactionHash])];
    assert.equal(blockHash, receipt.blockHash);
    assert.deepEqual(log, inReceipt[0]);
    const [transaction] = await frames.tells(pending, 1);
    assert.deepEqual([transaction.hash, transaction.blockHash], [receipt.transactionHash, null]);
    assert.equal(transaction.from, bobWallet.account.address.toLowerCase());
    assert.deepEqual(frames.told(syncing), []);

    assert.equal((await frames.ask("eth_unsubscribe", [heads])).result, true);
    const again = (await frames.ask("eth_unsubscribe", [heads])).error;
    assert.deepEqual([again.code, again.message], [-32000, "subscription not found"]);
    const before = frames.told(heads).length;
    const next = await succeeded(l2, bobWallet.writeContract({ ...probe, functionName: "write", args: [8n, unset, "0x"] }));
    await until(() => frames.told(logs).some(({ blockHash }) => blockHash === next.blockHash), "the next log");
    assert.equal(frames.told(heads).length, before, "it is silent");
  });

  await step(t, "subscriptions per connection are limited, and HTTP has none", async () => {
    const frames = await Frames.open(t, dev.l2Url);
    const call = { jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: ["newHeads"] };
    frames.send(Array(SUBSCRIPTIONS_MAX + 1).fill(call));
    const answers = await until(() => frames.all[0], "the answers");
    const errors = answers.flatMap(({ error }) => error ?? []);
    assert.deepEqual(errors, [{ code: -32005, message: "too many subscriptions: limit 128" }]);
    for (const method of ["eth_subscribe", "eth_unsubscribe"]) {
      const { error } = await ask(dev.l2Url, method, ["newHeads"]);
      assert.deepEqual([error.code, error.message], [-32601, "notifications not supported"]);
    }
  });

  await step(t, "a request without an id is executed and not answered", async () => {
    const nonce = await l2.getTransactionCount(alice);
    const [raw] = await writes(alice, probe, nonce, [6]);
    const { status, body } = await post(dev.l2Url, { jsonrpc: "2.0", method: "eth_sendRawTransaction", params: [raw] });
    assert.deepEqual([status, body], [200, ""]);
    await until(async () => (await l2.getTransactionCount(alice)) === nonce + 1, "it to run");
    const chainId = { jsonrpc: "2.0", method: "eth_chainId" };
    assert.deepEqual((await post(dev.l2Url, [chainId, { ...chainId, id: null }])).body.map(({ id }) => id), [null]);
    assert.equal((await post(dev.l2Url, [chainId, chainId])).body, "");
    const frames = await Frames.open(t, dev.l2Url);
    frames.send(chainId);
    assert.equal((await frames.ask("eth_chainId")).result, toHex(4242));
    assert.equal(frames.all.length, 1);
  });

  await step(t, "each poll of a filter returns the news", async () => {
    const blocks = await l2.createBlockFilter();
    const pending = await l2.createPendingTransactionFilter();
    const events = await l2.createContractEventFilter({ ...probe, eventName: "Written", args: { key: 11n } });
    const all = [blocks, pending, events];
    const poll = () => Promise.all(all.map((filter) => l2.getFilterChanges({ filter })));
    assert.deepEqual(await poll(), [[], [], []]);
    for (let round = 0n; round < 3n; round++) {
      const args = [11n - (round % 2n), toHex(round, { size: 32 }), "0x"];
      const receipt = await succeeded(l2, bobWallet.writeContract({ ...probe, functionName: "write", args }));
      const [hashes, transactions, logs] = await poll();
      assert.deepEqual(hashes, [receipt.blockHash]);
      assert.deepEqual(transactions, [receipt.transactionHash]);
      assert.deepEqual(logs.map(({ transactionHash }) => transactionHash), round % 2n ? [] : [receipt.transactionHash]);
    }
    assert.deepEqual(await poll(), [[], [], []]);
    const everything = await l2.createEventFilter({ ...probe, event: written, args: { key: 11n }, fromBlock: 0n });
    assert.equal((await l2.getFilterLogs({ filter: everything })).length, 2);
    assert.deepEqual(await l2.getFilterChanges({ filter: everything }), [], "only what is new");
    assert.equal(await l2.uninstallFilter({ filter: blocks }), true);
    assert.equal(await l2.uninstallFilter({ filter: blocks }), false);
    for (const method of ["eth_getFilterChanges", "eth_getFilterLogs"]) {
      const { error } = await ask(dev.l2Url, method, [blocks.id]);
      assert.deepEqual([error.code, error.message], [-32000, "filter not found"]);
    }
  });
});

const unset = toHex(0, { size: 32 });

test("subscribers learn of a reorg, also from a replica", async (t) => {
  const solo = await startStandalone(t, { forceWindow: FORCE_WINDOW });
  const [, bob] = solo.accounts;
  const [aliceWallet] = solo.l2Wallets;
  const probe = await deploy(solo.l2, aliceWallet, compileProbe(), [0n]);
  const folder = temporaryFolder(t);
  const files = ["--database", join(folder, "replica.db"), "--state", join(folder, "replica.state")];
  const chain = ["--genesis", solo.genesis, "--l1-url", solo.l1Url, "--l1-confirmations", "0", "--l1-poll-ms", "50"];
  const from = ["--from", solo.l2Url.replace("http", "ws"), "--forward", solo.l2Url, "--listen", "127.0.0.1:0"];
  const archive = ["--archive", join(folder, "replica.entries")];
  const program = new Program(t, "replica", turnpike(), ["replica", ...chain, ...files, ...archive, ...from]);
  const up = await until(() => program.stderr.match(/replica is up address=(\S+)/), "the replica to listen");
  const nodes = [solo.l2Url, `http://${up[1]}`];
  const listeners = [];
  let sent;
  let deployed;

  await step(t, "clients subscribe to both nodes", async () => {
    const head = await solo.l2.getBlockNumber();
    [{ transactionHash: deployed }] = await solo.l2.getLogs({ ...probe, fromBlock: 0n });
    for (const url of nodes) {
      await until(async () => BigInt(await rpc(url, "eth_blockNumber")) === head, "the replica to follow");
      const frames = await Frames.open(t, url);
      const filter = { address: probe.address };
      listeners.push({
        url,
        frames,
        heads: await frames.subscribe("newHeads"),
        logs: await frames.subscribe("logs", filter),
        filter: await rpc(url, "eth_newFilter", [filter]),
      });
    }
    const pending = await listeners[1].frames.subscribe("newPendingTransactions", true);
    const data = encodeFunctionData({ abi: probe.abi, functionName: "write", args: [1n, unset, "0x"] });
    const request = { to: probe.address, data, gas: 200_000n, maxFeePerGas: 1_000_000_000n, maxPriorityFeePerGas: 0n };
    const replica = createPublicClient({ transport: http(nodes[1]) });
    const nonce = await solo.l2.getTransactionCount(aliceWallet.account);
    const raw = await aliceWallet.account.signTransaction({ ...request, nonce, chainId: 4242 });
    sent = await replica.sendRawTransaction({ serializedTransaction: raw });
    const [transaction] = await listeners[1].frames.tells(pending, 1);
    assert.deepEqual([transaction.hash, transaction.from], [sent, aliceWallet.account.address.toLowerCase()]);
    const receipt = await succeeded(solo.l2, sent);
    for (const { frames, heads, logs } of listeners) {
      const [head] = await frames.tells(heads, 1);
      const [log] = await frames.tells(logs, 1);
      assert.equal(head.hash, receipt.blockHash);
      assert.deepEqual([log.transactionHash, log.blockHash, log.removed], [sent, receipt.blockHash, false]);
    }
  });

  await step(t, "the log is removed with its block and returns with another", async () => {
    const old = await solo.l2.getTransactionReceipt({ hash: sent });
    await solo.deposit(3, { gas: 100_000n, mint: parseEther("1"), to: bob.address });
    await solo.mine(1, FORCE_WINDOW);
    await solo.forceInclude(4);
    await until(async () => (await solo.status()).safe === 1, "the forced block to be safe");
    const now = await until(async () => {
      const receipt = await rpc(solo.l2Url, "eth_getTransactionReceipt", [sent]);
      return receipt && receipt.blockHash !== old.blockHash && receipt;
    }, "the transaction to be in another block");
    for (const { url, frames, heads, logs, filter } of listeners) {
      const ofSent = () => frames.told(logs).filter(({ transactionHash }) => transactionHash === sent);
      await until(() => ofSent().length >= 3, "the log to be removed and returned");
      const places = ofSent().map(({ blockHash, removed }) => [blockHash, removed]);
      // The deployment's log, older than the subscription, is removed as well.
      const others = frames.told(logs).filter(({ transactionHash }) => transactionHash !== sent);
      assert.deepEqual(others.map(({ transactionHash, removed }) => [transactionHash, removed]), [[deployed, true], [deployed, false]]);
      assert.deepEqual(places, [[old.blockHash, false], [old.blockHash, true], [now.blockHash, false]]);
      await until(() => frames.told(heads).some(({ hash }) => hash === now.blockHash), "its head");
      const changes = await rpc(url, "eth_getFilterChanges", [filter]);
      const polled = changes.filter(({ transactionHash }) => transactionHash === sent);
      assert.deepEqual(polled.map(({ blockHash, removed }) => [blockHash, removed]), places);
    }
  });
});
