// Writes crates/protocol/vectors/*.json: golden vectors that the Solidity and the Rust tests both read.
// The script uses neither the contracts nor the Rust crates: hashes and encodings are viem's, and FastLZ is the
// small implementation below, which checks itself by decompressing. With --check it writes nothing and fails if a
// committed file differs.
//
// In the files, bytes are hex strings and numbers are decimal strings.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  bytesToHex,
  concatHex,
  encodeAbiParameters,
  encodeFunctionData,
  encodePacked,
  getAddress,
  hexToBytes,
  keccak256,
  numberToHex,
  pad,
  parseAbi,
  parseTransaction,
  serializeTransaction,
  sha256,
  size,
  stringToHex,
  toRlp,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";

import { derivationVectors } from "./derivation-vectors.mjs";

const VECTORS = join(dirname(dirname(fileURLToPath(import.meta.url))), "crates", "protocol", "vectors");
const ZERO_HASH = pad("0x", { size: 32 });
const ZERO_ADDRESS = pad("0x", { size: 20 });
const ALIAS_OFFSET = 0x1111000000000000000000000000000000001111n;
const UINT64_MAX = 2n ** 64n - 1n;

const named = (name) => keccak256(stringToHex(name));
const aliasOf = (l1) => getAddress(numberToHex((BigInt(l1) + ALIAS_OFFSET) % 2n ** 160n, { size: 20 }));
const addressOf = (name) => getAddress(`0x${named(name).slice(-40)}`);
/** Every value that is a number or bigint as a decimal string. */
const printed = (fields) =>
  Object.fromEntries(
    Object.entries(fields).map(([key, value]) =>
      [key, typeof value === "bigint" || typeof value === "number" ? value.toString() : value]));
/** `length` bytes that do not compress: keccak256 of name and counter. */
function noise(name, length) {
  const blocks = [];
  for (let i = 0; i * 32 < length; i++) blocks.push(keccak256(concatHex([stringToHex(name), numberToHex(i, { size: 4 })])));
  return hexToBytes(concatHex(blocks)).slice(0, length);
}
const joined = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));

// ---------------------------------------------------------------------------------------------------- inbox.json

const CHUNK_BYTES_MAX = 98_304;
const ENTRY_TYPES = [
  ["bytes32", "prevAcc"],
  ["uint64", "index"],
  ["uint8", "dataKind"],
  ["bytes32", "dataHash"],
  ["bytes32", "depositAcc"],
  ["uint64", "depositCount"],
  ["uint64", "l1BlockNumber"],
  ["uint64", "l1Time"],
  ["uint256", "l1BaseFee"],
  ["uint256", "l1BlobBaseFee"],
  ["bytes32", "l1ParentHash"],
  ["uint64", "origin"],
  ["bytes32", "originAcc"],
  ["uint64", "offchainTime"],
].map(([type, name]) => ({ type, name }));
const CONTENT_TYPES = ["bytes32", "uint8", "bytes32", "uint64", "bytes32", "uint64", "bytes32"].map((type) => ({ type }));
const INBOX_ABI = parseAbi([
  "struct Item { uint8 kind; uint64 depositCount; bytes32 depositAcc; uint64 origin; bytes32 originAcc; bytes data; }",
  "function append(bytes32 expectedContent, Item[] items, bytes[] signatures)",
]);
/** Bytes of append's input before the items' offsets, and of an item before its data. */
const APPEND_HEAD_BYTES = 4 + 4 * 32;
const ITEM_HEAD_BYTES = 7 * 32;

function chunkHashes(data) {
  const hashes = [];
  for (let start = 0; start < data.length; start += CHUNK_BYTES_MAX) {
    hashes.push(keccak256(data.subarray(start, start + CHUNK_BYTES_MAX)));
  }
  return hashes;
}
const dataHash = (data) => keccak256(concatHex(["0x", ...chunkHashes(data)]));

/** A blob's versioned hash (EIP-4844): a version byte and 31 bytes of the commitment's hash. */
const versionedHash = (name) => concatHex(["0x01", `0x${named(name).slice(4)}`]);

/** The content after `item`. */
const extended = (content, item, dataHashOfItem) => keccak256(encodeAbiParameters(CONTENT_TYPES,
  [content, item.kind, dataHashOfItem, item.depositCount, item.depositAcc, item.origin, item.originAcc]));

function inboxVectors() {
  const chainConfigHash = named("turnpike vectors: chain configuration");
  // Entries with data have the deposits and the origin of their items, unless `named` says what the item has.
  const entries = [
    { dataKind: 0, data: null, depositAcc: ZERO_HASH, depositCount: 0n, l1BlockNumber: 100n,
      l1Time: 1_800_000_000n, l1BaseFee: 1_000_000_000n, l1BlobBaseFee: 1n, origin: 0n },
    { dataKind: 1, data: new Uint8Array(0), depositAcc: ZERO_HASH, depositCount: 0n, l1BlockNumber: 101n,
      l1Time: 1_800_000_012n, l1BaseFee: 1_125_000_000n, l1BlobBaseFee: 1n, origin: 0n },
    { dataKind: 1, data: Uint8Array.of(1, 2, 3), depositAcc: named("queue after 3"), depositCount: 3n,
      l1BlockNumber: 105n, l1Time: 1_800_000_060n, l1BaseFee: 7n, l1BlobBaseFee: 4_000_000n, origin: 1n },
    { dataKind: 0, data: null, depositAcc: named("queue after 67"), depositCount: 67n,
      l1BlockNumber: 2_000n, l1Time: 1_800_022_800n, l1BaseFee: 0n, l1BlobBaseFee: 7n, origin: 2n },
    { dataKind: 1, data: noise("entry", 40), depositAcc: named("queue after 67"), depositCount: 67n,
      l1BlockNumber: 2_000n, l1Time: 1_800_022_800n, l1BaseFee: UINT64_MAX, l1BlobBaseFee: 1_000n, origin: 2n },
    { dataKind: 2, blobs: 1, data: null, depositAcc: named("queue after 67"), depositCount: 67n, l1BlockNumber: 2_001n,
      l1Time: 1_800_022_812n, l1BaseFee: 9n, l1BlobBaseFee: 2n, origin: 3n },
    { dataKind: 2, blobs: 6, data: null, depositAcc: named("queue after 70"), depositCount: 70n, l1BlockNumber: 2_002n,
      l1Time: 1_800_022_824n, l1BaseFee: 9n, l1BlobBaseFee: 2n, origin: 5n },
    // The item is older than the last entry: it names fewer deposits and an earlier origin.
    { dataKind: 1, data: noise("stale", 33), depositAcc: named("queue after 70"), depositCount: 70n, l1BlockNumber: 2_003n,
      l1Time: 1_800_022_836n, l1BaseFee: 10n, l1BlobBaseFee: 3n, origin: 5n,
      named: { depositCount: 67n, depositAcc: named("queue after 67"), origin: 2n } },
    // A forced entry soon after a batch keeps the origin.
    { dataKind: 0, data: null, depositAcc: named("queue after 75"), depositCount: 75n,
      l1BlockNumber: 2_004n, l1Time: 1_800_022_848n, l1BaseFee: 11n, l1BlobBaseFee: 3n, origin: 5n },
    { dataKind: 1, data: noise("last", 200), depositAcc: named("queue, full"), depositCount: UINT64_MAX,
      l1BlockNumber: UINT64_MAX, l1Time: UINT64_MAX, l1BaseFee: 10n ** 18n, l1BlobBaseFee: 1n, origin: 8n },
  ];
  const accs = [];
  let content = chainConfigHash;
  const chain = entries.map((entry, index) => {
    const { data, blobs = 0 } = entry;
    const blobHashes = Array.from({ length: blobs }, (_, i) => versionedHash(`blob ${index} ${i}`));
    const dataHashes = { 0: () => ZERO_HASH, 1: () => dataHash(data), 2: () => keccak256(concatHex(blobHashes)) };
    const fields = {
      prevAcc: index === 0 ? chainConfigHash : accs[index - 1], index: BigInt(index), ...entry,
      l1ParentHash: named(`L1 parent ${index}`), dataHash: dataHashes[entry.dataKind](),
      originAcc: index === 0 ? ZERO_HASH : accs[Number(entry.origin)], offchainTime: 0n,
    };
    const preimage = encodeAbiParameters(ENTRY_TYPES, ENTRY_TYPES.map(({ name }) => fields[name]));
    accs.push(keccak256(preimage));
    let item = null;
    if (entry.dataKind !== 0) {
      const { depositCount, depositAcc, origin } = { ...fields, ...entry.named };
      item = {
        kind: entry.dataKind, depositCount, depositAcc, origin, originAcc: accs[Number(origin)],
        data: entry.dataKind === 1 ? bytesToHex(data) : numberToHex(blobs, { size: 1 }),
      };
      content = extended(content, item, fields.dataHash);
    }
    return {
      ...printed(Object.fromEntries(ENTRY_TYPES.map(({ name }) => [name, fields[name]]))),
      data: data === null ? null : bytesToHex(data),
      ...(blobs === 0 ? {} : { blobHashes }),
      preimage,
      acc: accs[index],
      item: item === null ? null : printed(item),
      content,
    };
  });
  const dataHashes = [0, 1, 31, 98_303, 98_304, 98_305, 196_608, 200_000].map((length) => {
    const data = Uint8Array.from({ length }, (_, i) => i % 251);
    return { length: length.toString(), chunkHashes: chunkHashes(data), dataHash: dataHash(data) };
  });
  return {
    about: "acc_k = keccak256(abi.encode(prevAcc, entry_k)), 14 words; prevAcc of entry 0 is chainConfigHash. content' = "
      + "keccak256(abi.encode(content, uint8 kind, dataHash, uint64 depositCount, depositAcc, uint64 origin, originAcc)) of "
      + "the entry's item, from chainConfigHash on; entries without item leave it. blobHashes: the versioned hashes of the "
      + "item's blobs. dataHashes: data has byte[i] = i % 251. calls: input is a call to append without signatures; "
      + "dataOffsets are the places of the items' data in it, contents the contents after them.",
    chainConfigHash,
    chunkBytesMax: CHUNK_BYTES_MAX.toString(),
    entries: chain,
    dataHashes,
    calls: appendVectors(),
  };
}

function appendVectors() {
  const itemOf = (name, kind, data) => ({
    kind, depositCount: BigInt(size(named(name))) + BigInt(name.length), depositAcc: named(`deposits of ${name}`),
    origin: BigInt(name.length), originAcc: named(`origin of ${name}`), data,
  });
  const lists = [
    [itemOf("empty", 1, "0x")],
    [itemOf("one byte", 1, "0x07")],
    [itemOf("a word", 1, bytesToHex(noise("word", 32)))],
    [itemOf("blobs", 2, "0x06")],
    [itemOf("first", 1, bytesToHex(noise("first", 33))), itemOf("second", 1, "0x")],
    [itemOf("few blobs", 2, "0x01"), itemOf("calldata", 1, bytesToHex(noise("calldata", 70))), itemOf("more blobs", 2, "0x03")],
    [{ ...itemOf("largest", 1, "0xff"), depositCount: UINT64_MAX, origin: UINT64_MAX }],
  ];
  return lists.map((items, call) => {
    const expectedContent = named(`content before call ${call}`);
    const blobHashes = [];
    const dataHashesOfItems = items.map(({ kind, data }) => {
      if (kind === 1) return dataHash(hexToBytes(data));
      const hashes = Array.from({ length: Number(data) }, (_, i) => versionedHash(`call ${call} ${blobHashes.length + i}`));
      blobHashes.push(...hashes);
      return keccak256(concatHex(hashes));
    });
    const contents = [];
    const dataOffsets = [];
    let content = expectedContent;
    let offset = APPEND_HEAD_BYTES + 32 * items.length;
    for (const [i, item] of items.entries()) {
      content = extended(content, item, dataHashesOfItems[i]);
      contents.push(content);
      dataOffsets.push((offset + ITEM_HEAD_BYTES).toString());
      offset += ITEM_HEAD_BYTES + Math.ceil(size(item.data) / 32) * 32;
    }
    return {
      expectedContent, items: items.map(printed), blobHashes, dataHashes: dataHashesOfItems, contents, dataOffsets,
      input: encodeFunctionData({ abi: INBOX_ABI, functionName: "append", args: [expectedContent, items, []] }),
    };
  });
}

// ------------------------------------------------------------------------------------------------- deposits.json

function depositVectors() {
  const key = addressOf("depositor with a key");
  const recipient = addressOf("recipient");
  const deposits = [
    { l1BlockNumber: 90n, caller: key, callerIsContract: false, to: recipient, mint: 10n ** 18n, value: 10n ** 18n, gasLimit: 21_000n,
      isCreation: false, data: "0x" },
    { l1BlockNumber: 90n, caller: key, callerIsContract: false, to: recipient, mint: 0n, value: 5n, gasLimit: 100_000n, isCreation: false,
      data: bytesToHex(noise("call", 68)) },
    { l1BlockNumber: 91n, caller: getAddress(`0x${"ff".repeat(20)}`), callerIsContract: true, to: ZERO_ADDRESS, mint: 1n,
      value: 0n, gasLimit: 2n ** 24n, isCreation: true, data: bytesToHex(noise("init code", 100)) },
    { l1BlockNumber: UINT64_MAX, caller: key, callerIsContract: false, to: ZERO_ADDRESS, mint: 2n ** 128n, value: 2n ** 256n - 1n,
      gasLimit: 30_000n, isCreation: false, data: "0x00" },
  ];
  let acc = ZERO_HASH;
  const queue = deposits.map((deposit, index) => {
    const { caller, callerIsContract, mint, value, gasLimit, isCreation, data } = deposit;
    const from = callerIsContract ? aliasOf(caller) : caller;
    const opaqueData = encodePacked(
      ["uint256", "uint256", "uint64", "bool", "bytes"], [mint, value, gasLimit, isCreation, data]);
    const previousAcc = acc;
    acc = keccak256(encodeAbiParameters(
      ["bytes32", "uint64", "uint64", "address", "address", "uint256", "bytes32"].map((type) => ({ type })),
      [previousAcc, BigInt(index), deposit.l1BlockNumber, from, deposit.to, 0n, keccak256(opaqueData)]));
    return printed({
      index, l1BlockNumber: deposit.l1BlockNumber, caller, callerIsContract, from, to: deposit.to, version: 0, mint, value,
      gasLimit, isCreation, data, opaqueData, opaqueDataHash: keccak256(opaqueData), previousAcc, acc,
    });
  });
  const aliases = [ZERO_ADDRESS, addressOf("contract"), "0xeEeEfFfFfFfFfFfFfFfFfFfFfFfFfFfFfFfFeEeF", `0x${"ff".repeat(20)}`]
    .map((l1) => ({ l1: getAddress(l1), l2: aliasOf(l1) }));
  const minimumGasLimits = [[0, false], [1, false], [65_536, false], [0, true], [1, true], [32, true], [33, true], [65_536, true]]
    .map(([dataBytes, isCreation]) => printed({
      dataBytes, isCreation,
      min: 21_000 + 40 * dataBytes + (isCreation ? 32_000 + 2 * Math.ceil(dataBytes / 32) : 0),
    }));
  return {
    about: "acc_{n+1} = keccak256(abi.encode(acc_n, uint64 n, uint64 l1BlockNumber, address from, address to, "
      + "uint256 version, keccak256(opaqueData))), acc_0 = 0; opaqueData = abi.encodePacked(uint256 mint, "
      + "uint256 value, uint64 gasLimit, bool isCreation, bytes data).",
    deposits: queue,
    aliases,
    minimumGasLimits,
  };
}

// --------------------------------------------------------------------------------------------------- output.json

const quantity = (value) => (value === 0n ? "0x" : numberToHex(value));

function encodeHeader(header) {
  const bytes = Object.values(header).map((value) => (typeof value === "bigint" ? quantity(value) : value));
  return toRlp(bytes);
}

function outputVectors() {
  let parentHash = named("parent of the first header");
  const headers = [1n, 127n, 128n, 255n, 256n, 1_000_000n, 2n ** 32n, UINT64_MAX].map((number, i) => {
    const header = {
      parentHash,
      ommersHash: keccak256(toRlp([])),
      beneficiary: "0x4200000000000000000000000000000000000011",
      stateRoot: named(`state ${i}`),
      transactionsRoot: named(`transactions ${i}`),
      receiptsRoot: named(`receipts ${i}`),
      logsBloom: i % 2 === 0 ? pad("0x", { size: 256 }) : bytesToHex(noise(`bloom ${i}`, 256)),
      difficulty: 0n,
      number,
      gasLimit: 1_000_000_000n,
      gasUsed: BigInt(i) * 21_000n,
      timestamp: 1_800_000_000n + BigInt(i),
      extraData: "0x",
      mixHash: named(`origin ${i}`),
      nonce: pad("0x", { size: 8 }),
      baseFeePerGas: i === 0 ? 0n : 10_000_000n,
      withdrawalsRoot: keccak256(toRlp("0x")),
      blobGasUsed: 0n,
      excessBlobGas: 0n,
      parentBeaconBlockRoot: ZERO_HASH,
      requestsHash: sha256("0x"),
    };
    const rlp = encodeHeader(header);
    parentHash = keccak256(rlp);
    return { ...printed(header), rlp, hash: parentHash };
  });

  const genesis = {
    version: ZERO_HASH, stateRoot: named("genesis state"), messagePasserStorageRoot: named("genesis messages"),
    latestBlockhash: named("genesis block"),
  };
  const rootOf = (proof) => keccak256(encodeAbiParameters(
    ["bytes32", "bytes32", "bytes32", "bytes32"].map((type) => ({ type })),
    [proof.version, proof.stateRoot, proof.messagePasserStorageRoot, proof.latestBlockhash]));
  const claimOf = ({ parentClaim, entry, acc, outputRoot }) => keccak256(encodeAbiParameters(
    ["bytes32", "uint64", "bytes32", "bytes32"].map((type) => ({ type })), [parentClaim, entry, acc, outputRoot]));

  const HEADER_OF_OUTPUT = [null, 0, 5];
  const proofs = [genesis, ...HEADER_OF_OUTPUT.slice(1).map((i) => ({
    version: ZERO_HASH, stateRoot: headers[i].stateRoot, messagePasserStorageRoot: named(`messages ${i}`),
    latestBlockhash: headers[i].hash,
  }))];
  let parentClaim = ZERO_HASH;
  const outputs = [0n, 1n, 40n].map((entry, i) => {
    const output = { parentClaim, entry, acc: named(`acc ${entry}`), outputRoot: rootOf(proofs[i]) };
    parentClaim = claimOf(output);
    const headerIndex = HEADER_OF_OUTPUT[i]?.toString() ?? null;
    return { headerIndex, proof: proofs[i], ...printed(output), claim: parentClaim };
  });
  return {
    about: "hash = keccak256(rlp). outputRoot = keccak256(abi.encode(version, stateRoot, messagePasserStorageRoot, "
      + "latestBlockhash)). claim = keccak256(abi.encode(parentClaim, uint64 entry, acc, outputRoot)); outputs[0] is "
      + "genesis; the others' latestBlockhash is the hash of headers[headerIndex].",
    headers,
    outputs,
  };
}

// ---------------------------------------------------------------------------------------------- withdrawals.json

const NIBBLES = "0123456789abcdef";
const nibblesOf = (key) => key.slice(2);

/** Hex-prefix encoding of nibbles; the flag is 2 for leaves. */
function hexPrefix(nibbles, flag) {
  const odd = nibbles.length % 2;
  return `0x${flag + odd}${odd ? "" : "0"}${nibbles}`;
}

/** The node over `leaves`, pairs of remaining nibbles and value, as nested lists. */
function trieNode(leaves) {
  if (leaves.length === 1) return [hexPrefix(leaves[0][0], 2), leaves[0][1]];
  const [first] = leaves[0];
  let shared = 0;
  while (leaves.every(([nibbles]) => nibbles[shared] === first[shared])) shared += 1;
  const rest = leaves.map(([nibbles, value]) => [nibbles.slice(shared), value]);
  if (shared > 0) return [hexPrefix(first.slice(0, shared), 0), reference(trieNode(rest))];
  const children = [...NIBBLES].map((nibble) => {
    const below = rest.filter(([nibbles]) => nibbles[0] === nibble).map(([nibbles, value]) => [nibbles.slice(1), value]);
    return below.length === 0 ? "0x" : reference(trieNode(below));
  });
  return [...children, "0x"];
}

/** A node's reference in its parent: the node itself if it is short, otherwise its hash, under which `known` keeps the node. */
const known = new Map();
function reference(node) {
  const rlp = toRlp(node);
  if (size(rlp) < 32) return node;
  known.set(keccak256(rlp), node);
  return keccak256(rlp);
}

/** The nodes on the path to `key` as RLP, as eth_getProof returns them. With `inner`, embedded nodes are repeated. */
function proofOf(root, key, inner = false) {
  let node = root;
  let nibbles = nibblesOf(key);
  const nodes = [toRlp(root)];
  for (;;) {
    let child;
    if (node.length === 17) {
      child = node[Number.parseInt(nibbles[0], 16)];
      nibbles = nibbles.slice(1);
    } else {
      const [flag] = nibblesOf(node[0]);
      const path = nibblesOf(node[0]).slice(Number(flag) % 2 === 1 ? 1 : 2);
      if (Number(flag) >= 2 || !nibbles.startsWith(path)) return nodes;
      nibbles = nibbles.slice(path.length);
      child = node[1];
    }
    if (child === "0x") return nodes;
    const isInner = Array.isArray(child);
    node = isInner ? child : known.get(child);
    if (!isInner || inner) nodes.push(toRlp(node));
  }
}

function trieVectors() {
  const SENT = "0x01";
  const hashed = Array.from({ length: 300 }, (_, i) => named(`key ${i}`));
  const near = (tail) => `${named("near").slice(0, 66 - tail.length)}${tail}`;
  const sets = {
    "one leaf": [[hashed[0], SENT]],
    "a branch at the root": [[`0x${"1".repeat(64)}`, SENT], [`0x${"2".repeat(64)}`, SENT]],
    "an extension at the root": [[near("aaaa".repeat(12)), SENT], [near("bbbb".repeat(12)), SENT]],
    "five keys": hashed.slice(0, 5).map((key) => [key, SENT]),
    "three hundred keys": hashed.map((key) => [key, SENT]),
    "long values": hashed.slice(0, 3).map((key, i) => [key, toRlp(bytesToHex(noise(`value ${i}`, 32)))]),
    "short leaves in a branch": [...hashed.slice(0, 2).map((key) => [key, SENT]), [near("11"), SENT], [near("12"), SENT]],
    "a short branch below a short extension": [[near("aaa1"), SENT], [near("aab1"), SENT]],
    "keys that part at the last nibble": [[near("0"), SENT], [near("f"), SENT]],
  };
  const proofs = [];
  const refused = [];
  for (const [about, entries] of Object.entries(sets)) {
    const root = trieNode(entries.map(([key, value]) => [nibblesOf(key), value]));
    const rootHash = keccak256(toRlp(root));
    const shown = entries.filter((_, i) => i < 4 || i % 50 === 0);
    for (const [key, value] of shown) {
      const nodes = proofOf(root, key);
      proofs.push({ about, root: rootHash, key, value, nodes });
      const repeated = proofOf(root, key, true);
      if (repeated.length !== nodes.length) {
        proofs.push({ about: `${about}, short nodes repeated`, root: rootHash, key, value, nodes: repeated });
      }
    }
    const [[key]] = entries;
    const nodes = proofOf(root, key);
    const absent = named(`absent from ${about}`);
    const refuse = (why, changed, error, of = key) =>
      refused.push({ about: `${about}: ${why}`, root: rootHash, key: of, nodes: changed, error });
    refuse("a key that is absent", proofOf(root, absent), "MerkleTrie_KeyAbsent", absent);
    const sibling = `${key.slice(0, 65)}${NIBBLES[(Number.parseInt(key[65], 16) + 1) % 16]}`;
    if (!entries.some(([other]) => other === sibling)) {
      refuse("a key that differs in its last nibble", proofOf(root, sibling), "MerkleTrie_KeyAbsent", sibling);
    }
    refuse("no nodes", [], "MerkleTrie_ProofTooShort");
    refuse("without the root", nodes.slice(1), nodes.length > 1 ? "MerkleTrie_WrongNode" : "MerkleTrie_ProofTooShort");
    if (nodes.length > 1) refuse("cut off", nodes.slice(0, -1), "MerkleTrie_ProofTooShort");
    nodes.forEach((node, i) => {
      const last = `0x${node.slice(2, -2)}${(Number.parseInt(node.slice(-2), 16) ^ 1).toString(16).padStart(2, "0")}`;
      refuse(`node ${i} tampered with`, nodes.with(i, last), "MerkleTrie_WrongNode");
      refuse(`node ${i} one byte longer`, nodes.with(i, `${node}00`), "MerkleTrie_WrongNode");
    });
    const repeats = proofOf(root, key, true);
    refuse("a node too many", [...repeats, "0x80"], "MerkleTrie_ProofTooLong");
    if (repeats.length > nodes.length) {
      refuse("a short node that is another", [...nodes, toRlp(["0x20", "0x02"])], "MerkleTrie_WrongNode");
    }
  }
  return { proofs, refused: [...refused, ...malformedNodes()] };
}

/** Proofs with the right root hash and invalid nodes. */
function malformedNodes() {
  const key = named("malformed");
  const nibbles = nibblesOf(key);
  const leaf = toRlp([hexPrefix(nibbles, 2), "0x01"]);
  const header = (bytes) => (bytes < 56 ? numberToHex(0xc0 + bytes) : concatHex(["0xf8", numberToHex(bytes)]));
  const list = (...items) => concatHex([header(size(concatHex(items))), ...items]);
  const path = toRlp(hexPrefix(nibbles, 2));
  const branch = (children, value = "0x") => Array.from({ length: 17 }, (_, i) => (i === 16 ? value : children(i)));
  const hash = named("child");
  const cases = {
    "a string": "0x8101", "an empty list": "0xc0", "nothing": "0x",
    "one item": toRlp([hexPrefix(nibbles, 2)]),
    "three items": toRlp([hexPrefix(nibbles, 2), "0x01", "0x01"]),
    "sixteen items": toRlp(branch(() => hash).slice(1)),
    "eighteen items": toRlp([...branch(() => hash), "0x"]),
    "a branch with a value": toRlp(branch(() => hash, "0x01")),
    "flag 4": toRlp([`0x40${nibbles}`, "0x01"]),
    "padding that is not zero": toRlp([`0x21${nibbles}`, "0x01"]),
    "no path": toRlp(["0x", "0x01"]),
    "a path that is a list": list("0xc0", "0x01"),
    "a leaf with a nibble too few": toRlp([hexPrefix(nibbles.slice(0, 63), 2), "0x01"]),
    "a leaf with a nibble too many": toRlp([hexPrefix(`${nibbles}0`, 2), "0x01"]),
    "an extension without a path": toRlp([hexPrefix("", 0), hash]),
    "an extension over the whole key": toRlp([hexPrefix(nibbles, 0), hash]),
    "a value that is a list": list(path, "0xc0"),
    "a child that is no hash": toRlp([hexPrefix(nibbles.slice(0, 4), 0), "0x010203"]),
    "a child of 32 bytes inside": toRlp([hexPrefix(nibbles.slice(0, 4), 0), [bytesToHex(noise("inside", 30))]]),
    "a length that is not short enough": concatHex(["0xf8", numberToHex(size(leaf) - 1), `0x${leaf.slice(4)}`]),
    "a length with a leading zero": concatHex(["0xf900", numberToHex(size(leaf) - 1), `0x${leaf.slice(4)}`]),
    "a length of three bytes": concatHex(["0xfa0000", numberToHex(size(leaf) - 1), `0x${leaf.slice(4)}`]),
    "a list that is longer than the node": leaf.slice(0, -2),
    "an item that is longer than the list": list(path, "0x82ff"),
    "a byte that should be itself": list(path, "0x8101"),
  };
  return Object.entries(cases).map(([about, node]) => ({
    about: `malformed: ${about}`, root: keccak256(node), key, nodes: [node], error: "MerkleTrie_Malformed",
  }));
}

function withdrawalVectors() {
  const NONCE = 1n << 240n;
  const messages = [
    { nonce: NONCE, sender: addressOf("sender"), target: addressOf("target"), value: 10n ** 18n, gasLimit: 21_000n, data: "0x" },
    { nonce: NONCE + 1n, sender: addressOf("sender"), target: addressOf("target"), value: 0n, gasLimit: 200_000n,
      data: bytesToHex(noise("message", 68)) },
    { nonce: 2n ** 256n - 1n, sender: getAddress(`0x${"ff".repeat(20)}`), target: ZERO_ADDRESS, value: 2n ** 256n - 1n,
      gasLimit: 2n ** 256n - 1n, data: "0x00" },
  ].map((message) => {
    const { nonce, sender, target, value, gasLimit, data } = message;
    const hash = keccak256(encodeAbiParameters(
      ["uint256", "address", "address", "uint256", "uint256", "bytes"].map((type) => ({ type })),
      [nonce, sender, target, value, gasLimit, data]));
    const slot = keccak256(concatHex([hash, ZERO_HASH]));
    return { ...printed(message), hash, slot, key: keccak256(slot) };
  });
  return {
    about: "messages: hash = keccak256(abi.encode(nonce, sender, target, value, gasLimit, data)); slot is where "
      + "L2ToL1MessagePasser keeps it, and key = keccak256(slot) where the storage trie does. proofs: the trie with this "
      + "root holds value under key, and nodes show it. refused: they do not.",
    messages,
    ...trieVectors(),
  };
}

// ---------------------------------------------------------------------------------------------------- l1fee.json

/** FastLZ, level 1. */
function fastLzCompress(input) {
  const WINDOW = 8_192;
  const out = [];
  const lastSeen = new Uint32Array(WINDOW);
  const triple = (at) => input[at] | (input[at + 1] << 8) | (input[at + 2] << 16);
  const slotOf = (value) => (Math.imul(value, 2_654_435_769) >>> 19) & (WINDOW - 1);
  const literals = (from, to) => {
    for (let at = from; at < to; at += 32) {
      const run = input.subarray(at, Math.min(at + 32, to));
      out.push(run.length - 1, ...run);
    }
  };
  const match = (length, distance) => {
    const back = distance - 1;
    let code = length - 2;
    for (; code > 262; code -= 262) out.push(0xe0 | (back >> 8), 253, back & 0xff);
    if (code > 6) out.push(0xe0 | (back >> 8), code - 7, back & 0xff);
    else out.push((code << 5) | (back >> 8), back & 0xff);
  };
  // Matches start before the first position, and their comparison ends at the second.
  const startLimit = input.length - 13;
  const compareLimit = input.length - 4;

  let written = 0;
  let at = 2;
  while (at < startLimit) {
    const value = triple(at);
    const slot = slotOf(value);
    const candidate = lastSeen[slot];
    lastSeen[slot] = at;
    const distance = at - candidate;
    // The search advances before it compares, so it finds no match at the last position.
    if (distance >= WINDOW || triple(candidate) !== value || at + 1 >= startLimit) {
      at += 1;
      continue;
    }
    literals(written, at);
    let end = at + 3;
    while (end < compareLimit && input[end] === input[end - distance]) end += 1;
    const length = end < compareLimit ? end - at : end - at - 1;
    match(length, distance);
    at += length - 2;
    for (let i = 0; i < 2; i++, at++) lastSeen[slotOf(triple(at))] = at;
    written = at;
  }
  literals(written, input.length);
  return Uint8Array.from(out);
}

function fastLzDecompress(input) {
  const out = [];
  for (let at = 0; at < input.length;) {
    const kind = input[at] >> 5;
    if (kind === 0) {
      const run = input[at] + 1;
      out.push(...input.subarray(at + 1, at + 1 + run));
      at += 1 + run;
      continue;
    }
    const long = kind === 7;
    const length = 2 + (long ? 7 + input[at + 1] : kind);
    const distance = 1 + ((input[at] & 0x1f) << 8) + input[at + (long ? 2 : 1)];
    for (let i = 0; i < length; i++) out.push(out[out.length - distance]);
    at += long ? 3 : 2;
  }
  return Uint8Array.from(out);
}

function fastLzBytes(data) {
  const compressed = fastLzCompress(data);
  if (bytesToHex(fastLzDecompress(compressed)) !== bytesToHex(data)) throw new Error("FastLZ does not round-trip");
  return BigInt(compressed.length);
}

async function transactions() {
  // The first account of the well-known test mnemonic: its key is public.
  const account = privateKeyToAccount("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
  const abi = parseAbi([
    "function transfer(address to, uint256 amount)",
    "function swapExactTokensForTokens(uint256 amountIn, uint256 amountOutMin, address[] path, address to, uint256 deadline)",
  ]);
  const base = { type: "eip1559", chainId: 4_242, nonce: 7, maxFeePerGas: 20_000_000n, maxPriorityFeePerGas: 1_000_000n };
  const transfer = { ...base, gas: 21_000n, to: addressOf("recipient"), value: 10n ** 17n };
  const token = {
    ...base, gas: 60_000n, to: addressOf("token"), value: 0n,
    data: encodeFunctionData({ abi, functionName: "transfer", args: [addressOf("recipient"), 25n * 10n ** 18n] }),
  };
  const swap = {
    ...base, gas: 180_000n, to: addressOf("router"), value: 0n,
    data: encodeFunctionData({
      abi, functionName: "swapExactTokensForTokens",
      args: [10n ** 18n, 99n * 10n ** 16n, [addressOf("token"), addressOf("weth"), addressOf("other token")],
        account.address, 1_800_000_600n],
    }),
  };
  const cases = [];
  for (const [name, transaction] of Object.entries({ transfer, token, swap })) {
    const signed = await account.signTransaction(transaction);
    parseTransaction(signed);
    cases.push([`${name}, unsigned`, hexToBytes(serializeTransaction(transaction))]);
    cases.push([`${name}, signed`, hexToBytes(signed)]);
  }
  return cases;
}

async function l1FeeVectors() {
  const settings = [
    { baseFeeScalar: 1_368n, blobBaseFeeScalar: 810_949n, l1BaseFee: 20_000_000_000n, blobBaseFee: 1n },
    { baseFeeScalar: 5_227n, blobBaseFeeScalar: 1_014_213n, l1BaseFee: 1_055_991_687n, blobBaseFee: 2_000_000_000n },
    { baseFeeScalar: 1_000_000n, blobBaseFeeScalar: 0n, l1BaseFee: 7n, blobBaseFee: 10n ** 9n },
    { baseFeeScalar: 0n, blobBaseFeeScalar: 0n, l1BaseFee: 10n ** 12n, blobBaseFee: 10n ** 12n },
    { baseFeeScalar: 2n ** 32n - 1n, blobBaseFeeScalar: 2n ** 32n - 1n, l1BaseFee: 2n ** 64n, blobBaseFee: 2n ** 64n },
  ];
  const phrase = new TextEncoder().encode("an optimistic rollup for DeFi. ");
  const tail = noise("far match", 64);
  const cases = [
    ["empty", new Uint8Array(0)],
    ["one byte", Uint8Array.of(0x7f)],
    ["13 zero bytes", new Uint8Array(13)],
    ["16 zero bytes", new Uint8Array(16)],
    ["32 bytes of noise", noise("32", 32)],
    ["33 bytes of noise", noise("33", 33)],
    ["largest size at the minimum: 170 FastLZ bytes", noise("170", 164)],
    ["smallest size above the minimum: 171 FastLZ bytes", noise("171", 165)],
    ["1,000 zero bytes", new Uint8Array(1_000)],
    ["bytes 0 to 255", Uint8Array.from({ length: 256 }, (_, i) => i)],
    ["a phrase, 40 times", joined(...Array.from({ length: 40 }, () => phrase))],
    ["1,024 bytes of noise", noise("1024", 1_024)],
    ["noise and zeros in turns", joined(...Array.from({ length: 12 }, (_, i) => joined(noise(`turn ${i}`, 40), new Uint8Array(8 * i))))],
    ["a match at distance 8,191", joined(tail, new Uint8Array(8_191 - 64), tail, noise("end", 20))],
    ["a repetition too far back for a match", joined(tail, new Uint8Array(8_200), tail, noise("end", 20))],
    ...(await transactions()),
  ];
  const sized = (fastLz) => {
    const slope = 836_500n * fastLz - 42_585_600n;
    const estimatedSize = slope > 100_000_000n ? slope : 100_000_000n;
    return {
      estimatedSize: estimatedSize.toString(),
      l1GasUsed: (estimatedSize * 16n / 1_000_000n).toString(),
      fees: settings.map((s) =>
        (estimatedSize * (16n * s.baseFeeScalar * s.l1BaseFee + s.blobBaseFeeScalar * s.blobBaseFee) / 10n ** 12n).toString()),
    };
  };
  return {
    about: "fastLzBytes: length of data compressed with FastLZ level 1. signed: what a signed transaction with these "
      + "bytes pays; oracle: what GasPriceOracle answers for them, which adds 68 bytes for the signature. "
      + "estimatedSize is in millionths of a byte; fees are in wei, one for each of the settings.",
    settings: settings.map(printed),
    cases: cases.map(([name, data]) => {
      const fastLz = fastLzBytes(data);
      return { name, data: bytesToHex(data), fastLzBytes: fastLz.toString(), signed: sized(fastLz), oracle: sized(fastLz + 68n) };
    }),
  };
}

// --------------------------------------------------------------------------------------------------- oracle.json

const BLS_MODULUS = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n;
const BLOB_ELEMENTS = 4_096n;

function power(base, exponent) {
  let result = 1n;
  for (let square = base, rest = exponent; rest > 0n; rest >>= 1n, square = square * square % BLS_MODULUS) {
    if (rest & 1n) result = result * square % BLS_MODULUS;
  }
  return result;
}

/** `hash` with another first byte. */
const keyOf = (kind, hash) => concatHex([numberToHex(kind, { size: 1 }), `0x${hash.slice(4)}`]);

/** The point at which a blob's polynomial has the value of an element: the root of unity to the power of the bit-reversed index. */
function evaluationPoint(index) {
  const root = power(7n, (BLS_MODULUS - 1n) / BLOB_ELEMENTS);
  const reversed = [...index.toString(2).padStart(12, "0")].reverse().join("");
  return power(root, BigInt(`0b${reversed}`));
}

/** The 32 bytes of `data` at an offset. */
const wordAt = (data, offset) => bytesToHex(Uint8Array.from({ length: 32 }, (_, i) => data[offset + i] ?? 0));

function oracleVectors() {
  const parts = (data, offsets) => ({
    length: data.length.toString(),
    parts: offsets.map((offset) => ({ offset: offset.toString(), word: wordAt(data, offset) })),
  });
  const local = { chainConfig: named("config"), outputRoot: named("output"), inboxAcc: named("acc"), blockIndex: 513n, dataMissing: 1n };
  const locals = Object.values(local).map((value, number) => ({
    key: keyOf(1, numberToHex(number, { size: 32 })),
    word: typeof value === "bigint" ? numberToHex(value, { size: 32 }) : value,
  }));
  const keccak = [[0, [0, 32]], [1, [0]], [31, [0]], [32, [0, 32]], [33, [0, 32, 64]], [6_200, [0, 6_112, 6_144, 6_176, 6_208]]]
    .map(([length, offsets]) => {
      const preimage = noise(`preimage ${length}`, length);
      return { preimage: bytesToHex(preimage), key: keyOf(2, keccak256(preimage)), ...parts(preimage, offsets) };
    });
  const three = (...numbers) => concatHex(numbers.map((number) => numberToHex(number, { size: 32 })));
  const calls = [
    ["ecrecover of nothing", "0x01", "0x", "0x"],
    ["3 ** 5 % 7", "0x05", concatHex([three(1, 1, 1), "0x030507"]), "0x05"],
    ["infinity added to itself", "0x06", "0x", concatHex([ZERO_HASH, ZERO_HASH])],
    ["no point of bn254", "0x07", three(1, 1, 1), null],
    ["no pairs", "0x08", "0x", three(1)],
    ["no field element of BLS12-381", "0x10", `0x${"ff".repeat(64)}`, null],
    ["a signature of nobody", "0x0100", "0x", "0x"],
  ].map(([name, number, input, output]) => {
    const address = pad(number, { size: 20 });
    const result = hexToBytes(output === null ? "0x00" : concatHex(["0x01", output]));
    return { name, address, input, succeeds: output !== null, key: keyOf(4, keccak256(concatHex([address, input]))), ...parts(result, [0, 32, 64]) };
  });
  // A commitment to the polynomial X: the second point of the powers of tau of Ethereum's setup. (X - z) / (X - z) is 1, so
  // the generator is the proof of every value.
  const commitment =
    "0xad3eb50121139aa34db1d545093ac9374ab7bca2c0f3bf28e27c8dcd8fc7cb42d25926fc0c97b336e9f0fb35e5a04c81";
  const proof = "0x97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb";
  const versionedHash = concatHex(["0x01", `0x${sha256(commitment).slice(4)}`]);
  const elements = [0, 1, 2, 3, 7, 1_000, 2_047, 2_048, 4_094, 4_095].map((index) => ({
    index: index.toString(),
    element: numberToHex(evaluationPoint(index), { size: 32 }),
  }));
  return {
    about: "The first byte of a key is its kind, the rest is of the hash: local inputs 1, keccak preimages 2, blobs 3, "
      + "precompile calls 4 (keccak256(address ++ input)). parts: the 32 bytes at an offset. What is behind a call is 1 "
      + "and its output, or 0 if it fails. blob: the one whose polynomial is X.",
    local: printed(local),
    locals,
    keccak,
    calls,
    blob: { versionedHash, key: keyOf(3, versionedHash), commitment, proof, elements },
  };
}

// -------------------------------------------------------------------------------------------------- dispute.json

const SEGMENTS_MAX = 32n;
const MACHINE_STEPS = 2n ** 42n;
const BLOCKS = 0n;
const MACHINE = 1n;
const BISECTION = {
  type: "tuple",
  components: [
    ["bytes32", "answered"],
    ["uint8", "phase"],
    ["uint64", "block"],
    ["bytes32", "agreedRoot"],
    ["uint64", "first"],
    ["uint64", "last"],
    ["bytes32", "start"],
    ["bytes32[]", "claims"],
  ].map(([type, name]) => ({ type, name })),
};

/** The bounds of a range's parts: the maximum number of parts, all of the first part's length except a shorter last one. */
function divided(first, last) {
  const stride = (last - first + SEGMENTS_MAX - 1n) / SEGMENTS_MAX;
  const ends = [];
  for (let end = first + stride; end < last; end += stride) ends.push(end);
  return [...ends, last].map((end, i) => [i === 0 ? first : ends[i - 1], end]);
}

function disputeVectors() {
  const ranges = [
    [BLOCKS, 0n, 0n, 2n],
    [BLOCKS, 0n, 3n, 34n],
    [BLOCKS, 0n, 0n, 32n],
    [BLOCKS, 0n, 0n, 33n],
    [BLOCKS, 0n, 1_000n, 1_100n],
    [BLOCKS, 0n, 0n, 1_024n],
    [BLOCKS, 0n, 0n, 1_025n],
    [BLOCKS, 0n, 0n, 2n ** 18n],
    [BLOCKS, 0n, 0n, 2n ** 18n - 5n],
    [BLOCKS, 0n, UINT64_MAX - 100n, UINT64_MAX],
    [MACHINE, 0n, 0n, MACHINE_STEPS],
    [MACHINE, 262_143n, MACHINE_STEPS - 2n ** 37n, MACHINE_STEPS],
    [MACHINE, 7n, 4_096n, 4_100n],
    [MACHINE, UINT64_MAX, 2n ** 41n, 2n ** 41n + 2n],
  ];
  const bisections = ranges.map(([phase, block, first, last], i) => {
    const ends = divided(first, last);
    const fields = {
      answered: named(`answered ${i}`), phase, block, agreedRoot: phase === MACHINE ? named(`agreed ${i}`) : ZERO_HASH,
      first, last, start: named(`start ${i}`), claims: ends.map((_, part) => named(`claim ${i} ${part}`)),
    };
    return {
      ...printed(fields),
      hash: keccak256(encodeAbiParameters([BISECTION], [fields])),
      segments: ends.map(([begin, end], part) => printed({
        first: begin, last: end, start: part === 0 ? fields.start : fields.claims[part - 1], end: fields.claims[part],
      })),
    };
  });
  return {
    about: "hash = keccak256(abi.encode(bisection)). phase: 0 is Blocks, 1 is Machine. segments: the parts that the range "
      + "is divided into, at most 32.",
    bisections,
  };
}

// ---------------------------------------------------------------------------------------------------------- main

const check = process.argv.includes("--check");
const files = {
  inbox: inboxVectors(),
  deposits: depositVectors(),
  output: outputVectors(),
  withdrawals: withdrawalVectors(),
  l1fee: await l1FeeVectors(),
  oracle: oracleVectors(),
  dispute: disputeVectors(),
  derivation: derivationVectors(),
};
mkdirSync(VECTORS, { recursive: true });
for (const [name, content] of Object.entries(files)) {
  const path = join(VECTORS, `${name}.json`);
  const text = `${JSON.stringify(content, null, 2)}\n`;
  if (!check) {
    writeFileSync(path, text);
  } else if (readFileSync(path, "utf8") !== text) {
    console.error(`crates/protocol/vectors/${name}.json is stale: run \`node contracts/vectors.mjs\``);
    process.exitCode = 1;
  }
}
