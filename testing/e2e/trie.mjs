// An independent Merkle-Patricia trie: checks proofs of eth_getProof, and computes storage and list roots.
import assert from "node:assert/strict";

import { concat, fromRlp, keccak256, pad, toHex, toRlp, trim } from "viem";

/** The root of an empty trie. */
export const EMPTY_ROOT = keccak256("0x80");

/** The proven value of a hashed key, or null if the proof shows its absence; throws for an invalid proof. */
export function lookUp(root, key, proof) {
  if (proof.length === 0) {
    assert.equal(root, EMPTY_ROOT, "an empty proof shows an empty trie");
    return null;
  }
  const nibbles = [...keccak256(key).slice(2)];
  const nodes = proof.values();
  let node = open(nodes, root);
  for (;;) {
    if (node === "0x") return null;
    if (node.length === 17) {
      if (nibbles.length === 0) return node[16] === "0x" ? null : node[16];
      node = follow(nodes, node[Number.parseInt(nibbles.shift(), 16)]);
      continue;
    }
    assert.equal(node.length, 2, "a node has 17 parts or 2");
    const [flag, ...path] = node[0].slice(2);
    if (Number.parseInt(flag, 16) % 2 === 0) path.shift();
    const shared = nibbles.splice(0, path.length);
    if (shared.join("") !== path.join("")) return null;
    const isLeaf = Number.parseInt(flag, 16) >= 2;
    if (isLeaf) {
      assert.equal(nibbles.length, 0, "a leaf ends its key");
      return node[1];
    }
    node = follow(nodes, node[1]);
  }
}

/** Resolves a child, which is a hash or, if it is short, the node itself. */
function follow(nodes, child) {
  if (Array.isArray(child) || child === "0x") return child;
  return open(nodes, child);
}

function open(nodes, hash) {
  const { value, done } = nodes.next();
  assert.ok(!done, "the proof is complete");
  assert.equal(keccak256(value), hash, "a node has the hash in its parent");
  return fromRlp(value, "hex");
}

/** Checks a proof of eth_getProof, in viem's form, against a state root. */
export function checkProof(stateRoot, { address, accountProof, storageProof, ...claimed }) {
  const account = lookUp(stateRoot, address, accountProof);
  assert.ok(account, `${address} is in the state`);
  const [nonce, balance, storageHash, codeHash] = fromRlp(account, "hex");
  const number = (value) => (value === "0x" ? 0n : BigInt(value));
  const proven = { nonce: Number(number(nonce)), balance: number(balance), storageHash, codeHash };
  const { nonce: n, balance: b, storageHash: s, codeHash: c } = claimed;
  assert.deepEqual(proven, { nonce: n, balance: b, storageHash: s, codeHash: c });
  for (const { key, value, proof } of storageProof) {
    const found = lookUp(storageHash, pad(key, { size: 32 }), proof);
    assert.equal(found === null ? 0n : BigInt(fromRlp(found, "hex")), value, `slot ${key}`);
  }
  return proven;
}

/** The storage root of slots and values in hex. Zero slots are left out. */
export function storageRoot(slots) {
  const leaves = Object.entries(slots)
    .filter(([, value]) => BigInt(value) !== 0n)
    .map(([slot, value]) => [[...keccak256(pad(slot, { size: 32 })).slice(2)], toRlp(trim(value))]);
  return leaves.length === 0 ? EMPTY_ROOT : keccak256(toRlp(build(leaves)));
}

/** The root of a list keyed by index, as of transactions and receipts. */
export function listRoot(items) {
  const key = (index) => [...toRlp(index === 0 ? "0x" : toHex(index)).slice(2)];
  const leaves = items.map((item, index) => [key(index), item]);
  return leaves.length === 0 ? EMPTY_ROOT : keccak256(toRlp(build(leaves)));
}

/** Builds the node over these leaves, each given by its remaining nibbles and its value. */
function build(leaves) {
  if (leaves.length === 1) return [compact(leaves[0][0], 2), leaves[0][1]];
  let shared = 0;
  while (leaves.every(([nibbles]) => nibbles[shared] === leaves[0][0][shared])) shared++;
  if (shared > 0) {
    const rest = leaves.map(([nibbles, value]) => [nibbles.slice(shared), value]);
    return [compact(leaves[0][0].slice(0, shared), 0), reference(build(rest))];
  }
  const children = [..."0123456789abcdef"].map((nibble) => {
    const below = leaves
      .filter(([nibbles]) => nibbles[0] === nibble)
      .map(([nibbles, value]) => [nibbles.slice(1), value]);
    return below.length === 0 ? "0x" : reference(build(below));
  });
  return [...children, "0x"];
}

function compact(nibbles, flag) {
  const odd = nibbles.length % 2;
  return `0x${flag + odd}${odd ? "" : "0"}${nibbles.join("")}`;
}

function reference(node) {
  const encoded = toRlp(node);
  return encoded.length < 2 + 64 ? node : keccak256(encoded);
}

/** The output root of the OP stack, version 0. */
export function outputRoot({ stateRoot, messagePasserStorageRoot, hash }) {
  return keccak256(concat([pad("0x", { size: 32 }), stateRoot, messagePasserStorageRoot, hash]));
}
