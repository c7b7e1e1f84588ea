// Runs a sequencer alone, on an L1 that the test mines: without batcher, proposer and challenger.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { mnemonicToAccount } from "viem/accounts";

import { DEPOSIT_GAS, abiOf, connect } from "./clients.mjs";
import { L1_CHAIN_ID, CHAIN_ID, get, post, rpc, startAnvil, until } from "./harness.mjs";
import { Program, run, temporaryFolder, turnpike } from "./programs.mjs";

/** The mnemonic of every development tool. */
export const MNEMONIC = "test test test test test test test test test test test junk";
const ACCOUNTS = 10;
const [DEPLOYER, BATCHER] = [6, 7];
/** Seconds between empty blocks: longer than a test, unless the test passes --heartbeat. */
const HEARTBEAT = 3_600;

/** The private key of a development account. */
export const keyOf = (account) => `0x${Buffer.from(account.getHdKey().privateKey).toString("hex")}`;

/** The accounts that every development tool funds. */
export const developmentAccounts = () =>
  Array.from({ length: ACCOUNTS }, (_, addressIndex) => mnemonicToAccount(MNEMONIC, { addressIndex }));

/**
 * Deploys a chain with the development chain's rules, changed by `rules`, and writes `genesis.json` to
 * the folder. Returns its contracts.
 */
export async function deployChain(t, l1Url, folder, rules = {}) {
  const at = (name) => join(folder, name);
  const accounts = developmentAccounts();
  const { code, stdout } = await run(t, turnpike(), ["genesis"]);
  assert.equal(code, 0);
  const genesis = JSON.parse(stdout);
  Object.assign(genesis.config, rules);
  writeFileSync(at("undeployed.json"), JSON.stringify(genesis));
  await rpc(l1Url, "evm_setAutomine", [true]);
  const files = ["--genesis", at("undeployed.json"), "--out", at("genesis.json")];
  const keys = ["--key", keyOf(accounts[DEPLOYER]), "--batcher", accounts[BATCHER].address];
  const deployed = await run(t, turnpike(), ["deploy", "--l1-url", l1Url, ...files, ...keys]);
  assert.equal(deployed.code, 0, deployed.stderr);
  await rpc(l1Url, "evm_setAutomine", [false]);
  return JSON.parse(readFileSync(at("genesis.json"), "utf8")).l1;
}

/** Deploys such a chain and starts its sequencer with these flags. */
export async function startStandalone(t, rules = {}, flags = []) {
  const anvil = await startAnvil(t);
  const folder = temporaryFolder(t);
  const at = (name) => join(folder, name);
  const accounts = developmentAccounts();
  const contracts = await deployChain(t, anvil.url, folder, rules);
  const solo = new StandaloneSequencer(t, { at, accounts, contracts, l1Url: anvil.url, flags });
  await solo.start();
  return solo;
}

/** A running sequencer. */
export class StandaloneSequencer {
  #t;
  #at;
  #accounts;
  #flags;
  #program;

  constructor(t, { at, accounts, contracts, l1Url, flags }) {
    this.#t = t;
    this.#at = at;
    this.#accounts = accounts;
    this.#flags = flags;
    Object.assign(this, { contracts, l1Url, genesis: at("genesis.json") });
  }

  /** Starts the sequencer on a database with this file name or URL. */
  async start(database = "sequencer.db") {
    const args = ["sequencer", "--genesis", this.#at("genesis.json"), "--l1-url", this.l1Url];
    args.push("--l1-confirmations", "0", "--l1-poll-ms", "50");
    const location = database.includes("://") ? database : this.#at(database);
    args.push("--database", location, "--listen", "127.0.0.1:0");
    args.push("--state", this.#at("sequencer.state"), "--archive", this.#at("sequencer.entries"));
    if (!this.#flags.includes("--heartbeat")) args.push("--heartbeat", `${HEARTBEAT}`);
    const program = new Program(this.#t, "turnpike sequencer", turnpike(), [...args, ...this.#flags]);
    const listening = () => program.stderr.match(/sequencer is up address=(\S+)/);
    this.l2Url = `http://${(await until(listening, "the sequencer to listen"))[1]}`;
    this.#program = program;
    const privateKeys = this.#accounts.map((account) => ({ privateKey: keyOf(account) }));
    const ready = { chainId: CHAIN_ID, l1ChainId: L1_CHAIN_ID };
    Object.assign(this, connect({ ...this, ready, accounts: privateKeys }));
  }

  /** Its log so far. */
  get log() {
    return this.#program.stderr;
  }

  kill() {
    return this.#program.kill();
  }

  stop() {
    return this.#program.stop();
  }

  rpc(method, params) {
    return rpc(this.l2Url, method, params);
  }

  /** Mines L1 blocks, the first with a timestamp `seconds` later. */
  async mine(blocks = 1, seconds = 0) {
    if (seconds > 0) await rpc(this.l1Url, "evm_increaseTime", [seconds]);
    for (let block = 0; block < blocks; block++) await rpc(this.l1Url, "evm_mine");
  }

  /** Sends an L1 transaction and mines it. */
  async l1Send(hash) {
    const sent = await hash;
    await this.mine();
    const { status } = await this.l1.getTransactionReceipt({ hash: sent });
    assert.equal(status, "success");
    return sent;
  }

  deposit(user, request) {
    const portalAddress = this.contracts.portal;
    return this.l1Send(this.l1Wallets[user].depositTransaction({ portalAddress, request, gas: DEPOSIT_GAS }));
  }

  forceInclude(user) {
    const inbox = { address: this.contracts.inbox, abi: abiOf("Inbox") };
    return this.l1Send(this.l1Wallets[user].writeContract({ ...inbox, functionName: "forceInclude" }));
  }

  async get(path) {
    const { status, body } = await get(`${this.l2Url}${path}`);
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  }

  status() {
    return this.get("/v1/status");
  }

  transactionStatus(hash) {
    return this.get(`/v1/transactions/${hash}`);
  }

  /** Submits a transfer of one wei and returns its hash. `query` can set what the answer waits for. */
  async transfer(user, nonce, query = "") {
    const account = this.accounts[user];
    const transaction = await account.signTransaction({
      type: "eip1559",
      chainId: CHAIN_ID,
      nonce,
      to: account.address,
      value: 1n,
      gas: 21_000n,
      maxFeePerGas: 1_000_000_000n,
      maxPriorityFeePerGas: 0n,
    });
    const { status, body } = await post(`${this.l2Url}/v1/transactions${query}`, { transaction });
    assert.equal(status, query === "" ? 202 : 200, JSON.stringify(body));
    return body.hash;
  }

  /** Waits until a sealed block holds the transaction, and returns its status. */
  sealed(hash) {
    return until(async () => {
      const transaction = await this.transactionStatus(hash);
      return transaction.block?.hash && transaction;
    }, `${hash} to be in a sealed block`);
  }
}
