// Acknowledged transactions survive kill -9 and power loss at any point and with any unsynced changes lost.
import assert from "node:assert/strict";
import { test } from "node:test";

import { seededRandom, seedOf } from "../crash/random.mjs";
import { KILL_POINTS, drawKill } from "../crash/kill-points.mjs";
import { Ledger } from "../crash/ledger.mjs";
import { Load } from "../crash/load.mjs";
import { loseAll } from "../crash/power-loss.mjs";
import { deploySequencer } from "../crash/sequencer.mjs";
import { step } from "./harness.mjs";

/** How often the sequencer is killed; each kill point gets its share. */
const KILLS = Number(process.env.TURNPIKE_CRASH_KILLS ?? 60);
const KILLS_PER_POINT_MIN = Math.floor(KILLS / Object.keys(KILL_POINTS).length / 3);

/** Syncs to skip; at least one of them must lose an acknowledged transaction. */
const SYNCS_TRIED_MAX = 12;
/** Time limit for a sequencer under load to reach its kill point. */
const LOAD_MS_MAX = 10_000;

/** Short intervals, so that sealing, indexing and checkpoints happen often. */
const ARGS = ["--block-interval-ms", "20", "--checkpoint-blocks", "5"];

/** A sequencer, a load on it, and a ledger of its answers. */
async function setUp(t) {
  const sequencer = await deploySequencer(t, ARGS);
  const ledger = new Ledger();
  return { sequencer, ledger, load: new Load(sequencer.accounts, ledger) };
}

/** Loads the sequencer until a rule of the store kills it, or for `loadMs`. Returns whether a rule killed it. */
async function loadToDeath(sequencer, load, loadMs) {
  const stop = new AbortController();
  sequencer.store.arm();
  const loaded = load.run(sequencer.url, stop.signal);
  let timer;
  const time = new Promise((resolve) => (timer = setTimeout(resolve, loadMs)));
  await Promise.race([sequencer.program.ended, time]);
  clearTimeout(timer);
  const { hasEnded } = sequencer;
  await sequencer.program.kill();
  stop.abort();
  await loaded;
  assert.deepEqual(load.refusals, []);
  return hasEnded;
}

/** Starts the sequencer, compares it with the ledger and kills it as planned. Returns whether a rule killed it. */
async function live({ sequencer, ledger, load }, { rules, atOnce, loadMs }) {
  const isUp = await sequencer.start({ rules, atOnce });
  if (atOnce) return !isUp;
  assert.ok(isUp, `the sequencer does not start:\n${sequencer.program.stderr}`);
  await ledger.compare(sequencer);
  return loadToDeath(sequencer, load, loadMs);
}

test("kill -9 and power loss lose no acknowledged transaction", async (t) => {
  const random = seededRandom(seedOf("TURNPIKE_CRASH_SEED"));
  const rollup = await setUp(t);
  const { sequencer, ledger, load } = rollup;
  const places = Object.keys(KILL_POINTS);
  const met = Object.fromEntries(places.map((place) => [place, 0]));

  for (let kill = 0; kill < KILLS; kill++) {
    const place = places[kill % places.length];
    const plan = drawKill(random, place);
    await step(t, `${kill + 1}: ${place}: ${plan.what}`, async (t) => {
      const isMet = await live(rollup, plan);
      const { writes, names } = await sequencer.crash(plan.survives);
      if (isMet || place === "anywhere") met[place]++;
      t.diagnostic(`${isMet ? "ended" : "killed"} with ${writes} writes and ${names} names not synced`);
    });
  }

  await step(t, "every block equals what clients read before", async (t) => {
    await sequencer.restart();
    await load.finish(sequencer.url);
    await ledger.compareAll(sequencer);
    t.diagnostic(`${ledger.acknowledged} acknowledged, ${ledger.promised} promised, ${ledger.blocks.length} blocks`);
    t.diagnostic(`kills that met their place: ${JSON.stringify(met)}`);
    await sequencer.stop();
    assert.deepEqual(await sequencer.verify(), []);
    for (const place of places) assert.ok(met[place] >= KILLS_PER_POINT_MIN, `${place}: ${met[place]} of ${KILLS} kills`);
  });
});

test("skipping one sync of the journal loses an acknowledged transaction, and the test detects it", async (t) => {
  const rollup = await setUp(t);
  const { sequencer, ledger } = rollup;
  // A sync may be for a row that no client waits for: then nothing is lost.
  for (let sync = 10; sync < 10 + SYNCS_TRIED_MAX; sync++) {
    // The kill leaves time for the answers to arrive; rows written in that time are not synced.
    const rules = [`skip sequencer.db-wal sync ${sync}`, `kill-before sequencer.db-wal sync ${sync + 1} 200`];
    const isMet = await live(rollup, { rules, atOnce: false, loadMs: LOAD_MS_MAX });
    assert.ok(isMet, "the sequencer reached the sync after the skipped one");
    await sequencer.crash(loseAll);
    await sequencer.restart();
    const verdict = await ledger.compare(sequencer).catch((error) => error);
    await sequencer.crash(loseAll);
    if (verdict === undefined) continue;
    assert.equal(verdict.code, "ERR_ASSERTION", verdict);
    return t.diagnostic(`sync ${sync}: ${verdict.message.split("\n")[0]}`);
  }
  assert.fail("no loss was noticed");
});

test("skipping every sync of the index loses nothing", async (t) => {
  const rollup = await setUp(t);
  const { sequencer, ledger, load } = rollup;
  for (const sync of [20, 40, 60]) {
    const rules = ["skip sequencer.index.db* sync 1+", `kill-after sequencer.db* sync ${sync}`];
    assert.ok(await live(rollup, { rules, atOnce: false, loadMs: LOAD_MS_MAX }));
    await sequencer.crash(loseAll);
  }
  await sequencer.restart();
  await load.finish(sequencer.url);
  await ledger.compareAll(sequencer);
});
