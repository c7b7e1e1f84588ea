// A PostgreSQL server of a test's own. It ends with the test, and with this process, however that ends.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

import { TURNPIKE, later } from "./programs.mjs";

const SERVER = join(dirname(TURNPIKE), "test-postgres");
const NOT_INSTALLED = /is not installed/;

/**
 * Starts a server. Returns a function that creates a database and gives its URL; undefined where PostgreSQL is not installed, which with
 * `CI` set is an error.
 */
export async function startPostgres(t) {
  if (!existsSync(SERVER)) {
    throw new Error(`${SERVER} is missing: run \`make test-build\``);
  }
  const child = spawn(SERVER, { stdio: ["pipe", "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (data) => (errors += data));
  const ended = new Promise((resolve) => child.once("close", resolve));
  later(t, () => {
    // Its standard input is what it lives by.
    child.stdin.end();
    return ended;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const createDatabase = async () => {
    child.stdin.write("\n");
    const { value, done } = await lines.next();
    if (done) throw new Error(`PostgreSQL: ${errors}`);
    return value;
  };
  child.stdin.on("error", () => {});
  try {
    await createDatabase();
  } catch (error) {
    if (NOT_INSTALLED.test(error.message) && !process.env.CI) return undefined;
    throw error;
  }
  return createDatabase;
}
