// Every mistake of a client gets a clear error, and the node goes on.
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  concat,
  keccak256,
  numberToHex,
  parseEther,
  parseGwei,
  parseSignature,
  parseTransaction,
  serializeTransaction,
  toRlp,
  trim,
} from "viem";

import { NOBODY, accountsOf, connect, succeeded, transfer } from "./clients.mjs";
import { CHAIN_ID, ask, get, post, rpc, startAnvil, startDev, step, until } from "./harness.mjs";

const GAS_CAP = 2 ** 24;
const TRANSACTION_BYTES_MAX = 128 * 1024;
const INITCODE_BYTES_MAX = 49_152;
const BODY_BYTES_MAX = 10 * 1024 * 1024;
const NONCE_GAP_MAX = 1_024;
const GROUP_ORDER = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

const SERVER_ERROR = -32_000;
const PARSE_ERROR = -32_700;
const INVALID_REQUEST = -32_600;
const UNKNOWN_METHOD = -32_601;
const INVALID_PARAMS = -32_602;

/** Bytes that are not zero and do not compress. */
const noise = (bytes) => `0x${"a7".repeat(bytes)}`;

function checkProblem({ status, mediaType, body }, expected, code, detail = /./) {
  assert.equal(status, expected, JSON.stringify(body));
  assert.match(mediaType, /^application\/problem\+json/);
  assert.deepEqual([body.type, body.status], [`/problems/${code}`, expected]);
  assert.ok(body.title);
  assert.match(body.detail, detail);
}

function checkError({ result, error }, code, message) {
  assert.equal(result, undefined);
  assert.match(error.message, message);
  assert.equal(error.code, code, error.message);
}

test("every client error has a clear answer", { timeout: 600_000 }, async (t) => {
  const anvil = await startAnvil(t);
  const dev = await startDev(t, { l1Url: anvil.url });
  const { l2, l2Wallets } = connect(dev);
  const [alice, bob, carol, dave, erin] = accountsOf(dev);
  const transactions = `${dev.l2Url}/v1/transactions`;
  const signed = (account, fields) => account.signTransaction({ ...transfer, ...fields });
  const first = await succeeded(l2, l2Wallets[0].sendTransaction({ to: NOBODY, value: 1n }));

  await step(t, "malformed and forbidden transactions are refused", async (t) => {
    const good = await signed(alice, { nonce: 1 });
    const { r, s, yParity, ...parts } = parseTransaction(good);
    const forged = (signature) => serializeTransaction(parts, { r, s, yParity, ...signature });
    const highS = numberToHex(BigInt(GROUP_ORDER) - BigInt(s));
    const initcode = { to: null, data: noise(INITCODE_BYTES_MAX + 1), gas: 5_000_000n };
    const authorization = await alice.signAuthorization({
      contractAddress: NOBODY,
      chainId: CHAIN_ID,
      nonce: 9,
    });
    const delegation = { nonce: 1, gas: 100_000n };

    const cases = [
      ["no bytes", "0x", 400, "undecodable", /^empty transaction bytes/],
      ["garbage", "0xdeadbeef", 400, "undecodable", /^rlp: /],
      ["long garbage", noise(500), 400, "undecodable", /./],
      ["half a transaction", good.slice(0, 60), 400, "undecodable", /^rlp: /],
      ["bytes behind a transaction", `${good}00`, 400, "undecodable", /^rlp: /],
      ["an unknown type", "0x7fc0", 400, "undecodable", /^transaction type not supported/],
      ["a blob transaction", "0x03c0", 400, "undecodable", /^transaction type not supported/],
      ["a deposit", "0x7ec0", 400, "undecodable", /^transaction type not supported/],
      [
        "another chain's",
        await signed(alice, { nonce: 1, chainId: 1 }),
        422,
        "wrong-chain-id",
        /invalid chain id for signer: have 1 want 4242/,
      ],
      ["r of zero", forged({ r: "0x0" }), 422, "invalid-signature", /invalid transaction v, r, s values/],
      [
        "r beyond the group",
        forged({ r: GROUP_ORDER }),
        422,
        "invalid-signature",
        /invalid transaction v, r, s values/,
      ],
      [
        "s beyond the group",
        forged({ s: GROUP_ORDER }),
        422,
        "invalid-signature",
        /invalid transaction v, r, s values/,
      ],
      [
        "s in the upper half",
        forged({ s: highS, yParity: 1 - yParity }),
        422,
        "invalid-signature",
        /invalid transaction v, r, s values/,
      ],
      [
        "a used nonce",
        await signed(alice, { nonce: 0, value: 2n }),
        422,
        "nonce-too-low",
        /^nonce too low: next nonce 1, tx nonce 0/,
      ],
      [
        "a far nonce",
        await signed(alice, { nonce: 2 + NONCE_GAP_MAX }),
        422,
        "nonce-too-high",
        /^nonce too high/,
      ],
      [
        "more than the balance",
        await signed(alice, { nonce: 1, value: parseEther("10000") }),
        422,
        "insufficient-funds",
        /^insufficient funds for gas \* price \+ value: /,
      ],
      [
        "gas above the cap",
        await signed(alice, { nonce: 1, gas: BigInt(GAS_CAP + 1) }),
        422,
        "gas-limit-too-high",
        /^transaction gas limit too high/,
      ],
      [
        "gas below the intrinsic gas",
        await signed(alice, { nonce: 1, gas: 20_999n }),
        422,
        "intrinsic-gas-too-low",
        /^intrinsic gas too low/,
      ],
      [
        "gas below the calldata's floor",
        await signed(alice, { nonce: 1, gas: 40_000n, data: noise(1_000) }),
        422,
        "floor-gas-too-low",
        /^insufficient gas for floor data gas cost/,
      ],
      [
        "a tip above the fee cap",
        await byHand(alice, { nonce: 1, maxPriorityFeePerGas: parseGwei("2") }),
        422,
        "tip-above-fee-cap",
        /^max priority fee per gas higher than max fee per gas/,
      ],
      [
        "a fee below the base fee",
        await signed(alice, { nonce: 1, maxFeePerGas: 1n }),
        422,
        "fee-cap-below-base-fee",
        /^max fee per gas less than block base fee/,
      ],
      [
        "long creation code",
        await signed(alice, { nonce: 1, ...initcode }),
        422,
        "initcode-too-long",
        /^max initcode size exceeded/,
      ],
      [
        "an empty authorization list",
        await byHand(alice, { ...delegation, authorizationList: [] }),
        422,
        "no-authorizations",
        /^EIP-7702 transaction with empty auth list/,
      ],
      [
        "a creation with authorizations",
        await byHand(alice, { ...delegation, to: "0x", authorizationList: [authorization] }),
        400,
        "undecodable",
        /^rlp: /,
      ],
      [
        "too many bytes",
        await signed(alice, { nonce: 1, gas: 10_000_000n, data: noise(TRANSACTION_BYTES_MAX) }),
        413,
        "oversized",
        /^oversized data: transaction size \d+, limit 131072/,
      ],
    ];
    for (const [what, raw, status, code, message] of cases) {
      await t.test(what, async () => {
        checkError(await ask(dev.l2Url, "eth_sendRawTransaction", [raw]), SERVER_ERROR, message);
        checkProblem(await post(transactions, { transaction: raw }), status, code, message);
      });
    }
    // Each transaction of a request has its own answer, in order.
    const { status, body } = await post(transactions, { transactions: cases.map(([, raw]) => raw) });
    assert.equal(status, 200);
    assert.deepEqual(
      body.results.map(({ error }) => error.type),
      cases.map(([, , , code]) => `/problems/${code}`),
    );
    assert.equal((await dev.status()).pool.transactions, 0, "none of them is kept");
  });

  await step(t, "viem recognises the errors", async () => {
    const [, wallet] = l2Wallets;
    const nonce = await l2.getTransactionCount({ address: alice.address });
    await assert.rejects(wallet.sendTransaction({ to: NOBODY, value: parseEther("20000") }), {
      name: "TransactionExecutionError",
      message: /exceeds the balance of the account/,
    });
    await assert.rejects(l2Wallets[0].sendTransaction({ to: NOBODY, nonce: nonce - 1, gas: 21_000n }), {
      message: /Nonce provided for the transaction is lower than the current nonce/,
    });
  });

  await step(t, "a transaction above a nonce gap waits until the gap is filled", async () => {
    const [zero, one, two] = await Promise.all([0, 1, 2].map((nonce) => signed(bob, { nonce })));
    const hashes = [zero, one, two].map((raw) => keccak256(raw));
    for (const raw of [two, one]) assert.equal((await post(transactions, { transaction: raw })).status, 202);
    for (const [nonce, hash] of [
      [1, hashes[1]],
      [2, hashes[2]],
    ]) {
      const { state, waitingForNonce, ...transaction } = await dev.transactionStatus(hash);
      assert.deepEqual([state, waitingForNonce, transaction.nonce], ["received", 0, nonce]);
    }
    assert.deepEqual(await rpc(dev.l2Url, "txpool_status"), { pending: "0x0", queued: "0x2" });
    assert.equal(await rpc(dev.l2Url, "eth_getTransactionReceipt", [hashes[1]]), null);
    assert.equal((await rpc(dev.l2Url, "eth_getTransactionByHash", [hashes[1]])).blockHash, null);
    checkError(await ask(dev.l2Url, "eth_sendRawTransaction", [one]), SERVER_ERROR, /^already known$/);
    const again = await post(transactions, { transaction: one });
    assert.deepEqual([again.status, again.body.hash], [202, hashes[1]], "sending it twice over REST is no error");

    assert.equal(await rpc(dev.l2Url, "eth_sendRawTransaction", [zero]), hashes[0]);
    for (const hash of hashes) await dev.waitForState(hash, "sealed");
    checkError(await ask(dev.l2Url, "eth_sendRawTransaction", [one]), SERVER_ERROR, /^already known$/);
  });

  await step(t, "only a higher fee replaces a pending transaction", async () => {
    const raw = await signed(carol, { nonce: 1 });
    assert.equal((await post(transactions, { transaction: raw })).status, 202);
    const cheap = await signed(carol, { nonce: 1, value: 2n });
    checkProblem(
      await post(transactions, { transaction: cheap }),
      422,
      "replacement-underpriced",
      /^replacement transaction underpriced/,
    );
    const better = await signed(carol, {
      nonce: 1,
      maxFeePerGas: parseGwei("2"),
      maxPriorityFeePerGas: parseGwei("1"),
    });
    const { body } = await post(transactions, { transaction: better });
    assert.equal(body.hash, keccak256(better));
    const transaction = await dev.transactionStatus(keccak256(raw));
    assert.equal(transaction.state, "refused");
    assert.match(transaction.reason, new RegExp(`^replaced by ${body.hash}`));
  });

  await step(t, "a pending transaction that became invalid is refused with the reason", async () => {
    const all = parseEther("9999.9");
    const [spend, overspend] = [
      await signed(dave, { nonce: 0, value: all }),
      await signed(dave, { nonce: 1, value: all }),
    ];
    const { body } = await post(transactions, { transactions: [overspend, spend] });
    const [late, early] = body.results.map(({ hash }) => hash);
    await dev.waitForState(early, "sealed");
    const { reason } = await dev.waitForState(late, "refused");
    assert.match(reason, /funds/);
    assert.equal(await rpc(dev.l2Url, "eth_getTransactionReceipt", [late]), null);
    // The sender can use that nonce again.
    const next = await post(transactions, { transaction: await signed(dave, { nonce: 1 }) });
    await dev.waitForState(next.body.hash, "sealed");
  });

  await step(t, "malformed REST requests are refused", async () => {
    checkProblem(await post(transactions, '{"transaction": '), 400, "malformed-json");
    checkProblem(await post(transactions, { transaction: "0xzz" }), 400, "malformed-json");
    checkProblem(await post(transactions, { transaction: "0x", surprise: 1 }), 400, "malformed-json");
    checkProblem(await post(transactions, {}), 400, "malformed-json");
    checkProblem(await post(transactions, "0xdead", "text/plain"), 415, "media-type", /text\/plain/);
    checkProblem(await post(transactions, new Uint8Array([1]), null), 415, "media-type");
    checkProblem(
      await post(transactions, new Uint8Array([9, 0, 0, 0, 1]), "application/octet-stream"),
      400,
      "truncated",
    );
    checkProblem(
      await post(transactions, { transactions: Array(10_001).fill("0x") }),
      413,
      "too-many-transactions",
      /10001 transactions, limit 10000/,
    );
    checkProblem(await get(transactions), 405, "method-not-allowed", /GET/);
    checkProblem(await get(`${dev.l2Url}/v2/anything`), 404, "not-found");
    checkProblem(await get(`${transactions}/${keccak256("0x77")}`), 404, "not-found", /is unknown/);
    checkProblem(await get(`${transactions}/0x1234`), 400, "malformed-hash");
    checkProblem(await get(`${dev.l2Url}/v1/blocks/999999`), 404, "not-found");
    checkProblem(await get(`${dev.l2Url}/v1/blocks/newest`), 400, "malformed-block");
    checkProblem(await get(`${dev.l2Url}/v1/blocks/${keccak256("0x77")}`), 404, "not-found");
  });

  await step(t, "bodies beyond the limit are refused", async () => {
    const body = JSON.stringify({ transaction: noise(BODY_BYTES_MAX / 2) });
    const answer = await post(transactions, body);
    assert.equal(answer.status, 413);
    checkProblem(answer, 413, "oversized");
    assert.equal((await post(dev.l2Url, body)).status, 413);
  });

  await step(t, "malformed JSON-RPC requests are refused", async () => {
    const send = async (body) => {
      const { status, body: answer } = await post(dev.l2Url, body);
      assert.equal(status, 200);
      return answer;
    };
    checkError(await send("{"), PARSE_ERROR, /^parse error/);
    checkError(await send("[]"), INVALID_REQUEST, /empty batch/);
    checkError(await send("7"), INVALID_REQUEST, /./);
    checkError(await send({ jsonrpc: "2.0", id: 1 }), INVALID_REQUEST, /method/);
    checkError(
      await send(Array(1_001).fill({ jsonrpc: "2.0", id: 1, method: "eth_chainId" })),
      INVALID_REQUEST,
      /limit 1000/,
    );
    checkError(
      await ask(dev.l2Url, "eth_mineHarder"),
      UNKNOWN_METHOD,
      /^the method eth_mineHarder does not exist\/is not available$/,
    );
    checkError(
      await ask(dev.l2Url, "eth_getBalance"),
      INVALID_PARAMS,
      /^missing value for required argument 0$/,
    );
    checkError(await ask(dev.l2Url, "eth_getBalance", ["0x12"]), INVALID_PARAMS, /^invalid argument 0: /);
    checkError(
      await ask(dev.l2Url, "eth_getBalance", { address: NOBODY }),
      INVALID_PARAMS,
      /^non-array args$/,
    );
    checkError(
      await ask(dev.l2Url, "eth_getBalance", [NOBODY, "0xffffff"]),
      SERVER_ERROR,
      /^header not found$/,
    );
    checkError(
      await ask(dev.l2Url, "eth_getLogs", [{ fromBlock: "0x2", toBlock: "0x1" }]),
      INVALID_PARAMS,
      /invalid block range/,
    );
    checkError(
      await ask(dev.l2Url, "eth_call", [{ to: NOBODY, value: "0x1", from: NOBODY, gas: "0x1" }, "latest"]),
      SERVER_ERROR,
      /intrinsic gas too low/,
    );
    assert.equal(await rpc(dev.l2Url, "eth_getTransactionReceipt", [keccak256("0x77")]), null);
    assert.equal(await rpc(dev.l2Url, "eth_getBlockByNumber", ["0xffffff", false]), null);

    const mixed = await send([
      { jsonrpc: "2.0", id: "a", method: "eth_chainId" },
      { jsonrpc: "2.0", id: 2, method: "no_such" },
      17,
      { jsonrpc: "2.0", id: 4, method: "eth_blockNumber", params: [] },
    ]);
    assert.deepEqual(
      mixed.map(({ id, result, error }) => [id, result !== undefined, error?.code]),
      [
        ["a", true, undefined],
        [2, false, UNKNOWN_METHOD],
        [null, false, INVALID_REQUEST],
        [4, true, undefined],
      ],
    );
  });

  await step(t, "the node still works", async () => {
    const receipt = await succeeded(l2, l2Wallets[4].sendTransaction({ to: NOBODY, value: 1n }));
    assert.equal(receipt.from, erin.address.toLowerCase());
    assert.equal((await dev.transactionStatus(first.transactionHash)).block.number, Number(first.blockNumber));
    await dev.settleAll();
    assert.deepEqual([...new Set(dev.verdicts().map(({ verdict }) => verdict))], ["ok"]);
  });

  await step(t, "the node goes on while L1 is down", async () => {
    await anvil.stop();
    await until(async () => (await dev.status()).l1.error, "the node to notice");
    await succeeded(l2, l2Wallets[4].sendTransaction({ to: NOBODY, value: 1n }));
    assert.match((await dev.status()).l1.error, /unreachable/);
    assert.deepEqual(await dev.stop(), { code: 0, signal: null });
  });
});

/** Signs transactions that viem refuses to sign: EIP-1559, or EIP-7702 with authorizations. */
async function byHand(account, { authorizationList, ...fields }) {
  const { chainId, nonce, maxPriorityFeePerGas, maxFeePerGas, gas, to, value } = { ...transfer, ...fields };
  const number = (value) => (BigInt(value) === 0n ? "0x" : numberToHex(value));
  const parts = [
    ...[chainId, nonce, maxPriorityFeePerGas, maxFeePerGas, gas].map(number),
    to,
    number(value),
    "0x",
    [],
  ];
  const isDelegation = authorizationList !== undefined;
  if (isDelegation) {
    parts.push(
      authorizationList.map(({ chainId, address, nonce, yParity, r, s }) => [
        number(chainId),
        address,
        number(nonce),
        number(yParity),
        trim(r),
        trim(s),
      ]),
    );
  }
  const encode = (parts) => concat([isDelegation ? "0x04" : "0x02", toRlp(parts)]);
  const { r, s, yParity } = parseSignature(await account.sign({ hash: keccak256(encode(parts)) }));
  return encode([...parts, number(yParity), trim(r), trim(s)]);
}
