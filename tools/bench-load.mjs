// What a sequencer takes at most, how soon it answers at half of that, and the same maximum of an anvil, in one run. Twice: as
// most clients use them, with a transaction to a JSON-RPC request and anvil as it starts, and each in the shape that suits it best.
// Whatever follows on the command line goes to `turnpike load`, after what this file chooses; a file that it writes tells of the second time.
import { deploy, load, run, sequencer } from "./bench-node.mjs";

const MEASURE = ["--workload", "erc20-random", "--find-max", "--against", "anvil"];
const BEST = ["--senders", "2000", "--transport", "rest", "--batch", "100", "--half"];
// Few accounts, since anvil hashes all of them for each block; less patience with both, since anvil mines no more at some point.
const USUAL = ["--senders", "200", "--anvil-blocks", "automine", "--drain", "20"];

run(async () => {
  const { url } = await sequencer(await deploy());
  let status = 0;
  for (const shape of [USUAL, BEST]) {
    const code = await load(url, [...MEASURE, ...shape, ...process.argv.slice(2)]);
    status ||= code;
  }
  return status;
});
