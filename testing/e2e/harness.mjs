// A whole rollup for one test: `turnpike dev` on free ports and a temporary folder, its L1 moved by hand.
import assert from "node:assert/strict";

import { Program, checkAlive, recentLogs, temporaryFolder, tool, turnpike } from "./programs.mjs";

const POLL_MS = 50;
const DEADLINE_MS = 90_000;
/** An anvil that mines more often answers late. */
const MINE_INTERVAL_MS = 300;

/** Seconds in which an output may be challenged, and between two outputs, as in the development chain. */
export const CHALLENGE_WINDOW = 20;
export const PROPOSE_INTERVAL = 5;

export const CHAIN_ID = 4242;
export const L1_CHAIN_ID = 31_337;

/** The longest that eth_sendRawTransactionSync waits, in milliseconds. */
export const SYNC_TIMEOUT_MAX = 60_000;

/** A transaction's states, in the order in which it comes to them. */
const STATES = ["received", "preconfirmed", "sealed", "safe", "proposed", "final"];

const pause = () => new Promise((resolve) => setTimeout(resolve, POLL_MS));

/** Polls until the predicate gives something truthy, and returns that. Past the deadline it shows the logs. */
export async function until(predicate, what, deadlineMs = DEADLINE_MS) {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    checkAlive();
    const found = await predicate();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`waited ${deadlineMs} ms for ${what}\n${recentLogs()}`);
    await pause();
  }
}

/** Mines L1 blocks until the predicate gives something truthy, and returns that. */
export function untilMined(l1Url, predicate, what) {
  let next = 0;
  return until(async () => {
    if (Date.now() >= next) {
      await rpc(l1Url, "evm_mine");
      next = Date.now() + MINE_INTERVAL_MS;
    }
    return predicate();
  }, what);
}

/** One step of a timeline. The first that fails shows the logs and ends the timeline. */
export async function step(t, name, body) {
  let failure;
  await t.test(name, async (t) => {
    try {
      await body(t);
      checkAlive();
    } catch (error) {
      failure = error;
      if (!error.message.includes("\n---")) for (const line of recentLogs().split("\n")) t.diagnostic(line);
      throw error;
    }
  });
  if (failure) throw new Error(`the timeline ends at "${name}"`, { cause: failure });
}

/** A JSON-RPC call's whole answer: `result` or `error`. */
export async function ask(url, method, params = []) {
  return (await post(url, { jsonrpc: "2.0", id: 1, method, params })).body;
}

/** A JSON-RPC call's result. */
export async function rpc(url, method, params = []) {
  const { result, error } = await ask(url, method, params);
  if (error) throw new Error(`${method}: ${error.message} (${error.code})`);
  return result;
}

/** Posts JSON, or the body as it is if it is a string or bytes. */
export async function post(url, body, mediaType = "application/json") {
  const raw = typeof body === "string" || body instanceof Uint8Array;
  const headers = mediaType === null ? {} : { "content-type": mediaType };
  return read(await fetch(url, { method: "POST", headers, body: raw ? body : JSON.stringify(body) }));
}

export async function get(url) {
  return read(await fetch(url));
}

async function read(response) {
  const text = await response.text();
  const mediaType = response.headers.get("content-type") ?? "";
  const body = mediaType.includes("json") ? JSON.parse(text) : text;
  return { status: response.status, mediaType, body };
}

/** An L1 of the test's own, that outlives whatever uses it. Blocks are mined by hand. */
export async function startAnvil(t, args = []) {
  const all = ["--port", "0", "--no-mining", "--hardfork", "osaka", "--slots-in-an-epoch", "1", ...args];
  const program = new Program(t, "anvil", tool("anvil"), all, { linesShown: 10 });
  const listening = () => program.stdout.match(/Listening on 127\.0\.0\.1:(\d+)/);
  const [, port] = await until(listening, "anvil to listen");
  return { url: `http://127.0.0.1:${port}`, stop: () => program.stop() };
}

/** Starts `turnpike dev` and waits until it is up. */
export async function startDev(
  t,
  { data = temporaryFolder(t), fresh = true, liar = false, l1Url, args = [] } = {},
) {
  const l1 = l1Url ? ["--l1-url", l1Url] : ["--l1-port", "0"];
  const flags = ["--json", "--port", "0", ...l1, "--l1-block-time", "0", ...args];
  if (fresh) flags.push("--fresh");
  if (liar) flags.push("--liar");
  const program = new Program(t, "turnpike dev", turnpike(), ["dev", "--data", data, ...flags]);
  const ready = await until(
    () => program.events.find(({ event }) => event === "ready"),
    "turnpike dev to be up",
  );
  assert.equal(program.events[0], ready, "the first line says that it is ready");
  return new Dev(program, data, ready);
}

/** A running `turnpike dev`. */
export class Dev {
  /** How far each transaction has been seen to come. */
  #progress = new Map();

  constructor(program, data, ready) {
    const { l1Url, l2Url, contracts, accounts, genesis } = ready;
    Object.assign(this, { program, data, ready, l1Url, l2Url, contracts, accounts, genesis });
  }

  get pid() {
    return this.program.pid;
  }

  /** What the challenger said about outputs, in order. */
  verdicts() {
    return this.program.events.filter(({ event }) => event === "output");
  }

  stop() {
    return this.program.stop();
  }

  kill() {
    return this.program.kill();
  }

  /** Mines L1 blocks; the first comes `seconds` later than it would. */
  async advanceL1(blocks = 1, seconds = 0) {
    if (seconds > 0) await rpc(this.l1Url, "evm_increaseTime", [seconds]);
    for (let block = 0; block < blocks; block++) await rpc(this.l1Url, "evm_mine");
  }

  /** L1 transactions to one of the rollup's contracts that wait to be mined. */
  async l1Pool(contract) {
    const { pending } = await rpc(this.l1Url, "txpool_content");
    const all = Object.values(pending).flatMap((byNonce) => Object.values(byNonce));
    const address = this.contracts[contract].toLowerCase();
    return all.filter(({ to }) => to?.toLowerCase() === address);
  }

  /** Waits for a role's L1 transaction to that contract and returns its hash. It stays in L1's pool. */
  async l1Transaction(contract, what) {
    const [first] = await until(async () => {
      const found = await this.l1Pool(contract);
      return found.length > 0 && found;
    }, what);
    return first.hash;
  }

  /** Mines an L1 block whenever a role has sent something, until the predicate holds. */
  async settle(predicate, what) {
    const contracts = Object.keys(this.contracts);
    return until(async () => {
      const found = await predicate();
      if (found) return found;
      for (const contract of contracts) {
        if ((await this.l1Pool(contract)).length > 0) return void (await this.advanceL1());
      }
    }, what);
  }

  /** Settles until L1 holds all blocks and the challenger has judged an output after the newest. */
  async settleAll() {
    await this.settle(async () => {
      const { head, safe } = await this.status();
      return safe === head.number;
    }, "every block to be safe");
    // An output comes once the one before is old enough.
    await this.advanceL1(1, PROPOSE_INTERVAL);
    return this.settle(async () => {
      const { head, outputs } = await this.status();
      const verdict = this.verdicts().find(({ block }) => block === head.number);
      return outputs.newestBlock === head.number && verdict;
    }, "the challenger to judge an output after the newest block");
  }

  async status() {
    return (await get(`${this.l2Url}/v1/status`)).body;
  }

  /** A transaction's life so far: never unknown once it was taken, and never less than it was. */
  async life(hash) {
    const { status, body } = await get(`${this.l2Url}/v1/transactions/${hash}`);
    assert.equal(status, 200, JSON.stringify(body));
    if (body.state !== "refused") {
      const [before, now] = [this.#progress.get(hash) ?? 0, STATES.indexOf(body.state)];
      assert.ok(now >= before, `${hash} was ${STATES[before]} and is ${body.state}`);
      this.#progress.set(hash, now);
    }
    return body;
  }

  /** Waits until a transaction has come as far as that. */
  async lifeIs(hash, state) {
    return until(async () => {
      const life = await this.life(hash);
      return life.state === state && life;
    }, `${hash} to be ${state}`);
  }

  /** Posts raw transactions over REST: one as a string, many as a list. */
  submit(raw) {
    const body = Array.isArray(raw) ? { transactions: raw } : { transaction: raw };
    return post(`${this.l2Url}/v1/transactions`, body);
  }
}
