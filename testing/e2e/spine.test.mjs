// The main path as a user sees it: transactions by cast, viem and REST, and a deposit, up to finality.
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  BaseError,
  ContractFunctionRevertedError,
  decodeEventLog,
  encodeFunctionData,
  getAddress,
  parseAbi,
  parseEther,
  parseGwei,
} from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { getL2TransactionHashes } from "viem/op-stack";

import { DEPOSIT_GAS, abiOf, compileProbe, connect, deploy, receiptOf, sealTo, succeeded } from "./clients.mjs";
import {
  CHAIN_ID,
  CHALLENGE_WINDOW,
  L1_CHAIN_ID,
  PROPOSE_INTERVAL,
  get,
  rpc,
  startDev,
  step,
  until,
} from "./harness.mjs";
import { run, tool } from "./programs.mjs";
import { checkProof, outputRoot } from "./trie.mjs";
import { NEVER, PAIR, deployUniswap } from "./uniswap.mjs";

const MESSAGE_PASSER = "0x4200000000000000000000000000000000000016";
const L1_BLOCK = "0x4200000000000000000000000000000000000015";
const GAS_PRICE_ORACLE = "0x420000000000000000000000000000000000000F";
const SUPPLY = parseEther("1000000");

test("transactions go from a client to finality", async (t) => {
  const dev = await startDev(t);
  const { accounts, l1, l2, l1Wallets, l2Wallets } = connect(dev);
  const [alice, bob, carol] = accounts;
  const [aliceWallet] = l2Wallets;
  const rollup = { address: dev.contracts.rollup, abi: abiOf("Rollup") };
  const outputOnL1 = (index) => l1.readContract({ ...rollup, functionName: "output", args: [BigInt(index)] });
  // Hashes of the transactions that the timeline follows, by client.
  const sent = {};

  await step(t, "both layers are up", async () => {
    assert.equal(await l2.getChainId(), CHAIN_ID);
    assert.equal(await l1.getChainId(), L1_CHAIN_ID);
    assert.equal(await l2.getBlockNumber(), 0n);
    assert.equal(dev.accounts.length, 10);
    for (const { address } of accounts) {
      assert.equal(await l2.getBalance({ address }), parseEther("10000"));
    }
    for (const contract of ["inbox", "portal", "rollup"]) {
      assert.ok(await l1.getCode({ address: dev.contracts[contract] }), `${contract} is on L1`);
    }
    assert.match(await rpc(dev.l2Url, "web3_clientVersion"), /^turnpike\//);
  });

  await step(t, "cast sends ether and reads it back", async (t) => {
    const cast = async (...args) => {
      const { code, stdout, stderr } = await run(t, tool("cast"), [...args, "--rpc-url", dev.l2Url]);
      assert.equal(code, 0, stderr);
      return stdout.trim();
    };
    const before = BigInt(await cast("balance", carol.address));
    const key = ["--private-key", dev.accounts[0].privateKey];
    const receipt = JSON.parse(await cast("send", carol.address, "--value", "1.5ether", ...key, "--json"));
    assert.equal(receipt.status, "0x1");
    assert.equal(BigInt(receipt.gasUsed), 21_000n);
    assert.equal(BigInt(await cast("balance", carol.address)) - before, parseEther("1.5"));
    assert.equal(await cast("nonce", alice.address), "1");
    assert.equal(await cast("chain-id"), String(CHAIN_ID));
    const transaction = JSON.parse(await cast("tx", receipt.transactionHash, "--json"));
    assert.equal(BigInt(transaction.value), parseEther("1.5"));
    const block = JSON.parse(await cast("block", receipt.blockHash, "--json"));
    assert.ok(block.transactions.includes(receipt.transactionHash));
    sent.cast = receipt.transactionHash;
  });

  const artefact = compileProbe();
  let probe;
  await step(t, "viem deploys a contract, writes, and reads", async () => {
    probe = await deploy(l2, aliceWallet, artefact, [7n]);
    assert.equal(await l2.readContract({ ...probe, functionName: "count" }), 7n);

    const value = `0x${"ab".repeat(32)}`;
    const request = { ...probe, functionName: "write", args: [5n, value, "0x010203"], account: alice };
    const estimate = await l2.estimateContractGas(request);
    const receipt = await succeeded(l2, aliceWallet.writeContract(request));
    assert.ok(receipt.gasUsed <= estimate, `${estimate} gas is enough for ${receipt.gasUsed}`);
    assert.ok(
      estimate < (receipt.gasUsed * 110n) / 100n,
      `${estimate} gas is not far from ${receipt.gasUsed}`,
    );
    assert.ok(receipt.l1Fee > 0n, "the receipt names the L1 data fee");
    assert.equal(await l2.readContract({ ...probe, functionName: "values", args: [5n] }), value);
    const slot = await l2.getStorageAt({ address: probe.address, slot: "0x1" });
    assert.equal(BigInt(slot), 8n, "count is in slot 1");

    const [log] = receipt.logs;
    const { eventName, args } = decodeEventLog({ ...probe, ...log });
    assert.equal(eventName, "Written");
    assert.deepEqual(args, { writer: alice.address, key: 5n, value, data: "0x010203" });
    assert.ok(receipt.logsBloom !== `0x${"0".repeat(512)}`);
    sent.viem = receipt.transactionHash;
  });

  await step(t, "viem pays exactly what the receipt says", async () => {
    const before = await l2.getBalance({ address: alice.address });
    const receipt = await succeeded(l2, aliceWallet.sendTransaction({ to: bob.address, value: 1n }));
    const paid = before - (await l2.getBalance({ address: alice.address })) - 1n;
    assert.equal(paid, receipt.gasUsed * receipt.effectiveGasPrice + receipt.l1Fee);
  });

  await step(t, "viem decodes why a call reverts", async () => {
    const reason = async (functionName, args) => {
      const failure = await l2.simulateContract({ ...probe, functionName, args, account: bob }).then(
        () => assert.fail(`${functionName} does not revert`),
        (error) => error,
      );
      assert.ok(failure instanceof BaseError, failure);
      const revert = failure.walk((error) => error instanceof ContractFunctionRevertedError);
      assert.ok(revert instanceof ContractFunctionRevertedError, failure.message);
      return revert;
    };
    const custom = await reason("refuse", [41n]);
    assert.equal(custom.data.errorName, "Probe_Refused");
    assert.deepEqual(custom.data.args, [bob.address, 41n]);
    assert.equal((await reason("refuseInWords", ["no such luck"])).reason, "no such luck");
    assert.match((await reason("divide", [1n, 0n])).shortMessage, /division or modulo by zero/i);

    const estimate = l2.estimateContractGas({
      ...probe,
      functionName: "refuseInWords",
      args: ["not today"],
      account: bob,
    });
    await assert.rejects(estimate, /not today/);
    // Sent anyway, it is included and fails.
    const request = { ...probe, functionName: "refuse", args: [41n], gas: 100_000n };
    const receipt = await receiptOf(l2, await aliceWallet.writeContract(request));
    assert.equal(receipt.status, "reverted");
    assert.equal((await dev.transactionStatus(receipt.transactionHash)).status, "failed");
  });

  let dex;
  let path;
  await step(t, "Uniswap v2 is deployed and swaps", async () => {
    dex = await deployUniswap(l2, aliceWallet, SUPPLY);
    path = dex.tokens.map(({ address }) => address);
    for (const token of dex.tokens) {
      const approval = { ...token, functionName: "approve", args: [dex.router.address, SUPPLY] };
      await succeeded(l2, aliceWallet.writeContract(approval));
    }
    const amounts = [parseEther("1000"), parseEther("4000"), 0n, 0n];
    await succeeded(
      l2,
      aliceWallet.writeContract({
        ...dex.router,
        functionName: "addLiquidity",
        args: [...path, ...amounts, alice.address, NEVER],
      }),
    );
    const [amountIn, quoted] = await l2.readContract({
      ...dex.router,
      functionName: "getAmountsOut",
      args: [parseEther("10"), path],
    });
    const swap = {
      ...dex.router,
      functionName: "swapExactTokensForTokens",
      args: [amountIn, quoted, path, bob.address, NEVER],
    };
    // From the next second on, the pair updates its price sums: viem's estimate must cover that.
    const { timestamp } = await l2.getBlock();
    await until(() => Date.now() / 1000 >= Number(timestamp) + 1, "the next second");
    const receipt = await succeeded(l2, aliceWallet.writeContract(swap));
    const out = { ...dex.tokens[1], functionName: "balanceOf", args: [bob.address] };
    assert.equal(await l2.readContract(out), quoted);

    const pair = await l2.readContract({ ...dex.factory, functionName: "getPair", args: path });
    const event = PAIR.abi.find(({ type, name }) => type === "event" && name === "Swap");
    const logs = await l2.getLogs({ address: pair, event, fromBlock: 0n, strict: true });
    assert.equal(logs.length, 1);
    assert.equal(logs[0].transactionHash, receipt.transactionHash);
    assert.deepEqual([logs[0].args.sender, logs[0].args.to], [getAddress(dex.router.address), bob.address]);
    const { amount0In, amount1In, amount0Out, amount1Out } = logs[0].args;
    assert.deepEqual([amount0In + amount1In, amount0Out + amount1Out], [amountIn, quoted]);
    // The log is found in the receipt, by topic and by block hash, and nowhere else.
    assert.ok(receipt.logs.some(({ logIndex }) => logIndex === logs[0].logIndex));
    const inBlock = await l2.getLogs({ event, blockHash: receipt.blockHash });
    assert.deepEqual(
      inBlock.map(({ transactionHash }) => transactionHash),
      [receipt.transactionHash],
    );
    assert.deepEqual(await l2.getLogs({ address: path[0], event, fromBlock: 0n }), []);
  });

  await step(t, "REST accepts a swap and reports its status", async () => {
    const args = [parseEther("5"), 0n, [...path].reverse(), bob.address, NEVER];
    const approve = { ...dex.tokens[1], functionName: "approve", args: [dex.router.address, SUPPLY] };
    const swap = { ...dex.router, functionName: "swapExactTokensForTokens", args };
    const nonce = await l2.getTransactionCount({ address: bob.address });
    const fees = {
      type: "eip1559",
      chainId: CHAIN_ID,
      maxFeePerGas: parseGwei("1"),
      maxPriorityFeePerGas: 0n,
    };
    const sign = ({ address, ...call }, nonce) =>
      bob.signTransaction({ ...fees, to: address, data: encodeFunctionData(call), nonce, gas: 300_000n });

    const one = await dev.submit(await sign(approve, nonce));
    assert.equal(one.status, 202);
    const both = await dev.submit([await sign(approve, nonce), await sign(swap, nonce + 1)]);
    assert.equal(both.status, 200);
    assert.deepEqual(both.body.results[0], one.body, "sending it twice changes nothing");
    const { hash } = both.body.results[1];
    const transaction = await dev.waitForState(hash, "sealed");
    assert.equal(transaction.status, "success");
    assert.equal(getAddress(transaction.sender), bob.address);
    const receipt = await l2.getTransactionReceipt({ hash });
    assert.deepEqual(transaction.block, { number: Number(receipt.blockNumber), hash: receipt.blockHash });
    sent.rest = hash;
  });

  await step(t, "a transaction is known from the moment of its acknowledgement", async () => {
    let nonce = await l2.getTransactionCount({ address: carol.address });
    const fees = {
      type: "eip1559",
      chainId: CHAIN_ID,
      maxFeePerGas: parseGwei("1"),
      maxPriorityFeePerGas: 0n,
    };
    for (let round = 0; round < 5; round++) {
      const raw = await carol.signTransaction({
        ...fees,
        to: bob.address,
        value: 1n,
        gas: 21_000n,
        nonce: nonce++,
      });
      const { hash } = (await dev.submit(raw)).body;
      // Polls without a pause: the transaction is never unknown.
      while ((await dev.transactionStatus(hash)).state === "received")
        assert.ok(await rpc(dev.l2Url, "eth_getTransactionByHash", [hash]));
    }
  });

  await step(t, "an account delegates to a contract's code (EIP-7702)", async () => {
    const stranger = privateKeyToAccount(generatePrivateKey());
    const authorization = await stranger.signAuthorization({
      contractAddress: probe.address,
      chainId: CHAIN_ID,
      nonce: 0,
    });
    const request = { to: bob.address, authorizationList: [authorization] };
    const receipt = await succeeded(l2, aliceWallet.sendTransaction(request));
    assert.equal(receipt.type, "eip7702");
    // 21000 plus the price of a new account, without a refund.
    assert.equal(receipt.gasUsed, 46_000n);
    assert.equal(await l2.getCode(stranger), `0xef0100${probe.address.slice(2)}`);
    const write = {
      ...probe,
      address: stranger.address,
      functionName: "write",
      args: [1n, `0x${"cd".repeat(32)}`, "0x"],
    };
    await succeeded(l2, aliceWallet.writeContract(write));
    assert.equal(await l2.readContract({ ...write, functionName: "count", args: [] }), 1n);
    assert.equal(
      await l2.readContract({ ...probe, functionName: "count" }),
      8n,
      "the code's own storage is another",
    );
  });

  const inboxAbi = abiOf("Inbox");
  let output;
  await step(t, "L1 includes the batch: the block is safe", async () => {
    await dev.l1Transaction("inbox", "the batcher to post");
    for (const hash of Object.values(sent)) assert.equal((await dev.transactionStatus(hash)).state, "sealed");
    assert.equal((await dev.status()).safe, 0, "nothing is safe before L1 moves");
    await dev.settle(async () => (await dev.transactionStatus(sent.rest)).state !== "sealed", "the swap to be safe");
    for (const hash of Object.values(sent)) {
      const { posted } = await dev.transactionStatus(hash);
      const receipt = await l1.getTransactionReceipt({ hash: posted.l1Transaction });
      assert.equal(getAddress(receipt.to), getAddress(dev.contracts.inbox));
      assert.equal(Number(receipt.blockNumber), posted.l1Block);
      const acc = await l1.readContract({
        address: dev.contracts.inbox,
        abi: inboxAbi,
        functionName: "acc",
        args: [posted.entry],
      });
      assert.notEqual(BigInt(acc), 0n);
    }
    const { block } = await dev.transactionStatus(sent.rest);
    const safe = await l2.getBlock({ blockTag: "safe" });
    assert.ok(safe.number >= block.number);
  });

  await step(t, "an output is proposed and the challenger agrees", async () => {
    await dev.advanceL1(1, PROPOSE_INTERVAL);
    ({ output } = await dev.settle(async () => {
      const transaction = await dev.transactionStatus(sent.rest);
      return transaction.state === "proposed" && transaction;
    }, "an output after the swap"));
    assert.equal(output.final, false);
    const verdict = await until(
      () => dev.verdicts().find(({ index }) => index === output.index),
      "the challenger's verdict",
    );
    assert.equal(verdict.verdict, "ok");
    const onL1 = await outputOnL1(output.index);
    assert.deepEqual([verdict.entry, verdict.block], [Number(onL1.entry), Number(onL1.l2BlockNumber)]);
    assert.ok(verdict.block >= (await dev.transactionStatus(sent.rest)).block.number);
  });

  await step(t, "a deposit on L1 mints on L2", async () => {
    const amount = parseEther("3");
    const heir = "0x00000000000000000000000000000000deadbeef";
    const to = probe.address;
    const data = encodeFunctionData({
      ...probe,
      functionName: "write",
      args: [9n, `0x${"0".repeat(63)}9`, "0x"],
    });
    const before = await l2.getBalance({ address: carol.address });
    const portal = { portalAddress: dev.contracts.portal, gas: DEPOSIT_GAS };
    const hashes = [
      await l1Wallets[2].depositTransaction({
        ...portal,
        request: { gas: 100_000n, mint: amount, to: heir, value: parseEther("1") },
      }),
      await l1Wallets[0].depositTransaction({ ...portal, request: { gas: 300_000n, to, data } }),
    ];
    await dev.advanceL1();
    const [mint, write] = await Promise.all(
      hashes.map(async (hash) => {
        const { logs } = await succeeded(l1, hash);
        const [l2Hash] = getL2TransactionHashes({ logs });
        return l2Hash;
      }),
    );
    const receipt = await succeeded(l2, mint);
    assert.equal(receipt.from, carol.address.toLowerCase());
    assert.equal(await l2.getBalance({ address: heir }), parseEther("1"));
    assert.equal(await l2.getBalance({ address: carol.address }), before + amount - parseEther("1"));
    const deposit = await l2.getTransaction({ hash: mint });
    assert.equal(deposit.type, "deposit");
    assert.equal(deposit.mint, amount);

    const { logs } = await succeeded(l2, write);
    assert.deepEqual(decodeEventLog({ ...probe, ...logs[0] }).args.key, 9n);
    sent.mint = mint;
    sent.write = write;
  });

  await step(t, "L2 sees L1's attributes", async () => {
    await dev.settle(async () => {
      await sealTo(dev, aliceWallet, (await dev.status()).head.number + 1);
      return (await blockOf(dev, "latest")).originEntry > 0;
    }, "a block whose origin is an entry that the batcher posted");
    const abi = parseAbi([
      "function number() view returns (uint64)",
      "function basefee() view returns (uint256)",
      "function getL1Fee(bytes) view returns (uint256)",
    ]);
    const number = await l2.readContract({ address: L1_BLOCK, abi, functionName: "number" });
    const block = await l1.getBlock({ blockNumber: number });
    const baseFee = await l2.readContract({ address: L1_BLOCK, abi, functionName: "basefee" });
    assert.equal(baseFee, block.baseFeePerGas);
    const fee = await l2.readContract({
      address: GAS_PRICE_ORACLE,
      abi,
      functionName: "getL1Fee",
      args: [`0x${"5a".repeat(200)}`],
    });
    assert.ok(fee > 0n);
  });

  await step(t, "the deposits' output is proposed, judged and, after the window, final", async () => {
    const verdict = await dev.settleAll();
    assert.equal(verdict.verdict, "ok");
    const transactions = await Promise.all(Object.values(sent).map((hash) => dev.transactionStatus(hash)));
    const { timestamp } = await l1.getBlock();
    for (const { state, output } of transactions) {
      const { proposedAt } = await outputOnL1(output.index);
      // On a slow machine the window has already passed.
      const isOpen = timestamp < proposedAt + BigInt(CHALLENGE_WINDOW);
      assert.ok(state === "proposed" || (state === "final" && !isOpen), state);
    }
    await dev.advanceL1(1, CHALLENGE_WINDOW);
    await dev.settle(
      async () => (await dev.status()).outputs.final >= verdict.block,
      "the last output to be final",
    );
    for (const hash of Object.values(sent)) {
      const transaction = await dev.transactionStatus(hash);
      assert.deepEqual([transaction.state, transaction.output.final], ["final", true]);
    }
    const onL1 = await l1.readContract({ ...rollup, functionName: "lastFinalIndex" });
    assert.ok(Number(onL1) >= verdict.index);
    await dev.advanceL1(3);
    const { block } = await dev.transactionStatus(sent.write);
    await until(
      async () => (await l2.getBlock({ blockTag: "finalized" })).number >= block.number,
      "the finalized block",
    );
  });

  await step(t, "a balance is proven against the output on L1", async () => {
    const { outputs } = await dev.status();
    const newest = (await dev.transactionStatus(sent.write)).block.number;
    assert.ok(outputs.newestBlock >= newest, "the newest output covers the newest transaction");
    const block = await blockOf(dev, outputs.newestBlock);
    const blockNumber = BigInt(block.number);
    const onL1 = await outputOnL1(outputs.count - 1);
    assert.equal(outputRoot(block), onL1.outputRoot);
    assert.equal(block.outputRoot, onL1.outputRoot);

    const proof = (address, storageKeys = []) => l2.getProof({ address, storageKeys, blockNumber });
    const { balance } = checkProof(block.stateRoot, await proof(bob.address));
    assert.equal(balance, await l2.getBalance({ address: bob.address, blockNumber }));
    const { storageProof } = await proof(probe.address, ["0x1", "0xffff"]);
    assert.deepEqual(
      storageProof.map(({ value }) => value),
      [9n, 0n],
    );
    checkProof(block.stateRoot, await proof(probe.address, ["0x1", "0xffff"]));
    const passer = checkProof(block.stateRoot, await proof(MESSAGE_PASSER));
    assert.equal(passer.storageHash, block.messagePasserStorageRoot);
  });

  await step(t, "the node stops when asked", async () => {
    assert.deepEqual(await dev.program.stop("SIGINT"), { code: 0, signal: null });
    await assert.rejects(rpc(dev.l1Url, "eth_chainId"), "anvil has stopped as well");
  });
});

async function blockOf(dev, id) {
  return (await get(`${dev.l2Url}/v1/blocks/${id}`)).body;
}
