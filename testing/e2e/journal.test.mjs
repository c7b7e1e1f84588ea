// A journal that cannot be written or was altered: the sequencer stops, and nothing acknowledged is lost.
import assert from "node:assert/strict";
import { copyFileSync, cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { test } from "node:test";

import { between, seededRandom, pick, seedOf } from "../crash/random.mjs";
import { Ledger } from "../crash/ledger.mjs";
import { Load } from "../crash/load.mjs";
import { loseSome } from "../crash/power-loss.mjs";
import { deploySequencer } from "../crash/sequencer.mjs";
import { SqliteFile } from "../crash/sqlite.mjs";
import { step, until } from "./harness.mjs";

const [EIO, ENOSPC] = [5, 28];
const ARGS = ["--block-interval-ms", "20", "--checkpoint-blocks", "5"];
/** Time limit of a load: every fault comes earlier. */
const LOAD_MS = 30_000;
/** Columns of the journal; the sequence number comes first. */
const [EPOCH, PAYLOAD, CHECKSUM] = [1, 2, 3];

/** Runs load for `ms` milliseconds, or until the sequencer ends. */
async function run(sequencer, load, loadMs) {
  const stop = new AbortController();
  const loaded = load.run(sequencer.url, stop.signal);
  await Promise.race([sequencer.program.ended, loaded, new Promise((resolve) => setTimeout(resolve, loadMs))]);
  stop.abort();
  await loaded;
}

/** The last log lines of a sequencer that ended by itself. */
async function lastWords(sequencer) {
  await until(() => sequencer.hasEnded, "the sequencer to end");
  assert.equal(sequencer.program.code, 1);
  return sequencer.program.log.at(-1);
}

const NO_ROOM = /no room left: free disk space, then restart/;
const DISK_FAILS = /disk failed: check it before restarting/;

test("if the journal cannot be written, the sequencer stops and loses nothing acknowledged", async (t) => {
  const random = seededRandom(seedOf("TURNPIKE_CRASH_SEED"));
  const sequencer = await deploySequencer(t, ARGS);
  const ledger = new Ledger();
  const load = new Load(sequencer.accounts, ledger);
  const cases = [
    ["the disk is full", "write", ENOSPC, NO_ROOM],
    ["writes fail", "write", EIO, DISK_FAILS],
    ["the disk is full when it is synced", "sync", ENOSPC, DISK_FAILS],
    ["syncs fail", "sync", EIO, DISK_FAILS],
  ];
  let told = 0;
  for (const [what, operation, errno, reason] of cases) {
    await step(t, what, async () => {
      const rule = `fail sequencer.db* ${operation} ${between(random, 5, 25)}+ ${errno}`;
      assert.ok(await sequencer.start({ rules: [rule] }));
      sequencer.store.arm();
      load.refusals = [];
      await run(sequencer, load, LOAD_MS);
      const words = await lastWords(sequencer);
      assert.match(words, /^error: the journal cannot be written: /);
      assert.match(words, reason);
      told += load.refusals.length;
      for (const { type, status, detail } of load.refusals) {
        assert.deepEqual([type, status], ["/problems/journal-failed", 503]);
        assert.match(detail, reason);
      }
      await sequencer.crash(loseSome(random));
      await sequencer.restart();
      await ledger.compare(sequencer);
      await sequencer.crash(loseSome(random));
    });
  }

  // Sometimes no client waits when the write fails.
  assert.ok(told > 0, "waiting clients got an error");

  await step(t, "the disk is full at the start", async () => {
    for (const from of [1, 3, 10]) {
      const isUp = await sequencer.start({ rules: [`fail sequencer.db* write ${from}+ ${ENOSPC}`], atOnce: true });
      if (!isUp) assert.match(await lastWords(sequencer), NO_ROOM);
      await sequencer.crash(loseSome(random));
    }
  });

  await step(t, "the index cannot be written", async () => {
    assert.ok(await sequencer.start({ rules: [`fail sequencer.index.db* write 20+ ${ENOSPC}`] }));
    sequencer.store.arm();
    await run(sequencer, load, LOAD_MS);
    const words = await lastWords(sequencer);
    assert.match(words, /^error: cannot write the index: /);
    assert.match(words, NO_ROOM);
    await sequencer.crash(loseSome(random));
  });

  await step(t, "checkpoints cannot be written, and the sequencer goes on", async () => {
    assert.ok(await sequencer.start({ rules: [`fail *.ckpt* write 1+ ${ENOSPC}`] }));
    await ledger.compare(sequencer);
    sequencer.store.arm();
    load.refusals = [];
    const before = ledger.acknowledged;
    const warned = () => sequencer.program.log.find((line) => /no more state checkpoints/.test(line));
    while (!warned()) await run(sequencer, load, 200);
    assert.match(warned(), /No space left on device/);
    await run(sequencer, load, 200);
    assert.deepEqual(load.refusals, []);
    assert.ok(ledger.acknowledged > before);
    await sequencer.crash(loseSome(random));
  });

  await step(t, "every acknowledged transaction is there", async () => {
    await sequencer.restart();
    await load.finish(sequencer.url);
    await ledger.compareAll(sequencer);
    assert.equal(load.refusals.length, 0);
  });
});

test("an altered journal is refused", async (t) => {
  const random = seededRandom(seedOf("TURNPIKE_CRASH_SEED"));
  const sequencer = await deploySequencer(t, ARGS);
  const { database } = sequencer;
  const ledger = new Ledger();
  const load = new Load(sequencer.accounts, ledger);
  const kept = `${sequencer.store.root}.kept`;
  const older = `${sequencer.store.root}.older`;
  let rows;

  /** Starts it on a copy altered by `damage`, which must fail. Returns the last log lines. */
  const startOn = async (damage) => {
    rmSync(sequencer.store.root, { recursive: true });
    cpSync(kept, sequencer.store.root, { recursive: true });
    damage();
    const isUp = await sequencer.start();
    if (isUp) await sequencer.program.kill();
    sequencer.store.losePower();
    assert.ok(!isUp, "it came up");
    return lastWords(sequencer);
  };
  const flip = (offset) => {
    const bytes = readFileSync(database);
    bytes[offset] ^= 1 << between(random, 0, 7);
    writeFileSync(database, bytes);
  };

  await step(t, "the journal holds a few blocks", async () => {
    await sequencer.restart();
    await run(sequencer, load, 1_000);
    assert.deepEqual(await sequencer.stop(), { code: 0, signal: null });
    cpSync(sequencer.store.root, older, { recursive: true });
    sequencer.store.losePower(() => 1);
    await sequencer.restart();
    await run(sequencer, load, 1_000);
    await ledger.compare(sequencer);
    assert.deepEqual(await sequencer.stop(), { code: 0, signal: null });
    sequencer.store.losePower(() => 1);
    cpSync(sequencer.store.root, kept, { recursive: true });
    rows = new SqliteFile(database).rows("journal");
    assert.ok(rows.length > 20);
  });

  for (const [index, column] of [
    [EPOCH, "epoch"],
    [PAYLOAD, "payload"],
    [CHECKSUM, "checksum"],
  ]) {
    await step(t, `a flipped bit in a row's ${column}`, async () => {
      // SQLite stores the number 1 without a byte.
      const whole = rows.map((_, row) => row).filter((row) => rows[row][index].length > 0);
      for (const row of [whole[0], whole.at(-1), pick(random, whole), pick(random, whole)]) {
        const words = await startOn(() => flip(pick(random, rows[row][index])));
        // The next row's checksum depends on this one: the error may name either row.
        const named = index === CHECKSUM ? `(${row}|${row + 1})` : row;
        assert.match(words, new RegExp(`journal ${named} is damaged: `));
        const [{ kind, sequence }] = await sequencer.verify();
        assert.deepEqual([kind, sequence], ["row", row]);
      }
    });
  }

  await step(t, "a truncated file is refused", async () => {
    const words = await startOn(() => truncateSync(database, readFileSync(database).length / 2));
    assert.match(words, /database disk image is malformed/);
  });

  await step(t, "a journal without its newest rows is refused", async () => {
    const words = await startOn(() => copyFileSync(`${older}/sequencer.db`, database));
    assert.match(words, /the journal of \S+ ends before row \d+, but its index covers rows up to \d+: the journal's end is lost/);
  });

  await step(t, "the undamaged copy starts", async () => {
    rmSync(sequencer.store.root, { recursive: true });
    cpSync(kept, sequencer.store.root, { recursive: true });
    await sequencer.restart();
    await load.finish(sequencer.url);
    await ledger.compareAll(sequencer);
    await sequencer.stop();
    assert.deepEqual(await sequencer.verify(), []);
  });
});
