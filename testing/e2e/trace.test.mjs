// Calls with overrides, access lists, simulations and traces, compared with anvil, which runs the same
// transactions, and with the receipts.
import assert from "node:assert/strict";
import { test } from "node:test";

import { encodeFunctionData, getContractAddress, pad, parseEther, parseGwei, toHex } from "viem";

import { compileProbe, receiptOf } from "./clients.mjs";
import { CHAIN_ID, ask, rpc, startAnvil, step, until } from "./harness.mjs";
import { startStandalone } from "./standalone.mjs";

const WORD = pad("0x7", { size: 32 });
const SALT = pad("0x5a17", { size: 32 });
const STRANGER = pad("0xbeef", { size: 20 });
const EMITTER = `0x${"ee".repeat(20)}`;
/** SLOAD 0, MSTORE 0, RETURN 32 */
const RETURNS_SLOT_0 = "0x5f545f5260205ff3";

const refused = async (url, method, params) => {
  const { result, error } = await ask(url, method, params);
  assert.ok(error, `${method} answered ${JSON.stringify(result)}`);
  return error;
};

/** Fields of logs that do not depend on their position. */
const logsOf = (logs) => logs.map(({ address, topics, data }) => ({ address, topics, data }));

test("calls, simulations and traces agree with the chain and with anvil", async (t) => {
  const solo = await startStandalone(t);
  const anvil = await startAnvil(t, ["--chain-id", `${CHAIN_ID}`, "--steps-tracing"]);
  await rpc(anvil.url, "evm_setAutomine", [true]);
  const { accounts, l2 } = solo;
  const [user] = accounts;
  const { abi, bytecode } = compileProbe();
  const probe = getContractAddress({ from: user.address, nonce: 0n });
  const both = (method, params) =>
    Promise.all([solo.rpc(method, params), rpc(anvil.url, method, params)]);
  const call = (functionName, args, more = {}) => ({
    to: probe,
    data: encodeFunctionData({ abi, functionName, args }),
    ...more,
  });
  const sent = {};
  let nonce = 0;
  const nonceBefore = async (name) => (await l2.getTransaction({ hash: sent[name].hash })).nonce;

  /** Sends the same bytes to both nodes. */
  const send = async (name, request) => {
    const fees = { maxFeePerGas: parseGwei("3"), maxPriorityFeePerGas: 0n };
    const transaction = { type: "eip1559", chainId: CHAIN_ID, nonce: nonce++, gas: 1_000_000n };
    const raw = await user.signTransaction({ ...transaction, ...fees, ...request });
    const [hash, other] = await both("eth_sendRawTransaction", [raw]);
    assert.equal(hash, other);
    sent[name] = { hash, raw, receipt: await receiptOf(l2, hash) };
  };

  await step(t, "the same transactions run on both", async () => {
    await send("deploy", { data: `${bytecode}${pad("0x1", { size: 32 }).slice(2)}`, gas: 5_000_000n });
    await send("write", call("write", [1n, WORD, "0x1234"], { value: 5n }));
    await send("create", call("create", [SALT], { value: 7n }));
    await send("attempt", call("attempt", [probe, 200_000n, call("refuse", [9n]).data]));
    await send("refuse", call("refuse", [3n], { value: 1n }));
    await send("log", call("log", [WORD]));
    await send("end", call("createAndEnd", [SALT], { value: 11n }));
    await send("transfer", { to: STRANGER, value: 13n, gas: 21_000n });
    const status = Object.values(sent).map(({ receipt }) => receipt.status === "success");
    assert.deepEqual(status, [true, true, true, true, false, true, true, true]);
    for (const { hash, receipt } of Object.values(sent)) {
      const theirs = () => rpc(anvil.url, "eth_getTransactionReceipt", [hash]);
      const { gasUsed } = await until(theirs, "anvil to execute it as well");
      assert.equal(receipt.gasUsed, BigInt(gasUsed));
    }
  });

  await step(t, "call traces equal anvil's", async () => {
    const tracers = [
      { tracer: "callTracer", tracerConfig: { withLog: true } },
      { tracer: "callTracer", tracerConfig: { onlyTopCall: true } },
      { tracer: "4byteTracer" },
      { tracer: "noopTracer" },
    ];
    for (const [name, { hash }] of Object.entries(sent)) {
      for (const options of tracers) {
        const [ours, theirs] = await both("debug_traceTransaction", [hash, options]);
        if (options.tracer === "callTracer") {
          // geth reports the transaction's gas limit, anvil the gas left when the call begins.
          assert.equal(BigInt(ours.gas), (await l2.getTransaction({ hash })).gas);
          theirs.gas = ours.gas;
        }
        assert.deepEqual(ours, theirs, `${name}, ${JSON.stringify(options)}`);
      }
    }
  });

  await step(t, "instruction traces equal anvil's", async () => {
    for (const options of [{}, { disableStack: true, disableStorage: true, enableReturnData: true }]) {
      for (const name of ["write", "attempt", "refuse"]) {
        const [ours, theirs] = await both("debug_traceTransaction", [sent[name].hash, options]);
        assert.ok(ours.structLogs.length > 100, `${ours.structLogs.length} instructions`);
        assert.deepEqual(ours, theirs, name);
      }
    }
    const options = { enableMemory: true, limit: 50 };
    const { structLogs } = await solo.rpc("debug_traceTransaction", [sent.write.hash, options]);
    assert.equal(structLogs.length, 50);
    assert.ok(structLogs.at(-1).memory.length > 0);
  });

  await step(t, "prestate and post-state traces equal anvil's, fees apart", async () => {
    for (const diffMode of [false, true]) {
      const options = { tracer: "prestateTracer", tracerConfig: { diffMode } };
      for (const name of ["write", "create", "refuse"]) {
        const [ours, theirs] = await both("debug_traceTransaction", [sent[name].hash, options]);
        const [side, other] = diffMode ? [ours.post, theirs.post] : [ours, theirs];
        const address = probe.toLowerCase();
        assert.deepEqual(side[address], other[address], `${name}, ${diffMode}`);
        const found = (diffMode ? ours.pre : ours)[user.address.toLowerCase()];
        assert.equal(found.nonce, Number(await nonceBefore(name)), name);
      }
    }
  });



  await step(t, "the trace of every transaction, deposits included, agrees with its receipt", async () => {
    const head = Number(await l2.getBlockNumber());
    let deposits = 0;
    for (let number = 1; number <= head; number++) {
      const block = await solo.rpc("eth_getBlockByNumber", [toHex(number), true]);
      const receipts = await solo.rpc("eth_getBlockReceipts", [toHex(number)]);
      const options = { tracer: "callTracer" };
      const traces = await solo.rpc("debug_traceBlockByNumber", [toHex(number), options]);
      assert.deepEqual(traces, await solo.rpc("debug_traceBlockByHash", [block.hash, options]));
      const traced = traces.map(({ txHash, result }) => [txHash, result.gasUsed, !result.error]);
      const expected = receipts.map((receipt) => {
        return [receipt.transactionHash, receipt.gasUsed, receipt.status === "0x1"];
      });
      assert.deepEqual(traced, expected, `block ${number}`);
      deposits += block.transactions.filter(({ type }) => type === "0x7e").length;
    }
    t.diagnostic(`${deposits} deposits`);
  });

  await step(t, "traces have limits and clear errors", async () => {
    const trace = (...options) => refused(solo.l2Url, "debug_traceTransaction", [sent.write.hash, ...options]);
    assert.match((await trace({ tracer: "{ step() {} }" })).message, /JavaScript are not supported/);
    assert.match((await trace({ timeout: "soon" })).message, /invalid timeout/);
    assert.match((await trace({ timeout: "0s" })).message, /execution timeout/);
    const unknown = await refused(solo.l2Url, "debug_traceTransaction", [WORD]);
    assert.equal(unknown.message, "transaction not found");
    const genesis = await refused(solo.l2Url, "debug_traceBlockByNumber", ["0x0"]);
    assert.equal(genesis.message, "genesis is not traceable");
    // Gas or the time limit ends an endless loop.
    const spin = call("spin", [], { gas: toHex(30_000_000n) });
    const { message } = await refused(solo.l2Url, "debug_traceCall", [spin, "latest", {}]);
    assert.match(message, /the trace is longer than|execution timeout/);
  });

  await step(t, "calls are traced with overrides", async () => {
    const request = { from: user.address, to: STRANGER };
    const state = { [pad("0x0", { size: 32 })]: WORD };
    const stateOverrides = { [STRANGER]: { code: RETURNS_SLOT_0, state } };
    const options = { tracer: "callTracer", stateOverrides };
    const { output, gasUsed } = await solo.rpc("debug_traceCall", [request, "latest", options]);
    assert.equal(output, WORD);
    assert.ok(BigInt(gasUsed) > 21_000n);
  });

  await step(t, "calls apply state overrides", async () => {
    const slot = pad("0x0", { size: 32 });
    const at = (overrides, request = { to: STRANGER }) => [request, "latest", overrides];
    const code = RETURNS_SLOT_0;
    const cases = [
      at({ [STRANGER]: { code, stateDiff: { [slot]: WORD } } }),
      at({ [STRANGER]: { code, state: { [slot]: WORD } } }),
      at({ [probe]: { code, state: {} } }, { to: probe }),
      // SELFBALANCE
      at({ [STRANGER]: { code: "0x475f5260205ff3", balance: "0x1234" } }),
      at({ [STRANGER]: { nonce: "0x5", code: "0x5f5f5ff05f5260205ff3" } }),
    ];
    for (const params of cases) {
      const [ours, theirs] = await both("eth_call", params);
      assert.equal(ours, theirs, JSON.stringify(params));
    }
    const identity = pad("0x4", { size: 20 });
    const moved = { [identity]: { movePrecompileToAddress: STRANGER } };
    assert.equal(await solo.rpc("eth_call", at(moved, { to: STRANGER, data: WORD })), WORD);
    assert.equal(await solo.rpc("eth_call", at(moved, { to: identity, data: WORD })), "0x");
    const wrong = await refused(solo.l2Url, "eth_call", at({ [STRANGER]: { state: {}, stateDiff: {} } }));
    assert.equal(wrong.message.toLowerCase(), `account ${STRANGER} has both 'state' and 'statediff'`);
    const none = await refused(solo.l2Url, "eth_call", at({ [STRANGER]: { movePrecompileToAddress: probe } }));
    assert.match(none.message, /is not a precompile/);
  });

  await step(t, "calls apply block overrides", async () => {
    // NUMBER, TIMESTAMP, GASLIMIT, COINBASE, PREVRANDAO and BASEFEE
    const code = "0x435f524260205245604052416060524460805248" + "60a05260c05ff3";
    const block = {
      number: "0x1234",
      time: "0x77777777",
      gasLimit: "0x1c9c380",
      feeRecipient: STRANGER,
      prevRandao: WORD,
      baseFeePerGas: "0x9",
    };
    const result = await solo.rpc("eth_call", [{ to: STRANGER }, "latest", { [STRANGER]: { code } }, block]);
    const expected = ["0x1234", "0x77777777", "0x1c9c380", STRANGER, WORD, "0x9"];
    assert.equal(result, `0x${expected.map((word) => pad(word, { size: 32 }).slice(2)).join("")}`);
  });

  await step(t, "gas is estimated with overrides, within the sender's balance", async () => {
    const plain = { from: user.address, to: STRANGER, value: "0x1" };
    assert.equal(await solo.rpc("eth_estimateGas", [plain]), toHex(21_000));
    const poor = { from: pad("0xdead", { size: 20 }), to: STRANGER, gasPrice: toHex(parseGwei("5")) };
    const { message } = await refused(solo.l2Url, "eth_call", [poor, "latest"]);
    assert.match(message, /^insufficient funds for gas \* price \+ value: address/);
    const rich = { [poor.from]: { balance: toHex(parseEther("10")) } };
    assert.equal(await solo.rpc("eth_estimateGas", [poor, "latest", rich]), toHex(21_000));
    assert.equal(await solo.rpc("eth_estimateGas", [{ ...plain, gas: "0x0" }]), toHex(21_000), "the same as without overrides");
    const estimate = async (...params) => (await refused(solo.l2Url, "eth_estimateGas", params)).message;
    assert.equal(await estimate(poor, "latest"), "insufficient funds for transfer");
    const short = { [poor.from]: { balance: toHex(parseGwei("100000")) } };
    assert.equal(await estimate(poor, "latest", short), "gas required exceeds allowance (20000)");
    const cheap = { from: user.address, to: STRANGER, gasPrice: "0x1", gas: toHex(21_000) };
    const refusal = await refused(solo.l2Url, "eth_call", [cheap, "latest"]);
    assert.match(refusal.message, /^max fee per gas less than block base fee/);
  });

  await step(t, "access lists equal anvil's", async () => {
    const other = call("attempt", [accounts[2].address, 50_000n, "0x"]);
    for (const request of [call("write", [1n, WORD, "0x"]), other]) {
      const params = [{ from: user.address, ...request }, "latest"];
      const [ours, theirs] = await both("eth_createAccessList", params);
      assert.deepEqual(ours.accessList, theirs.accessList);
      assert.ok(ours.accessList.length > 0);
      assert.equal(ours.error, undefined);
      const declared = { from: user.address, ...request, accessList: ours.accessList };
      const used = BigInt(await solo.rpc("eth_estimateGas", [declared]));
      assert.ok(BigInt(ours.gasUsed) <= used);
    }
    const reverting = { from: user.address, ...call("refuse", [1n]) };
    const { error, gasUsed } = await solo.rpc("eth_createAccessList", [reverting]);
    assert.equal(error, "execution reverted");
    assert.ok(BigInt(gasUsed) > 21_000n);
  });

  await step(t, "simulated blocks equal anvil's", async () => {
    const from = user.address;
    const payload = {
      traceTransfers: true,
      blockStateCalls: [
        {
          stateOverrides: { [STRANGER]: { balance: toHex(parseEther("3")) } },
          calls: [
            { from: STRANGER, to: from, value: "0x3e8" },
            { from, ...call("write", [77n, WORD, "0x"]), value: "0x2" },
            { from, ...call("refuse", [4n]) },
          ],
        },
        {
          calls: [
            { from, ...call("values", [77n]) },
            { from, ...call("attempt", [probe, 300_000n, call("refuse", [4n]).data]), value: "0x5" },
          ],
        },
      ],
    };
    const [ours, theirs] = await both("eth_simulateV1", [payload, "latest"]);
    const told = (blocks) =>
      blocks.map(({ calls }) =>
        calls.map(({ status, returnData, gasUsed, logs }) => ({ status, returnData, gasUsed, logs: logsOf(logs) })),
      );
    const head = await l2.getBlock();
    assert.deepEqual(ours.map(({ number }) => BigInt(number)), [head.number + 1n, head.number + 2n]);
    assert.equal(ours[0].parentHash, head.hash);
    assert.equal(ours[1].parentHash, ours[0].hash);
    assert.notEqual(ours[0].stateRoot, head.stateRoot);
    const [[paid, wrote, reverted], [read, attempted]] = told(ours);
    assert.equal(paid.logs[0].address, EMITTER);
    assert.equal(wrote.logs.length, 2);
    assert.deepEqual([reverted.status, ours[0].calls[2].error.code], ["0x0", 3]);
    assert.equal(read.returnData, WORD);
    // The callee's revert undoes its transfer: one transfer and one event remain.
    assert.equal(attempted.logs.length, 2);
    assert.deepEqual(told(ours)[0], told(theirs)[0]);
    assert.deepEqual(read, told(theirs)[1][0]);
    const full = await solo.rpc("eth_simulateV1", [{ ...payload, returnFullTransactions: true }, "latest"]);
    assert.equal(full[0].transactions[1].from.toLowerCase(), from.toLowerCase());
    assert.equal(full[0].transactions[1].type, "0x2");
  });

  await step(t, "a simulated block can move precompiles and send from contracts", async () => {
    const identity = pad("0x04", { size: 20 });
    const asked = (to) => ({ from: STRANGER, to, data: "0x1234", maxFeePerGas: toHex(parseGwei("5")) });
    const moved = { [identity]: { movePrecompileToAddress: pad("0xcafe", { size: 20 }) } };
    const sender = { [STRANGER]: { balance: toHex(parseEther("3")), code: "0x00" } };
    const blockStateCalls = [
      { stateOverrides: { ...moved, ...sender }, calls: [asked(identity)] },
      { calls: [asked(identity)] },
    ];
    const blocks = await solo.rpc("eth_simulateV1", [{ blockStateCalls, validation: true }, "latest"]);
    const answers = blocks.map(({ calls: [{ status, returnData }] }) => [status, returnData]);
    assert.deepEqual(answers, [["0x1", "0x"], ["0x1", "0x1234"]]);
  });

  await step(t, "impossible simulated blocks are refused with the specification's codes", async () => {
    const head = Number(await l2.getBlockNumber());
    const from = user.address;
    const code = async (blockStateCalls, more = {}) =>
      (await refused(solo.l2Url, "eth_simulateV1", [{ blockStateCalls, ...more }, "latest"])).code;
    const number = (number) => ({ blockOverrides: { number: toHex(number) } });
    assert.equal(await code([]), -32602);
    const account = (index) => [pad(toHex(index + 1), { size: 20 }), { balance: "0x1" }];
    const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => account(index + 0xffff)));
    assert.equal(await code([{ stateOverrides: many }, number(head + 256)]), -32016, "it exceeds the time limit");
    assert.equal(await code([number(head)]), -38020);
    assert.equal(await code([number(head + 300)]), -38026);
    assert.equal(await code([{ blockOverrides: { time: "0x1" } }]), -38021);
    const poor = pad("0xdead", { size: 20 });
    assert.equal(await code([{ calls: [{ from: poor, to: STRANGER, value: "0x1" }] }]), -38014);
    assert.equal(await code([{ calls: [{ from, to: STRANGER, gas: "0x5000" }] }]), -38013);
    const small = { gasLimit: "0x5208" };
    assert.equal(await code([{ blockOverrides: small, calls: [{ from, to: STRANGER, gas: "0x5209" }] }]), -38015);
    const valid = (more) => code([{ calls: [{ from, to: STRANGER, ...more }] }], { validation: true });
    const maxFeePerGas = toHex(parseGwei("9"));
    assert.equal(await valid({ nonce: "0x0", maxFeePerGas }), -38010);
    assert.equal(await valid({ nonce: "0x99", maxFeePerGas }), -38011);
    assert.equal(await valid({ maxFeePerGas: "0x1" }), -38012);
  });

  await step(t, "Otterscan's methods answer", async () => {
    assert.equal(await solo.rpc("ots_getApiLevel"), 8);
    assert.equal(await solo.rpc("ots_hasCode", [probe, "latest"]), true);
    assert.equal(await solo.rpc("ots_hasCode", [STRANGER, "latest"]), false);
    const [operation] = await solo.rpc("ots_getInternalOperations", [sent.create.hash]);
    assert.deepEqual([operation.type, operation.from, operation.value], [3, probe.toLowerCase(), "0x7"]);
    assert.equal(await solo.rpc("ots_getTransactionError", [sent.write.hash]), "0x");
    const error = await solo.rpc("ots_getTransactionError", [sent.refuse.hash]);
    const calls = await solo.rpc("ots_traceTransaction", [sent.attempt.hash]);
    assert.deepEqual(calls.map(({ type, depth }) => [type, depth]), [["CALL", 0], ["CALL", 1]]);
    assert.equal(calls[1].output.slice(0, 10), error.slice(0, 10));
    const { receipt } = sent.write;
    const number = Number(receipt.blockNumber);
    const details = await solo.rpc("ots_getBlockDetails", [toHex(number)]);
    assert.deepEqual(details, await solo.rpc("ots_getBlockDetailsByHash", [receipt.blockHash]));
    const block = await solo.rpc("eth_getBlockByNumber", [toHex(number), false]);
    assert.equal(details.block.transactionCount, block.transactions.length);
    const page = await solo.rpc("ots_getBlockTransactions", [toHex(number), 0, 25]);
    assert.deepEqual(page.fullblock.transactions.map(({ hash }) => hash), block.transactions);
    assert.equal(page.fullblock.transactions.at(-1).input.length, 10);
    assert.equal(page.receipts.at(-1).timestamp, block.timestamp);
    assert.equal((await solo.rpc("erigon_getHeaderByNumber", [toHex(number)])).hash, block.hash);
  });

  await step(t, "Otterscan pages through an account's transactions in both directions", async () => {
    const head = Number(await solo.rpc("eth_blockNumber"));
    const all = [];
    for (let number = head; number >= 0; number--) {
      const block = await solo.rpc("eth_getBlockByNumber", [toHex(number), true]);
      all.push(...block.transactions.toReversed());
    }
    const deployment = sent.deploy.hash;
    const nobody = pad("0xdeadbeef", { size: 20 });
    const search = (way, account, block, size) => solo.rpc(`ots_searchTransactions${way}`, [account, block, size]);
    for (const account of [user.address, probe]) {
      const is = (address) => address?.toLowerCase() === account.toLowerCase();
      const expected = all.filter((tx) => is(tx.from) || is(tx.to) || (account === probe && tx.hash === deployment));
      assert.ok(expected.length > 2);
      const hashes = expected.map(({ hash }) => hash);
      const paged = async (way, add) => {
        const found = [];
        for (let block = 0, page; !page?.[way === "Before" ? "lastPage" : "firstPage"]; ) {
          page = await search(way, account, block, 2);
          assert.equal(page[way === "Before" ? "firstPage" : "lastPage"], block === 0);
          assert.deepEqual(page.receipts.map(({ transactionHash }) => transactionHash), page.txs.map(({ hash }) => hash));
          assert.ok(page.receipts.every(({ timestamp }) => Number(timestamp) > 0));
          add(found, page.txs.map(({ hash }) => hash));
          block = Number(page.txs.at(way === "Before" ? -1 : 0).blockNumber);
        }
        return found;
      };
      assert.deepEqual(await paged("Before", (found, page) => found.push(...page)), hashes);
      assert.deepEqual(await paged("After", (found, page) => found.unshift(...page)), hashes);
    }
    assert.deepEqual((await search("Before", nobody, 0, 25)).txs, []);

    const mine = all.filter((tx) => tx.from === user.address.toLowerCase());
    for (const { nonce, hash } of mine)
      assert.equal(await solo.rpc("ots_getTransactionBySenderAndNonce", [user.address, Number(nonce)]), hash);
    assert.equal(await solo.rpc("ots_getTransactionBySenderAndNonce", [user.address, mine.length]), null);
    assert.equal(await solo.rpc("ots_getTransactionBySenderAndNonce", [nobody, 0]), null);

    const creator = await solo.rpc("ots_getContractCreator", [probe]);
    assert.deepEqual(creator, { hash: deployment, creator: user.address.toLowerCase() });
    assert.equal(await solo.rpc("ots_getContractCreator", [nobody]), null);
    await assert.rejects(solo.rpc("ots_getContractCreator", ["0x4200000000000000000000000000000000000016"]), /no transaction created the contract/);
    await assert.rejects(search("Before", probe, 0, 101), /page size 101 is too large/);
  });

  await step(t, "raw blocks and transactions are returned in their encoding", async () => {
    const { hash, raw, receipt } = sent.write;
    const number = toHex(receipt.blockNumber);
    const index = toHex(receipt.transactionIndex);
    assert.equal(await solo.rpc("eth_getRawTransactionByHash", [hash]), raw);
    assert.equal(await solo.rpc("debug_getRawTransaction", [hash]), raw);
    assert.equal(await solo.rpc("eth_getRawTransactionByBlockNumberAndIndex", [number, index]), raw);
    assert.equal(await solo.rpc("eth_getRawTransactionByBlockHashAndIndex", [receipt.blockHash, index]), raw);
    assert.equal(await solo.rpc("eth_getRawTransactionByHash", [WORD]), "0x");
    const header = await solo.rpc("debug_getRawHeader", [number]);
    const block = await solo.rpc("debug_getRawBlock", [number]);
    assert.ok(block.includes(header.slice(2)) && block.includes(raw.slice(2)));
    const receipts = await solo.rpc("debug_getRawReceipts", [number]);
    assert.equal(receipts.length, (await l2.getBlock({ blockNumber: receipt.blockNumber })).transactions.length);
    assert.equal((await solo.rpc("eth_getHeaderByNumber", [number])).hash, receipt.blockHash);
    assert.equal((await solo.rpc("eth_getHeaderByHash", [receipt.blockHash])).number, number);
    assert.equal(await solo.rpc("eth_getUncleCountByBlockNumber", [number]), "0x0");
    assert.equal(await solo.rpc("eth_getUncleByBlockHashAndIndex", [receipt.blockHash, "0x0"]), null);
  });

  await step(t, "txpool and OP-node methods answer", async () => {
    const fees = { maxFeePerGas: parseGwei("3"), maxPriorityFeePerGas: 0n };
    const transaction = { type: "eip1559", chainId: CHAIN_ID, nonce: 5, to: STRANGER, gas: 21_000n };
    const behind = await accounts[1].signTransaction({ ...transaction, ...fees });
    const hash = await solo.rpc("eth_sendRawTransaction", [behind]);
    const sender = accounts[1].address;
    const { pending, queued } = await solo.rpc("txpool_content");
    assert.deepEqual([pending, queued[sender]["5"].hash], [{}, hash]);
    assert.equal((await solo.rpc("txpool_contentFrom", [sender])).queued["5"].hash, hash);
    const { queued: told } = await solo.rpc("txpool_inspect");
    assert.match(told[sender]["5"], /0 wei \+ 21000 gas × 3000000000 wei$/);
    const head = await l2.getBlock();
    const sync = await solo.rpc("optimism_syncStatus");
    assert.deepEqual([sync.unsafe_l2.hash, sync.unsafe_l2.number], [head.hash, Number(head.number)]);
    const output = await solo.rpc("optimism_outputAtBlock", [toHex(head.number)]);
    assert.deepEqual([output.stateRoot, output.blockRef.hash], [head.stateRoot, head.hash]);
    assert.match(output.outputRoot, /^0x[0-9a-f]{64}$/);
  });
});
