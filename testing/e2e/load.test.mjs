// `turnpike load`: its transactions arrive and its report is right. This test does not judge the figures.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { test } from "node:test";

import { rpc, startDev, step, until } from "./harness.mjs";
import { Program, onTestEnd, run, temporaryFolder, tool, turnpike } from "./programs.mjs";

/** Warm-up transactions, which are not measured. */
const WARM_UP = 1_000;

/** Time limit of a run. */
const RUN_MS = 120_000;

const ERC20_TRANSFER = "0xa9059cbb";

/** Runs `turnpike load` and returns its report and its exit code. */
async function runLoad(t, url, ...args) {
  const all = ["load", "--rpc", url, "--senders", "20", "--drain", "30", "--json", "-", ...args];
  const { code, stdout, stderr } = await run(t, turnpike(), all, { timeoutMs: RUN_MS });
  assert.ok(stdout !== "", stderr);
  return { code, report: JSON.parse(stdout) };
}

/** Runs `turnpike load`, which must succeed, and returns its report. */
async function load(t, url, ...args) {
  const { code, report } = await runLoad(t, url, ...args);
  assert.equal(code, 0, JSON.stringify(report.nodes.flatMap(({ phases }) => phases.map(({ check }) => check))));
  return report;
}

/** A proxy to a node that answers the n-th single transaction with `answers[n]`, if there is one. */
async function altered(t, url, answers) {
  let count = 0;
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const { id, method } = JSON.parse(body);
    const answer = method === "eth_sendRawTransaction" ? answers[count++] : undefined;
    response.setHeader("content-type", "application/json");
    if (answer) return response.end(JSON.stringify({ jsonrpc: "2.0", id, ...answer }));
    const headers = { "content-type": "application/json" };
    response.end(await (await fetch(url, { method: "POST", headers, body })).text());
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/** Checks that hold for every phase of every successful run. */
function checkPhase(phase, count) {
  const { accepted, refused, withheld, unsent, errors, check, acknowledged } = phase;
  assert.deepEqual({ accepted, refused, withheld, unsent }, { accepted: count, refused: 0, withheld: 0, unsent: 0 });
  assert.deepEqual(errors, []);
  const good = { accepted: count, included: count, lost: 0, twice: 0, failed: 0 };
  assert.deepEqual(check, { ...good, receipts: check.receipts });
  assert.ok(check.receipts > 0);
  checkLatency(acknowledged, count);
  const sum = (field) => phase.series.reduce((sum, second) => sum + second[field], 0);
  assert.equal(sum("accepted"), count);
  if (phase.included === null) return;
  checkLatency(phase.included, count);
  assert.equal(sum("mined"), count);
  assert.ok(phase.minedPerSecond > 0);
  assert.ok(phase.included.p50Ms >= acknowledged.p50Ms, "a block comes no sooner than the answer");
}

function checkLatency(latency, count) {
  assert.equal(latency.count, count);
  const order = ["p50Ms", "p90Ms", "p99Ms", "p999Ms", "maxMs"].map((name) => latency[name]);
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
  );
  assert.ok(order[0] > 0);
  assert.equal(
    latency.bars.reduce((sum, [, count]) => sum + count, 0),
    count,
  );
}

/** Blocks after this one, with their transactions. */
async function blocksAfter(url, number) {
  const head = Number(await rpc(url, "eth_blockNumber"));
  const numbers = Array.from({ length: head - number }, (_, index) => `0x${(number + 1 + index).toString(16)}`);
  return Promise.all(numbers.map((number) => rpc(url, "eth_getBlockByNumber", [number, true])));
}

test("load on a rollup over every transport", async (t) => {
  const dev = await startDev(t);
  const url = dev.l2Url;

  for (const [transport, ...flags] of [
    ["json-rpc"],
    ["json-rpc", "--batch", "10"],
    ["rest", "--batch", "50"],
  ]) {
    const name = [transport, ...flags].join(" ");
    await step(t, `closed loop, ${name}`, async (t) => {
      const args = ["--transport", transport, ...flags, "--closed", "16", "--transactions", "200"];
      const report = await load(t, url, ...args);
      assert.equal(report.transport, transport);
      const [{ phases, senders, client }] = report.nodes;
      assert.equal(senders, 20);
      assert.ok(client.cpuUs > 0 && client.transactions > 0);
      assert.equal(phases.length, 1);
      assert.deepEqual(phases[0].load, { mode: "closed", inFlight: 16 });
      checkPhase(phases[0], 200);
    });

    await step(t, `open loop, ${name}`, async (t) => {
      const report = await load(t, url, "--transport", transport, ...flags, "--open", "100", "--duration", "2");
      const [phase] = report.nodes[0].phases;
      assert.deepEqual(phase.load, { mode: "open", perSecond: 100 });
      checkPhase(phase, 200);
      checkLatency(phase.lag, 200);
      assert.ok(phase.seconds > 1, "arrivals are spread over the time");
    });
  }

  await step(t, "the chain holds the workload's transactions", async (t) => {
    const before = Number(await rpc(url, "eth_blockNumber"));
    const report = await load(t, url, "--workload", "defi-a", "--closed", "8", "--transactions", "100");
    checkPhase(report.nodes[0].phases[0], 100);
    const transactions = (await blocksAfter(url, before)).flatMap((block) => block.transactions);
    const { setupTransactions } = report.nodes[0];
    const signed = transactions.filter(({ type }) => type === "0x2");
    assert.equal(signed.length, setupTransactions + WARM_UP + 100);
    const sent = signed.slice(setupTransactions);
    const ether = sent.filter(({ input }) => input === "0x");
    assert.equal(ether.length, (WARM_UP + 100) / 4);
    const token = sent.filter(({ input }) => input.startsWith(ERC20_TRANSFER));
    assert.equal(token.length, sent.length - ether.length);
  });

  await step(t, "swaps and approvals succeed", async (t) => {
    const args = ["--workload", "defi-b", "--closed", "8", "--transactions", "100", "--receipts", "all"];
    const report = await load(t, url, ...args);
    checkPhase(report.nodes[0].phases[0], 100);
    assert.equal(report.nodes[0].phases[0].check.receipts, 100);
  });

  await step(t, "the search finds a maximum, and an open loop holds half of it", async (t) => {
    const folder = temporaryFolder(t);
    const page = `${folder}/load.html`;
    const args = ["--find-max", "--half", "--transactions", "100", "--duration", "4", "--html", page];
    const report = await load(t, url, ...args);
    const [{ phases, maximum }] = report.nodes;
    const half = phases.at(-1);
    assert.equal(half.load.mode, "open");
    assert.equal(half.load.perSecond, Math.floor(maximum.perSecond / 2));
    const closed = phases.slice(0, -1);
    assert.deepEqual(
      closed.map(({ load }) => load.inFlight),
      closed.map((_, step) => 8 * 2 ** step),
    );
    assert.ok(closed.some(({ load }) => load.inFlight === maximum.inFlight));
    for (const phase of phases) checkPhase(phase, phase.accepted);

    const html = readFileSync(page, "utf8");
    assert.match(html, /^<!doctype html>/);
    assert.doesNotMatch(html, /https?:|<script|<link|url\(/);
    assert.ok(html.split("<svg").length > 4 * phases.length);
  });

  await step(t, "a funder without ether is an error", async (t) => {
    // This key's account holds nothing.
    const key = `0x${"11".repeat(32)}`;
    const { code, stderr } = await run(t, turnpike(), ["load", "--rpc", url, "--key", key]);
    assert.equal(code, 1);
    assert.match(stderr, /has no ether on this chain: see --key/);
  });
});

test("load on anvil, and comparisons with anvil", async (t) => {
  // With a block for each transaction, anvil sometimes queues one forever: it reads the nonce before
  // the block and adds the transaction after it.
  const anvil = new Program(t, "anvil", tool("anvil"), ["--port", "0", "--block-time", "1"], { linesShown: 10 });
  const listening = () => anvil.stdout.match(/Listening on 127\.0\.0\.1:(\d+)/);
  const [, port] = await until(listening, "anvil to listen");
  const url = `http://127.0.0.1:${port}`;

  await step(t, "WebSocket", async (t) => {
    const args = ["--transport", "web-socket", "--closed", "16", "--transactions", "200"];
    const report = await load(t, url, ...args);
    assert.match(report.nodes[0].name, /^anvil/);
    checkPhase(report.nodes[0].phases[0], 200);
  });

  await step(t, "WebSocket, open loop, batches", async (t) => {
    const args = ["--transport", "web-socket", "--batch", "5", "--open", "100", "--duration", "1"];
    checkPhase((await load(t, url, ...args)).nodes[0].phases[0], 100);
  });

  await step(t, "the comparison starts its own anvil", async (t) => {
    const args = ["--closed", "16", "--transactions", "200", "--transport", "rest", "--against", "anvil"];
    const report = await load(t, url, ...args);
    assert.equal(report.nodes.length, 2);
    for (const { phases } of report.nodes) checkPhase(phases[0], 200);
    assert.match(report.nodes[1].how, /^anvil .*--block-time 1$/);
    const [{ ours, theirs, ratio }] = report.ratios;
    assert.equal(ours, report.nodes[0].phases[0].minedPerSecond);
    assert.equal(theirs, report.nodes[1].phases[0].minedPerSecond);
    assert.ok(Math.abs(ratio - ours / theirs) < 1e-9);
  });

  await step(t, "a transaction lost by the node is reported", async (t) => {
    const node = await altered(t, url, { [WARM_UP + 199]: { result: `0x${"00".repeat(32)}` } });
    const { code, report } = await runLoad(t, node, "--closed", "4", "--transactions", "200", "--drain", "8");
    assert.equal(code, 2);
    const { accepted, included, lost } = report.nodes[0].phases[0].check;
    assert.deepEqual({ accepted, included, lost }, { accepted: 200, included: 199, lost: 1 });
  });

  await step(t, "a transaction lost by the compared node is reported", async (t) => {
    const node = await altered(t, url, { [WARM_UP + 199]: { result: `0x${"00".repeat(32)}` } });
    const args = ["--closed", "4", "--transactions", "200", "--drain", "8", "--against", node];
    const [ours, theirs] = (await load(t, url, ...args)).nodes.map(({ phases }) => phases[0].check);
    assert.deepEqual([ours.lost, theirs.lost], [0, 1]);
  });

  await step(t, "full pools are retried, and refusals are counted", async (t) => {
    const error = (message) => ({ error: { code: -32000, message } });
    const answers = { [WARM_UP + 5]: error("txpool is full"), [WARM_UP + 200]: error("no, not 0x12") };
    const args = ["--closed", "4", "--transactions", "200", "--workload", "raw-independent"];
    const report = await load(t, await altered(t, url, answers), ...args);
    const [{ accepted, refused, errors, check }] = report.nodes[0].phases;
    assert.deepEqual({ accepted, refused }, { accepted: 199, refused: 1 });
    assert.deepEqual(errors, [
      { code: "-32000", text: "no, not #", count: 1 },
      { code: "-32000", text: "txpool is full", count: 1 },
    ]);
    assert.equal(check.lost, 0);
  });
});
