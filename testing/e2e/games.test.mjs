// `turnpike bench dispute --games`: a true output is defended in many games at once.
import assert from "node:assert/strict";
import { test } from "node:test";

import { run, turnpike } from "./programs.mjs";

const GAMES = 8;

test("an output that is challenged about many blocks at once wins every game", async (t) => {
  const args = ["bench", "dispute", "--games", String(GAMES), "--transactions", "16"];
  const { code, stdout, stderr } = await run(t, turnpike(), [...args, "--accounts", "50", "--format", "json"]);
  assert.equal(code, 0, stdout + stderr);
  const report = JSON.parse(stdout);
  assert.deepEqual([report.games, report.lostByChallengers], [GAMES, GAMES]);
  const { median, max } = report.firstAnswerSeconds;
  assert.ok(median <= max && max <= report.answerSeconds.max, stdout);
  assert.ok(report.looks > 0 && report.wallSeconds > 0, stdout);
});
