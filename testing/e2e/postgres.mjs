// Starts a PostgreSQL server for one test. It ends with the test, or with this process however it ends.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

import { TURNPIKE, onTestEnd } from "./programs.mjs";

const SERVER = join(dirname(TURNPIKE), "test-postgres");
const NOT_INSTALLED = /is not installed/;

/**
 * Starts a server. Returns a function that creates a database and returns its URL. Without PostgreSQL it
 * returns undefined, or throws if `CI` is set.
 */
export async function startPostgres(t) {
  if (!existsSync(SERVER)) {
    throw new Error(`${SERVER} is missing: run \`make test-build\``);
  }
  const child = spawn(SERVER, { stdio: ["pipe", "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (data) => (errors += data));
  const ended = new Promise((resolve) => child.once("close", resolve));
  onTestEnd(t, () => {
    // The server ends when its standard input closes.
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
