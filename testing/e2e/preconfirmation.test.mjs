// Preconfirmations: signed before the seal, kept by the sealed block, and sent to waiting clients.
import assert from "node:assert/strict";
import { test } from "node:test";

import { concat, keccak256, numberToHex, toRlp, trim, verifyTypedData } from "viem";
import WebSocket from "ws";

import { accountsOf, connect, transfer } from "./clients.mjs";
import { CHAIN_ID, ask, get, post, rpc, startDev, step, until } from "./harness.mjs";

/** Long enough for every check before the seal. */
const BLOCK_INTERVAL_MS = 3_000;
const BULK = 300;

const TIMED_OUT = 4;
const UNREADY = 5;
const SERVER_ERROR = -32_000;

/** The receipt's EIP-2718 bytes, as in the receipts root. */
function encodedReceipt({ type, status, cumulativeGasUsed, logsBloom, logs }) {
  const quantity = (value) => (BigInt(value) === 0n ? "0x" : trim(value));
  const parts = [
    quantity(status),
    quantity(cumulativeGasUsed),
    logsBloom,
    logs.map(({ address, topics, data }) => [address, topics, data]),
  ];
  return concat([numberToHex(Number(type), { size: 1 }), toRlp(parts)]);
}

/** Opens a WebSocket and matches answers to requests by id. */
async function openSocket(url) {
  const socket = new WebSocket(url.replace("http", "ws"));
  const answers = [];
  socket.addEventListener("message", ({ data }) => answers.push(JSON.parse(data)));
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", reject);
  });
  const answerTo = (id) => answers.find((answer) => answer.id === id || answer[0]?.id === id);
  return { socket, answers, answerTo };
}

test("a preconfirmation is signed and kept", { timeout: 600_000 }, async (t) => {
  const dev = await startDev(t, { args: ["--block-interval-ms", String(BLOCK_INTERVAL_MS)] });
  const { l2 } = connect(dev);
  const [alice, bob, carol, dave, erin, frank] = accountsOf(dev);
  const transactions = `${dev.l2Url}/v1/transactions`;
  const signed = (account, fields) => account.signTransaction({ ...transfer, ...fields });
  const { sequencer } = await dev.status();
  assert.equal(sequencer, dev.genesis?.sequencer ?? sequencer);
  const { hash: genesisHash } = await l2.getBlock({ blockNumber: 0n });
  const verify = ({ hash, block, position, receiptHash, signature }, changed = {}) =>
    verifyTypedData({
      address: sequencer,
      domain: { name: "Turnpike", version: "1", chainId: CHAIN_ID, salt: genesisHash },
      primaryType: "Preconfirmation",
      types: {
        Preconfirmation: [
          { name: "block", type: "uint64" },
          { name: "index", type: "uint64" },
          { name: "transactionHash", type: "bytes32" },
          { name: "receiptHash", type: "bytes32" },
        ],
      },
      message: {
        block: BigInt(block.number),
        index: BigInt(position),
        transactionHash: hash,
        receiptHash,
        ...changed,
      },
      signature,
    });

  let promised;
  await step(t, "a promise arrives before the seal and can be verified", async () => {
    // Right after a seal, a whole block interval is left.
    const first = await post(`${transactions}?wait=sealed`, { transaction: await signed(frank, { nonce: 0 }) });
    assert.equal(first.status, 200, JSON.stringify(first.body));
    const { status, body } = await post(`${transactions}?wait=preconfirmed`, {
      transaction: await signed(alice, { nonce: 0 }),
    });
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual([body.state, body.block.hash, body.status], ["preconfirmed", null, "success"]);
    assert.equal(body.receipt.blockHash ?? null, null);
    assert.equal(body.receiptHash, keccak256(encodedReceipt(body.receipt)));
    assert.ok(await verify(body));
    assert.ok(!(await verify(body, { index: BigInt(body.position + 1) })));
    promised = body;
    // JSON-RPC shows sealed receipts only, but counts the nonce.
    assert.equal(await rpc(dev.l2Url, "eth_getTransactionReceipt", [body.hash]), null);
    assert.equal((await rpc(dev.l2Url, "eth_getTransactionByHash", [body.hash])).blockHash, null);
    assert.equal(await rpc(dev.l2Url, "eth_getTransactionCount", [alice.address, "pending"]), "0x1");
    assert.equal((await dev.transactionStatus(body.hash)).state, "preconfirmed");
  });

  await step(t, "the sealed block keeps the promise", async () => {
    const transaction = await dev.waitForState(promised.hash, "sealed");
    const { block, position, receiptHash, signature } = transaction;
    assert.deepEqual(
      [block.number, position, receiptHash, signature],
      [promised.block.number, promised.position, promised.receiptHash, promised.signature],
    );
    const receipt = await rpc(dev.l2Url, "eth_getTransactionReceipt", [promised.hash]);
    assert.equal(receipt.blockHash, block.hash);
    assert.equal(keccak256(encodedReceipt(receipt)), receiptHash);
  });

  await step(t, "many clients wait at the same time", async () => {
    const raws = await Promise.all(Array.from({ length: 20 }, (_, nonce) => signed(bob, { nonce })));
    const { status, body } = await post(`${transactions}?wait=sealed`, { transactions: [...raws, "0x02"] });
    assert.equal(status, 200);
    const statuses = body.results.slice(0, -1).map(({ transaction }) => transaction);
    assert.deepEqual([...new Set(statuses.map(({ state }) => state))], ["sealed"]);
    assert.deepEqual(
      statuses.map(({ hash }) => hash),
      raws.map((raw) => keccak256(raw)),
    );
    assert.equal(body.results.at(-1).error.type, "/problems/undecodable");
    // Sent again, they give the same answers.
    const again = await post(`${transactions}?wait=preconfirmed`, { transaction: raws[0] });
    assert.deepEqual([again.status, again.body.state, again.body.block.hash], [
      200,
      "sealed",
      statuses[0].block.hash,
    ]);
  });

  await step(t, "a wait that times out reports the state reached", async () => {
    const waiting = await post(`${transactions}?wait=sealed&timeout=1`, {
      transaction: await signed(carol, { nonce: 1 }),
    });
    assert.deepEqual([waiting.status, waiting.body.state, waiting.body.waitingForNonce], [202, "received", 0]);
    for (const query of ["wait=soon", "wait=sealed&timeout=0", "timeout=5", "until=sealed"]) {
      const { status, body } = await post(`${transactions}?${query}`, { transaction: "0x02" });
      assert.deepEqual([status, body.type], [400, "/problems/malformed-query"], query);
    }
  });

  await step(t, "eth_sendRawTransactionSync returns the receipt or an error", async () => {
    const sync = async (fields, ...rest) =>
      ask(dev.l2Url, "eth_sendRawTransactionSync", [await signed(carol, fields), ...rest]);
    const gap = await sync({ nonce: 3 });
    assert.equal(gap.error.code, UNREADY, JSON.stringify(gap));
    assert.match(gap.error.message, /nonce 0 is missing/);
    assert.equal(gap.error.data, keccak256(await signed(carol, { nonce: 3 })));
    const late = await sync({ nonce: 0 }, 1);
    assert.equal(late.error.code, TIMED_OUT, JSON.stringify(late));
    assert.equal(late.error.data, keccak256(await signed(carol, { nonce: 0 })));
    const { result } = await sync({ nonce: 2 }, numberToHex(20_000));
    assert.deepEqual([result.status, result.from], ["0x1", carol.address.toLowerCase()]);
    assert.equal((await l2.getBlock({ blockHash: result.blockHash })).number, BigInt(result.blockNumber));
    const refused = await sync({ nonce: 0, value: 2n });
    assert.equal(refused.error.code, SERVER_ERROR);
    assert.match(refused.error.message, /^nonce too low/);
  });

  await step(t, "a request with several transactions is answered in order", async () => {
    const raws = await Promise.all(Array.from({ length: BULK }, (_, nonce) => signed(dave, { nonce })));
    const requests = raws.flatMap((raw, id) => [
      { jsonrpc: "2.0", id, method: "eth_sendRawTransaction", params: [raw] },
      ...(id % 100 === 0 ? [{ jsonrpc: "2.0", id: `c${id}`, method: "eth_chainId" }] : []),
    ]);
    const { body } = await post(dev.l2Url, requests);
    assert.deepEqual(
      body.map(({ id }) => id),
      requests.map(({ id }) => id),
    );
    const results = body.filter(({ id }) => typeof id === "number").map(({ result }) => result);
    assert.deepEqual(
      results,
      raws.map((raw) => keccak256(raw)),
    );
    await dev.waitForState(results.at(-1), "sealed");
    const transactions = await Promise.all([results[0], results.at(-1)].map((hash) => dev.transactionStatus(hash)));
    assert.ok(transactions[1].block.number - transactions[0].block.number <= 1, "at most a block's end between them");
  });

  await step(t, "JSON-RPC over WebSocket: concurrent requests, single requests and batches", async () => {
    const { socket, answers, answerTo } = await openSocket(dev.l2Url);
    const send = (request) => socket.send(typeof request === "string" ? request : JSON.stringify(request));
    const call = (id, method, params = []) => ({ jsonrpc: "2.0", id, method, params });
    send(call("slow", "eth_sendRawTransactionSync", [await signed(erin, { nonce: 0 }), 20_000]));
    send(call("fast", "eth_chainId"));
    send([call("b1", "eth_blockNumber"), call("b2", "no_such")]);
    send("{");
    await until(() => answers.length === 4, "all answers");
    assert.equal(answers.at(-1).id, "slow", "waiting requests delay no others");
    assert.equal(answerTo("slow").result.status, "0x1");
    assert.equal(answerTo("fast").result, numberToHex(CHAIN_ID));
    assert.deepEqual([answerTo("b1")[0].id, answerTo("b1")[1].error.code], ["b1", -32_601]);
    assert.equal(answerTo(null).error.code, -32_700);
    // Some clients send JSON as bytes.
    socket.send(Buffer.from(JSON.stringify(call("bytes", "eth_chainId"))));
    await until(() => answers.length === 5, "the answer to a binary frame");
    assert.equal(answerTo("bytes").result, numberToHex(CHAIN_ID));
    socket.close();
    assert.match((await get(dev.l2Url)).body, /^Turnpike sequencer/, "a browser gets the usual greeting");
  });

  await step(t, "a client that waits for L1 is answered when L1 has the batch", async () => {
    const submitted = post(`${transactions}?wait=safe&timeout=60`, {
      transaction: await signed(alice, { nonce: 1 }),
    });
    let answer;
    submitted.then((found) => (answer = found));
    await dev.settle(() => answer, "the transaction to be safe");
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assert.ok(["safe", "proposed", "final"].includes(answer.body.state), answer.body.state);
    assert.ok(answer.body.posted.entry > 0);
  });

  await step(t, "open sockets do not delay a stop", async () => {
    const { socket } = await openSocket(dev.l2Url);
    const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
    assert.deepEqual(await dev.stop(), { code: 0, signal: null });
    await closed;
  });
});
