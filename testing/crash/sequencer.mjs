// A sequencer on the fault-injecting store: after a power loss it starts with the synced data.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { get, rpc, startAnvil, until } from "../e2e/harness.mjs";
import { Program, run, temporaryFolder, turnpike } from "../e2e/programs.mjs";
import { deployChain, developmentAccounts } from "../e2e/standalone.mjs";
import { Store } from "./store.mjs";

/** The log includes the sealing of blocks, which kill points match. */
const LOG = "off,turnpike=info,turnpike_sequencer=debug,turnpike_api=debug,turnpike_replica=debug,turnpike_storage=info";

/** No batcher runs, so every block waits for L1. */
const BACKLOG = ["--backlog-bytes-max", `${2 ** 40}`, "--backlog-seconds-max", "1000000"];

/** Starts an L1, deploys a chain and returns its sequencer, not started yet. */
export async function deploySequencer(t, args = []) {
  const anvil = await startAnvil(t);
  const folder = temporaryFolder(t);
  await deployChain(t, anvil.url, folder);
  return new Sequencer(t, { folder, l1Url: anvil.url, args });
}

/** A sequencer that can be killed and started again on the same files. */
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
    this.#args = [...chain, ...own, ...BACKLOG, ...args];
  }

  get database() {
    return join(this.store.root, "sequencer.db");
  }

  /** Starts it with rules of the store, which count once armed or `atOnce`. Returns false if it ended during the start. */
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

  /** Starts it; a failure fails the test. */
  async restart() {
    assert.ok(await this.start(), `the sequencer does not start:\n${this.program.stderr}`);
  }

  get hasEnded() {
    return this.program.code !== undefined;
  }

  /** Kills it if it still runs, and loses its unsynced changes as `survives` says. */
  async crash(survives) {
    await this.program.kill();
    return this.store.losePower(survives);
  }

  /** Stops it cleanly; nothing is lost. */
  stop() {
    return this.program.stop();
  }

  /** The problems that `turnpike db verify` finds. */
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

  /** Existing files of the databases. */
  files() {
    const names = ["sequencer.db", "sequencer.db-wal", "sequencer.index.db", "sequencer.index.db-wal"];
    return names.map((name) => join(this.store.root, name)).filter(existsSync);
  }
}
