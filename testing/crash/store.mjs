// Runs a process on the fault-injecting store of store.c, and loses its unsynced changes.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { losePower } from "./power-loss.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const SOURCE = join(HERE, "store.c");
const LIBRARY = join(HERE, "../../target/crash/store.so");

/** Compiles the library if it is missing or old. */
function library() {
  if (!existsSync(LIBRARY) || statSync(LIBRARY).mtimeMs < statSync(SOURCE).mtimeMs) {
    mkdirSync(dirname(LIBRARY), { recursive: true });
    const draft = `${LIBRARY}.${process.pid}`;
    const flags = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"];
    execFileSync("cc", [...flags, "-o", draft, SOURCE, "-ldl", "-lpthread"], { stdio: "inherit" });
    renameSync(draft, LIBRARY);
  }
  return LIBRARY;
}

/** The files of one process. */
export class Store {
  #side;

  /** The process's files are below `root`; the store's files are next to it. */
  constructor(root) {
    mkdirSync(root, { recursive: true });
    this.root = realpathSync(root);
    this.#side = `${this.root}.store`;
    mkdirSync(this.#side);
  }

  get #arm() {
    return `${this.#side}.armed`;
  }

  /** Environment of a process on the store. The rules (see store.c) count after `arm`. */
  environment(rules = []) {
    rmSync(this.#arm, { force: true });
    const own = { STORE_ROOT: this.root, STORE_SIDE: this.#side, STORE_ARM: this.#arm };
    return { ...own, STORE_RULES: rules.join(";"), LD_PRELOAD: library() };
  }

  /** Lets the rules count from now on. */
  arm() {
    writeFileSync(this.#arm, "");
  }

  /** Loses unsynced changes as `survives` says. Call it when the process has ended and before the next one. */
  losePower(survives) {
    assert.ok(existsSync(join(this.#side, "log")), "the process ran on the store");
    return losePower(this.root, this.#side, survives);
  }
}
