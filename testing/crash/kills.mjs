// Where a sequencer can be killed, and how such a death is drawn.
import { between, pick } from "./dice.mjs";
import { loseAll, loseNothing, loseSome } from "./power.mjs";

/** The longest time under load before it is killed from outside, if nothing inside was met. */
const LOAD_MS_MAX = 1_200;

const HOW = ["kill-before", "kill-within", "kill-after"];

/** A rule that kills at one of the first so many writes, syncs or changes of names of such files. */
function inside(random, glob, limits) {
  const [operation, limit] = pick(random, Object.entries(limits));
  return `${pick(random, HOW)} ${glob} ${operation} ${between(random, 1, limit)}`;
}

/** Places by name, and what is drawn there of a plan: `rules` of the store, `atOnce` or under load, or after `loadMs` from outside. */
export const PLACES = {
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
  // From when its last part is durable to when its hash is.
  seal: (random) => ({ rules: [`kill-after *seal?begins* say ${between(random, 1, 12)}`] }),
  start: (random) => ({ rules: [inside(random, "*", { write: 8, sync: 2 })], atOnce: true }),
  anywhere: (random) => ({ rules: [], loadMs: between(random, 1, LOAD_MS_MAX) }),
};

/** How a life of the sequencer ends: where, and what the disk has of what was not synced. */
export function drawKill(random, place) {
  const plan = { place, loadMs: LOAD_MS_MAX, atOnce: false, ...PLACES[place](random) };
  const survives = pick(random, [loseAll, loseAll, loseSome(random), loseSome(random), loseNothing]);
  return { ...plan, survives, what: plan.rules[0] ?? `after ${plan.loadMs} ms` };
}
