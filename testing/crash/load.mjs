// Load from outside, that notes each answer when it comes.
import assert from "node:assert/strict";

import { encodeDeployData, encodeFunctionData, getContractAddress, keccak256, parseEther, parseGwei } from "viem";

import { CHAIN_ID, post, rpc } from "../e2e/harness.mjs";
import { ERC20 } from "../e2e/uniswap.mjs";

/** Transactions of a request. */
const BULK = 8;
/** Between two looks at the head. */
const LOOK_MS = 10;

/** What the answer to a transaction holds the sequencer to. */
function promiseOf({ hash, block, position, receiptHash }) {
  return block === undefined ? { hash } : { hash, block: block.number, index: position, receiptHash };
}

/** Transactions in the order in which they are sent, and sent again if they were not answered. */
export class Stream {
  #next;
  #unanswered = [];

  /** `next` gives the next raw transaction, or nothing once there is none. */
  constructor(next) {
    this.#next = next;
  }

  /** The first so many that were not answered. */
  async take(count) {
    while (this.#unanswered.length < count) {
      const raw = await this.#next();
      if (raw === undefined) break;
      this.#unanswered.push(raw);
    }
    return this.#unanswered.slice(0, count);
  }

  /** All that were sent and not answered. */
  get unanswered() {
    return this.#unanswered;
  }

  answered(raws) {
    this.#unanswered = this.#unanswered.filter((raw) => !raws.includes(raw));
  }
}

/** Transactions of an account, from its first on; `request` says what the one with a nonce does, or nothing. */
export function accountStream(account, request) {
  let nonce = 0;
  return new Stream(async () => {
    const common = { type: "eip1559", chainId: CHAIN_ID, maxFeePerGas: parseGwei("2"), maxPriorityFeePerGas: 0n };
    const own = request(nonce);
    return own && account.signTransaction({ ...common, nonce: nonce++, ...own });
  });
}

/**
 * Submits transactions of a stream, and notes the answers, with which `told` is called as well. Returns the refusals; nothing if no
 * answer came.
 */
export async function submit(url, stream, raws, ledger, { query = "?wait=preconfirmed", told = () => {} } = {}) {
  let answer;
  try {
    answer = await post(`${url}/v1/transactions${query}`, { transactions: raws });
  } catch {
    // It was killed on the way.
    return undefined;
  }
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  const results = answer.body.results.map((result) => result.transaction ?? result);
  const taken = results.filter(({ hash, state }) => hash !== undefined && state !== "refused");
  for (const life of taken) {
    ledger.acknowledge(promiseOf(life));
    told(life);
  }
  stream.answered(raws.filter((raw) => taken.some(({ hash }) => hash === keccak256(raw))));
  return results.filter((life) => !taken.includes(life)).map((life) => life.error ?? life);
}

/** Transfers of ether and of a token by many senders; one of them sends later nonces first. */
export class Load {
  #senders;
  #stragglers;
  /** Reasons with which transactions were refused that were not at fault. */
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

  /** Sends until the sequencer is gone, refuses, or `signal` says to stop. */
  async run(url, signal) {
    const senders = this.#senders.map((sender) => this.#send(url, sender, signal));
    const stragglers = this.#stragglers.map((sender) => this.#straggle(url, sender, signal));
    await Promise.all([...senders, ...stragglers, watch(url, this.ledger, signal)]);
  }

  /** Sends what was not answered, so that nothing waits for it. */
  async finish(url) {
    for (const sender of [...this.#senders, ...this.#stragglers]) {
      if (sender.unanswered.length > 0) assert.ok(await this.#submit(url, sender, sender.unanswered));
    }
  }

  async #send(url, sender, signal) {
    while (!signal.aborted && (await this.#submit(url, sender, await sender.take(BULK))));
  }

  /** Has every other transaction wait for the one before it. */
  async #straggle(url, sender, signal) {
    while (!signal.aborted) {
      const [first, second] = await sender.take(2);
      if (!(await this.#submit(url, sender, [second], { query: "" })) || !(await this.#submit(url, sender, [first]))) return;
    }
  }

  /** Returns whether all were taken. */
  async #submit(url, sender, raws, options) {
    const refusals = await submit(url, sender, raws, this.ledger, options);
    this.refusals.push(...(refusals ?? []));
    return refusals?.length === 0;
  }
}

/** Notes each head that it sees. */
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
