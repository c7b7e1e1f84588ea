// Seeded random numbers for tests.

/** A generator (mulberry32) of numbers from 0 up to 1 that the seed determines. */
export function seededRandom(seed) {
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

/** One of the items. */
export const pick = (random, all) => all[Math.floor(random() * all.length)];

/** The seed of a test: from this environment variable, or a new one. It is printed, so that a run can be repeated. */
export function seedOf(variable) {
  const seed = Number(process.env[variable] ?? Math.floor(Math.random() * 2 ** 32));
  console.log(`# ${variable}=${seed} repeats this run`);
  return seed;
}
