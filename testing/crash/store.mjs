// A folder on the store of store.c: what a process needs to run on it, and what is left of it without power.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { losePower } from "./power.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const SOURCE = join(HERE, "store.c");
const LIBRARY = join(HERE, "../../target/crash/store.so");

/** Compiles the library, unless that was done. */
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

  /** The process's files are below `root`; what the store needs is beside it. */
  constructor(root) {
    mkdirSync(root, { recursive: true });
    this.root = realpathSync(root);
    this.#side = `${this.root}.store`;
    mkdirSync(this.#side);
  }

  get #arm() {
    return `${this.#side}.armed`;
  }

  /** Environment of a process that runs on the store by these rules (see store.c), which act once `arm` is called. */
  environment(rules = []) {
    rmSync(this.#arm, { force: true });
    const own = { STORE_ROOT: this.root, STORE_SIDE: this.#side, STORE_ARM: this.#arm };
    return { ...own, STORE_RULES: rules.join(";"), LD_PRELOAD: library() };
  }

  /** From now on the rules count. */
  arm() {
    writeFileSync(this.#arm, "");
  }

  /** The process is gone: so is what it did not sync, or what `survives` has go. Needed before the next process. */
  losePower(survives) {
    assert.ok(existsSync(join(this.#side, "log")), "the process ran on the store");
    return losePower(this.root, this.#side, survives);
  }
}
