// The REST API fuzzed from its own OpenAPI document: whatever is asked is answered as the document says, and never by a failure.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { connect, succeeded } from "./clients.mjs";
import { get, startDev } from "./harness.mjs";
import { run, temporaryFolder } from "./programs.mjs";
import { python } from "./python.mjs";

const SEED = 9;
const EXAMPLES_PER_OPERATION = 15;
/** The whole run, in seconds. */
const TIME_MAX = 25;
const NOBODY = "0x00000000000000000000000000000000000a11ce";

/** What does not fit, and why. */
const UNFIT_CHECKS = [
  // No schema can say what a signed transaction is: well-formed bytes are refused.
  "positive_data_acceptance",
];

/** Bad requests are refused by whatever 4xx says why: 413, too, which it does not expect of itself. */
const CONFIG = `[checks.negative_data_rejection]
expected-statuses = ["4xx"]
`;
/** Characters of a line that are shown: a body may have thousands of transactions. */
const LINE_MAX = 300;

test("the REST API answers as its document says, whatever it is asked", { timeout: 780_000 }, async (t) => {
  const interpreter = await python(t);
  if (!interpreter) return;
  const dev = await startDev(t);
  const { l2, l2Wallets } = connect(dev);
  // Something to be found: blocks, a batch, an output.
  await succeeded(l2, l2Wallets[0].sendTransaction({ to: NOBODY, value: 1n }));
  await dev.settleAll();
  const cwd = temporaryFolder(t);
  const config = join(cwd, "schemathesis.toml");
  writeFileSync(config, CONFIG);
  const { code, stdout, stderr } = await run(t, interpreter, [
    ...["-m", "schemathesis.cli", "--config-file", config, "run", `${dev.l2Url}/openapi.json`],
    ...["--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES_PER_OPERATION, "--max-time", TIME_MAX, "--seed", SEED],
    ...["--checks", "all", "--exclude-checks", UNFIT_CHECKS.join(",")],
    // It has no end.
    ...["--exclude-path", "/v1/stream"],
    ...["--no-color", "--continue-on-failure", "--warnings", "off"],
  ].map(String), { cwd });
  const lines = stdout.split("\n").map((line) => line.slice(0, LINE_MAX));
  assert.equal(code, 0, `${lines.join("\n").slice(-8_000)}\n${stderr}`);
  assert.match(stdout, /\d+ passed|No issues found/);
  assert.equal((await get(`${dev.l2Url}/v1/status`)).status, 200);
});
