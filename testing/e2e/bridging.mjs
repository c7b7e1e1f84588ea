// `turnpike bridge` as a test runs it: on an L1 that is moved by hand.
import assert from "node:assert/strict";

import { rpc } from "./harness.mjs";
import { run, turnpike } from "./programs.mjs";

const POLL_MS = 50;

/**
 * Commands of `turnpike bridge` on one chain. L1 blocks are mined while one runs and has sent something, unless it is
 * to be refused: what others have sent may be what it lacks.
 */
export class Bridge {
  constructor({ genesis, l1Url, l2Url }) {
    Object.assign(this, { genesis, l1Url, l2Url });
  }

  /** Runs a command with `--json`: its exit code, its JSON lines, and what it says about errors. */
  run(t, command, ...args) {
    return this.#run(t, command, args, { mines: true });
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

  /** A command that must succeed: its last JSON line. */
  async does(t, command, ...args) {
    const { code, events, stderr } = await this.run(t, command, ...args);
    assert.equal(code, 0, `${command} ${args.join(" ")}: ${stderr}`);
    return events.at(-1);
  }

  /** A command that must be refused, in words like these. */
  async refuses(t, words, command, ...args) {
    const { code, stderr } = await this.#run(t, command, args, { mines: false });
    assert.notEqual(code, 0, `${command} ${args.join(" ")} succeeds`);
    assert.match(stderr, words);
  }
}
