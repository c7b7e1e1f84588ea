#!/usr/bin/env node
// Writes testing/bench/traffic.bin: the transactions of the end-to-end tests (deployments, swaps,
// transfers, approvals, delegations, failures), in order, each preceded by its length as u32,
// little-endian. `--check` compares instead of writing.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { mnemonicToAccount } from "viem/accounts";

import { compileProbe } from "../e2e/clients.mjs";
import { buildWorkload } from "../e2e/workload.mjs";

const MNEMONIC = "test test test test test test test test test test test junk";
const USERS = 8;
const path = join(dirname(fileURLToPath(import.meta.url)), "traffic.bin");

const accounts = [...Array(USERS).keys()].map((addressIndex) => mnemonicToAccount(MNEMONIC, { addressIndex }));
const { setUp, mixed } = await buildWorkload(accounts, compileProbe());
const framed = [...setUp, ...mixed].flatMap(({ raw }) => {
  const bytes = Buffer.from(raw.slice(2), "hex");
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return [length, bytes];
});
const file = Buffer.concat(framed);

if (!process.argv.includes("--check")) {
  writeFileSync(path, file);
} else if (!readFileSync(path).equals(file)) {
  console.error("testing/bench/traffic.bin differs from the end-to-end tests' transactions: run testing/bench/traffic.mjs");
  process.exit(1);
}
