// What a sequencer takes at most, how soon it answers at half of that, and the same maximum of an anvil, in one run.
// Whatever follows on the command line goes to `turnpike load`, after what this file chooses.
import { deploy, load, run, sequencer } from "./bench-node.mjs";

const LOAD = ["--workload", "erc20-random", "--senders", "2000", "--transport", "rest", "--batch", "100"];
const MEASURE = ["--find-max", "--half", "--against", "anvil"];

run(async () => {
  const { url } = await sequencer(await deploy());
  return load(url, [...LOAD, ...MEASURE, ...process.argv.slice(2)]);
});
