// The REST API: transaction status with times through to final, events, problems, and the page.
import assert from "node:assert/strict";
import { test } from "node:test";

import { keccak256 } from "viem";

import { accountsOf, transfer } from "./clients.mjs";
import { openEvents } from "./events.mjs";
import { CHALLENGE_WINDOW, get, post, rpc, startAnvil, startDev, step } from "./harness.mjs";
import { temporaryFolder } from "./programs.mjs";

const UNKNOWN = `0x${"77".repeat(32)}`;
const BODY_BYTES_MAX = 10 * 1024 * 1024;
const EMPTY_CODE = keccak256("0x");

function checkProblem({ status, mediaType, body }, expected, code) {
  assert.equal(status, expected, JSON.stringify(body));
  assert.match(mediaType, /^application\/problem\+json/);
  assert.deepEqual([body.type, body.status, body.code], [`/problems/${code}`, expected, code]);
  assert.ok(body.title && body.detail);
}

test("the REST API reports transaction status, events and problems", { timeout: 600_000 }, async (t) => {
  const anvil = await startAnvil(t);
  const data = temporaryFolder(t);
  const start = (fresh) => startDev(t, { data, fresh, l1Url: anvil.url });
  let dev = await start(true);
  const [alice, bob] = accountsOf(dev);
  const signed = (account, nonce) => account.signTransaction({ ...transfer, nonce });
  const at = (path) => `${dev.l2Url}${path}`;
  const read = async (path) => {
    const { status, body } = await get(at(path));
    assert.equal(status, 200, `${path}: ${JSON.stringify(body)}`);
    return body;
  };
  const send = async (raw, wait) => {
    const { status, body } = await post(at(`/v1/transactions?wait=${wait}`), { transaction: raw });
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  };
  const began = Date.now();
  let hash;
  let lastId;

  await step(t, "a stream reports a transaction's stages and its block", async (t) => {
    const raw = await signed(alice, 0);
    hash = keccak256(raw);
    const stream = await openEvents(t, at(`/v1/stream?hash=${hash}&sender=${bob.address}`));
    assert.equal(stream.status, 200);
    assert.match(stream.mediaType, /^text\/event-stream/);
    const preconfirmed = await send(raw, "preconfirmed");
    const { received, preconfirmed: ran, ...later } = preconfirmed.times;
    assert.ok(began <= received && received <= ran && ran <= Date.now(), JSON.stringify(preconfirmed.times));
    assert.deepEqual(Object.values(later), [null, null, null, null]);
    await send(await signed(bob, 0), "sealed");

    const { data } = await stream.has("transaction", (transaction) => transaction.hash === hash && transaction.state === "sealed");
    assert.deepEqual([data.times.received, data.times.preconfirmed], [received, ran]);
    assert.ok(data.times.sealed >= ran);
    const states = stream.named("transaction").filter(({ data }) => data.hash === hash);
    assert.deepEqual([...new Set(states.map(({ data }) => data.state))], states.map(({ data }) => data.state));
    await stream.has("transaction", (transaction) => transaction.sender === bob.address.toLowerCase());
    const block = await stream.has("block", ({ number }) => number === data.block.number);
    assert.equal(block.id, `${data.block.number}-${data.block.hash}`);
    assert.equal((await read(`/v1/blocks/${data.block.number}`)).sealedMs, data.times.sealed);
    lastId = block.id;
    await stream.close();
  });

  await step(t, "a reconnecting client resumes its stream", async (t) => {
    await send(await signed(alice, 1), "sealed");
    await send(await signed(alice, 2), "sealed");
    const { head } = await dev.status();
    const first = Number(lastId.split("-")[0]) + 1;
    const stream = await openEvents(t, at("/v1/stream?events=block"), { lastEventId: lastId });
    await stream.has("block", ({ number }) => number === head.number);
    const numbers = stream.events.map(({ data }) => data.number);
    assert.deepEqual(numbers, Array.from({ length: numbers.length }, (_, index) => first + index));
    // A number resumes as well; an unknown block's id is reported.
    const again = await openEvents(t, at(`/v1/stream?events=block&after=${first - 1}`));
    await again.has("block", ({ number }) => number === head.number);
    const other = await openEvents(t, at(`/v1/stream?events=block&after=${head.number}-${UNKNOWN}`));
    const { data } = await other.has("reset");
    await other.has("block", ({ number }) => number === data.nextBlock);
  });

  await step(t, "accounts list their pending transactions", async () => {
    const gap = await post(at("/v1/transactions"), { transaction: await signed(alice, 5) });
    assert.equal(gap.status, 202);
    const account = await read(`/v1/accounts/${alice.address}`);
    assert.deepEqual([account.nonce, account.nextNonce, account.pooledCount], [3, 3, 1]);
    assert.deepEqual([account.hasCode, account.codeHash], [false, EMPTY_CODE]);
    const [{ nonce, waitsForNonce, receivedMs }] = account.pooled;
    assert.deepEqual([nonce, waitsForNonce], [5, true]);
    assert.ok(receivedMs >= began);
    const balance = await rpc(dev.l2Url, "eth_getBalance", [alice.address, "latest"]);
    assert.equal(BigInt(account.balance), BigInt(balance));
    const { balance: none, nonce: zero } = await read(`/v1/accounts/${UNKNOWN.slice(0, 42)}`);
    assert.deepEqual([none, zero], ["0", 0]);
  });

  let final;
  await step(t, "a transaction status lists the time of every stage up to final", async (t) => {
    const stream = await openEvents(t, at(`/v1/stream?events=settlement,transaction&hash=${hash}`));
    await dev.settleAll();
    await dev.advanceL1(1, CHALLENGE_WINDOW);
    await dev.settle(async () => (await dev.transactionStatus(hash)).state === "final", "it to be final");
    final = await dev.transactionStatus(hash);
    const { l1Time } = await read(`/v1/batches/${final.posted.entry}`);
    const { proposedAt, windowEndsAt } = await read(`/v1/outputs/${final.output.index}`);
    const { posted, proposed, final: finalAt } = final.times;
    assert.deepEqual([posted, proposed, finalAt], [l1Time, proposedAt, windowEndsAt].map((time) => time * 1_000));
    await stream.has("transaction", ({ state, times }) => state === "final" && times.final === finalAt);
    await stream.has("settlement", ({ kind, entry }) => kind === "safe" && entry === final.posted.entry);
    for (const state of ["proposed", "final"]) {
      const isIt = (data) => data.kind === "output" && data.index === final.output.index && data.state === state;
      await stream.has("settlement", isIt);
    }
  });

  await step(t, "a stop ends streams, and the times survive a restart", async (t) => {
    const { pooled } = await read(`/v1/accounts/${alice.address}`);
    const stream = await openEvents(t, at("/v1/stream"));
    await dev.stop();
    await stream.ended();
    assert.match(stream.events.at(-1).data.reason, /stops/);
    dev = await start(false);
    const transaction = await dev.waitForState(hash, "final");
    assert.deepEqual(transaction, final);
    // A pending transaction keeps its time of receipt.
    assert.deepEqual((await read(`/v1/accounts/${alice.address}`)).pooled, pooled);
    await send(await signed(alice, 3), "sealed");
    await send(await signed(alice, 4), "sealed");
    const waited = await dev.waitForState(pooled[0].hash, "sealed");
    assert.equal(waited.times.received, pooled[0].receivedMs);
    assert.ok(waited.times.preconfirmed > pooled[0].receivedMs);
  });

  await step(t, "every error is a problem with a code", async () => {
    const json = (body) => post(at("/v1/transactions"), body);
    const { head } = await dev.status();
    const rows = [
      [await get(at("/v1/nothing")), 404, "not-found"],
      [await get(at("/v1/transactions")), 405, "method-not-allowed"],
      [await post(at("/v1/status"), {}), 405, "method-not-allowed"],
      [await json("{"), 400, "malformed-json"],
      [await json({ transaction: "0x1" }), 400, "malformed-json"],
      [await json({ transaction: "0x02", transactions: [] }), 400, "malformed-json"],
      [await post(at("/v1/transactions"), "0x", "text/plain"), 415, "media-type"],
      [await post(at("/v1/transactions"), new Uint8Array([9, 0, 0, 0, 1]), "application/octet-stream"), 400, "truncated"],
      [await json(" ".repeat(BODY_BYTES_MAX + 1)), 413, "oversized"],
      [await post(at("/v1/transactions?wait=soon"), {}), 400, "malformed-query"],
      [await post(at("/v1/transactions?timeout=1"), {}), 400, "malformed-query"],
      [await json({ transaction: "0x02" }), 400, "undecodable"],
      [await get(at(`/v1/transactions/${UNKNOWN}`)), 404, "not-found"],
      [await get(at("/v1/transactions/0x77")), 400, "malformed-hash"],
      [await get(at(`/v1/transactions/${UNKNOWN.slice(2)}`)), 400, "malformed-hash"],
      [await get(at("/v1/transactions/%ff")), 400, "malformed-path"],
      [await get(at("/v1/accounts/0x77")), 400, "malformed-address"],
      [await get(at("/v1/blocks/newest")), 400, "malformed-block"],
      [await get(at("/v1/blocks/+1")), 400, "malformed-block"],
      [await get(at(`/v1/blocks/${head.number + 1_000}`)), 404, "not-found"],
      [await get(at("/v1/batches/-1")), 400, "malformed-index"],
      [await get(at("/v1/batches/0")), 404, "not-found"],
      [await get(at(`/v1/outputs/${2n ** 63n}`)), 400, "malformed-index"],
      [await get(at("/v1/outputs?limit=101")), 400, "malformed-query"],
      [await get(at("/v1/outputs?limit=1&limit=1")), 400, "malformed-query"],
      [await get(at("/v1/deposits")), 400, "malformed-query"],
      [await get(at("/v1/deposits/0")), 404, "not-found"],
      [await get(at("/v1/stream?events=all")), 400, "malformed-query"],
      [await get(at("/v1/stream?events=transaction")), 400, "malformed-query"],
      [await get(at(`/v1/stream?hash=${Array(101).fill(UNKNOWN)}`)), 400, "malformed-query"],
      [await get(at("/v1/stream?after=1-2")), 400, "malformed-cursor"],
      [await get(at("/v1/feed")), 426, "upgrade-required"],
    ];
    for (const [answer, status, code] of rows) {
      checkProblem(answer, status, code);
      // The type links to the code's documentation.
      const explained = await get(at(answer.body.type));
      assert.deepEqual([explained.status, explained.body.code], [200, code]);
    }
    const { headers } = await fetch(at("/v1/status"), { method: "DELETE" });
    assert.match(headers.get("allow"), /GET/);
  });

  await step(t, "CORS allows pages of other origins", async () => {
    const origin = "https://wallet.example";
    const preflight = await fetch(at("/"), {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type" },
    });
    assert.equal(preflight.status, 200);
    assert.equal(preflight.headers.get("access-control-allow-origin"), "*");
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] });
    const call = { method: "POST", headers: { origin, "content-type": "application/json" }, body };
    for (const answer of [await fetch(at("/"), call), await fetch(at("/v1/status"), { headers: { origin } })]) {
      assert.deepEqual([answer.status, answer.headers.get("access-control-allow-origin")], [200, "*"]);
      await answer.text();
    }
  });

  await step(t, "the node serves the OpenAPI document and a page without external resources", async () => {
    const { openapi, paths } = await read("/openapi.json");
    assert.match(openapi, /^3\.1/);
    assert.ok(paths["/v1/transactions"].post && paths["/v1/stream"].get);
    const page = await get(at("/docs/"));
    assert.equal(page.status, 200);
    const assets = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path);
    assert.ok(assets.length >= 3, page.body);
    for (const path of assets) {
      assert.doesNotMatch(path, /^(https?:)?\/\//);
      const asset = await fetch(new URL(path, at("/docs/")));
      assert.equal(asset.status, 200, path);
      await asset.arrayBuffer();
    }
    const { body: initializer } = await get(at("/docs/swagger-initializer.js"));
    assert.match(initializer, /\/openapi\.json/);
    assert.match(initializer, /"?validatorUrl"?: "none"/);
  });
});
