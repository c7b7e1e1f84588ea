// Measures a healthy client's latency while attackers hold idle connections, send endless heads and flood the node with invalid
// transactions, all at once. The attackers run in a separate process with their own addresses. Then another account sends transactions that
// use all their gas, and the client's pay a tip.
import { spawn } from "node:child_process";
import { Agent } from "node:http";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { mnemonicToAccount } from "viem/accounts";

import { call, send } from "./attack.mjs";
import { ROOT, deploy, run, sequencer } from "./bench-node.mjs";

const MNEMONIC = "test test test test test test test test test test test junk";
const PHASE_MS = 10_000;
/** Milliseconds between two requests of the healthy client. */
const PAUSE_MS = 10;
/** The default limits; passing them applies them to loopback addresses as well. */
const LIMITS = ["--rate-limit", "5000", "--connections-per-ip", "512"];
/** The idle connections come from this many addresses in equal parts. */
const IDLE_ADDRESSES = 10;

const { values } = parseArgs({
  options: {
    idle: { type: "string", default: "5000" },
    slow: { type: "string", default: "500" },
    flood: { type: "string", default: "32" },
    loops: { type: "string", default: "600" },
    seconds: { type: "string", default: `${PHASE_MS / 1_000}` },
  },
});
const count = (name) => Number(values[name]);

const account = mnemonicToAccount(MNEMONIC);
const spammer = mnemonicToAccount(MNEMONIC, { addressIndex: 1 });
const GWEI = 1_000_000_000n;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

/** Signed transfers. Signing is not measured. */
async function transfers(chainId, wanted) {
  const all = [];
  for (let nonce = 0; nonce < wanted; nonce++) {
    const fees = { gas: 21_000n, maxFeePerGas: 1_000_000_000n, maxPriorityFeePerGas: 0n };
    all.push(
      await account.signTransaction({ type: "eip1559", chainId, nonce, to: account.address, value: 1n, ...fees }),
    );
  }
  return all;
}

/** Signed creations that loop until their gas is used: JUMPDEST, PUSH0, JUMP. */
async function loops(chainId, wanted) {
  const fees = { gas: 1n << 24n, maxFeePerGas: GWEI, maxPriorityFeePerGas: 0n };
  const sign = (nonce) => spammer.signTransaction({ type: "eip1559", chainId, nonce, data: "0x5b5f56", ...fees });
  return Promise.all(Array.from({ length: wanted }, (_, nonce) => sign(nonce)));
}

const ask = async (url, method, params) => (await send(url, { agent, body: call(method, params) })).body.result;

/** Latency of the client's transfers with a tip until they are preconfirmed, while the spammer's loops run. */
async function measureLoops(url, chainId) {
  const balance = async () => BigInt(await ask(url, "eth_getBalance", [spammer.address, "latest"]));
  const [before, all] = [await balance(), await loops(chainId, count("loops"))];
  const own = new Agent({ keepAlive: true, maxSockets: 64 });
  const bodies = all.map((raw) => call("eth_sendRawTransaction", [raw]));
  const sending = Promise.all(bodies.map((body) => send(url, { agent: own, body })));
  const nonces = async () => [
    Number(await ask(url, "eth_getTransactionCount", [account.address, "pending"])),
    Number(await ask(url, "eth_getTransactionCount", [spammer.address, "latest"])),
  ];
  const [first, atStart] = await nonces();
  const [taken, start] = [[], performance.now()];
  for (let nonce = first; performance.now() < start + count("seconds") * 1_000; nonce++) {
    const fees = { gas: 21_000n, maxFeePerGas: 100n * GWEI, maxPriorityFeePerGas: GWEI };
    const transfer = { type: "eip1559", chainId, nonce, to: account.address, value: 1n, ...fees };
    const raw = await account.signTransaction(transfer);
    const sent = performance.now();
    const hash = await ask(url, "eth_sendRawTransaction", [raw]);
    const status = async () => (await send(url, { agent, method: "GET", path: `/v1/transactions/${hash}` })).body.state;
    while ((await status()) === "pending") await new Promise((resolve) => setTimeout(resolve, 1));
    taken.push(performance.now() - sent);
    await pause();
  }
  const ran = (await nonces())[1];
  const loopsMeanwhile = ran - atStart;
  const paid = before - (await balance());
  await sending;
  own.destroy();
  return { taken, loopsMeanwhile, ether: Number(paid) / 1e18, ran };
}

/** The client's kinds of requests, sent in turn. */
const KINDS = {
  send: (url, transactions) => send(url, { agent, body: call("eth_sendRawTransaction", [transactions.shift()]) }),
  read: (url) => send(url, { agent, body: call("eth_getBalance", [account.address, "latest"]) }),
  connect: (url) => send(url, { agent: new Agent(), body: call("eth_blockNumber") }),
};

/** Milliseconds of each request, by kind. */
async function measure(url, transactions) {
  const taken = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, []]));
  const end = performance.now() + count("seconds") * 1_000;
  while (performance.now() < end) {
    for (const [kind, act] of Object.entries(KINDS)) {
      const start = performance.now();
      const { status, body } = await act(url, transactions);
      taken[kind].push(performance.now() - start);
      if (status !== 200 || body.error) throw new Error(`${kind}: ${status} ${JSON.stringify(body)}`);
      await pause();
    }
  }
  return taken;
}

function report(phase, taken) {
  const rows = { ...taken, all: Object.values(taken).flat() };
  for (const [kind, all] of Object.entries(rows)) {
    all.sort((a, b) => a - b);
    const at = (share) => all[Math.min(all.length - 1, Math.floor(all.length * share))].toFixed(1);
    const figures = [all.length, at(0.5), at(0.99), all.at(-1).toFixed(1)];
    console.log([phase.padEnd(8), kind.padEnd(8), ...figures.map((figure) => `${figure}`.padStart(9))].join(" "));
  }
}

/** Starts the attackers and waits until all of them run. */
function attack(url, chainId) {
  const idle = Array(IDLE_ADDRESSES).fill(Math.ceil(count("idle") / IDLE_ADDRESSES));
  const order = { url, chainId, idle, slow: [count("slow")], floods: [count("flood") / 2, count("flood") / 2] };
  const child = spawn("node", [join(ROOT, "tools/attack.mjs"), JSON.stringify(order)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.on("exit", () => child.kill("SIGKILL"));
  let said = "";
  const ended = new Promise((resolve) => child.once("close", () => resolve(said)));
  return new Promise((resolve, reject) => {
    child.once("close", () => reject(new Error("the attackers ended")));
    child.stdout.on("data", (chunk) => {
      said += chunk;
      if (said.startsWith("up\n")) resolve({ child, ended });
    });
  });
}

run(async () => {
  const { url } = await sequencer([...(await deploy()), ...LIMITS]);
  const chainId = Number((await send(url, { agent, body: call("eth_chainId") })).body.result);
  const wanted = Math.ceil((2 * count("seconds") * 1_000) / (3 * PAUSE_MS)) + 10;
  const transactions = await transfers(chainId, wanted);
  console.log(`${cpus().length} processors; latency in milliseconds`);
  console.log(`phase    kind     ${["requests", "p50", "p99", "max"].map((name) => name.padStart(9)).join(" ")}`);
  report("before", await measure(url, transactions));
  const { child, ended } = await attack(url, chainId);
  const under = await measure(url, transactions);
  child.kill("SIGTERM");
  report("attack", under);
  const [, fared] = (await ended).split("\n");
  console.log(`attackers: ${fared}`);
  const { taken, loopsMeanwhile, ether, ran } = await measureLoops(url, chainId);
  report("loops", { tip: taken });
  console.log(`loops: ${loopsMeanwhile} of 2^24 gas ran meanwhile; ${ran} cost ${ether} ether`);
  return 0;
});
