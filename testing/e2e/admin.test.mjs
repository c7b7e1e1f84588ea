// The administration API: authentication and methods.
import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { CHAIN_ID, ask, get, step, until } from "./harness.mjs";
import { run, temporaryFolder, turnpike } from "./programs.mjs";
import { startStandalone } from "./standalone.mjs";

const SERVER_ERROR = -32_000;
const PARSE_ERROR = -32_700;
const INVALID_REQUEST = -32_600;
const UNKNOWN_METHOD = -32_601;
const INVALID_PARAMS = -32_602;
const SYNC_TIMED_OUT = 4;
const SYNC_TIMEOUT_MS = 400;

const seconds = () => Math.floor(Date.now() / 1_000);
const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Makes a JWT without a library. */
function token(secret, { alg = "HS256", hash = "sha256", claims = { iat: seconds() } } = {}) {
  const text = `${part({ typ: "JWT", alg })}.${part(claims)}`;
  return `${text}.${hash ? createHmac(hash, secret).update(text).digest("base64url") : ""}`;
}

test("administrators", async (t) => {
  const folder = temporaryFolder(t);
  const secret = randomBytes(32);
  const file = join(folder, "secret");
  writeFileSync(file, `0x${secret.toString("hex")}\n`);
  const solo = await startStandalone(t, {}, ["--admin", "127.0.0.1:0", "--admin-secret", file]);
  const adminUrl = () => `http://${solo.log.match(/administrators are served address=(\S+)/)[1]}`;

  const post = async (authorization, body) => {
    const headers = { "content-type": "application/json", ...(authorization && { authorization }) };
    const response = await fetch(adminUrl(), { method: "POST", headers, body });
    return { status: response.status, headers: response.headers, body: await response.json() };
  };
  const tell = (method, params = []) =>
    post(`Bearer ${token(secret)}`, JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }));
  const result = async (method, params) => {
    const { body } = await tell(method, params);
    assert.equal(body.error, undefined, JSON.stringify(body.error));
    return body.result;
  };
  const admin = (...args) => run(t, turnpike(), ["admin", "--url", adminUrl(), "--secret", file, ...args]);
  const sign = (user, nonce) =>
    solo.accounts[user].signTransaction({
      ...{ type: "eip1559", chainId: CHAIN_ID, nonce, to: solo.accounts[user].address, value: 1n },
      ...{ gas: 21_000n, maxFeePerGas: 1_000_000_000n, maxPriorityFeePerGas: 0n },
    });

  await step(t, "only a holder of the secret is an administrator", async () => {
    const [now, other] = [seconds(), randomBytes(32)];
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "admin_pause", params: [] });
    for (const [name, authorization, why] of [
      ["no token", undefined, /bearer token is expected/],
      ["another scheme", `Basic ${token(secret)}`, /bearer token is expected/],
      ["nothing", "Bearer ", /bearer token is expected|not a JSON Web Token/],
      ["a malformed token", "Bearer a.b", /not a JSON Web Token/],
      ["another secret", `Bearer ${token(other)}`, /invalid signature/],
      ["an expired token", `Bearer ${token(secret, { claims: { iat: now - 90 } })}`, /more than 60 s/],
      ["a token from the future", `Bearer ${token(secret, { claims: { iat: now + 90 } })}`, /more than 60 s/],
      ["without iat", `Bearer ${token(secret, { claims: {} })}`, /no iat/],
      ["unsigned", `Bearer ${token(secret, { alg: "none", hash: null })}`, /algorithm HS256, found "none"/],
      ["signed with algorithm none", `Bearer ${token(secret, { alg: "none" })}`, /algorithm HS256, found "none"/],
      ["HS512", `Bearer ${token(secret, { alg: "HS512", hash: "sha512" })}`, /algorithm HS256, found "HS512"/],
      ["unsigned HS256", `Bearer ${token(secret, { hash: null })}`, /invalid signature/],
    ]) {
      const answer = await post(authorization, body);
      assert.equal(answer.status, 401, name);
      assert.equal(answer.headers.get("www-authenticate"), "Bearer");
      assert.equal(answer.body.type, "/problems/unauthorized");
      assert.match(answer.body.detail, why, name);
    }
    assert.equal((await result("admin_status")).paused, false, "production is not paused");
    const elsewhere = await ask(solo.l2Url, "admin_status");
    assert.equal(elsewhere.error.code, UNKNOWN_METHOD, "only on its own port");
  });

  await step(t, "a bad request gets a clear error", async () => {
    for (const [method, params, code] of [
      ["admin_nothing", [], UNKNOWN_METHOD],
      ["admin_pause", [1], INVALID_PARAMS],
      ["admin_drain", [-1], INVALID_PARAMS],
      ["admin_drain", ["soon"], INVALID_PARAMS],
      ["admin_executionMode", [], INVALID_PARAMS],
      ["admin_executionMode", ["fast"], INVALID_PARAMS],
      ["admin_logLevel", ["turnpike=loud"], INVALID_PARAMS],
      ["admin_logLevel", [1], INVALID_PARAMS],
    ]) {
      const { status, body } = await tell(method, params);
      assert.deepEqual([status, body.error.code], [200, code], `${method}: ${body.error.message}`);
    }
    const bearer = `Bearer ${token(secret)}`;
    assert.equal((await post(bearer, "{")).body.error.code, PARSE_ERROR);
    assert.equal((await post(bearer, "[]")).body.error.code, INVALID_REQUEST);
    const wrong = await run(t, turnpike(), ["admin", "--url", adminUrl(), "--secret", file, "log-level", "a=b=c"]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /admin_logLevel: expected a level or directives/);
  });

  await step(t, "anyone may ask for the node's health", async () => {
    for (const url of [solo.l2Url, adminUrl()])
      for (const path of ["/healthz", "/readyz"]) {
        const { status, body } = await get(`${url}${path}`);
        assert.deepEqual([status, body], [200, { ok: true, reasons: [] }], `${url}${path}`);
      }
  });

  await step(t, "transactions accepted while production is paused are durable and run later", async () => {
    const { code, stdout } = await admin("pause");
    assert.equal(code, 0);
    assert.equal(JSON.parse(stdout).paused, true);
    const raw = await sign(0, 0);
    const sent = await ask(solo.l2Url, "eth_sendRawTransactionSync", [raw, SYNC_TIMEOUT_MS]);
    assert.equal(sent.error.code, SYNC_TIMED_OUT, "accepted, but nothing runs");
    const hash = sent.error.data;
    assert.equal((await solo.transactionStatus(hash)).state, "received");
    assert.deepEqual((await result("admin_status")).pool, { transactions: 1, hasRunnable: true });
    const drain = await tell("admin_drain");
    assert.equal(drain.body.error.code, SERVER_ERROR);
    assert.match(drain.body.error.message, /paused/);
    assert.equal((await get(`${solo.l2Url}/readyz`)).status, 200, "it accepts transactions");
    assert.equal(JSON.parse((await admin("resume")).stdout).paused, false);
    await solo.sealed(hash);
  });

  await step(t, "a restart ends the pause and keeps the transactions accepted during it", async () => {
    await result("admin_pause");
    const hash = await solo.transfer(0, 1);
    await solo.kill();
    await solo.start();
    await solo.sealed(hash);
  });

  await step(t, "administrators choose the execution mode", async () => {
    for (const mode of ["sequential", "shadow", "parallel"]) {
      const { stdout } = await admin("execution-mode", mode);
      assert.equal(JSON.parse(stdout).executionMode, mode);
      assert.equal((await solo.status()).execution.mode, mode);
      const nonce = await solo.l2.getTransactionCount({ address: solo.accounts[1].address });
      await solo.sealed(await solo.transfer(1, nonce));
    }
  });

  await step(t, "administrators choose the log filter", async () => {
    assert.doesNotMatch(solo.log, /DEBUG/);
    assert.equal((await admin("log-level", "debug")).code, 0);
    await solo.sealed(await solo.transfer(0, 2));
    await until(() => /DEBUG/.test(solo.log), "a log line");
    assert.equal((await admin("log-level", "info")).code, 0);
  });

  await step(t, "a drain finishes pending transactions and accepts no new ones", async () => {
    const runnable = await Promise.all([3, 4, 5].map((nonce) => solo.transfer(0, nonce)));
    const gapped = await solo.transfer(2, 1);
    const { code, stdout } = await admin("drain");
    assert.equal(code, 0, stdout);
    const { drained, draining, pool } = JSON.parse(stdout);
    assert.deepEqual([drained, draining, pool], [true, true, { transactions: 1, hasRunnable: false }]);
    for (const hash of runnable) assert.ok((await solo.transactionStatus(hash)).block.hash, "it is in a sealed block");
    assert.equal((await solo.transactionStatus(gapped)).state, "received");
    const refused = await ask(solo.l2Url, "eth_sendRawTransaction", [await sign(0, 6)]);
    assert.match(refused.error.message, /sequencer is draining/);
    const ready = await get(`${solo.l2Url}/readyz`);
    assert.deepEqual([ready.status, ready.body.reasons.map(({ code }) => code)], [503, ["draining"]]);
    assert.equal((await get(`${solo.l2Url}/healthz`)).status, 200, "a restart would not help");
    await result("admin_resume");
    await solo.sealed(await solo.transfer(0, 6));
    assert.equal((await get(`${solo.l2Url}/readyz`)).status, 200);
  });
});
