// Malicious clients for tests and benchmarks: idle connections, endless request heads, floods of invalid transactions. As a program
// (`node tools/attack.mjs '{"url": …}'`) it prints `up` once all clients run, and their counts on SIGTERM.
import { randomBytes } from "node:crypto";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";

import { privateKeyToAccount } from "viem/accounts";

/** Connections that one address opens at the same time; the system's queue holds no more. */
const OPENING_MAX = 50;
/** Milliseconds between two bytes of an endless head. */
const TRICKLE_MS = 500;
/** Transactions of a flood, sent repeatedly. */
const INVALID_TRANSACTIONS = 100;
/** The only request of an idle connection; it costs no allowance. */
const ONE_REQUEST = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";

/** Sends a request over an agent. Returns status, headers and the body, parsed if it is JSON. */
export function send(url, { agent, localAddress, headers = {}, method = "POST", path = "/", body = "" }) {
  const { hostname, port } = new URL(url);
  const type = body === "" ? {} : { "content-type": "application/json" };
  const all = { "content-length": Buffer.byteLength(body), ...type, ...headers };
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method, agent, localAddress, headers: all }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => (text += chunk));
      response.on("error", reject);
      response.on("end", () => {
        const isJson = (response.headers["content-type"] ?? "").includes("json");
        resolve({ status: response.statusCode, headers: response.headers, body: isJson ? JSON.parse(text) : text });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** The body of a JSON-RPC request. */
export const call = (method, params = [], id = 1) => JSON.stringify({ jsonrpc: "2.0", id, method, params });

/** Opens connections from an address. Returns the open ones and how many the server closed. */
export async function openMany(url, localAddress, count, begin = () => {}) {
  const { hostname: host, port } = new URL(url);
  const held = { sockets: new Set(), closed: 0, opened: 0 };
  const open = () =>
    new Promise((resolve) => {
      const socket = connect({ host, port, localAddress });
      socket.on("error", () => {});
      // Reads all data, so that the end is noticed.
      socket.resume();
      socket.once("connect", () => {
        held.opened++;
        held.sockets.add(socket);
        begin(socket);
        resolve();
      });
      socket.once("close", () => {
        if (held.sockets.delete(socket)) held.closed++;
        resolve();
      });
    });
  for (let left = count; left > 0; left -= OPENING_MAX)
    await Promise.all(Array.from({ length: Math.min(left, OPENING_MAX) }, open));
  return held;
}

/** Sends endless heads, a few bytes at a time, and opens closed connections again. */
export async function slowloris(url, localAddress, count) {
  const begin = (socket) => socket.write("POST / HTTP/1.1\r\nhost: a\r\n");
  const held = await openMany(url, localAddress, count, begin);
  const timer = setInterval(async () => {
    for (const socket of held.sockets) socket.write("x-slow: 1\r\n");
    const missing = count - held.sockets.size;
    if (missing === 0) return;
    const more = await openMany(url, localAddress, missing, begin);
    for (const socket of more.sockets) {
      held.sockets.add(socket);
      socket.once("close", () => held.sockets.delete(socket) && held.closed++);
    }
  }, TRICKLE_MS);
  timer.unref();
  return Object.assign(held, {
    stop() {
      clearInterval(timer);
      for (const socket of held.sockets) socket.destroy();
    },
  });
}

/** Validly signed transactions of an account without funds. */
export async function invalidTransactions(chainId, count = INVALID_TRANSACTIONS) {
  const account = privateKeyToAccount(`0x${randomBytes(32).toString("hex")}`);
  const fees = { gas: 21_000n, maxFeePerGas: 1_000_000_000n, maxPriorityFeePerGas: 0n };
  const sign = (_, nonce) =>
    account.signTransaction({ type: "eip1559", chainId, nonce, to: account.address, value: 1n, ...fees });
  return Promise.all(Array.from({ length: count }, sign));
}

/** Sends transactions from an address in a closed loop with `concurrent` in flight, until stopped. */
export function flood(url, localAddress, transactions, concurrent) {
  const agent = new Agent({ keepAlive: true, localAddress, maxSockets: concurrent });
  const counts = { refused: 0, limited: 0, failed: 0 };
  let isRunning = true;
  const worker = async (_, offset) => {
    for (let at = offset; isRunning; at++) {
      const body = call("eth_sendRawTransaction", [transactions[at % transactions.length]]);
      try {
        const { status } = await send(url, { agent, body });
        counts[status === 429 ? "limited" : "refused"]++;
      } catch {
        counts.failed++;
      }
    }
  };
  const workers = Array.from({ length: concurrent }, worker);
  return Object.assign(counts, {
    async stop() {
      isRunning = false;
      await Promise.all(workers);
      agent.destroy();
    },
  });
}

async function main({ url, chainId, idle, slow, floods }) {
  const address = (last) => `127.0.1.${last}`;
  const transactions = await invalidTransactions(chainId);
  const [idles, slows] = await Promise.all([
    Promise.all(idle.map((count, at) => openMany(url, address(1 + at), count, (socket) => socket.write(ONE_REQUEST)))),
    Promise.all(slow.map((count, at) => slowloris(url, address(101 + at), count))),
  ]);
  const all = floods.map((concurrent, at) => flood(url, address(201 + at), transactions, concurrent));
  const sum = (list, of) => list.reduce((total, each) => total + of(each), 0);
  process.once("SIGTERM", () => {
    const counts = {
      idle: { open: sum(idles, ({ sockets }) => sockets.size), closed: sum(idles, ({ closed }) => closed) },
      slow: { open: sum(slows, ({ sockets }) => sockets.size), closed: sum(slows, ({ closed }) => closed) },
      flood: {
        refused: sum(all, ({ refused }) => refused),
        limited: sum(all, ({ limited }) => limited),
        failed: sum(all, ({ failed }) => failed),
      },
    };
    process.stdout.write(`${JSON.stringify(counts)}\n`, () => process.exit(0));
  });
  console.log("up");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(JSON.parse(process.argv[2]));
