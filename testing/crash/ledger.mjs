// What a sequencer has said, and whether it stands by it: kept outside of it, and compared whenever it starts again.
import assert from "node:assert/strict";

import { concat, keccak256, toHex, toRlp } from "viem";

import { until } from "../e2e/harness.mjs";
import { listRoot } from "../e2e/trie.mjs";

/** Blocks that are asked for at a time. */
const BLOCKS_AT_A_TIME = 20;

/** The bytes of a receipt (EIP-2718) that came as JSON. */
function encodeReceipt({ type, status, cumulativeGasUsed, logsBloom, logs, depositNonce, depositReceiptVersion }) {
  // RLP has numbers without leading zeros; a zero is nothing.
  const number = (hex) => (BigInt(hex) === 0n ? "0x" : toHex(BigInt(hex)));
  const entries = logs.map(({ address, topics, data }) => [address, topics, data]);
  const ofDeposit = [depositNonce, depositReceiptVersion].filter((hex) => hex != null).map(number);
  const payload = toRlp([number(status), number(cumulativeGasUsed), logsBloom, entries, ...ofDeposit]);
  return Number(type) === 0 ? payload : concat([toHex(Number(type), { size: 1 }), payload]);
}

/** A sequencer's word, as it was given. */
export class Ledger {
  /** What was acknowledged and is in no block that was read: by hash, with the place and receipt that were promised, if any. */
  #open = new Map();
  /** What was acknowledged and is in one. */
  #kept = new Set();
  /** Blocks as they were read, by number: hash, root, places and receipts. */
  #blocks = [];
  /** Places and receipts in them, by hash. */
  #places = new Map();
  #promised = new Set();
  /** Heads that were seen and not yet compared. */
  #heads = new Map();

  /** Transactions that were acknowledged. */
  get acknowledged() {
    return this.#open.size + this.#kept.size;
  }

  /** Those of them whose place and receipt were promised. */
  get promised() {
    return this.#promised.size;
  }

  /** Blocks that were read, the genesis block included. */
  get blocks() {
    return this.#blocks;
  }

  /** Notes that a transaction was acknowledged: `{ hash }`, with `block`, `index` and `receiptHash` if it ran. */
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

  /** Notes a block that was seen as sealed. */
  seeHead({ number, hash, stateRoot }) {
    const seen = this.#heads.get(Number(number));
    assert.ok(seen === undefined || seen.hash === hash, `block ${number} was ${seen?.hash} and is ${hash}`);
    this.#heads.set(Number(number), { hash, stateRoot });
  }

  /** The sequencer stands by all that was noted. */
  async compare(sequencer) {
    await this.#compareBlocks(sequencer);
    await this.#compareHeads(sequencer);
    await this.#comparePromises(sequencer);
  }

  /** [`compare`], and every block that was ever read is as it was. Nothing that can run waits any more. */
  async compareAll(sequencer) {
    await this.compare(sequencer);
    const blocks = this.#blocks;
    this.#blocks = [];
    this.#places.clear();
    await this.#read(sequencer, blocks.length - 1);
    assert.deepEqual(this.#blocks, blocks);
    assert.deepEqual([...this.#open.keys()], [], "all are in blocks");
  }

  /** The newest block that was read is still there, and so are those before it, whose hashes it holds. */
  async #compareBlocks(sequencer) {
    const newest = this.#blocks.at(-1);
    if (newest === undefined) return;
    const block = await sequencer.rpc("eth_getBlockByNumber", [toHex(newest.number), false]);
    assert.ok(block, `block ${newest.number} was read and is gone`);
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

  /** What was acknowledged is known; what was promised is in its block, at its place, with its receipt. */
  async #comparePromises(sequencer) {
    for (const { hash, block } of this.#open.values()) {
      const life = await sequencer.get(`/v1/transactions/${hash}`);
      assert.notEqual(life.state, "refused", `${hash} was acknowledged: ${life.reason}`);
      if (block !== undefined) assert.notEqual(life.state, "received", `${hash} was promised block ${block}`);
    }
    await until(async () => {
      await this.#readToHead(sequencer);
      return [...this.#open.values()].every(({ block }) => block === undefined);
    }, "what was promised to be in blocks");
  }

  async #readToHead(sequencer) {
    const head = await sequencer.rpc("eth_getBlockByNumber", ["latest", false]);
    await this.#read(sequencer, Number(head.number));
  }

  /** Reads blocks up to that one, and looks for what was acknowledged in them. */
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

  /** What was acknowledged is in a block: where and as it was promised, if it was. */
  #keep(promise, place) {
    if (promise.block !== undefined) assert.deepEqual(place, promise, "in its place, with its receipt");
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
