// The points at which a crash test kills the sequencer, drawn at random.
import { between, pick } from "./random.mjs";
import { loseAll, loseNothing, loseSome } from "./power-loss.mjs";

/** The sequencer is killed from outside after at most this time under load. */
const LOAD_MS_MAX = 1_200;

const HOW = ["kill-before", "kill-within", "kill-after"];

/** A store rule that kills at one of the first operations on these files. `limits` gives the last of each kind. */
function inside(random, glob, limits) {
  const [operation, limit] = pick(random, Object.entries(limits));
  return `${pick(random, HOW)} ${glob} ${operation} ${between(random, 1, limit)}`;
}

/**
 * Kill points by name. Each draws part of a plan: `rules` of the store, which count `atOnce` or under
 * load, or `loadMs` until a kill from outside.
 */
export const KILL_POINTS = {
  append: (random) => ({ rules: [inside(random, "sequencer.db*", { write: 120, sync: 30 })] }),
  index: (random) => ({ rules: [inside(random, "sequencer.index.db*", { write: 60, sync: 1 })] }),
  checkpoint: (random) => ({
    rules: [
      pick(random, [
        inside(random, "*.ckpt*", { write: 4, sync: 2, name: 4 }),
        inside(random, "sequencer.state", { sync: 2 }),
      ]),
    ],
  }),
  // Between the last slice and the block hash becoming durable.
  seal: (random) => ({ rules: [`kill-after *seal?begins* say ${between(random, 1, 12)}`] }),
  start: (random) => ({ rules: [inside(random, "*", { write: 8, sync: 2 })], atOnce: true }),
  anywhere: (random) => ({ rules: [], loadMs: between(random, 1, LOAD_MS_MAX) }),
};

/** Draws how to end the sequencer: the kill point, and what the disk keeps of unsynced changes. */
export function drawKill(random, place) {
  const plan = { place, loadMs: LOAD_MS_MAX, atOnce: false, ...KILL_POINTS[place](random) };
  const survives = pick(random, [loseAll, loseAll, loseSome(random), loseSome(random), loseNothing]);
  return { ...plan, survives, what: plan.rules[0] ?? `after ${plan.loadMs} ms` };
}
