// Sets up viem's op-stack actions, unmodified, for a running rollup.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { mock } from "node:test";

import {
  BaseError,
  ContractFunctionRevertedError,
  createPublicClient,
  createWalletClient,
  decodeErrorResult,
  defineChain,
  http,
  keccak256,
  toRlp,
} from "viem";
import {
  chainConfig,
  publicActionsL1,
  publicActionsL2,
  walletActionsL1,
  walletActionsL2,
} from "viem/op-stack";

import { abiOf, accountsOf } from "./clients.mjs";
import { rpc } from "./harness.mjs";

const POLL_MS = 50;
/** Longer timers are waits that viem was asked for; shorter ones are time-outs of its requests. */
const LONG_WAIT_MS = 10_000;

export const MESSAGE_PASSER = "0x4200000000000000000000000000000000000016";
export const L2_STANDARD_BRIDGE = "0x4200000000000000000000000000000000000010";
export const TOKEN_FACTORY = "0x4200000000000000000000000000000000000012";

/** Clients of both layers, and the chain object that they need. */
export function opStack(dev) {
  const nativeCurrency = { name: "Ether", symbol: "ETH", decimals: 18 };
  const l1Id = dev.ready.l1ChainId;
  const url = (http) => ({ default: { http: [http] } });
  const l1Chain = defineChain({ id: l1Id, name: "L1", nativeCurrency, rpcUrls: url(dev.l1Url) });
  const l2Chain = defineChain({
    ...chainConfig,
    id: dev.ready.chainId,
    name: "Turnpike",
    nativeCurrency,
    rpcUrls: url(dev.l2Url),
    sourceId: l1Id,
    contracts: {
      ...chainConfig.contracts,
      portal: { [l1Id]: { address: dev.contracts.portal } },
      l2OutputOracle: { [l1Id]: { address: dev.contracts.rollup } },
      l1StandardBridge: { [l1Id]: { address: dev.contracts.bridge } },
    },
  });
  // A development L1 has no Multicall3 contract: viem sends the code with each call.
  const batch = { multicall: { deployless: true } };
  const options = (chain) => ({ chain, transport: http(), pollingInterval: POLL_MS, cacheTime: 0 });
  const accounts = accountsOf(dev);
  const wallets = (chain, actions) =>
    accounts.map((account) => createWalletClient({ account, ...options(chain) }).extend(actions));
  return {
    accounts,
    l2Chain,
    l1: createPublicClient({ ...options(l1Chain), batch }).extend(publicActionsL1()),
    l2: createPublicClient(options(l2Chain)).extend(publicActionsL2()),
    l1Wallets: wallets(l1Chain, walletActionsL1()),
    l2Wallets: wallets(l2Chain, walletActionsL2()),
  };
}

/** Runs `body` while this process's clock shows L1's time, because some viem actions compare the two. */
export async function atL1Time(l1, body) {
  const { timestamp } = await l1.getBlock();
  mock.timers.enable({ apis: ["Date"], now: Number(timestamp) * 1000 });
  try {
    return await body();
  } finally {
    mock.timers.reset();
  }
}

/** Runs `body` and skips its long waits. Returns the length of each, in seconds. */
export async function waitsOf(body) {
  const waits = [];
  const real = globalThis.setTimeout;
  const timer = mock.method(globalThis, "setTimeout", (callback, ms, ...args) => {
    if (ms > LONG_WAIT_MS) waits.push(ms / 1000);
    return real(callback, ms > LONG_WAIT_MS ? 0 : ms, ...args);
  });
  try {
    await body();
  } finally {
    timer.mock.restore();
  }
  return waits;
}

const errors = ["Portal", "Rollup", "Inbox"].flatMap((contract) =>
  abiOf(contract).filter(({ type }) => type === "error"),
);

/** Expects a revert with one of these custom errors, which viem's ABI lacks. */
export async function refuses(call, ...errorNames) {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof BaseError, error);
    const revert = error.walk((cause) => cause instanceof ContractFunctionRevertedError);
    assert.ok(revert?.raw ?? revert?.signature, error.message);
    const found = decodeErrorResult({ abi: errors, data: revert.raw ?? revert.signature });
    assert.ok(errorNames.includes(found.errorName), found.errorName);
    return true;
  });
}

/** Proposes the output after an inbox entry. `block` is the entry's last block. */
export async function propose(dev, { l1, wallet }, { parent, entry, block }) {
  const rollup = { address: dev.contracts.rollup, abi: abiOf("Rollup") };
  const inbox = { address: dev.contracts.inbox, abi: abiOf("Inbox") };
  const read = (contract, functionName, ...args) => l1.readContract({ ...contract, functionName, args });
  const { claim } = await read(rollup, "output", parent);
  const header = await rpc(dev.l2Url, "eth_getBlockByNumber", [`0x${block.toString(16)}`, false]);
  const passer = await rpc(dev.l2Url, "eth_getProof", [MESSAGE_PASSER, [], header.number]);
  const proof = {
    version: `0x${"00".repeat(32)}`,
    stateRoot: header.stateRoot,
    messagePasserStorageRoot: passer.storageHash,
    latestBlockhash: header.hash,
  };
  return wallet.writeContract({
    ...rollup,
    functionName: "propose",
    args: [parent, claim, entry, await read(inbox, "acc", entry), proof, headerRlp(header)],
    value: await read(rollup, "proposerBond"),
  });
}

/** RLP of a block's header, whose hash is the block's hash. */
function headerRlp(block) {
  const number = (value) => (BigInt(value) === 0n ? "0x" : `0x${evenHex(BigInt(value))}`);
  const header = toRlp([
    block.parentHash,
    block.sha3Uncles,
    block.miner,
    block.stateRoot,
    block.transactionsRoot,
    block.receiptsRoot,
    block.logsBloom,
    number(block.difficulty),
    number(block.number),
    number(block.gasLimit),
    number(block.gasUsed),
    number(block.timestamp),
    block.extraData,
    block.mixHash,
    block.nonce,
    number(block.baseFeePerGas),
    block.withdrawalsRoot,
    number(block.blobGasUsed),
    number(block.excessBlobGas),
    block.parentBeaconBlockRoot,
    block.requestsHash,
  ]);
  assert.equal(keccak256(header), block.hash, "the header's RLP hashes to the block's hash");
  return header;
}

function evenHex(value) {
  const text = value.toString(16);
  return text.length % 2 === 0 ? text : `0${text}`;
}

const require = createRequire(import.meta.url);

/** OpenZeppelin's prebuilt ERC-20 token. Arguments: name, symbol, supply, owner. */
export function tokenArtifact() {
  return require("@openzeppelin/contracts/build/contracts/ERC20PresetFixedSupply.json");
}
