// Writes protocol/vectors/*.json: golden vectors that the Solidity and the Rust tests both read.
// Nothing here comes from the contracts or from the Rust crates: hashes and encodings are viem's, and FastLZ is the
// small implementation below, which checks itself by decompressing. With --check it writes nothing and fails where a
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
  stringToHex,
  toRlp,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";

const VECTORS = join(dirname(dirname(fileURLToPath(import.meta.url))), "protocol", "vectors");
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
].map(([type, name]) => ({ type, name }));

function chunkHashes(data) {
  const hashes = [];
  for (let start = 0; start < data.length; start += CHUNK_BYTES_MAX) {
    hashes.push(keccak256(data.subarray(start, start + CHUNK_BYTES_MAX)));
  }
  return hashes;
}
const dataHash = (data) => keccak256(concatHex(["0x", ...chunkHashes(data)]));

function inboxVectors() {
  const chainConfigHash = named("turnpike vectors: chain configuration");
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
    { dataKind: 1, data: noise("last", 200), depositAcc: named("queue, full"), depositCount: UINT64_MAX,
      l1BlockNumber: UINT64_MAX, l1Time: UINT64_MAX, l1BaseFee: 10n ** 18n, l1BlobBaseFee: 1n, origin: 4n },
  ];
  let prevAcc = chainConfigHash;
  const chain = entries.map((entry, index) => {
    const { data } = entry;
    const fields = {
      prevAcc, index: BigInt(index), ...entry, l1ParentHash: named(`L1 parent ${index}`),
      dataHash: data === null ? ZERO_HASH : dataHash(data),
    };
    const preimage = encodeAbiParameters(ENTRY_TYPES, ENTRY_TYPES.map(({ name }) => fields[name]));
    prevAcc = keccak256(preimage);
    return {
      ...printed(Object.fromEntries(ENTRY_TYPES.map(({ name }) => [name, fields[name]]))),
      data: data === null ? null : bytesToHex(data),
      preimage,
      acc: prevAcc,
    };
  });
  const dataHashes = [0, 1, 31, 98_303, 98_304, 98_305, 196_608, 200_000].map((length) => {
    const data = Uint8Array.from({ length }, (_, i) => i % 251);
    return { length: length.toString(), chunkHashes: chunkHashes(data), dataHash: dataHash(data) };
  });
  return {
    about: "acc_k = keccak256(abi.encode(prevAcc, entry_k)); prevAcc of entry 0 is chainConfigHash. "
      + "dataHashes: data has byte[i] = i % 251.",
    chainConfigHash,
    chunkBytesMax: CHUNK_BYTES_MAX.toString(),
    entries: chain,
    dataHashes,
  };
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
  // The position before which a match may start, and the one that its comparison does not pass.
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
    // The search steps on before it looks, so a match at the last position is not taken.
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

// ---------------------------------------------------------------------------------------------------------- main

const check = process.argv.includes("--check");
const files = {
  inbox: inboxVectors(),
  deposits: depositVectors(),
  output: outputVectors(),
  l1fee: await l1FeeVectors(),
};
mkdirSync(VECTORS, { recursive: true });
for (const [name, content] of Object.entries(files)) {
  const path = join(VECTORS, `${name}.json`);
  const text = `${JSON.stringify(content, null, 2)}\n`;
  if (!check) {
    writeFileSync(path, text);
  } else if (readFileSync(path, "utf8") !== text) {
    console.error(`protocol/vectors/${name}.json is stale: run \`node contracts/vectors.mjs\``);
    process.exitCode = 1;
  }
}
