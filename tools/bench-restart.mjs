// Measures the time from kill -9 under load until a sequencer with a million accounts answers again: median and worst of several kills.
// The variables `ACCOUNTS` and `KILLS` set both numbers.
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

import { deploy, load, run, sequencer } from "./bench-node.mjs";

const ACCOUNTS = Number(process.env.ACCOUNTS ?? 1_000_000);
const KILLS = Number(process.env.KILLS ?? 5);

const BULK = ["--senders", "2000", "--transport", "rest", "--batch", "100", "--closed", "3200", "--until", "acknowledged"];
// Sent in parts, each with its own senders.
const PART = 100_000;
const FILL = [...BULK, "--workload", "raw-new-accounts", "--duration", "3600"];

// Traffic before each kill, so that the restart replays a journal.
const TRAFFIC = [...BULK, "--workload", "erc20-random", "--transactions", "250000", "--duration", "60"];
const TRAFFIC_MS = 9_000;

async function blockNumber(url) {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_blockNumber", params: [] });
  const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  return Number((await answer.json()).result);
}

run(async () => {
  const told = await deploy();
  let node = await sequencer(told);
  for (let made = 0; made < ACCOUNTS; made += PART) {
    const count = Math.min(PART, ACCOUNTS - made);
    const filled = await load(node.url, [...FILL, "--transactions", `${count}`], "ignore");
    if (filled !== 0) throw new Error("cannot create the accounts");
  }
  const times = [];
  for (let kill = 1; kill <= KILLS; kill++) {
    const traffic = load(node.url, TRAFFIC, "ignore");
    await sleep(TRAFFIC_MS);
    const before = await blockNumber(node.url);
    const dead = new Promise((resolve) => node.child.once("exit", resolve));
    node.child.kill("SIGKILL");
    await dead;
    const begin = performance.now();
    node = await sequencer(told);
    const after = await blockNumber(node.url);
    times.push(performance.now() - begin);
    await traffic;
    if (after < before) throw new Error(`block ${before} was shown before the kill, ${after} is the newest after it`);
    console.log(`kill ${kill}: block ${before} before, ${after} after, ${Math.round(times.at(-1))} ms from start to answer`);
  }
  times.sort((a, b) => a - b);
  const [median, worst] = [times[times.length >> 1], times.at(-1)].map(Math.round);
  console.log(`${ACCOUNTS} accounts, ${KILLS} kills: median ${median} ms, worst ${worst} ms`);
  return 0;
});
