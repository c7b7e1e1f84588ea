// Acknowledged is durable: whenever the sequencer is killed, and whatever the disk had not been told to keep.
import assert from "node:assert/strict";
import { test } from "node:test";

import { dice, seedOf } from "../crash/dice.mjs";
import { PLACES, drawKill } from "../crash/kills.mjs";
import { Ledger } from "../crash/ledger.mjs";
import { Load } from "../crash/load.mjs";
import { loseAll } from "../crash/power.mjs";
import { deploySequencer } from "../crash/sequencer.mjs";
import { step } from "./harness.mjs";

/** Lives of the sequencer; a part of them has to end in each place. */
const KILLS = Number(process.env.TURNPIKE_CRASH_KILLS ?? 60);
const KILLS_PER_PLACE_MIN = Math.floor(KILLS / Object.keys(PLACES).length / 3);

/** Syncs of which one must matter to somebody. */
const SYNCS_TRIED_MAX = 12;
/** The longest time in which a sequencer under load comes to where it is to end. */
const LOAD_MS_MAX = 10_000;

/** Short, so that sealing, indexing and checkpoints are a large part of what goes on. */
const ARGS = ["--block-interval-ms", "20", "--checkpoint-blocks", "5"];

/** A sequencer, load and a ledger of what it answers. */
async function setUp(t) {
  const sequencer = await deploySequencer(t, ARGS);
  const ledger = new Ledger();
  return { sequencer, ledger, load: new Load(sequencer.accounts, ledger) };
}

/** Load until the sequencer ends by the rules that it was started with, or for so long. Returns whether it ended by itself. */
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

/** A life of the sequencer: it stands by what it said before, and ends as planned. Returns whether it ended by itself. */
async function live({ sequencer, ledger, load }, { rules, atOnce, loadMs }) {
  const isUp = await sequencer.start({ rules, atOnce });
  if (atOnce) return !isUp;
  assert.ok(isUp, `the sequencer does not start:\n${sequencer.program.stderr}`);
  await ledger.compare(sequencer);
  return loadToDeath(sequencer, load, loadMs);
}

test("kill -9 and a loss of power take back nothing that was said", async (t) => {
  const random = dice(seedOf("TURNPIKE_CRASH_SEED"));
  const rollup = await setUp(t);
  const { sequencer, ledger, load } = rollup;
  const places = Object.keys(PLACES);
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

  await step(t, "the chain is what it was said to be, block by block", async (t) => {
    await sequencer.restart();
    await load.finish(sequencer.url);
    await ledger.compareAll(sequencer);
    t.diagnostic(`${ledger.acknowledged} acknowledged, ${ledger.promised} promised, ${ledger.blocks.length} blocks`);
    t.diagnostic(`kills that met their place: ${JSON.stringify(met)}`);
    await sequencer.stop();
    assert.deepEqual(await sequencer.verify(), []);
    for (const place of places) assert.ok(met[place] >= KILLS_PER_PLACE_MIN, `${place}: ${met[place]} of ${KILLS} kills`);
  });
});

test("one sync of the journal that is left out loses what was acknowledged, and that is noticed", async (t) => {
  const rollup = await setUp(t);
  const { sequencer, ledger } = rollup;
  // A sync may be for a row that nobody waits for: then nothing is lost.
  for (let sync = 10; sync < 10 + SYNCS_TRIED_MAX; sync++) {
    // The answers are on their way while the next rows are written; those are not synced any more.
    const rules = [`skip sequencer.db-wal sync ${sync}`, `kill-before sequencer.db-wal sync ${sync + 1} 200`];
    const isMet = await live(rollup, { rules, atOnce: false, loadMs: LOAD_MS_MAX });
    assert.ok(isMet, "it came to the sync after the one left out");
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

test("an index whose syncs are all left out costs nothing", async (t) => {
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
