// Fuzzes the REST API from its OpenAPI document: every answer matches the document, and none is a server error.
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
/** Time limit of the run, in seconds. */
const TIME_MAX = 25;
const NOBODY = "0x00000000000000000000000000000000000a11ce";

/** Checks that do not apply, and why. */
const UNFIT_CHECKS = [
  // No schema describes a signed transaction: well-formed bytes are refused.
  "positive_data_acceptance",
];

/** A bad request may get any 4xx status, 413 included, which the fuzzer does not expect by default. */
const CONFIG = `[checks.negative_data_rejection]
expected-statuses = ["4xx"]
`;
/** Characters shown of a line: a body may have thousands of transactions. */
const LINE_MAX = 300;

test("the REST API answers every request as its document says", { timeout: 780_000 }, async (t) => {
  const interpreter = await python(t);
  if (!interpreter) return;
  const dev = await startDev(t);
  const { l2, l2Wallets } = connect(dev);
  // The fuzzer needs blocks, a batch and an output to find.
  await succeeded(l2, l2Wallets[0].sendTransaction({ to: NOBODY, value: 1n }));
  await dev.settleAll();
  const cwd = temporaryFolder(t);
  const config = join(cwd, "schemathesis.toml");
  writeFileSync(config, CONFIG);
  const { code, stdout, stderr } = await run(t, interpreter, [
    ...["-m", "schemathesis.cli", "--config-file", config, "run", `${dev.l2Url}/openapi.json`],
    ...["--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES_PER_OPERATION, "--max-time", TIME_MAX, "--seed", SEED],
    ...["--checks", "all", "--exclude-checks", UNFIT_CHECKS.join(",")],
    // The stream has no end.
    ...["--exclude-path", "/v1/stream"],
    ...["--no-color", "--continue-on-failure", "--warnings", "off"],
  ].map(String), { cwd });
  const lines = stdout.split("\n").map((line) => line.slice(0, LINE_MAX));
  assert.equal(code, 0, `${lines.join("\n").slice(-8_000)}\n${stderr}`);
  assert.match(stdout, /\d+ passed|No issues found/);
  assert.equal((await get(`${dev.l2Url}/v1/status`)).status, 200);
});
