// Runs `turnpike bridge` commands on an L1 that the test mines.
import assert from "node:assert/strict";

import { rpc } from "./harness.mjs";
import { run, turnpike } from "./programs.mjs";

const POLL_MS = 50;

/**
 * Runs `turnpike bridge` on one chain and mines its L1 transactions. Nothing is mined for a command that
 * must be refused: a pending transaction of another sender could make it succeed.
 */
export class Bridge {
  constructor({ genesis, l1Url, l2Url }) {
    Object.assign(this, { genesis, l1Url, l2Url });
  }

  /** Runs a command with `--json`. Returns its exit code, JSON lines and errors. */
  run(t, command, ...args) {
    return this.#run(t, command, args, { mines: true });
  }

  /** The same, but the test mines. */
  runUnmined(t, command, ...args) {
    return this.#run(t, command, args, { mines: false });
  }

  async #run(t, command, args, { mines }) {
    const l2 = this.l2Url ? ["--l2-url", this.l2Url] : [];
    const endpoints = ["--genesis", this.genesis, "--l1-url", this.l1Url, ...l2, "--poll-ms", "50"];
    const program = run(t, turnpike(), ["bridge", command, ...endpoints, "--json", ...args]);
    let isOver = false;
    const over = program.finally(() => (isOver = true)).catch(() => {});
    while (mines && !isOver) {
      const { pending } = await rpc(this.l1Url, "txpool_status");
      if (BigInt(pending) > 0n) await rpc(this.l1Url, "evm_mine");
      await Promise.race([over, new Promise((resolve) => setTimeout(resolve, POLL_MS))]);
    }
    const { code, stdout, stderr } = await program;
    const events = stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
    return { code, events, stderr };
  }

  /** Runs a command that must succeed, and returns its last JSON line. */
  async does(t, command, ...args) {
    const { code, events, stderr } = await this.run(t, command, ...args);
    assert.equal(code, 0, `${command} ${args.join(" ")}: ${stderr}`);
    return events.at(-1);
  }

  /** Runs a command that must fail with an error that matches `words`. */
  async refuses(t, words, command, ...args) {
    const { code, stderr } = await this.#run(t, command, args, { mines: false });
    assert.notEqual(code, 0, `${command} ${args.join(" ")} succeeds`);
    assert.match(stderr, words);
  }
}
