// Runs a whole rollup for one test: `turnpike dev` on free ports and a temporary folder, with an L1 that the test mines.
import assert from "node:assert/strict";

import { Program, checkAlive, recentLogs, temporaryFolder, tool, turnpike } from "./programs.mjs";

const POLL_MS = 50;
const DEADLINE_MS = 90_000;
/** Mining more often makes anvil slow to answer. */
const MINE_INTERVAL_MS = 300;

/** The challenge window and the interval between outputs of the development chain, in seconds. */
export const CHALLENGE_WINDOW = 20;
export const PROPOSE_INTERVAL = 5;

export const CHAIN_ID = 4242;
export const L1_CHAIN_ID = 31_337;

/** Longest wait of eth_sendRawTransactionSync, in milliseconds. */
export const SYNC_TIMEOUT_MAX = 60_000;

/** A transaction's states, in order. */
const STATES = ["received", "preconfirmed", "sealed", "safe", "proposed", "final"];

const pause = () => new Promise((resolve) => setTimeout(resolve, POLL_MS));

/** Polls until the predicate returns a truthy value, and returns it. After the deadline it throws with the logs. */
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

/** Mines L1 blocks until the predicate returns a truthy value, and returns it. */
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

/** Runs one step of a timeline. A failed step shows the logs and ends the timeline. */
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

/** Sends a JSON-RPC request and returns the whole response: `result` or `error`. */
export async function ask(url, method, params = []) {
  return (await post(url, { jsonrpc: "2.0", id: 1, method, params })).body;
}

/** Sends a JSON-RPC request and returns its result; an error is thrown. */
export async function rpc(url, method, params = []) {
  const { result, error } = await ask(url, method, params);
  if (error) throw new Error(`${method}: ${error.message} (${error.code})`);
  return result;
}

/** Posts JSON; a string or bytes are sent unchanged. */
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

/** Starts an L1 that runs until the test ends. It mines only when the test asks. */
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
  assert.equal(program.events[0], ready, "the first line is the ready event");
  return new Dev(program, data, ready);
}

/** A running `turnpike dev`. */
export class Dev {
  /** Latest state seen of each transaction. */
  #progress = new Map();

  constructor(program, data, ready) {
    const { l1Url, l2Url, contracts, accounts, genesis } = ready;
    Object.assign(this, { program, data, ready, l1Url, l2Url, contracts, accounts, genesis });
  }

  get pid() {
    return this.program.pid;
  }

  /** The challenger's verdicts, in order. */
  verdicts() {
    return this.program.events.filter(({ event }) => event === "output");
  }

  stop() {
    return this.program.stop();
  }

  kill() {
    return this.program.kill();
  }

  /** Mines L1 blocks, the first with a timestamp `seconds` later. */
  async advanceL1(blocks = 1, seconds = 0) {
    if (seconds > 0) await rpc(this.l1Url, "evm_increaseTime", [seconds]);
    for (let block = 0; block < blocks; block++) await rpc(this.l1Url, "evm_mine");
  }

  /** Pending L1 transactions to one of the rollup's contracts. */
  async l1Pool(contract) {
    const { pending } = await rpc(this.l1Url, "txpool_content");
    const all = Object.values(pending).flatMap((byNonce) => Object.values(byNonce));
    const address = this.contracts[contract].toLowerCase();
    return all.filter(({ to }) => to?.toLowerCase() === address);
  }

  /** Waits for a pending L1 transaction to this contract and returns its hash. It is not mined. */
  async l1Transaction(contract, what) {
    const [first] = await until(async () => {
      const found = await this.l1Pool(contract);
      return found.length > 0 && found;
    }, what);
    return first.hash;
  }

  /** Mines an L1 block for every transaction of a role, until the predicate holds. */
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

  /** Waits until L1 holds all blocks and the challenger has judged an output after the newest one. */
  async settleAll() {
    await this.settle(async () => {
      const { head, safe } = await this.status();
      return safe === head.number;
    }, "every block to be safe");
    // The proposer waits for the interval between outputs.
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

  /** A transaction's status. Fails if an accepted transaction is unknown or its state went back. */
  async transactionStatus(hash) {
    const { status, body } = await get(`${this.l2Url}/v1/transactions/${hash}`);
    assert.equal(status, 200, JSON.stringify(body));
    if (body.state !== "refused") {
      const [before, now] = [this.#progress.get(hash) ?? 0, STATES.indexOf(body.state)];
      assert.ok(now >= before, `${hash} was ${STATES[before]} and is ${body.state}`);
      this.#progress.set(hash, now);
    }
    return body;
  }

  /** Waits until a transaction has this state. */
  async waitForState(hash, state) {
    return until(async () => {
      const transaction = await this.transactionStatus(hash);
      return transaction.state === state && transaction;
    }, `${hash} to be ${state}`);
  }

  /** Posts raw transactions over REST: one as a string, several as a list. */
  submit(raw) {
    const body = Array.isArray(raw) ? { transactions: raw } : { transaction: raw };
    return post(`${this.l2Url}/v1/transactions`, body);
  }
}
