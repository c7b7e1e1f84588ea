// Proves blocks of a live chain: by the node, by the program natively, and by the program in the machine.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { createPublicClient, createWalletClient, http, parseEther } from "viem";
import { anvil as anvilChain } from "viem/chains";
import { walletActionsL1 } from "viem/op-stack";

import { DEPOSIT_GAS, abiOf, appendArguments, compileProbe } from "./clients.mjs";
import { get, post, rpc, startAnvil, step, until, untilMined } from "./harness.mjs";
import { Program, ROOT, run, temporaryFolder, turnpike } from "./programs.mjs";
import { deployChain, developmentAccounts, keyOf } from "./standalone.mjs";
import { buildWorkload } from "./workload.mjs";

const PROGRAM = join(ROOT, "fraud-proof/guest/program.elf");
const FORCE_WINDOW_SECONDS = 60;
const BATCHER = 7;
const BLOCK_TRANSACTIONS = 120;
/** A deposit increases its sender's nonce: this account sends nothing else. */
const DEPOSITOR = 9;

test("every kind of block is proven", async (t) => {
  const anvil = await startAnvil(t);
  const folder = temporaryFolder(t);
  const accounts = developmentAccounts();
  const at = (name) => `${folder}/${name}`;
  const { inbox, portal } = await deployChain(t, anvil.url, folder);
  const follow = ["--genesis", at("genesis.json"), "--l1-url", anvil.url];
  const deep = ["--l1-confirmations", "0", "--l1-poll-ms", "50"];
  const start = (name, args) => new Program(t, name, turnpike(), [name, ...follow, ...deep, ...args]);
  const options = { chain: anvilChain, transport: http(anvil.url), pollingInterval: 50, cacheTime: 0 };
  const l1 = createPublicClient(options);
  const wallet = (account) => createWalletClient({ account, ...options }).extend(walletActionsL1());
  const contract = { address: inbox, abi: abiOf("Inbox") };
  const mine = () => rpc(anvil.url, "evm_mine");

  const sequencer = start("sequencer", ["--database", at("sequencer.db"), "--listen", "127.0.0.1:0"]);
  const listening = () => sequencer.stderr.match(/sequencer is up address=(\S+)/);
  const url = `http://${(await until(listening, "the sequencer to listen"))[1]}`;
  const startBatcher = (kind) =>
    start("batcher", [
      ...["--journal", at("sequencer.db"), "--database", at("batcher.db"), "--key", keyOf(accounts[BATCHER])],
      ...["--max-latency", "0", "--data-kind", kind],
    ]);

  const status = async () => (await get(`${url}/v1/status`)).body;
  const isQuiet = async () => {
    const { pool, preconfirmed } = await status();
    return pool.transactions + preconfirmed.transactions === 0;
  };
  const settleAll = () =>
    untilMined(
      anvil.url,
      async () => {
        const { head, safe } = await status();
        return (await isQuiet()) && safe === head.number;
      },
      "every block to be safe",
    );
  const submit = async (raws) => {
    const { status, body } = await post(`${url}/v1/transactions`, { transactions: raws });
    assert.equal(status, 200, JSON.stringify(body));
    for (const result of body.results) assert.ok(result.hash, JSON.stringify(result));
  };
  const deposit = async () => {
    const request = { gas: 100_000n, mint: parseEther("1"), to: accounts[DEPOSITOR].address, value: 0n };
    await wallet(accounts[DEPOSITOR]).depositTransaction({ portalAddress: portal, request, gas: DEPOSIT_GAS });
    await mine();
  };
  const appendGarbage = async (data) => {
    const args = await appendArguments(l1, contract.address, portal, data);
    await wallet(accounts[BATCHER]).writeContract({ ...contract, functionName: "append", args });
    await mine();
  };

  const prove = (...args) => run(t, turnpike(), ["prove", "block", ...args, ...follow]);
  /** Runs `turnpike prove` and returns its report. */
  const proven = async (...args) => {
    const { code, stdout, stderr } = await prove(...args, "--dry-run", "--format", "json");
    assert.equal(code, 0, `${args}: ${stderr}\n${stdout}`);
    const report = JSON.parse(stdout);
    assert.equal(report.agrees, true);
    assert.equal(report.native.outputRoot, report.node);
    assert.equal(report.machine.outputRoot, report.node);
    const byKind = Object.values(report.instructionsByKind).reduce((sum, count) => sum + count, 0);
    assert.equal(byKind, report.instructions);
    return report;
  };
  /** One report for every block on L1, with the block's source. */
  const reports = [];
  const batches = async () => (await get(`${url}/v1/batches?limit=100`)).body.batches;

  await step(t, "before the first batch there is nothing to prove", async () => {
    for (const [args, message] of [
      [["1", "--dry-run"], /block 1 is not on L1 yet: the last one there is 0/],
      [["0", "--dry-run"], /block 0 is the genesis block/],
      [["--entry", "0", "--dry-run"], /inbox entry 0 is the contract's own/],
      [["--entry", "1", "--dry-run"], /inbox entry 1 is not on L1 yet: the last one there is 0/],
      [["1"], /only --dry-run is supported/],
      [["--dry-run"], /<NUMBER>/],
      [["1", "--entry", "1", "--dry-run"], /cannot be used with/],
      [["1", "--dry-run", "--elf", at("genesis.json")], /the program's ELF|not on L1/],
    ]) {
      const { code, stdout, stderr } = await prove(...args);
      assert.notEqual(code, 0, args.join(" "));
      assert.match(stderr, message);
      assert.equal(stdout, "");
    }
    const nowhere = ["--genesis", at("genesis.json"), "--l1-url", "http://127.0.0.1:1"];
    const { code, stderr } = await run(t, turnpike(), ["prove", "block", "1", "--dry-run", ...nowhere]);
    assert.equal(code, 1);
    assert.match(stderr, /^error: /m);
  });

  await step(t, "blocks with deposits, tokens and pools are posted in blobs and in calldata", async () => {
    const batcher = startBatcher("blobs");
    await deposit();
    const workload = await buildWorkload(accounts.slice(0, 8), compileProbe());
    await submit(workload.setUp.map(({ raw }) => raw));
    await settleAll();
    await batcher.stop();
    // The batcher packs several pending blocks into one entry.
    const raws = workload.mixed.map(({ raw }) => raw);
    for (let from = 0; from < raws.length; from += BLOCK_TRANSACTIONS) {
      await submit(raws.slice(from, from + BLOCK_TRANSACTIONS));
      await until(isQuiet, "a block of them");
    }
    const second = startBatcher("calldata");
    await settleAll();
    await second.stop();
  });

  await step(t, "an entry without a valid batch and a forced entry are posted", async () => {
    await appendGarbage("0xdeadbeef");
    await deposit();
    await rpc(anvil.url, "evm_increaseTime", [FORCE_WINDOW_SECONDS + 1]);
    await mine();
    await wallet(accounts[8]).writeContract({ ...contract, functionName: "forceInclude" });
    await mine();
    await until(async () => (await batches()).some(({ kind }) => kind === "forced"), "the forced entry");
  });

  await step(t, "the first and last block of every entry are proven, and that no block follows", async () => {
    for (const { entry, firstBlock, lastBlock, kind } of (await batches()).reverse()) {
      for (const number of new Set([firstBlock, lastBlock])) {
        const report = await proven(`${number}`);
        assert.deepEqual([report.entry, report.index, report.dataKind], [entry, number - firstBlock, kindOf(kind)]);
        const { body } = await get(`${url}/v1/blocks/${number}`);
        assert.deepEqual([report.block.number, report.block.hash], [number, body.hash]);
        reports.push(report);
      }
      const past = ["--entry", `${entry}`, "--index", `${lastBlock - firstBlock + 1}`];
      const none = await proven(...past);
      assert.equal(none.block, null);
      assert.equal(none.node, none.outputRootBefore);
      assert.equal(none.node, reports.at(-1).node);
    }
  });

  await step(t, "every kind of block was among them", async () => {
    const some = (what, predicate) => assert.ok(reports.some(predicate), what);
    for (const kind of ["none", "calldata", "blobs"]) some(kind, ({ dataKind }) => dataKind === kind);
    some("garbage", ({ fault, block }) => fault !== null && block.transactions <= 1);
    some("the first block", ({ block }) => block.number === 1);
    some("one of several blocks", ({ index }) => index > 0);
    some("transactions", ({ block }) => block.transactions > 50);
    some("a forced deposit", ({ dataKind, block }) => dataKind === "none" && block.deposits >= 1);
    some("a deposit of a batch", ({ dataKind, block }) => dataKind !== "none" && block.deposits >= 2);
    some("precompiles", ({ witness }) => witness.precompiles.count > 0);
    some("blobs", ({ witness }) => witness.blobs.count > 0);
  });

  await step(t, "the text report agrees, and the witness can be saved", async () => {
    const { number } = reports[0].block;
    const told = await prove(`${number}`, "--dry-run", "--witness", at("witness.json"));
    assert.equal(told.code, 0, told.stderr);
    assert.match(told.stdout, /node, native program and machine AGREE/);
    for (const word of ["block", "entry", "transactions", "output root", "instructions", "memory", "witness"]) {
      assert.match(told.stdout, new RegExp(`^${word} `, "m"));
    }
    const { local, preimages } = JSON.parse(readFileSync(at("witness.json"), "utf8"));
    assert.equal(local.outputRoot, reports[0].outputRootBefore);
    const { keccak, blobs, precompiles } = reports[0].witness;
    assert.equal(Object.keys(preimages).length, keccak.count + blobs.count + precompiles.count);
    const machine = async (command, ...args) => {
      const same = ["--elf", PROGRAM, "--oracle", at("witness.json"), "--format", "json"];
      const { code, stdout, stderr } = await run(t, turnpike(), ["vm", command, ...same, ...args]);
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout);
    };
    assert.equal((await machine("run")).steps, reports[0].instructions);
    const checked = await machine("check", "--sample", "200");
    assert.equal(checked.steps, reports[0].instructions);
    assert.ok(checked.checked > 200);
  });

  await step(t, "an altered program is detected", async () => {
    const elf = readFileSync(PROGRAM);
    // Alters the first instruction: the program stops at once.
    const entry = Number(elf.readBigUInt64LE(24));
    elf.writeUInt32LE(0, offsetOf(elf, entry));
    writeFileSync(at("other.elf"), elf);
    const { number } = reports[0].block;
    const { code, stdout } = await prove(`${number}`, "--dry-run", "--elf", at("other.elf"), "--format", "json");
    assert.equal(code, 1);
    const { agrees, native, machine, node } = JSON.parse(stdout);
    assert.deepEqual([agrees, native.outputRoot, machine.outputRoot], [false, node, undefined]);
    assert.match(machine.error, /exits with code 132/);
  });
});

/** File offset of an address in an ELF. */
function offsetOf(elf, address) {
  const [table, size, count] = [Number(elf.readBigUInt64LE(32)), elf.readUInt16LE(54), elf.readUInt16LE(56)];
  for (let at = table; at < table + size * count; at += size) {
    const [offset, start, length] = [8, 16, 32].map((field) => Number(elf.readBigUInt64LE(at + field)));
    if (elf.readUInt32LE(at) === 1 && address >= start && address < start + length) return offset + address - start;
  }
  throw new Error(`nothing is loaded at ${address}`);
}

/** A batch's kind, in the proof's words. */
function kindOf(kind) {
  return kind === "forced" ? "none" : kind;
}
