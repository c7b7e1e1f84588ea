// The Python environment of web3.py and the API fuzzer.
import assert from "node:assert/strict";
import { join } from "node:path";

import { ROOT, run } from "./programs.mjs";

const NO_PYTHON = 3;
const INSTALL_TIMEOUT_MS = 600_000;

/** Path of a Python with the packages of python/requirements.txt; without Python the test is skipped, and it is null. */
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
