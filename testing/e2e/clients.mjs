// viem clients of both layers, set up as an application would.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import assert from "node:assert/strict";

import { createPublicClient, createWalletClient, defineChain, http, parseGwei } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { chainConfig, walletActionsL1 } from "viem/op-stack";

import { CHAIN_ID, until } from "./harness.mjs";
import { ROOT, require } from "./programs.mjs";

/** L1 gas of a deposit. An estimate may be too low: what a deposit burns depends on the base fee of the block that includes it. */
export const DEPOSIT_GAS = 300_000n;

/** An account without a known key. */
export const NOBODY = "0x00000000000000000000000000000000000a11ce";

/** A transfer to it, without a nonce, to be signed by hand. */
export const transfer = {
  type: "eip1559",
  chainId: CHAIN_ID,
  to: NOBODY,
  value: 1n,
  gas: 21_000n,
  maxFeePerGas: parseGwei("1"),
  maxPriorityFeePerGas: 0n,
};

const POLL_MS = 50;
const RECEIPT_TIMEOUT_MS = 90_000;

/** ABI of one of the rollup's contracts. */
export function abiOf(contract) {
  const path = join(ROOT, "contracts/artifacts", `${contract}.json`);
  return JSON.parse(readFileSync(path, "utf8")).abi;
}

/** Compiles testing/e2e/Probe.sol. */
export function compileProbe() {
  const solc = require("solc");
  const content = readFileSync(join(ROOT, "testing/e2e/Probe.sol"), "utf8");
  const outputSelection = { "*": { "*": ["abi", "evm.bytecode.object"] } };
  const input = {
    language: "Solidity",
    sources: { "Probe.sol": { content } },
    settings: { outputSelection },
  };
  const { errors = [], contracts } = JSON.parse(solc.compile(JSON.stringify(input)));
  const serious = errors.filter(({ severity }) => severity === "error");
  assert.deepEqual(
    serious.map(({ formattedMessage }) => formattedMessage),
    [],
  );
  const { abi, evm } = contracts["Probe.sol"].Probe;
  return { abi, bytecode: `0x${evm.bytecode.object}` };
}

export function accountsOf(dev) {
  return dev.accounts.map(({ privateKey }) => privateKeyToAccount(privateKey));
}

/** Clients for a running rollup. viem treats L2 as an OP-stack chain, with deposits and L1 fees. */
export function connect(dev) {
  const nativeCurrency = { name: "Ether", symbol: "ETH", decimals: 18 };
  const chain = (id, name, url, config = {}) =>
    defineChain({ ...config, id, name, nativeCurrency, rpcUrls: { default: { http: [url] } } });
  const l1Chain = chain(dev.ready.l1ChainId, "L1", dev.l1Url);
  const l2Chain = chain(dev.ready.chainId, "Turnpike", dev.l2Url, chainConfig);
  const options = (chain) => ({ chain, transport: http(), pollingInterval: POLL_MS, cacheTime: 0 });
  const accounts = accountsOf(dev);
  return {
    accounts,
    l1: createPublicClient(options(l1Chain)),
    l2: createPublicClient(options(l2Chain)),
    l1Wallets: accounts.map((account) =>
      createWalletClient({ account, ...options(l1Chain) }).extend(walletActionsL1()),
    ),
    l2Wallets: accounts.map((account) => createWalletClient({ account, ...options(l2Chain) })),
  };
}

/**
 * Waits for a transaction's receipt. viem does not look for replacements: in that time it could miss a block,
 * and no further block would come.
 */
export function receiptOf(client, hash) {
  assert.ok(hash);
  return client.waitForTransactionReceipt({ hash, timeout: RECEIPT_TIMEOUT_MS, checkReplacement: false });
}

/** Waits for a transaction's receipt and checks that it succeeded. */
export async function succeeded(client, hash) {
  const receipt = await receiptOf(client, await hash);
  assert.equal(receipt.status, "success");
  return receipt;
}

/** Deploys a contract and returns its address and ABI. */
export async function deploy(client, wallet, { abi, bytecode }, args = []) {
  const { contractAddress } = await succeeded(client, wallet.deployContract({ abi, bytecode, args }));
  return { address: contractAddress, abi };
}

/** Seals blocks with one transaction each up to this number. */
export async function sealTo(dev, wallet, count) {
  const head = async () => (await dev.status()).head.number;
  for (let number = await head(); number < count; number++) {
    await wallet.sendTransaction({ to: wallet.account.address, value: 1n, gas: 21_000n });
    await until(async () => (await head()) > number, "the next block");
  }
}

/**
 * Arguments of the inbox's `append` for one batch in calldata, on top of what L1 holds and with the newest entry as its origin.
 */
export async function appendArguments(l1, inbox, portal, data) {
  const read = (functionName, args = []) => l1.readContract({ address: inbox, abi: abiOf("Inbox"), functionName, args });
  const [content, count, depositCount] = [await read("content"), await read("entryCount"), await read("consumedDeposits")];
  const origin = count - 1n;
  const originAcc = await read("acc", [origin]);
  const deposits = { address: portal, abi: abiOf("Portal"), functionName: "depositAcc", args: [depositCount] };
  const depositAcc = await l1.readContract(deposits);
  return [content, [{ kind: 1, depositCount, depositAcc, origin, originAcc, data }], []];
}
