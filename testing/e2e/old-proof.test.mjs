// A withdrawal can be proven long after its state was pruned.
import assert from "node:assert/strict";
import { test } from "node:test";

import { encodeAbiParameters, keccak256 } from "viem";

import { abiOf, sealTo, succeeded } from "./clients.mjs";
import { ask, rpc, step } from "./harness.mjs";
import { startStandalone } from "./standalone.mjs";

const MESSAGE_PASSER = "0x4200000000000000000000000000000000000016";
/** States kept behind the newest block. */
const STATES_KEPT = 128;

const slotOf = (withdrawal) =>
  keccak256(encodeAbiParameters([{ type: "bytes32" }, { type: "uint256" }], [withdrawal, 0n]));

test("withdrawals stay provable after their state is pruned", async (t) => {
  const solo = await startStandalone(t);
  const proofs = new Map();
  const hashes = [];
  const slots = () => [...hashes.map(slotOf), `0x${"0".repeat(63)}1`, `0x${"0".repeat(62)}99`];
  const proof = (number) =>
    rpc(solo.l2Url, "eth_getProof", [MESSAGE_PASSER, slots(), `0x${number.toString(16)}`]);

  await step(t, "withdrawals are listed with proofs in the states after them", async () => {
    const passer = { address: MESSAGE_PASSER, abi: abiOf("L2ToL1MessagePasser") };
    for (let round = 0; round < 3; round++) {
      const args = [solo.accounts[1].address, 21_000n, "0x1234"];
      const call = { ...passer, functionName: "initiateWithdrawal", args, value: BigInt(round) };
      const { transactionHash, blockNumber } = await succeeded(solo.l2, solo.l2Wallets[0].writeContract(call));
      const { withdrawals } = await solo.get(`/v1/withdrawals?transaction=${transactionHash}`);
      assert.equal(withdrawals.length, 1);
      const [{ hash, value, state, block, output }] = withdrawals;
      assert.deepEqual([value, state, block, output], [`${round}`, "initiated", Number(blockNumber), null]);
      assert.deepEqual(await solo.get(`/v1/withdrawals/${hash}`), withdrawals[0]);
      hashes.push(hash);
      proofs.set(Number(blockNumber), undefined);
    }
    for (const number of proofs.keys()) proofs.set(number, await proof(number));
    const values = [...proofs.values()].at(-1).storageProof.map(({ value }) => value);
    assert.deepEqual(values, ["0x1", "0x1", "0x1", "0x3", "0x0"]);
  });

  await step(t, "the answers are the same after those states are pruned", async () => {
    const { head } = await solo.status();
    await sealTo(solo, solo.l2Wallets[2], head.number + STATES_KEPT + 2);
    for (const [number, expected] of proofs) {
      const other = [solo.accounts[0].address, [], `0x${number.toString(16)}`];
      const { error } = await ask(solo.l2Url, "eth_getProof", other);
      assert.match(error.message, /historical state is not available/);
      assert.deepEqual(await proof(number), expected);
    }
  });
});
