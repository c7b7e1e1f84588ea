// Client libraries on a node: cast, viem, ethers, web3.py and forge. Each reads a balance, sends,
// deploys, calls, reads events by filter and by subscription, decodes a revert, and recognises a
// nonce that is too low.
import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import * as ethers from "ethers";
import {
  BaseError,
  ContractFunctionRevertedError,
  NonceTooLowError,
  createPublicClient,
  parseGwei,
  webSocket,
} from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";

import { compileProbe, connect, deploy, succeeded } from "./clients.mjs";
import { startDev, until } from "./harness.mjs";
import { ROOT, Program, run, temporaryFolder, tool } from "./programs.mjs";
import { python } from "./python.mjs";

const VALUE = `0x${"17".repeat(32)}`;
const artefact = compileProbe();
const stranger = () => privateKeyToAccount(generatePrivateKey()).address;

const clients = {};
const socketUrl = (dev) => dev.l2Url.replace("http", "ws");

clients["cast"] = async (t, dev, key) => {
  const { address } = privateKeyToAccount(key);
  const env = { ETH_RPC_URL: dev.l2Url };
  const cast = async (...args) => {
    const { code, stdout, stderr } = await run(t, tool("cast"), args, { env });
    assert.equal(code, 0, stderr);
    return stdout.trim();
  };
  const fails = async (...args) => {
    const { code, stderr } = await run(t, tool("cast"), args, { env });
    assert.notEqual(code, 0);
    return stderr;
  };
  const signer = ["--private-key", key];
  const to = stranger();
  assert.ok(BigInt(await cast("balance", address)) > 0n);
  await cast("send", to, "--value", "12345", ...signer);
  assert.equal(await cast("balance", to), "12345");

  const creation = ["--create", artefact.bytecode, "constructor(uint256)", "7"];
  const deployed = JSON.parse(await cast("send", "--json", ...signer, ...creation));
  const probe = deployed.contractAddress;
  assert.equal(await cast("call", probe, "count()(uint256)"), "7");

  const listener = new Program(t, "cast logs", tool("cast"), [
    ...["logs", "--subscribe", "--address", probe, "--rpc-url", socketUrl(dev)],
  ]);
  // cast does not report the subscription: send until it prints an event.
  let count = 0;
  await until(async () => {
    await cast("send", probe, "write(uint256,bytes32,bytes)", `${++count}`, VALUE, "0x01", ...signer);
    return listener.stdout.includes(VALUE.slice(2));
  }, "an event by subscription");
  await listener.stop();
  const logs = JSON.parse(await cast("logs", "--json", "--address", probe, "--from-block", "0"));
  assert.equal(logs.length, count + 1, "the logs of the calls and of the constructor");

  assert.match(await fails("call", probe, "refuseInWords(string)", "no such luck"), /no such luck/);
  const stale = ["--nonce", "0", "--gas-limit", "21000", ...signer];
  assert.match(await fails("send", to, "--value", "1", ...stale), /nonce too low/);
};

clients["viem"] = async (t, dev, key) => {
  const { l2, l2Wallets } = connect(dev);
  const wallet = l2Wallets[2];
  const socket = createPublicClient({ chain: l2.chain, transport: webSocket(socketUrl(dev)) });
  const to = stranger();
  await succeeded(l2, wallet.sendTransaction({ to, value: 12_345n }));
  assert.equal(await l2.getBalance({ address: to }), 12_345n);
  const probe = await deploy(l2, wallet, artefact, [7n]);
  assert.equal(await l2.readContract({ ...probe, functionName: "count" }), 7n);

  const [polled, pushed, heads, pending] = [[], [], [], []];
  const watch = (client, into, options = {}) =>
    client.watchContractEvent({ ...probe, eventName: "Written", ...options, onLogs: (logs) => into.push(...logs) });
  const filter = await l2.createContractEventFilter({ ...probe, eventName: "Written" });
  const ends = [
    watch(l2, polled, { pollingInterval: 50 }),
    watch(socket, pushed),
    socket.watchBlocks({ onBlock: (block) => heads.push(block) }),
    socket.watchPendingTransactions({ onTransactions: (hashes) => pending.push(...hashes) }),
  ];
  // The watchers do not report their start: send until all have an event.
  let [count, last] = [0n, undefined];
  await until(async () => {
    const request = { ...probe, functionName: "write", args: [++count, VALUE, "0x01"] };
    last = await succeeded(l2, wallet.writeContract(request));
    const heard = [polled, pushed, heads, pending].every((list) => list.length > 0);
    return heard && pushed.some(({ transactionHash }) => transactionHash === last.transactionHash);
  }, "events, blocks and transactions by subscription");
  for (const end of ends) end();
  assert.ok(pending.includes(last.transactionHash));
  assert.ok(heads.every(({ number }, at) => at === 0 || number === heads[at - 1].number + 1n), "no head is missing");
  const changes = await l2.getFilterChanges({ filter });
  assert.deepEqual(changes.map(({ args }) => args.key), Array.from({ length: Number(count) }, (_, at) => BigInt(at + 1)));
  assert.deepEqual(await l2.getFilterChanges({ filter }), []);
  assert.ok(await l2.uninstallFilter({ filter }));
  await (await socket.transport.getRpcClient()).close();

  const failure = await l2
    .simulateContract({ ...probe, functionName: "refuse", args: [41n], account: wallet.account })
    .catch((error) => error);
  const revert = failure.walk((error) => error instanceof ContractFunctionRevertedError);
  assert.deepEqual([revert.data.errorName, revert.data.args[1]], ["Probe_Refused", 41n]);
  const stale = await wallet.sendTransaction({ to, value: 1n, nonce: 0, gas: 21_000n }).catch((error) => error);
  assert.ok(stale instanceof BaseError && stale.walk((error) => error instanceof NonceTooLowError), stale);
};

clients["ethers"] = async (t, dev, key) => {
  const provider = new ethers.JsonRpcProvider(dev.l2Url, undefined, { pollingInterval: 50, cacheTimeout: -1 });
  const socket = new ethers.WebSocketProvider(socketUrl(dev));
  try {
    const wallet = new ethers.Wallet(key, provider);
    const to = stranger();
    assert.ok((await provider.getBalance(wallet.address)) > 0n);
    const sent = await (await wallet.sendTransaction({ to, value: 12_345n })).wait();
    assert.equal(sent.status, 1);
    assert.equal(await provider.getBalance(to), 12_345n);
    const factory = new ethers.ContractFactory(artefact.abi, artefact.bytecode, wallet);
    const probe = await (await factory.deploy(7n)).waitForDeployment();
    assert.equal(await probe.count(), 7n);

    const [polled, pushed, heads] = [[], [], []];
    const pushing = new ethers.Contract(await probe.getAddress(), artefact.abi, socket);
    await probe.on("Written", (writer, key) => polled.push(key));
    await pushing.on("Written", (writer, key) => pushed.push(key));
    await socket.on("block", (number) => heads.push(number));
    let count = 0n;
    await until(async () => {
      await (await probe.write(++count, VALUE, "0x01")).wait();
      return [polled, pushed, heads].every((list) => list.length > 0);
    }, "events by filter and by subscription");
    await probe.off("Written");
    await pushing.off("Written");
    const events = await probe.queryFilter(probe.filters.Written(null, 1n));
    assert.deepEqual(events.map(({ args }) => args.key), [1n]);

    const custom = await probe.refuse.staticCall(41n).catch((error) => error);
    assert.ok(ethers.isError(custom, "CALL_EXCEPTION"), custom);
    assert.deepEqual([custom.revert.name, custom.revert.args[1]], ["Probe_Refused", 41n]);
    const words = await probe.refuseInWords.staticCall("no such luck").catch((error) => error);
    assert.equal(words.reason, "no such luck");
    const stale = { to, value: 1n, nonce: 0, gasLimit: 21_000n };
    const low = await wallet.sendTransaction(stale).catch((error) => error);
    assert.ok(ethers.isError(low, "NONCE_EXPIRED"), low);
    const poor = new ethers.Wallet(generatePrivateKey(), provider);
    const empty = { to, value: 1n, gasLimit: 21_000n, maxFeePerGas: parseGwei("1"), maxPriorityFeePerGas: 0n };
    const funds = await poor.sendTransaction(empty).catch((error) => error);
    assert.ok(ethers.isError(funds, "INSUFFICIENT_FUNDS"), funds);
  } finally {
    provider.destroy();
    await socket.destroy();
  }
};

clients["web3.py"] = async (t, dev, key) => {
  const program = await python(t);
  if (!program) return;
  const folder = temporaryFolder(t);
  const path = join(folder, "probe.json");
  writeFileSync(path, JSON.stringify(artefact));
  const args = [join(ROOT, "testing/e2e/python/client.py"), dev.l2Url, key, path];
  const { code, stdout, stderr } = await run(t, program, args, { timeoutMs: 120_000 });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /all of it works/);
};

clients["forge"] = async (t, dev, key) => {
  const folder = temporaryFolder(t);
  cpSync(join(ROOT, "testing/e2e/forge"), folder, { recursive: true });
  const options = { cwd: folder, timeoutMs: 120_000 };
  const forge = (args, env = {}) =>
    run(t, tool("forge"), [...args, "--use", join(ROOT, "tools/solc")], { ...options, env });
  const script = ["script", "Client.sol:DeployCounter", "--rpc-url", dev.l2Url, "--private-key", key];
  const broadcast = await forge([...script, "--broadcast", "--json"]);
  assert.equal(broadcast.code, 0, broadcast.stderr);
  const { l2 } = connect(dev);
  const record = JSON.parse(
    readFileSync(join(folder, `broadcast/Client.sol/${await l2.getChainId()}/run-latest.json`), "utf8"),
  );
  assert.deepEqual(record.receipts.map(({ status }) => status), ["0x1", "0x1", "0x1"]);
  const counter = record.receipts[0].contractAddress;
  const count = [{ type: "function", name: "count", inputs: [], outputs: [{ type: "uint256" }], stateMutability: "view" }];
  assert.equal(await l2.readContract({ address: counter, abi: count, functionName: "count" }), 2n);

  const forked = await forge(["test", "--fork-url", dev.l2Url], { COUNTER: counter });
  assert.equal(forked.code, 0, `${forked.stdout}\n${forked.stderr}`);
  assert.match(forked.stdout, /1 tests? passed/);
  assert.equal(await l2.readContract({ address: counter, abi: count, functionName: "count" }), 2n, "the chain is as it was");
};

test("client libraries work on a node", async (t) => {
  const dev = await startDev(t);
  // Each library has its own account.
  const all = Object.entries(clients).map(([name, client], at) =>
    t.test(name, (t) => client(t, dev, dev.accounts[at + 1].privateKey)),
  );
  await Promise.all(all);
});
