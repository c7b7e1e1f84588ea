// The Python that clients and fuzzers from there run in.
import assert from "node:assert/strict";
import { join } from "node:path";

import { ROOT, run } from "./programs.mjs";

const NO_PYTHON = 3;
const INSTALL_TIMEOUT_MS = 600_000;

/** Path of a Python with what testing/e2e/python/requirements.txt pins; null, and the test is skipped, where none can be had. */
export async function python(t) {
  const options = { timeoutMs: INSTALL_TIMEOUT_MS };
  const { code, stdout, stderr } = await run(t, join(ROOT, "tools/python-env"), [], options);
  if (code === NO_PYTHON) {
    t.skip(stderr.trim());
    return null;
  }
  assert.equal(code, 0, stderr);
  return join(stdout.trim(), "python");
}
