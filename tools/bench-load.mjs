// Measures a sequencer's highest throughput, its latency at half of that, and anvil's highest throughput, in one run. Runs twice: with one
// transaction in each JSON-RPC request and anvil's defaults, then with the options that suit each node best. Further arguments are passed
// on to `turnpike load`; a report file holds the second run.
import { deploy, load, run, sequencer } from "./bench-node.mjs";

const MEASURE = ["--workload", "erc20-random", "--find-max", "--against", "anvil"];
const BEST = ["--senders", "2000", "--transport", "rest", "--batch", "100", "--half"];
// Few accounts, because anvil hashes all of them for each block; a short drain, because anvil stops mining at some point.
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
