// Loads a sequencer with transactions and records its answers in a ledger.
import assert from "node:assert/strict";

import { encodeDeployData, encodeFunctionData, getContractAddress, keccak256, parseEther, parseGwei } from "viem";

import { CHAIN_ID, post, rpc } from "../e2e/harness.mjs";
import { ERC20 } from "../e2e/uniswap.mjs";

/** Transactions in a request. */
const BULK = 8;
/** Milliseconds between two polls of the head. */
const LOOK_MS = 10;

/** The promise in an answer. */
function promiseOf({ hash, block, position, receiptHash }) {
  return block === undefined ? { hash } : { hash, block: block.number, index: position, receiptHash };
}

/** Transactions in sending order. Unanswered ones are sent again. */
export class Stream {
  #next;
  #unanswered = [];

  /** `next` returns the next raw transaction, or undefined at the end. */
  constructor(next) {
    this.#next = next;
  }

  /** The first `count` unanswered transactions. */
  async take(count) {
    while (this.#unanswered.length < count) {
      const raw = await this.#next();
      if (raw === undefined) break;
      this.#unanswered.push(raw);
    }
    return this.#unanswered.slice(0, count);
  }

  /** Sent transactions without an answer. */
  get unanswered() {
    return this.#unanswered;
  }

  answered(raws) {
    this.#unanswered = this.#unanswered.filter((raw) => !raws.includes(raw));
  }
}

/** Transactions of an unused account. `request(nonce)` returns the fields of each, or undefined at the end. */
export function accountStream(account, request) {
  let nonce = 0;
  return new Stream(async () => {
    const common = { type: "eip1559", chainId: CHAIN_ID, maxFeePerGas: parseGwei("2"), maxPriorityFeePerGas: 0n };
    const own = request(nonce);
    return own && account.signTransaction({ ...common, nonce: nonce++, ...own });
  });
}

/**
 * Submits a stream's transactions, records the answers, and calls `told` with each. Returns the
 * refusals, or undefined if no answer came.
 */
export async function submit(url, stream, raws, ledger, { query = "?wait=preconfirmed", told = () => {} } = {}) {
  let answer;
  try {
    answer = await post(`${url}/v1/transactions${query}`, { transactions: raws });
  } catch {
    // The sequencer was killed.
    return undefined;
  }
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  const results = answer.body.results.map((result) => result.transaction ?? result);
  const taken = results.filter(({ hash, state }) => hash !== undefined && state !== "refused");
  for (const transaction of taken) {
    ledger.acknowledge(promiseOf(transaction));
    told(transaction);
  }
  stream.answered(raws.filter((raw) => taken.some(({ hash }) => hash === keccak256(raw))));
  return results.filter((transaction) => !taken.includes(transaction)).map((transaction) => transaction.error ?? transaction);
}

/** Transfers of ether and of a token by many senders; some of them send a later nonce first. */
export class Load {
  #senders;
  #stragglers;
  /** Refusals of valid transactions. */
  refusals = [];

  constructor(accounts, ledger) {
    this.ledger = ledger;
    const [minter, ...others] = accounts;
    const to = others.map(({ address }) => address);
    const token = getContractAddress({ from: minter.address, nonce: 0n });
    const deployment = encodeDeployData({ ...ERC20, args: [parseEther("1000000")] });
    const transfer = (nonce) => [to[nonce % to.length], BigInt(nonce)];
    const call = (nonce) => encodeFunctionData({ abi: ERC20.abi, functionName: "transfer", args: transfer(nonce) });
    const mint = (nonce) =>
      nonce === 0 ? { data: deployment, gas: 3_000_000n } : { to: token, data: call(nonce), gas: 100_000n };
    const pay = (nonce) => ({ to: to[nonce % to.length], value: 1n, gas: 21_000n });
    this.#senders = [accountStream(minter, mint), ...others.slice(0, 4).map((account) => accountStream(account, pay))];
    this.#stragglers = others.slice(4, 6).map((account) => accountStream(account, pay));
  }

  /** Sends until the sequencer is gone or refuses, or `signal` aborts. */
  async run(url, signal) {
    const senders = this.#senders.map((sender) => this.#send(url, sender, signal));
    const stragglers = this.#stragglers.map((sender) => this.#straggle(url, sender, signal));
    await Promise.all([...senders, ...stragglers, watch(url, this.ledger, signal)]);
  }

  /** Sends unanswered transactions, so that no later nonce waits for them. */
  async finish(url) {
    for (const sender of [...this.#senders, ...this.#stragglers]) {
      if (sender.unanswered.length > 0) assert.ok(await this.#submit(url, sender, sender.unanswered));
    }
  }

  async #send(url, sender, signal) {
    while (!signal.aborted && (await this.#submit(url, sender, await sender.take(BULK))));
  }

  /** Sends each pair of transactions in reverse order. */
  async #straggle(url, sender, signal) {
    while (!signal.aborted) {
      const [first, second] = await sender.take(2);
      if (!(await this.#submit(url, sender, [second], { query: "" })) || !(await this.#submit(url, sender, [first]))) return;
    }
  }

  /** Returns whether all were accepted. */
  async #submit(url, sender, raws, options) {
    const refusals = await submit(url, sender, raws, this.ledger, options);
    this.refusals.push(...(refusals ?? []));
    return refusals?.length === 0;
  }
}

/** Records every head that it polls. */
export async function watch(url, ledger, signal) {
  while (!signal.aborted) {
    try {
      ledger.seeHead(await rpc(url, "eth_getBlockByNumber", ["latest", false]));
    } catch (error) {
      if (error.code === "ERR_ASSERTION") throw error;
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
