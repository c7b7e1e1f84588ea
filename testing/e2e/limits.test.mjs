// Limits of the listener: a client that exceeds one gets a clear answer, and no other client notices.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";

import WebSocket from "ws";

import { call, flood, invalidTransactions, openMany, send, slowloris } from "../../tools/attack.mjs";
import { CHAIN_ID, get, step, until } from "./harness.mjs";
import { onTestEnd } from "./programs.mjs";
import { startStandalone } from "./standalone.mjs";

const CONNECTIONS_MAX = 700;
const CONNECTIONS_PER_IP = 520;
const RATE = 10;
const BURST = 2_000;
const BATCH = 1_000;
const PROXY = "127.0.0.9";
const FLAGS = [
  ...["--connections-max", `${CONNECTIONS_MAX}`, "--connections-per-ip", `${CONNECTIONS_PER_IP}`],
  ...["--rate-limit", `${RATE}`, "--rate-burst", `${BURST}`, "--trusted-proxy", `${PROXY}/32`],
  ...["--metrics", "127.0.0.1:0"],
];

const IDLE = 500;
const SLOW = 60;
const FLOOD = 8;
const HEALTHY_TRANSFERS = 10;

const LIMIT_EXCEEDED = -32_005;
const INVALID_REQUEST = -32_600;
const PARSE_ERROR = -32_700;
const INVALID_PARAMS = -32_602;
const UNKNOWN_METHOD = -32_601;

/** Value of a metric of the listener. */
async function metricOf(solo, name) {
  const { body } = await get(`http://${solo.log.match(/serving metrics address=(\S+)/)[1]}/metrics`);
  const line = body.split("\n").find((line) => line.startsWith(`turnpike_sequencer_${name} `));
  return line ? Number(line.split(" ").pop()) : 0;
}

/** A batch of requests with this cost. */
const batchOf = (units) => `[${Array(units).fill(call("eth_chainId")).join(",")}]`;

/** A request whose cost takes seconds to refill. */
const dear = (id = 1) => call("eth_getLogs", [{}], id);

/** Spends a client's whole allowance and sends another request. Returns the refusal. */
async function exhaust(url, options, body) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, localAddress: options.localAddress });
  const { localAddress, headers } = options;
  try {
    return await until(async () => {
      await send(url, { agent, localAddress, headers, body: batchOf(BATCH) });
      const answer = await send(url, { ...options, agent, body });
      return answer.status === 429 && answer;
    }, "the allowance to be spent");
  } finally {
    agent.destroy();
  }
}

test("the listener limits each client", async (t) => {
  const solo = await startStandalone(t, {}, FLAGS);
  const url = solo.l2Url;

  await step(t, "an expensive request gets an answer and little work", async () => {
    const deep = (depth) => "[".repeat(depth) + "]".repeat(depth);
    const big = 1_000_000;
    const bombs = [
      [deep(65), INVALID_REQUEST, /more than 64 deep/],
      [deep(big), INVALID_REQUEST, /more than 64 deep/],
      ["[".repeat(big), INVALID_REQUEST, /more than 64 deep/],
      ['{"a":'.repeat(big), INVALID_REQUEST, /more than 64 deep/],
      [`{"id":1,"method":"${"m".repeat(129)}"}`, INVALID_REQUEST, /method of 129 bytes, limit 128/],
      [`{"id":"${"i".repeat(2_000)}","method":"eth_chainId"}`, INVALID_REQUEST, /id of 2002 bytes/],
      [call("eth_call", Array(17).fill(0)), INVALID_PARAMS, /too many arguments, limit 16/],
      [call("eth_call", Array(big).fill(0)), INVALID_PARAMS, /too many arguments/],
      [call("eth_getBalance", [JSON.parse(deep(60)), "latest"]), INVALID_PARAMS, /invalid argument 0/],
      [call("eth_\u0000nothing"), UNKNOWN_METHOD, /does not exist/],
      [`{"id":1,"method":"eth_chainId"`, PARSE_ERROR, /parse error/],
      ["\u0000", PARSE_ERROR, /parse error/],
    ];
    for (const [at, [body, code, message]] of bombs.entries()) {
      // Each comes from another address, because reading a body costs allowance.
      const answer = await send(url, { localAddress: `127.0.2.${at + 1}`, body });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      assert.equal(answer.body.error.code, code, `${body.slice(0, 40)}: ${answer.body.error.message}`);
      assert.match(answer.body.error.message, message);
    }
    const answer = await send(url, { localAddress: "127.0.0.2", path: `/?${"x".repeat(9_000)}`, body: "{}" });
    assert.equal(answer.status, 414);
    assert.equal(answer.body.type, "/problems/uri-too-long");
    const headers = Object.fromEntries(Array.from({ length: 80 }, (_, at) => [`x-${at}`, "1"]));
    assert.equal((await send(url, { localAddress: "127.0.0.2", headers, body: "{}" })).status, 431);
  });

  await step(t, "a client without allowance learns when to retry", async () => {
    const lone = await exhaust(url, { localAddress: "127.0.0.3" }, dear(7));
    assert.ok(Number(lone.headers["retry-after"]) >= 1);
    assert.deepEqual([lone.body.id, lone.body.error.code], [7, LIMIT_EXCEEDED]);
    assert.match(lone.body.error.message, /rate limit exceeded: retry in \d+ s/);
    const agent = new Agent({ keepAlive: true, localAddress: "127.0.0.4" });
    const refused = await until(async () => {
      const { body } = await send(url, { agent, body: batchOf(BATCH) });
      return Array.isArray(body) && body.some(({ error }) => error?.code === LIMIT_EXCEEDED) && body;
    }, "a batch to be too much");
    agent.destroy();
    assert.equal(refused.length, BATCH, "each request of a batch is answered");
    const rest = await exhaust(url, { localAddress: "127.0.0.5", method: "GET", path: "/v1/status" }, "");
    assert.equal(rest.body.type, "/problems/rate-limited");
    assert.match(rest.headers["content-type"], /problem\+json/);
    assert.ok((await metricOf(solo, "api_rate_limited_total")) >= 3);
  });

  await step(t, "refused transactions cost more", async () => {
    const [transaction] = await invalidTransactions(CHAIN_ID, 1);
    const count = async (localAddress, body) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1, localAddress });
      for (let count = 0; ; count++) {
        if ((await send(url, { agent, body })).status === 429) {
          agent.destroy();
          return count;
        }
      }
    };
    const body = JSON.stringify({ transaction });
    assert.ok((await count("127.0.0.6", call("eth_sendRawTransaction", [transaction]))) < BURST / 10);
    const agent = new Agent({ keepAlive: true, maxSockets: 1, localAddress: "127.0.0.7" });
    const limited = await until(async () => {
      const answer = await send(url, { agent, path: "/v1/transactions", body });
      return answer.status === 429 && answer;
    }, "REST to refuse");
    agent.destroy();
    assert.equal(limited.body.type, "/problems/rate-limited");
  });

  await step(t, "large transactions cost more", async () => {
    // Its bytes cost three quarters of the burst.
    const transaction = `0x02${"ff".repeat((128 * BURST * 3) / 4)}`;
    for (const [localAddress, options] of [
      ["127.0.0.10", { body: call("eth_sendRawTransaction", [transaction]) }],
      ["127.0.0.11", { path: "/v1/transactions", body: JSON.stringify({ transaction }) }],
    ]) {
      const agent = new Agent({ keepAlive: true, maxSockets: 1, localAddress });
      const first = await send(url, { agent, ...options });
      const second = await send(url, { agent, ...options });
      agent.destroy();
      assert.notEqual(first.status, 429);
      assert.equal(second.status, 429, "the first spent the burst");
    }
  });

  await step(t, "WebSocket requests use the same allowance", async () => {
    const socket = new WebSocket(url.replace("http", "ws"), { localAddress: "127.0.0.8" });
    onTestEnd(t, () => socket.terminate());
    const limited = new Promise((resolve, reject) => {
      socket.on("message", (data) => {
        const { error } = JSON.parse(data);
        if (error) resolve(error);
      });
      socket.once("error", reject);
    });
    await new Promise((resolve) => socket.once("open", resolve));
    for (let spent = 0; spent <= BURST; spent += BATCH) socket.send(batchOf(BATCH));
    socket.send(dear());
    assert.equal((await limited).code, LIMIT_EXCEEDED);
    socket.close();
  });

  await step(t, "only a trusted proxy can name the client's address", async () => {
    const from = (client) => ({ localAddress: PROXY, headers: { "x-forwarded-for": client } });
    await exhaust(url, from("203.0.113.1"), dear());
    const other = await send(url, { ...from("203.0.113.2"), body: call("eth_chainId") });
    assert.equal(other.status, 200);
    const claimed = await exhaust(url, { ...from("203.0.113.3"), localAddress: "127.0.0.10" }, dear());
    assert.equal(claimed.status, 429);
    const again = await send(url, { ...from("203.0.113.4"), localAddress: "127.0.0.10", body: dear() });
    assert.equal(again.status, 429, "the address pays, also if the client sends a header");
  });

  await step(t, "connections of one address are limited", async () => {
    const held = await openMany(url, "127.0.0.11", CONNECTIONS_PER_IP);
    const refused = await send(url, { localAddress: "127.0.0.11", body: call("eth_chainId") });
    assert.equal(refused.status, 429);
    assert.ok(refused.headers["retry-after"]);
    assert.equal(refused.body.type, "/problems/too-many-connections");
    assert.equal((await send(url, { body: call("eth_chainId") })).status, 200, "another has its own");
    for (const socket of held.sockets) socket.destroy();
    await until(async () => (await metricOf(solo, "api_connections")) < CONNECTIONS_PER_IP, "the connections to close");
  });

  await step(t, "idle connections, endless headers and a flood shut no other client out", async () => {
    const [idle, slow] = await Promise.all([
      openMany(url, "127.0.0.12", IDLE),
      slowloris(url, "127.0.0.13", SLOW),
    ]);
    onTestEnd(t, () => {
      slow.stop();
      for (const socket of idle.sockets) socket.destroy();
    });
    const flooding = flood(url, "127.0.0.14", await invalidTransactions(CHAIN_ID), FLOOD);
    for (let nonce = 0; nonce < HEALTHY_TRANSFERS; nonce++) {
      // One request that waits costs less than polling.
      const hash = await solo.transfer(0, nonce, "?wait=sealed&timeout=60");
      assert.equal((await solo.sealed(hash)).hash, hash);
    }
    await until(() => flooding.limited > 100, "the flood to be limited");
    await flooding.stop();
    assert.equal(flooding.failed, 0, "flooding requests get answers");
    assert.ok(slow.closed + slow.sockets.size >= SLOW);
  });

  await step(t, "when all connections are in use, the longest idle one is closed", async () => {
    const before = await metricOf(solo, 'api_dropped_connections_total{reason="evicted"}');
    const crowds = await Promise.all([
      openMany(url, "127.0.0.15", 400),
      openMany(url, "127.0.0.16", 400),
    ]);
    assert.equal((await send(url, { agent: new Agent(), body: call("eth_chainId") })).status, 200);
    const evicted = await metricOf(solo, 'api_dropped_connections_total{reason="evicted"}');
    assert.ok(evicted > before, `${evicted} were evicted, ${before} before`);
    for (const { sockets } of crowds) for (const socket of sockets) socket.destroy();
  });

  await step(t, "a stop finishes accepted requests and closes WebSockets properly", async () => {
    const socket = new WebSocket(url.replace("http", "ws"), { localAddress: "127.0.0.17" });
    await once(socket, "open");
    const { hostname: host, port } = new URL(url);
    const idle = connect({ host, port, localAddress: "127.0.0.17" });
    // The first answer shows that the node accepted the connection; the system may reset others.
    idle.write("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
    await once(idle, "data");
    idle.resume();
    const [{ code }, [goodbye]] = await Promise.all([solo.stop(), once(socket, "close"), once(idle, "close")]);
    assert.equal(code, 0);
    assert.equal(goodbye, 1_001);
  });
});
