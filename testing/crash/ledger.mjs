// Records what a sequencer acknowledged and showed, and compares it with the sequencer after each restart.
import assert from "node:assert/strict";

import { concat, keccak256, toHex, toRlp } from "viem";

import { until } from "../e2e/harness.mjs";
import { listRoot } from "../e2e/trie.mjs";

/** Blocks that are requested at the same time. */
const BLOCKS_AT_A_TIME = 20;

/** The EIP-2718 bytes of a JSON receipt. */
function encodeReceipt({ type, status, cumulativeGasUsed, logsBloom, logs, depositNonce, depositReceiptVersion }) {
  // RLP writes numbers without leading zeros, and zero as empty.
  const number = (hex) => (BigInt(hex) === 0n ? "0x" : toHex(BigInt(hex)));
  const entries = logs.map(({ address, topics, data }) => [address, topics, data]);
  const ofDeposit = [depositNonce, depositReceiptVersion].filter((hex) => hex != null).map(number);
  const payload = toRlp([number(status), number(cumulativeGasUsed), logsBloom, entries, ...ofDeposit]);
  return Number(type) === 0 ? payload : concat([toHex(Number(type), { size: 1 }), payload]);
}

/** Acknowledgements, promises, heads and blocks that a sequencer gave. */
export class Ledger {
  /** Acknowledged transactions in no block yet, by hash, with promised position and receipt, if any. */
  #open = new Map();
  /** Acknowledged transactions that a block holds. */
  #kept = new Set();
  /** Blocks by number: hash, state root, positions and receipts. */
  #blocks = [];
  /** Positions and receipts in these blocks, by transaction hash. */
  #places = new Map();
  #promised = new Set();
  /** Heads that were seen and are not compared yet. */
  #heads = new Map();

  /** How many transactions were acknowledged. */
  get acknowledged() {
    return this.#open.size + this.#kept.size;
  }

  /** How many of them were promised a position and a receipt. */
  get promised() {
    return this.#promised.size;
  }

  /** The blocks read so far, the genesis block included. */
  get blocks() {
    return this.#blocks;
  }

  /** Records an acknowledgement: `{ hash }`, with `block`, `index` and `receiptHash` if it is a promise. */
  acknowledge(promise) {
    const { hash } = promise;
    const isPromise = promise.block !== undefined;
    if (isPromise) this.#promised.add(hash);
    const place = this.#places.get(hash);
    if (place) return this.#keep(promise, place);
    const known = this.#open.get(hash);
    if (isPromise && known?.block !== undefined) assert.deepEqual(promise, known, "promised twice");
    if (isPromise || known === undefined) this.#open.set(hash, promise);
  }

  /** Records a sealed block. */
  seeHead({ number, hash, stateRoot }) {
    const seen = this.#heads.get(Number(number));
    assert.ok(seen === undefined || seen.hash === hash, `block ${number} was ${seen?.hash} and is ${hash}`);
    this.#heads.set(Number(number), { hash, stateRoot });
  }

  /** Checks the sequencer against the records. */
  async compare(sequencer) {
    await this.#compareBlocks(sequencer);
    await this.#compareHeads(sequencer);
    await this.#comparePromises(sequencer);
  }

  /** Like `compare`, and reads every block again. All acknowledged transactions must be in blocks. */
  async compareAll(sequencer) {
    await this.compare(sequencer);
    const blocks = this.#blocks;
    this.#blocks = [];
    this.#places.clear();
    await this.#read(sequencer, blocks.length - 1);
    assert.deepEqual(this.#blocks, blocks);
    assert.deepEqual([...this.#open.keys()], [], "all acknowledged transactions are in blocks");
  }

  /** The newest recorded block is still there, and with it its ancestors. */
  async #compareBlocks(sequencer) {
    const newest = this.#blocks.at(-1);
    if (newest === undefined) return;
    const block = await sequencer.rpc("eth_getBlockByNumber", [toHex(newest.number), false]);
    assert.ok(block, `block ${newest.number} is gone`);
    assert.equal(block.hash, newest.hash, `block ${newest.number}`);
  }

  async #compareHeads(sequencer) {
    await this.#readToHead(sequencer);
    for (const [number, { hash, stateRoot }] of this.#heads) {
      const block = this.#blocks[number];
      assert.ok(block, `block ${number} was the head and is gone`);
      assert.deepEqual([block.hash, block.stateRoot], [hash, stateRoot], `block ${number}`);
    }
    this.#heads.clear();
  }

  /** Acknowledged transactions are known; promised ones are in their block, at their position, with their receipt. */
  async #comparePromises(sequencer) {
    for (const { hash, block } of this.#open.values()) {
      const transaction = await sequencer.get(`/v1/transactions/${hash}`);
      assert.notEqual(transaction.state, "refused", `${hash} was acknowledged: ${transaction.reason}`);
      if (block !== undefined) assert.notEqual(transaction.state, "received", `${hash} was promised block ${block}`);
    }
    await until(async () => {
      await this.#readToHead(sequencer);
      return [...this.#open.values()].every(({ block }) => block === undefined);
    }, "promised transactions to be in blocks");
  }

  async #readToHead(sequencer) {
    const head = await sequencer.rpc("eth_getBlockByNumber", ["latest", false]);
    await this.#read(sequencer, Number(head.number));
  }

  /** Reads blocks up to this one and looks for acknowledged transactions. */
  async #read(sequencer, last) {
    while (this.#blocks.length <= last) {
      const count = Math.min(BLOCKS_AT_A_TIME, last + 1 - this.#blocks.length);
      const numbers = Array.from({ length: count }, (_, index) => this.#blocks.length + index);
      for (const block of await Promise.all(numbers.map((number) => readBlock(sequencer, number)))) this.#take(block);
    }
  }

  #take(block) {
    const parent = this.#blocks.at(-1);
    if (parent) assert.equal(block.parentHash, parent.hash, `parent of block ${block.number}`);
    this.#blocks.push(block);
    for (const [index, { hash, receiptHash }] of block.transactions.entries()) {
      const place = { hash, block: block.number, index, receiptHash };
      this.#places.set(hash, place);
      if (this.#open.has(hash)) this.#keep(this.#open.get(hash), place);
    }
  }

  /** An acknowledged transaction is in a block; a promise must match it. */
  #keep(promise, place) {
    if (promise.block !== undefined) assert.deepEqual(place, promise, "promised position and receipt");
    this.#open.delete(promise.hash);
    this.#kept.add(promise.hash);
  }
}

async function readBlock(sequencer, number) {
  const tag = [toHex(number)];
  const [block, receipts] = await Promise.all([
    sequencer.rpc("eth_getBlockByNumber", [...tag, false]),
    sequencer.rpc("eth_getBlockReceipts", tag),
  ]);
  assert.deepEqual(
    receipts.map(({ transactionHash }) => transactionHash),
    block.transactions,
  );
  const encoded = receipts.map(encodeReceipt);
  assert.equal(listRoot(encoded), block.receiptsRoot, `receipts of block ${number}`);
  const transactions = block.transactions.map((hash, index) => ({ hash, receiptHash: keccak256(encoded[index]) }));
  const { hash, parentHash, stateRoot } = block;
  return { number, hash, parentHash, stateRoot, transactions };
}
