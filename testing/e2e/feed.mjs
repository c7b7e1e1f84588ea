// Reads the journal's feed, and provides two faulty feeds: a proxy that cuts connections, and a tampered feed.
import { createServer as createHttpServer } from "node:http";
import { connect, createServer } from "node:net";

import { bytesToHex, concat, fromRlp, hexToBytes, keccak256, size, slice, toHex, toRlp } from "viem";

import { onTestEnd, require } from "./programs.mjs";

const { WebSocket, WebSocketServer } = require("ws");

const SLICE = "0x01";
const SEALED = "0x02";

const word = (number) => toHex(number, { size: 8 });

/**
 * Decodes a frame: sequence number, epoch and checksum, eight bytes each, then the payload and the transactions that the row accepted and
 * that still wait, each after its length in four bytes.
 */
export function readRow(frame) {
  const hex = bytesToHex(new Uint8Array(frame));
  const [sequence, epoch] = [0, 8].map((at) => Number(BigInt(slice(hex, at, at + 8))));
  const end = 28 + Number(slice(hex, 24, 28));
  const waiting = end < size(hex) ? slice(hex, end) : "0x";
  return { sequence, epoch, checksum: slice(hex, 16, 24), payload: slice(hex, 28, end), waiting };
}

export function writeRow({ sequence, epoch, checksum, payload, waiting }) {
  const length = toHex(size(payload), { size: 4 });
  return hexToBytes(concat([word(sequence), word(epoch), checksum, length, payload, waiting]));
}

/** The checksum of a row that follows a row with the checksum `previous`. */
export function checksumAfter(previous, { sequence, epoch, payload }) {
  return slice(keccak256(concat([previous, word(sequence), word(epoch), payload])), 0, 8);
}

/** Decodes a row's payload: version, kind, time of writing and fields. */
export function readEntry(payload) {
  const [version, kind] = [slice(payload, 0, 1), slice(payload, 1, 2)];
  return { version, kind, writtenAt: slice(payload, 2, 10), fields: fromRlp(slice(payload, 10)) };
}

export function writeEntry({ version, kind, writtenAt, fields }) {
  return concat([version, kind, writtenAt, toRlp(fields)]);
}

/** The slice in an entry, if it holds one: number, opening, transactions, outcomes, whether it is the last. */
export function partOf(entry) {
  return entry.kind === SLICE ? entry.fields[0][0] : undefined;
}

/** The sealed block in an entry, if it holds one: number, hash, state root. */
export function sealedOf(entry) {
  return entry.kind === SEALED ? entry.fields : undefined;
}

/** Reads `count` rows of a node's feed, starting at row `from`. */
export function readFeed(url, from, count) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace("http", "ws")}/v1/feed?from=${from}`);
    const rows = [];
    const end = (settle, value) => {
      socket.terminate();
      settle(value);
    };
    socket.on("message", (frame) => {
      rows.push(readRow(frame));
      if (rows.length === count) end(resolve, rows);
    });
    socket.on("unexpected-response", (request, response) => {
      let body = "";
      response.on("data", (some) => (body += some));
      response.on("end", () => end(resolve, { status: response.statusCode, body: JSON.parse(body) }));
    });
    socket.on("error", reject);
    socket.on("close", (code) => reject(new Error(`the feed ended with ${code} after ${rows.length} rows`)));
  });
}

function listen(t, server, scheme) {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(`${scheme}://127.0.0.1:${server.address().port}`));
  });
}

/**
 * A proxy to `target()` that cuts its first connections, `cuts` of them, each after `bytes(cuts left)`
 * bytes, also within a frame.
 */
export async function cuttingProxy(t, target, { cuts, bytes }) {
  const proxy = { cuts, connections: 0 };
  const sockets = new Set();
  const server = createServer((client) => {
    proxy.connections++;
    const { hostname, port } = new URL(target());
    const upstream = connect(Number(port), hostname);
    let left = proxy.cuts > 0 ? bytes(proxy.cuts) : Infinity;
    const end = () => [client, upstream].forEach((socket) => socket.destroy());
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", end);
      socket.on("close", () => (sockets.delete(socket), end()));
    }
    client.pipe(upstream);
    upstream.on("data", (some) => {
      if (left <= 0) return;
      client.write(some.subarray(0, Math.min(left, some.length)));
      left -= some.length;
      if (left > 0) return;
      proxy.cuts--;
      client.end(end);
    });
  });
  proxy.url = await listen(t, server, "ws");
  onTestEnd(t, () => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
  });
  return proxy;
}

/**
 * Serves a node's feed with one changed entry: the first for which `change(entry)` returns true. Later
 * checksums continue the changed row, unless `chained` is false.
 */
export async function tamperedFeed(t, url, change, { chained = true } = {}) {
  const feed = { changed: undefined };
  const http = createHttpServer();
  const server = new WebSocketServer({ server: http });
  const open = new Set();
  let chain;
  server.on("headers", (headers) => headers.push(`turnpike-chain: ${chain}`));
  const upstream = await new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace("http", "ws")}/v1/feed?from=0`);
    const buffered = [];
    socket.on("upgrade", (response) => (chain = response.headers["turnpike-chain"]));
    socket.on("message", (frame) => (socket.reader ? socket.reader(frame) : buffered.push(frame)));
    socket.on("open", () => resolve(Object.assign(socket, { buffered })));
    socket.on("error", reject);
  });
  const frames = [];
  let previous = slice(chain, 0, 8);
  upstream.reader = (frame) => {
    const row = readRow(frame);
    const entry = readEntry(row.payload);
    if (feed.changed === undefined && change(entry)) {
      feed.changed = row.sequence;
      row.payload = writeEntry(entry);
    }
    if (chained) row.checksum = checksumAfter(previous, row);
    previous = row.checksum;
    frames.push(writeRow(row));
    for (const socket of open) socket.send(frames.at(-1));
  };
  upstream.buffered.forEach(upstream.reader);
  server.on("connection", (socket, request) => {
    const from = Number(new URL(request.url, url).searchParams.get("from"));
    frames.slice(from).forEach((frame) => socket.send(frame));
    open.add(socket);
    socket.on("close", () => open.delete(socket));
  });
  feed.url = await listen(t, http, "ws");
  onTestEnd(t, () => {
    upstream.terminate();
    open.forEach((socket) => socket.terminate());
    http.close();
  });
  return feed;
}
