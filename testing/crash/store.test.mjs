// Tests of the fault-injecting store, each with a small process.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { loseAll, loseNothing } from "./power-loss.mjs";
import { Store } from "./store.mjs";

/** Runs a script on a store with these files. Returns how it ended, and the files before and after the power loss. */
function run(t, script, { files = {}, rules = [], survives = loseAll } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "turnpike-store-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const store = new Store(join(folder, "root"));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(store.root, name), content);
  const prelude = `const fs = require("node:fs"); const root = ${JSON.stringify(store.root)};
    const at = (name) => root + "/" + name;
    const sync = (path) => { const fd = fs.openSync(path, "r"); fs.fsyncSync(fd); fs.closeSync(fd); };`;
  const env = { ...process.env, ...store.environment(rules) };
  store.arm();
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ["-e", prelude + script], { env });
  const left = () =>
    Object.fromEntries(readdirSync(store.root).map((name) => [name, `${readFileSync(join(store.root, name))}`]));
  const written = left();
  const atRisk = store.losePower(survives);
  return { status, signal, said: `${stdout}${stderr}`, written, atRisk, left: left() };
}

test("unsynced writes are lost and synced ones are kept", (t) => {
  const script = `
    const fd = fs.openSync(at("file"), "r+");
    fs.writeSync(fd, "12", 0); fs.writeSync(fd, "3456", 4);
    fs.fsyncSync(fd);
    fs.writeSync(fd, "xx", 1); fs.ftruncateSync(fd, 3); fs.writeSync(fd, "yyyyyyyy", 2);`;
  const { written, atRisk, left, status } = run(t, script, { files: { file: "abcdef" } });
  assert.equal(status, 0);
  assert.equal(written.file, "1xyyyyyyyy");
  assert.deepEqual(atRisk, { writes: 3, names: 0 });
  assert.equal(left.file, "12cd3456");
  assert.equal(run(t, script, { files: { file: "abcdef" }, survives: loseNothing }).left.file, "1xyyyyyyyy");
});

test("any single change can survive", (t) => {
  const script = `
    const fd = fs.openSync(at("file"), "r+");
    fs.writeSync(fd, "1234", 0); fs.writeSync(fd, "56", 3); fs.writeSync(fd, "7", 7);`;
  const only = (wanted) => {
    let count = 0;
    return () => (count++ === wanted ? 1 : 0);
  };
  const left = [0, 1, 2].map((wanted) => run(t, script, { files: { file: "abcdef" }, survives: only(wanted) }).left.file);
  assert.deepEqual(left, ["1234ef", "abc56f", "abcdef\x007"]);
});

test("a write can be torn at a sector", (t) => {
  const files = { file: "a".repeat(2048) };
  const { left } = run(t, `fs.writeSync(fs.openSync(at("file"), "r+"), "b".repeat(2048), 0);`, {
    files,
    survives: () => 0.6,
  });
  assert.equal(left.file, "b".repeat(1024) + "a".repeat(1024));
});

test("a record that a kill tore counts for nothing", (t) => {
  const script = `
    fs.writeSync(fs.openSync(at("file"), "r+"), "12", 0);
    const torn = Buffer.alloc(35, "x");
    torn.writeUInt32LE(1, 0); torn.writeUInt32LE(6, 4);
    torn.writeBigUInt64LE(BigInt(fs.statSync(at("file")).ino), 8);
    torn.writeBigUInt64LE(0n, 16); torn.writeBigUInt64LE(6n, 24);
    fs.appendFileSync(root + ".store/log", torn);`;
  const { atRisk, left } = run(t, script, { files: { file: "abcdef" } });
  assert.deepEqual(atRisk, { writes: 1, names: 0 });
  assert.equal(left.file, "abcdef");
});

test("a folder's sync keeps names, a file's sync keeps bytes", (t) => {
  const script = `
    fs.writeFileSync(at("new"), "new"); sync(at("new"));
    fs.writeFileSync(at("draft"), "second"); sync(at("draft"));
    fs.renameSync(at("draft"), at("file"));
    fs.unlinkSync(at("old"));`;
  const files = { file: "first", old: "old" };
  assert.deepEqual(run(t, script, { files }).left, files);
  const all = { file: "second", new: "new" };
  assert.deepEqual(run(t, `${script} sync(root);`, { files }).left, all);
  // The folder is synced, the files are not.
  const unsynced = script.replaceAll(/ sync\(at\(\S+\)\);/g, "");
  assert.deepEqual(run(t, `${unsynced} sync(root);`, { files }).left, { file: "", new: "" });
});

test("truncation at opening is durable after a sync", (t) => {
  const script = `const fd = fs.openSync(at("file"), "w");`;
  assert.deepEqual(run(t, script, { files: { file: "abc" } }).left, { file: "abc" });
  assert.deepEqual(run(t, `${script} fs.fsyncSync(fd);`, { files: { file: "abc" } }).left, { file: "" });
});

test("a skipped sync keeps nothing until the next sync", (t) => {
  const script = `
    const fd = fs.openSync(at("file"), "r+");
    fs.writeSync(fd, "1", 0); fs.fsyncSync(fd);`;
  const options = { files: { file: "abc" }, rules: ["skip f* sync 1"] };
  assert.equal(run(t, script, options).left.file, "abc");
  assert.equal(run(t, `${script} fs.fdatasyncSync(fd);`, options).left.file, "1bc");
  assert.equal(run(t, `${script} fs.fdatasyncSync(fd);`, { ...options, rules: ["skip f* sync 1+"] }).left.file, "abc");
});

test("changes before a failed sync are lost", (t) => {
  const script = `
    const fd = fs.openSync(at("file"), "r+");
    fs.writeSync(fd, "1", 0);
    try { fs.fsyncSync(fd); } catch (error) { console.log(error.code); }
    fs.writeSync(fd, "2", 1); fs.fsyncSync(fd);`;
  const options = { files: { file: "abc" }, rules: ["fail file sync 1 5"] };
  const { said, left } = run(t, script, { ...options, survives: loseNothing });
  assert.equal(said, "EIO\n");
  assert.equal(left.file, "a2c");
});

test("a rule with + fails all calls from its number on", (t) => {
  const script = `
    const [one, two] = ["one", "two"].map((name) => fs.openSync(at(name), "w"));
    for (const [index, fd] of [one, two, one, two, one].entries())
      try { fs.writeSync(fd, "abcd"); } catch (error) { console.log(index, error.code); }`;
  const { said, written } = run(t, script, { rules: ["fail one write 2+ 28"] });
  assert.equal(said, "2 ENOSPC\n4 ENOSPC\n");
  assert.deepEqual(written, { one: "abcd", two: "abcdabcd" });
});

test("a rule kills before, within or after a call", (t) => {
  const script = `
    const fd = fs.openSync(at("file"), "r+");
    for (let index = 0; index < 3; index++) { fs.writeSync(fd, "1234", 4 * index); fs.fsyncSync(fd); }`;
  const end = (rule) => {
    const { signal, written, left } = run(t, script, { files: { file: "" }, rules: [rule] });
    assert.equal(signal, "SIGKILL");
    return [written.file, left.file];
  };
  assert.deepEqual(end("kill-before file write 2"), ["1234", "1234"]);
  assert.deepEqual(end("kill-within file write 2"), ["123412", "1234"]);
  assert.deepEqual(end("kill-after file write 2"), ["12341234", "1234"]);
  assert.deepEqual(end("kill-before file sync 2"), ["12341234", "1234"]);
  assert.deepEqual(end("kill-after file sync 2"), ["12341234", "12341234"]);
});

test("a rule kills after an output", (t) => {
  const script = `for (const word of ["one begins", "two ends", "two begins", "three"]) fs.writeSync(2, word + ";");`;
  const { signal, said } = run(t, script, { rules: ["kill-after *?begins* say 2"] });
  assert.deepEqual([signal, said], ["SIGKILL", "one begins;two ends;two begins;"]);
});

test("an invalid rule ends the process at once", (t) => {
  for (const rule of ["melt file write 1", "kill-before file write 0", "kill-before file write 1x"]) {
    const folder = mkdtempSync(join(tmpdir(), "turnpike-store-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const env = { ...process.env, ...new Store(join(folder, "root")).environment([rule]) };
    const { status, stderr } = spawnSync(process.execPath, ["-e", ""], { env });
    assert.equal(status, 70);
    assert.match(`${stderr}`, /^store: /);
  }
});
