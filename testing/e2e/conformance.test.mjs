// Calls every documented JSON-RPC method and checks its answer against the schemas of the execution
// APIs (npm: @metamask/api-specs). Fields and methods that the schemas lack are listed with a reason.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";

import Ajv from "ajv";
import { encodeFunctionData, keccak256, numberToHex } from "viem";
import { WebSocket } from "ws";

import { compileProbe, connect, deploy, succeeded } from "./clients.mjs";
import { SYNC_TIMEOUT_MAX, ask, startDev, step, until } from "./harness.mjs";
import { ROOT, onTestEnd, require } from "./programs.mjs";

const { MetaMaskOpenRPCDocument: SPEC } = require("@metamask/api-specs");

/** Fields of our answers that the schemas lack. */
const OURS = {
  l1Fee: "the L1 data fee, as OP-stack chains give it",
  l1GasPrice: "the same",
  l1GasUsed: "the same",
  l1BlobBaseFee: "the same",
  blockTimestamp: "geth gives logs and transactions their block's time",
  requestsHash: "newer than the schemas: EIP-7685",
  depositNonce: "deposits, as OP-stack chains give them",
  depositReceiptVersion: "the same",
  parentBeaconBlockRoot: "newer than the schemas: EIP-4788",
};

/** Schemas of methods that the document lacks, composed of its parts. */
const ref = (name) => ({ $ref: `#/components/schemas/${name}` });
const listOf = (items) => ({ type: "array", items });
const orNull = (schema) => ({ oneOf: [ref("notFound"), schema] });
const quantity = ref("uint");
const SCHEMAS = {
  eth_getBlockReceipts: orNull(listOf(ref("ReceiptInfo"))),
  eth_sendRawTransactionSync: ref("ReceiptInfo"),
  eth_maxPriorityFeePerGas: quantity,
  eth_blobBaseFee: quantity,
  eth_mining: { type: "boolean" },
  net_version: { type: "string", pattern: "^[0-9]+$" },
  net_listening: { type: "boolean" },
  net_peerCount: quantity,
  web3_sha3: ref("hash32"),
  txpool_status: {
    type: "object",
    required: ["pending", "queued"],
    additionalProperties: false,
    properties: { pending: quantity, queued: quantity },
  },
  eth_createAccessList: {
    type: "object",
    required: ["accessList", "gasUsed"],
    additionalProperties: false,
    properties: { accessList: ref("AccessList"), gasUsed: quantity, error: { type: "string" } },
  },
  eth_getRawTransactionByHash: ref("bytes"),
  eth_getRawTransactionByBlockHashAndIndex: ref("bytes"),
  eth_getRawTransactionByBlockNumberAndIndex: ref("bytes"),
  debug_getRawHeader: ref("bytes"),
  debug_getRawBlock: ref("bytes"),
  debug_getRawTransaction: ref("bytes"),
  debug_getRawReceipts: listOf(ref("bytes")),
  eth_getHeaderByNumber: { type: "object", required: ["hash", "parentHash", "number", "stateRoot"] },
  eth_getHeaderByHash: { type: "object", required: ["hash", "parentHash", "number", "stateRoot"] },
  eth_getUncleByBlockNumberAndIndex: ref("notFound"),
  eth_getUncleByBlockHashAndIndex: ref("notFound"),
  eth_simulateV1: listOf({
    type: "object",
    required: ["number", "hash", "calls"],
    properties: {
      calls: listOf({
        type: "object",
        required: ["status", "returnData", "gasUsed", "logs"],
        properties: { status: quantity, returnData: ref("bytes"), gasUsed: quantity, logs: listOf(ref("Log")) },
      }),
    },
  }),
};

/** Methods outside the execution APIs: `QUESTIONS` checks their answers. */
const NOT_THEIRS = [
  [/^debug_trace/, "geth's tracers"],
  [/^txpool_(content|contentFrom|inspect)$/, "geth's pool"],
  [/^ots_|^erigon_/, "Otterscan's"],
  [/^optimism_/, "op-node's"],
];

const TRANSFER_GAS = "0x5208";
const VALUE = `0x${"17".repeat(32)}`;

/** Parameters for each method, and a check of its answer: `[params, check]`. */
function questions(world) {
  const { alice, probe, receipt, block, spare, topic } = world;
  const [number, hash] = [numberToHex(receipt.blockNumber), receipt.blockHash];
  const at = numberToHex(receipt.transactionIndex);
  const { transactionHash } = receipt;
  const count = encodeFunctionData({ ...probe, functionName: "count" });
  const write = encodeFunctionData({ ...probe, functionName: "write", args: [9n, VALUE, "0x"] });
  const call = { from: alice.address, to: probe.address, input: count };
  const isIt = (found) => assert.equal(found.hash ?? found.transactionHash, transactionHash);
  const isBlock = (found) => assert.equal(found.hash, hash);
  const isLog = (logs) => assert.ok(logs.some((log) => log.transactionHash === transactionHash));
  const is = (value) => (found) => assert.deepEqual(found, value);
  const above = (least) => (found) => assert.ok(BigInt(found) > least, `${found} > ${least}`);
  const logFilter = { address: probe.address, fromBlock: number, toBlock: number, topics: [topic] };
  const isTrace = ({ structLogs }) => assert.ok(structLogs.length > 10);
  const isName = (name) => assert.match(name, /^0x[0-9a-f]{8,32}$/);
  const isRaw = (found) => assert.equal(keccak256(found), transactionHash);
  return {
    eth_chainId: [[], is(numberToHex(world.chainId))],
    eth_syncing: [[], is(false)],
    eth_mining: [[], is(false)],
    eth_accounts: [[], is([])],
    net_version: [[], is(String(world.chainId))],
    net_listening: [[], is(true)],
    net_peerCount: [[], is("0x0")],
    web3_clientVersion: [[], (found) => assert.match(found, /^turnpike\//)],
    web3_sha3: [["0x68656c6c6f"], is(keccak256("0x68656c6c6f"))],
    txpool_status: [[], is({ pending: "0x0", queued: "0x1" })],
    eth_blockNumber: [[], above(0n)],
    eth_getBlockByNumber: [[number, true], isBlock],
    eth_getBlockByHash: [[hash, false], isBlock],
    eth_getBlockTransactionCountByNumber: [[number], is(numberToHex(block.transactions.length))],
    eth_getBlockTransactionCountByHash: [[hash], is(numberToHex(block.transactions.length))],
    eth_getBlockReceipts: [[number], (found) => isIt(found.at(-1))],
    eth_getTransactionByHash: [[transactionHash], isIt],
    eth_getTransactionByBlockNumberAndIndex: [[number, at], isIt],
    eth_getTransactionByBlockHashAndIndex: [[hash, at], isIt],
    eth_getTransactionReceipt: [[transactionHash], isIt],
    eth_getLogs: [[logFilter], isLog],
    eth_getBalance: [[alice.address, "latest"], above(0n)],
    eth_getTransactionCount: [[alice.address, "latest"], above(0n)],
    eth_getCode: [[probe.address, "latest"], (found) => assert.ok(found.length > 100)],
    eth_getStorageAt: [[probe.address, "0x1", "latest"], above(0n)],
    eth_getProof: [[probe.address, ["0x1"], "latest"], (found) => assert.ok(BigInt(found.storageProof[0].value) > 0n)],
    eth_call: [[call, "latest"], above(0n)],
    eth_estimateGas: [[{ from: alice.address, to: world.stranger, value: "0x1" }, "latest"], is(TRANSFER_GAS)],
    eth_gasPrice: [[], above(0n)],
    eth_maxPriorityFeePerGas: [[], is("0x0")],
    eth_feeHistory: [["0x2", "latest", [25, 75]], (found) => assert.equal(found.reward.length, 2)],
    eth_blobBaseFee: [[], is("0x1")],
    eth_sendRawTransaction: [[spare.first.raw], is(spare.first.hash)],
    eth_sendRawTransactionSync: [
      [spare.second.raw, SYNC_TIMEOUT_MAX],
      (found) => assert.equal(found.transactionHash, spare.second.hash),
    ],
    eth_createAccessList: [
      [{ from: alice.address, to: probe.address, input: write }, "latest"],
      (found) => assert.ok(found.accessList.some(({ storageKeys }) => storageKeys.length > 0)),
    ],
    eth_getRawTransactionByHash: [[transactionHash], isRaw],
    eth_getRawTransactionByBlockHashAndIndex: [[hash, at], isRaw],
    eth_getRawTransactionByBlockNumberAndIndex: [[number, at], isRaw],
    eth_getUncleCountByBlockHash: [[hash], is("0x0")],
    eth_getUncleCountByBlockNumber: [[number], is("0x0")],
    debug_getRawTransaction: [[transactionHash], isRaw],
    debug_getRawHeader: [[number], (found) => assert.equal(keccak256(found), hash)],
    debug_getRawBlock: [[number], (found) => assert.ok(found.length > 1_000)],
    debug_getRawReceipts: [[number], (found) => assert.equal(found.length, block.transactions.length)],
    debug_traceTransaction: [[transactionHash, {}], isTrace],
    debug_traceCall: [[call, "latest", { tracer: "callTracer" }], (found) => assert.equal(found.to, probe.address.toLowerCase())],
    debug_traceBlockByNumber: [[number, {}], (found) => isTrace(found.at(-1).result)],
    debug_traceBlockByHash: [[hash, {}], (found) => isTrace(found.at(-1).result)],
    erigon_getHeaderByNumber: [[number], isBlock],
    eth_getHeaderByNumber: [[number], isBlock],
    eth_getHeaderByHash: [[hash], isBlock],
    eth_getUncleByBlockNumberAndIndex: [[number, "0x0"], is(null)],
    eth_getUncleByBlockHashAndIndex: [[hash, "0x0"], is(null)],
    eth_simulateV1: [[{ blockStateCalls: [{ calls: [call] }] }, "latest"], ([{ calls }]) => above(0n)(calls[0].returnData)],
    optimism_version: [[], (found) => assert.ok(found.length > 0)],
    optimism_syncStatus: [[], (found) => assert.ok(found.unsafe_l2.number >= 2)],
    optimism_outputAtBlock: [[number], (found) => assert.equal(found.blockRef.hash, hash)],
    ots_getApiLevel: [[], is(8)],
    ots_hasCode: [[probe.address, "latest"], is(true)],
    ots_getBlockDetails: [[number], (found) => assert.equal(found.block.hash, hash)],
    ots_getBlockDetailsByHash: [[hash], (found) => assert.equal(found.block.hash, hash)],
    ots_getBlockTransactions: [[number, 0, 10], (found) => isIt(found.fullblock.transactions.at(-1))],
    ots_getInternalOperations: [[transactionHash], is([])],
    ots_getTransactionError: [[transactionHash], is("0x")],
    ots_traceTransaction: [[transactionHash], (found) => assert.equal(found[0].to, probe.address.toLowerCase())],
    ots_searchTransactionsBefore: [[alice.address, 0, 25], (found) => assert.ok(found.txs.some(({ hash }) => hash === transactionHash))],
    ots_searchTransactionsAfter: [[alice.address, 0, 25], (found) => assert.ok(found.txs.some(({ hash }) => hash === transactionHash))],
    ots_getTransactionBySenderAndNonce: [[alice.address, 0], (found) => assert.match(found, /^0x[0-9a-f]{64}$/)],
    ots_getContractCreator: [[probe.address], (found) => assert.match(found.hash, /^0x[0-9a-f]{64}$/)],
    txpool_content: [[], (found) => assert.equal(found.queued[world.stranger][9].hash, spare.gapped.hash)],
    txpool_contentFrom: [[world.stranger], (found) => assert.equal(found.queued[9].hash, spare.gapped.hash)],
    txpool_inspect: [[], (found) => assert.match(found.queued[world.stranger][9], /1 wei/)],
    eth_newFilter: [[logFilter], isName],
    eth_newBlockFilter: [[], isName],
    eth_newPendingTransactionFilter: [[], isName],
    eth_getFilterLogs: [[world.filter], isLog],
    eth_getFilterChanges: [[world.filter], isLog],
    eth_uninstallFilter: [[world.otherFilter], is(true)],
    eth_subscribe: [["newHeads"], isName],
    eth_unsubscribe: [[world.subscription], is(true)],
  };
}

/** The answer without the fields that OURS names. */
function theirs(value) {
  if (Array.isArray(value)) return value.map(theirs);
  if (value === null || typeof value !== "object") return value;
  const known = Object.entries(value).filter(([name]) => !(name in OURS));
  return Object.fromEntries(known.map(([name, inner]) => [name, theirs(inner)]));
}

/** Deposits have a type that no schema knows. */
const isDeposit = (value) => value?.type === "0x7e";
const withoutDeposits = (value) => {
  if (Array.isArray(value)) return value.filter((item) => !isDeposit(item));
  if (!Array.isArray(value?.transactions)) return value;
  return { ...value, transactions: withoutDeposits(value.transactions) };
};

/** Sends requests over a WebSocket that stays open until the test ends. */
async function openSocket(t, url) {
  const socket = new WebSocket(url.replace("http", "ws"));
  onTestEnd(t, () => socket.terminate());
  const answers = new Map();
  socket.on("message", (data) => {
    const { id, ...answer } = JSON.parse(data);
    answers.set(id, answer);
  });
  await once(socket, "open");
  // A broken connection leaves requests unanswered.
  socket.on("error", () => {});
  return (method, params) => {
    answers.delete(method);
    socket.send(JSON.stringify({ jsonrpc: "2.0", id: method, method, params }));
    return until(() => answers.get(method), `the answer to ${method}`);
  };
}

test("every method answers as its schema says", async (t) => {
  const ajv = new Ajv({ strict: false, allErrors: true });
  ajv.addSchema({ $id: "spec", components: SPEC.components });
  const absolute = (schema) => JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"spec#/components'));
  const schemaOf = (method) => {
    const known = SPEC.methods.find(({ name }) => name === method)?.result?.schema ?? SCHEMAS[method];
    return known && ajv.compile(absolute(known));
  };

  const dev = await startDev(t);
  const { accounts, l2, l2Wallets } = connect(dev);
  const [alice, bob] = accounts;
  const world = { alice, chainId: await l2.getChainId(), stranger: bob.address };
  await step(t, "the chain holds blocks, logs and a pending transaction", async () => {
    world.probe = await deploy(l2, l2Wallets[0], compileProbe(), [7n]);
    const logs = { address: world.probe.address, fromBlock: "0x0" };
    world.filter = (await ask(dev.l2Url, "eth_newFilter", [logs])).result;
    const request = { ...world.probe, functionName: "write", args: [5n, VALUE, "0x010203"] };
    world.receipt = await succeeded(l2, l2Wallets[0].writeContract(request));
    world.topic = world.receipt.logs[0].topics[0];
    world.block = await l2.getBlock({ blockNumber: world.receipt.blockNumber });
    const sign = async (nonce) => {
      const terms = { to: alice.address, value: 1n, gas: 21_000n, maxFeePerGas: 10n ** 12n, maxPriorityFeePerGas: 0n };
      const raw = await bob.signTransaction({ ...terms, chainId: world.chainId, nonce, type: "eip1559" });
      return { raw, hash: keccak256(raw) };
    };
    // It waits for its predecessor, which is sent below.
    const gapped = await sign(9);
    await ask(dev.l2Url, "eth_sendRawTransaction", [gapped.raw]);
    world.askSocket = await openSocket(t, dev.l2Url);
    world.subscription = (await world.askSocket("eth_subscribe", ["newHeads"])).result;
    world.otherFilter = (await ask(dev.l2Url, "eth_newBlockFilter")).result;
    world.spare = { first: await sign(0), second: await sign(1), gapped };
  });

  const published = readFileSync(join(ROOT, "sequencer/api/rpc-methods.md"), "utf8");
  const methods = [...published.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  const asked = questions(world);
  for (const method of methods) {
    await t.test(method, async () => {
      const question = asked[method];
      assert.ok(question, "a documented method has no question in this test");
      const [params, check] = question;
      const isPushed = method.endsWith("subscribe");
      const answer = isPushed ? world.askSocket(method, params) : ask(dev.l2Url, method, params);
      const { result, error } = await answer;
      assert.equal(error, undefined, JSON.stringify(error));
      check(result);
      if (NOT_THEIRS.some(([name]) => name.test(method))) return;
      const validate = schemaOf(method);
      assert.ok(validate, "there is no schema for it");
      const valid = validate(withoutDeposits(theirs(result)));
      assert.ok(valid, JSON.stringify(validate.errors?.slice(0, 5), null, 1));
    });
  }
});
