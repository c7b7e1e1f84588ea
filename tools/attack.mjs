// Clients that mean no good: connections without requests, heads that never end, transactions that nobody takes. As a program
// (`node tools/attack.mjs '{"url": …}'`) it says `up` when all of them are at work, and how they fared when it is told to end.
import { randomBytes } from "node:crypto";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";

import { privateKeyToAccount } from "viem/accounts";

/** Connections that one address opens at the same time, of which the system holds only so many. */
const OPENING_MAX = 50;
/** Between two bytes of a head that never ends. */
const TRICKLE_MS = 500;
/** Transactions of the flood, sent again and again. */
const INVALID_TRANSACTIONS = 100;
/** What a connection asks for before it says nothing more: it costs nothing. */
const ONE_REQUEST = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";

/** A request on a connection of an agent's own; status, headers and the body, parsed if it is JSON. */
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

/** A JSON-RPC request's body. */
export const call = (method, params = [], id = 1) => JSON.stringify({ jsonrpc: "2.0", id, method, params });

/** Opens connections from an address; those that are open, and how many were closed by the other side. */
export async function openMany(url, localAddress, count, begin = () => {}) {
  const { hostname: host, port } = new URL(url);
  const held = { sockets: new Set(), closed: 0, opened: 0 };
  const open = () =>
    new Promise((resolve) => {
      const socket = connect({ host, port, localAddress });
      socket.on("error", () => {});
      // Whatever comes is read, so that the end is noticed.
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

/** Heads that never end, a few bytes at a time; a connection that is closed is opened again. */
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

/** Transactions with a signature that has to be checked, and no funds behind them. */
export async function invalidTransactions(chainId, count = INVALID_TRANSACTIONS) {
  const account = privateKeyToAccount(`0x${randomBytes(32).toString("hex")}`);
  const fees = { gas: 21_000n, maxFeePerGas: 1_000_000_000n, maxPriorityFeePerGas: 0n };
  const sign = (_, nonce) =>
    account.signTransaction({ type: "eip1559", chainId, nonce, to: account.address, value: 1n, ...fees });
  return Promise.all(Array.from({ length: count }, sign));
}

/** Sends transactions from an address as fast as they are answered, so many at a time, until told to stop. */
export function flood(url, localAddress, transactions, concurrent) {
  const agent = new Agent({ keepAlive: true, localAddress, maxSockets: concurrent });
  const fared = { refused: 0, limited: 0, failed: 0 };
  let goesOn = true;
  const worker = async (_, offset) => {
    for (let at = offset; goesOn; at++) {
      const body = call("eth_sendRawTransaction", [transactions[at % transactions.length]]);
      try {
        const { status } = await send(url, { agent, body });
        fared[status === 429 ? "limited" : "refused"]++;
      } catch {
        fared.failed++;
      }
    }
  };
  const workers = Array.from({ length: concurrent }, worker);
  return Object.assign(fared, {
    async stop() {
      goesOn = false;
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
    const fared = {
      idle: { open: sum(idles, ({ sockets }) => sockets.size), closed: sum(idles, ({ closed }) => closed) },
      slow: { open: sum(slows, ({ sockets }) => sockets.size), closed: sum(slows, ({ closed }) => closed) },
      flood: {
        refused: sum(all, ({ refused }) => refused),
        limited: sum(all, ({ limited }) => limited),
        failed: sum(all, ({ failed }) => failed),
      },
    };
    process.stdout.write(`${JSON.stringify(fared)}\n`, () => process.exit(0));
  });
  console.log("up");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(JSON.parse(process.argv[2]));
