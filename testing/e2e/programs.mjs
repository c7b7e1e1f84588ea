// Starts programs for tests, collects their output, and ends every program with its test.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const TURNPIKE = resolve(ROOT, process.env.TURNPIKE_BIN ?? "target/debug/turnpike");
export const require = createRequire(import.meta.url);

/** Log lines of a program that a failure shows. */
const LOG_LINES_SHOWN = 60;
const LOG_COLUMNS_SHOWN = 400;
/** A program that has not stopped after this time is killed. */
const STOP_TIMEOUT_MS = 30_000;
/** A program that should end by itself is killed after this time. */
const RUN_TIMEOUT_MS = 120_000;

const running = new Set();
const crashed = [];

// However this process ends, its programs end too.
process.on("exit", () => {
  for (const program of running) program.signal("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

/** Path of a tool that npm installed. */
export function tool(name) {
  const path = join(ROOT, "node_modules/.bin", name);
  if (!existsSync(path)) throw new Error(`${name} is not installed: run \`npm ci\` in ${ROOT}`);
  return path;
}

/** Path of the program under test. */
export function turnpike() {
  if (!existsSync(TURNPIKE)) {
    throw new Error(`${TURNPIKE} is missing: run \`cargo build -p turnpike\`, or set TURNPIKE_BIN`);
  }
  return TURNPIKE;
}

const cleanups = new WeakMap();

/** Runs `cleanup` when the test ends, the last one registered first. */
export function onTestEnd(t, cleanup) {
  if (!cleanups.has(t)) {
    const stack = [];
    cleanups.set(t, stack);
    t.after(async () => {
      while (stack.length > 0) await stack.pop()();
    });
  }
  cleanups.get(t).push(cleanup);
}

/** A new folder that is deleted when the test ends. */
export function temporaryFolder(t) {
  const folder = mkdtempSync(join(tmpdir(), "turnpike-e2e-"));
  onTestEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A program that runs until it is stopped, at the latest by the end of the test. */
export class Program {
  /** Both outputs, line by line. */
  log = [];
  /** Lines of standard output that are JSON objects, parsed. */
  events = [];
  stdout = "";
  stderr = "";
  /** Exit code; undefined while it runs, null if a signal ended it. */
  code = undefined;
  #endExpected = false;

  constructor(t, name, command, args, { cwd = ROOT, env = {}, linesShown = LOG_LINES_SHOWN } = {}) {
    Object.assign(this, { name, linesShown });
    const all = { ...process.env, NO_COLOR: "1", ...env };
    this.child = spawn(command, args, { cwd, env: all, stdio: ["ignore", "pipe", "pipe"] });
    this.pid = this.child.pid;
    running.add(this);
    createInterface({ input: this.child.stdout }).on("line", (line) => this.#take("stdout", line));
    createInterface({ input: this.child.stderr }).on("line", (line) => this.#take("stderr", line));
    this.ended = new Promise((resolve) => {
      this.child.once("error", (error) => this.#take("stderr", `cannot run ${command}: ${error.message}`));
      this.child.once("close", (code, signal) => {
        this.code = code;
        running.delete(this);
        if (!this.#endExpected) crashed.push(this);
        resolve({ code, signal });
      });
    });
    onTestEnd(t, () => this.stop());
  }

  #take(stream, line) {
    this[stream] += `${line}\n`;
    this.log.push(line);
    if (stream === "stdout" && line.startsWith('{"')) this.events.push(JSON.parse(line));
  }

  /** Signals the program if it still runs: its process id may belong to another process otherwise. */
  signal(signal) {
    if (running.has(this) && this.pid !== undefined) this.child.kill(signal);
  }

  /** Allows the program to end by itself from now on. */
  expectEnd() {
    this.#endExpected = true;
  }

  /** Stops it, with SIGKILL after a time-out, and returns how it ended. */
  async stop(signal = "SIGTERM") {
    this.expectEnd();
    this.signal(signal);
    const insist = setTimeout(() => this.signal("SIGKILL"), STOP_TIMEOUT_MS);
    const end = await this.ended;
    clearTimeout(insist);
    return end;
  }

  /** Kills it. */
  kill() {
    return this.stop("SIGKILL");
  }
}

/** Runs a program that ends by itself. Returns its exit code and output. */
export async function run(t, command, args, options) {
  const program = new Program(t, command.split("/").pop(), command, args, options);
  program.expectEnd();
  const insist = setTimeout(() => program.signal("SIGKILL"), options?.timeoutMs ?? RUN_TIMEOUT_MS);
  const { code, signal } = await program.ended;
  clearTimeout(insist);
  if (signal === "SIGKILL")
    throw new Error(`${program.name} ${args.join(" ")} does not end\n${recentLogs([program])}`);
  return { code, stdout: program.stdout, stderr: program.stderr };
}

/** The newest log lines of each program, as text. */
export function recentLogs(programs = [...crashed, ...running]) {
  const tail = ({ name, pid, code, log, linesShown }) => {
    const end = code === undefined ? "running" : `ended with ${code ?? "a signal"}`;
    return [
      `--- ${name} (process ${pid}, ${end})`,
      ...log.slice(-linesShown).map((line) => line.slice(0, LOG_COLUMNS_SHOWN)),
    ].join("\n");
  };
  return programs.map(tail).join("\n");
}

/** Throws if a program ended unexpectedly. */
export function checkAlive() {
  if (crashed.length === 0) return;
  const message = `${crashed.map((program) => program.name).join(", ")} ended unexpectedly\n${recentLogs()}`;
  crashed.length = 0;
  throw new Error(message);
}
