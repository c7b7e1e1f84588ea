#!/usr/bin/env node
// Writes the genesis files of the development chain (crates/protocol/genesis/dev.json) and of the production template
// (deploy/genesis/production.json) with the compiled predeploys of contracts/artifacts. `--check` compares instead of
// writing and exits 1 on a difference. The chain's parameters are kept from the existing files: edit them there.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { mnemonicToAccount } from "viem/accounts";
import { pad, parseEther, toHex } from "viem";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const check = process.argv.includes("--check");

const code = (name) =>
  JSON.parse(readFileSync(join(root, `contracts/artifacts/${name}.json`), "utf8")).deployedBytecode;

// The accounts of every Ethereum development tool; their keys are public.
const MNEMONIC = "test test test test test test test test test test test junk";
const funded = [...Array(10).keys()].map(
  (addressIndex) => mnemonicToAccount(MNEMONIC, { addressIndex }).address.toLowerCase(),
);

const vault = { code: code("FeeVault") };
const VAULTS = [
  "0x4200000000000000000000000000000000000011",
  "0x4200000000000000000000000000000000000019",
  "0x420000000000000000000000000000000000001a",
];
const predeploys = {
  "0x420000000000000000000000000000000000000f": { code: code("GasPriceOracle") },
  // Deployment writes the L1 bridge's address to slot 1.
  "0x4200000000000000000000000000000000000010": { code: code("L2StandardBridge") },
  "0x4200000000000000000000000000000000000011": vault,
  "0x4200000000000000000000000000000000000012": { code: code("OptimismMintableERC20Factory") },
  "0x4200000000000000000000000000000000000015": { code: code("L1Block") },
  "0x4200000000000000000000000000000000000016": { code: code("L2ToL1MessagePasser") },
  "0x4200000000000000000000000000000000000019": vault,
  "0x420000000000000000000000000000000000001a": vault,
  // EIP-2935: the history contract with the EIP's nonce.
  "0x0000f90827f1c53a10cb7a02335b175320002935": {
    nonce: 1,
    code: "0x3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500",
  },
  // The CREATE2 factory for forge scripts and deterministic deployments.
  "0x4e59b44847b379578588920ca78fbf26c0b4956c": {
    nonce: 1,
    code: "0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3",
  },
};

const withNonce = Object.entries(predeploys).map(([address, account]) => [address, { nonce: 1, ...account }]);
// Operators name the recipient of their vaults.
const production = Object.fromEntries(withNonce);
const dev = { ...production };
for (const address of funded) dev[address] = { balance: toHex(parseEther("10000")) };
for (const address of VAULTS) {
  dev[address] = { ...dev[address], storage: { "0x0": pad(funded[9], { size: 32 }) } };
}

function write(name, alloc) {
  const path = join(root, name);
  const current = readFileSync(path, "utf8");
  const { config, timestamp } = JSON.parse(current);
  const sorted = Object.fromEntries(Object.entries(alloc).sort(([a], [b]) => (a < b ? -1 : 1)));
  const text = JSON.stringify({ config, timestamp, alloc: sorted }, null, 2) + "\n";
  if (text === current) return;
  if (!check) return writeFileSync(path, text);
  console.error(`${name} differs from contracts/artifacts: run tools/dev-genesis.mjs`);
  process.exitCode = 1;
}

write("crates/protocol/genesis/dev.json", dev);
write("deploy/genesis/production.json", production);
