// A sequencer on the store that forgets: what it is started with is what it synced before.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { get, rpc, startAnvil, until } from "../e2e/harness.mjs";
import { Program, run, temporaryFolder, turnpike } from "../e2e/programs.mjs";
import { deployChain, developmentAccounts } from "../e2e/solo.mjs";
import { Store } from "./store.mjs";

/** It says when a block is sealed. */
const LOG = "off,turnpike=info,turnpike_sequencer=debug,turnpike_storage=info";

/** Without a batcher all blocks wait for L1. */
const BACKLOG_ENTRIES_MAX = 1_000_000;

/** Deploys a chain on an L1 of its own, and gives it a sequencer that is not running yet. */
export async function deploySequencer(t, args = []) {
  const anvil = await startAnvil(t);
  const folder = temporaryFolder(t);
  await deployChain(t, anvil.url, folder);
  return new Sequencer(t, { folder, l1Url: anvil.url, args });
}

/** A sequencer that comes and goes; its files stay. */
export class Sequencer {
  #t;
  #args;
  program;

  constructor(t, { folder, l1Url, args }) {
    Object.assign(this, { l1Url, genesis: join(folder, "genesis.json"), accounts: developmentAccounts() });
    this.store = new Store(join(folder, "store"));
    this.#t = t;
    const chain = ["--genesis", this.genesis, "--l1-url", l1Url, "--l1-confirmations", "0"];
    const own = ["--database", this.database, "--listen", "127.0.0.1:0"];
    this.#args = [...chain, ...own, "--backlog-entries-max", `${BACKLOG_ENTRIES_MAX}`, ...args];
  }

  get database() {
    return join(this.store.root, "sequencer.db");
  }

  /**
   * Starts it by the store's rules, which count once it is up, or at once. Returns whether it came up: if not, it has ended.
   */
  async start({ rules = [], atOnce = false } = {}) {
    const env = { ...this.store.environment(rules), TURNPIKE_LOG: LOG };
    if (atOnce) this.store.arm();
    this.program = new Program(this.#t, "sequencer", turnpike(), ["sequencer", ...this.#args], { env });
    this.program.expectEnd();
    const listening = () => this.program.stderr.match(/sequencer is up address=(\S+)/);
    await until(() => listening() ?? this.hasEnded, "the sequencer to listen or to end");
    if (!listening()) return false;
    this.url = `http://${listening()[1]}`;
    return true;
  }

  /** Starts it, as it must. */
  async restart() {
    assert.ok(await this.start(), `the sequencer does not start:\n${this.program.stderr}`);
  }

  get hasEnded() {
    return this.program.code !== undefined;
  }

  /** Kills it if it still runs, and takes back what it did not sync, or what `survives` has go. */
  async crash(survives) {
    await this.program.kill();
    return this.store.losePower(survives);
  }

  /** Asks it to end; nothing is taken back. */
  stop() {
    return this.program.stop();
  }

  /** What `turnpike db verify` finds wrong with its files. */
  async verify() {
    const args = ["db", "verify", "--genesis", this.genesis, "--database", this.database, "--json"];
    const { code, stdout, stderr } = await run(this.#t, turnpike(), args);
    assert.ok(code === 0 || code === 2, stderr);
    const { wrong } = JSON.parse(stdout);
    assert.equal(code === 0, wrong.length === 0, stdout);
    return wrong;
  }

  rpc(method, params) {
    return rpc(this.url, method, params);
  }

  async get(path) {
    const { status, body } = await get(`${this.url}${path}`);
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  }

  /** Files of the database, those that are there. */
  files() {
    const names = ["sequencer.db", "sequencer.db-wal", "sequencer.index.db", "sequencer.index.db-wal"];
    return names.map((name) => join(this.store.root, name)).filter(existsSync);
  }
}
