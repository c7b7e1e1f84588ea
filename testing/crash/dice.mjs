// Chance that can be had again.

/** Numbers from 0 to 1 that look random and follow from the seed. */
export function dice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number from `first` to `last`. */
export const between = (random, first, last) => first + Math.floor(random() * (last - first + 1));

/** One of them. */
export const pick = (random, all) => all[Math.floor(random() * all.length)];

/** The seed of a test: the environment's, for whoever wants to see a run again, or a new one. It is shown. */
export function seedOf(variable) {
  const seed = Number(process.env[variable] ?? Math.floor(Math.random() * 2 ** 32));
  console.log(`# ${variable}=${seed} draws the same again`);
  return seed;
}
