// A few hundred signed DeFi transactions, which must have the same outcome on every chain.
import {
  concat,
  encodeDeployData,
  encodeFunctionData,
  getContractAddress,
  keccak256,
  pad,
  parseEther,
  parseGwei,
  parseSignature,
  toHex,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";

import { CHAIN_ID } from "./harness.mjs";
import { ERC20, FACTORY, NEVER, PAIR, ROUTER, WETH } from "./uniswap.mjs";

/** Above every base fee that the chains reach. */
const FEE_CAP = parseGwei("2");
const TIP = parseGwei("0.001");

const CALL_GAS = 600_000n;
const DEPLOY_GAS = 6_000_000n;
const SUPPLY = parseEther("1000000000");
const P256VERIFY = "0x0000000000000000000000000000000000000100";
const PRECOMPILES = {
  // A valid input for each precompile.
  "0x01": `0x${"11".repeat(32)}${"0".repeat(62)}1b${"22".repeat(64)}`,
  "0x02": "0x616263",
  "0x03": "0x616263",
  "0x04": `0x${"a5".repeat(100)}`,
  // 3 ** 5 % 7
  "0x05": concat([...[1, 1, 1].map((length) => pad(toHex(length), { size: 32 })), "0x030507"]),
  // The generator of bn254 plus itself, and times three.
  "0x06": concat([1, 2, 1, 2].map((part) => pad(toHex(part), { size: 32 }))),
  "0x07": concat([1, 2, 3].map((part) => pad(toHex(part), { size: 32 }))),
  "0x08": "0x",
  // Blake2: one round over zeros.
  "0x09": `0x00000001${"00".repeat(208)}01`,
  // No signature by secp256r1.
  [P256VERIFY]: `0x${"01".repeat(160)}`,
};

/** Seeded pseudo-random numbers: every run signs the same transactions. */
function seededRandom(seed) {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

/** Collects transactions: `setUp` must be included in order, `mixed` in any order that keeps each sender's. */
class Workload {
  setUp = [];
  mixed = [];
  /** Contracts whose final state is compared. */
  contracts = {};
  #nonces;
  #phase = this.setUp;

  constructor(accounts) {
    this.accounts = accounts;
    this.#nonces = accounts.map(() => 0);
  }

  mix() {
    this.#phase = this.mixed;
  }

  nonce(from) {
    return this.#nonces[from];
  }

  /** Adds a transaction; `fails` marks one that must fail, `pays` one whose work costs more than its gas on Ethereum. */
  async add(from, what, transaction, { fails = false, pays = false, type = "eip1559" } = {}) {
    const fees =
      type === "legacy" || type === "eip2930"
        ? { gasPrice: FEE_CAP }
        : { maxFeePerGas: FEE_CAP, maxPriorityFeePerGas: TIP };
    const nonce = this.#nonces[from]++;
    const request = { type, chainId: CHAIN_ID, nonce, gas: CALL_GAS, ...fees, ...transaction };
    const raw = await this.accounts[from].signTransaction(request);
    this.#phase.push({
      from,
      what: `${what} from account ${from}, nonce ${nonce}, ${type}`,
      raw,
      hash: keccak256(raw),
      fails,
      pays,
    });
  }

  call(
    from,
    contract,
    functionName,
    args,
    { value, gas = CALL_GAS, accessList, authorizationList, to, ...options } = {},
  ) {
    const data = encodeFunctionData({ abi: contract.abi, functionName, args });
    const transaction = { to: to ?? contract.address, data, value, gas, accessList, authorizationList };
    return this.add(from, functionName, transaction, options);
  }

  async create(from, name, { abi, bytecode }, args = [], options = {}) {
    const address = getContractAddress({
      from: this.accounts[from].address,
      nonce: BigInt(this.nonce(from)),
    });
    const data = encodeDeployData({ abi, bytecode, args });
    await this.add(from, `deployment of ${name}`, { data, gas: DEPLOY_GAS, value: options.value }, options);
    const contract = { address, abi };
    this.contracts[name] = contract;
    return contract;
  }
}

/** Address of a pair that the factory has not created yet. */
function pairOf(factory, a, b) {
  const tokens = [a.address, b.address].sort((x, y) => (x.toLowerCase() < y.toLowerCase() ? -1 : 1));
  const address = getContractAddress({
    opcode: "CREATE2",
    from: factory.address,
    salt: keccak256(concat(tokens)),
    bytecode: PAIR.bytecode,
  });
  return { address, abi: PAIR.abi, tokens };
}

/** Signs everything. The accounts must be unused on both chains. */
export async function buildWorkload(accounts, probeArtefact) {
  const w = new Workload(accounts);
  const roll = seededRandom(4242);
  const users = accounts.map((_, index) => index);
  const addressOf = (index) => accounts[index].address;

  // Contracts, tokens for all users, allowances, liquidity.
  const weth = await w.create(0, "WETH9", WETH);
  const factory = await w.create(0, "factory", FACTORY, [addressOf(0)]);
  const router = await w.create(0, "router", ROUTER, [factory.address, weth.address]);
  const tokens = [
    await w.create(0, "token A", ERC20, [SUPPLY]),
    await w.create(0, "token B", ERC20, [SUPPLY]),
  ];
  const probe = await w.create(0, "probe", probeArtefact, [1n], { value: 1n });
  for (const user of users.slice(1)) {
    for (const token of tokens) await w.call(0, token, "transfer", [addressOf(user), parseEther("1000000")]);
  }
  for (const user of users) {
    for (const token of tokens) await w.call(user, token, "approve", [router.address, SUPPLY]);
    // Each user may spend the next user's token A.
    await w.call(user, tokens[0], "approve", [
      addressOf((user + users.length - 1) % users.length),
      parseEther("1000"),
    ]);
  }
  const [a, b] = tokens;
  w.contracts.pair = pairOf(factory, a, b);
  w.contracts["ether pair"] = pairOf(factory, a, weth);
  const liquidity = [parseEther("100000"), parseEther("300000"), 0n, 0n];
  await w.call(0, router, "addLiquidity", [a.address, b.address, ...liquidity, addressOf(0), NEVER], {
    gas: DEPLOY_GAS,
  });
  await w.call(0, router, "addLiquidityETH", [a.address, parseEther("100000"), 0n, 0n, addressOf(0), NEVER], {
    gas: DEPLOY_GAS,
    value: parseEther("1000"),
  });

  w.mix();
  const paths = {
    ab: [a.address, b.address],
    ba: [b.address, a.address],
    wa: [weth.address, a.address],
    aw: [a.address, weth.address],
  };
  const amount = () => parseEther(String(1 + roll(50)));
  const other = (user) => (user + 1 + roll(users.length - 1)) % users.length;
  const actions = [
    (u) =>
      w.add(u, "ether transfer", {
        to: addressOf(other(u)),
        value: BigInt(1 + roll(1_000_000)),
        gas: 21_000n,
      }),
    (u) =>
      w.add(u, "ether transfer", { to: addressOf(other(u)), value: 7n, gas: 21_000n }, { type: "legacy" }),
    (u) =>
      w.add(u, "ether to nobody", {
        to: pad(toHex(0xdead_0000 + roll(1_000)), { size: 20 }),
        value: 3n,
        gas: 30_000n,
      }),
    (u) => w.call(u, tokens[roll(2)], "transfer", [addressOf(other(u)), amount()]),
    (u) => w.call(u, tokens[roll(2)], "transfer", [addressOf(other(u)), amount()], { type: "legacy" }),
    (u) => w.call(u, tokens[0], "transferFrom", [addressOf((u + 1) % users.length), addressOf(u), 5n]),
    (u) =>
      w.call(u, tokens[0], "approve", [addressOf(other(u)), amount()], {
        type: "eip2930",
        accessList: [{ address: a.address, storageKeys: [pad("0x3", { size: 32 })] }],
      }),
    (u) =>
      w.call(u, router, "swapExactTokensForTokens", [
        amount(),
        0n,
        roll(2) ? paths.ab : paths.ba,
        addressOf(u),
        NEVER,
      ]),
    (u) =>
      w.call(u, router, "swapExactTokensForTokens", [amount(), 0n, paths.ab, addressOf(other(u)), NEVER], {
        type: "legacy",
      }),
    (u) => w.call(u, router, "swapTokensForExactTokens", [amount(), SUPPLY, paths.ba, addressOf(u), NEVER]),
    (u) =>
      w.call(u, router, "swapExactETHForTokens", [0n, paths.wa, addressOf(u), NEVER], {
        value: BigInt(1 + roll(1e9)),
      }),
    (u) => w.call(u, router, "swapExactTokensForETH", [amount(), 0n, paths.aw, addressOf(u), NEVER]),
    (u) =>
      w.call(u, router, "swapETHForExactTokens", [1_000n, paths.wa, addressOf(u), NEVER], {
        value: parseEther("0.01"),
      }),
    (u) =>
      w.call(u, router, "addLiquidity", [
        a.address,
        b.address,
        amount(),
        amount(),
        0n,
        0n,
        addressOf(u),
        NEVER,
      ]),
    (u) =>
      w.call(u, router, "addLiquidityETH", [a.address, amount(), 0n, 0n, addressOf(u), NEVER], {
        value: parseEther("1"),
      }),
    (u) => w.call(u, weth, "deposit", [], { value: BigInt(1 + roll(1_000)) }),
    (u) =>
      w.call(u, probe, "write", [
        BigInt(roll(20)),
        pad(toHex(roll(3)), { size: 32 }),
        toHex("x".repeat(roll(100))),
      ]),
    (u) => w.call(u, probe, "clear", [BigInt(roll(10)), 20n]),
    (u) => w.call(u, probe, "log", [pad(toHex(roll(1_000_000)), { size: 32 })]),
    (u) => w.call(u, probe, "see", [], { type: ["legacy", "eip1559"][roll(2)] }),
    (u) => w.call(u, probe, "transientRoundTrip", [BigInt(1_000 + roll(5)), BigInt(roll(2))]),
    (u) => w.call(u, probe, "create", [pad(toHex(w.mixed.length), { size: 32 })], { value: 2n }),
    (u) => w.call(u, probe, "createAndEnd", [keccak256(toHex(roll(1_000)))], { value: 5n }),
    (u) =>
      w.call(u, probe, "attempt", [
        probe.address,
        100_000n,
        encodeFunctionData({ ...probe, functionName: "refuse", args: [BigInt(roll(9))] }),
      ]),
    (u) =>
      w.call(u, probe, "attempt", [
        probe.address,
        40_000n,
        encodeFunctionData({ ...probe, functionName: "spin" }),
      ]),
    (u) =>
      w.call(u, probe, "attempt", [
        a.address,
        100_000n,
        encodeFunctionData({ ...a, functionName: "transfer", args: [addressOf(u), 1n] }),
      ]),
    // One failure of each kind.
    (u) => w.call(u, probe, "refuse", [BigInt(roll(100))], { fails: true, value: 1n }),
    (u) => w.call(u, probe, "refuseInWords", ["as told"], { fails: true, type: "legacy" }),
    (u) => w.call(u, probe, "divide", [1n, 0n], { fails: true }),
    (u) => w.call(u, probe, "assertNothing", [], { fails: true, gas: 90_000n }),
    (u) => w.call(u, probe, "spin", [], { fails: true, gas: 150_000n }),
    (u) => w.call(u, tokens[1], "transfer", [addressOf(other(u)), SUPPLY], { fails: true }),
    (u) => w.call(u, tokens[1], "transferFrom", [addressOf(other(u)), addressOf(u), 1n], { fails: true }),
    (u) => w.call(u, tokens[0], "transfer", [addressOf(other(u)), 1n], { fails: true, gas: 24_000n }),
    (u) =>
      w.call(u, router, "swapExactTokensForTokens", [amount(), SUPPLY, paths.ab, addressOf(u), NEVER], {
        fails: true,
      }),
    (u) =>
      w.call(u, router, "swapExactTokensForTokens", [amount(), 0n, paths.ab, addressOf(u), 1n], {
        fails: true,
      }),
    (u) =>
      w.call(u, router, "swapExactTokensForTokens", [amount(), 0n, paths.ab, addressOf(u), NEVER], {
        fails: true,
        gas: 80_000n,
      }),
    (u) => w.add(u, "creation that reverts", { data: "0x60006000fd", gas: 100_000n }, { fails: true }),
    (u) =>
      w.add(
        u,
        "creation of forbidden code",
        { data: "0x60ef60005360016000f3", gas: 100_000n },
        { fails: true },
      ),
    (u) => w.add(u, "creation of nothing", { data: "0x", gas: 60_000n }),
  ];
  for (let round = 0; round < 8; round++) {
    for (const [index, action] of actions.entries()) await action((round * 7 + index) % users.length);
  }
  for (const [address, data] of Object.entries(PRECOMPILES)) {
    const args = [pad(address, { size: 20 }), 200_000n, data];
    await w.call(roll(users.length), probe, "attempt", args, { pays: address === P256VERIFY });
  }
  const listed = [
    { address: probe.address, storageKeys: [0, 1, 2].map((slot) => pad(toHex(slot), { size: 32 })) },
  ];
  for (const type of ["eip2930", "eip1559"])
    await w.call(3, probe, "write", [2n, pad("0x", { size: 32 }), "0x"], { type, accessList: listed });
  await w.create(4, "late token", ERC20, [SUPPLY], { type: "legacy" });
  await w.create(5, "late probe", probeArtefact, [9n], { type: "eip2930" });
  await delegate(w, probe);
  await removeLiquidity(w, router, a);
  return w;
}

/** EIP-7702: an account delegates to the probe, removes the delegation, and invalid authorizations are ignored. */
async function delegate(w, probe) {
  const type = "eip7702";
  const stranger = privateKeyToAccount(keccak256("0x57a6"));
  w.contracts["delegated account"] = { address: stranger.address };
  const authorize = (nonce, { chainId = CHAIN_ID, address = probe.address } = {}) =>
    stranger.signAuthorization({ contractAddress: address, chainId, nonce });
  const write = [3n, pad("0x7", { size: 32 }), "0x"];
  const to = stranger.address;
  // anvil treats every account as existing and refunds part of the first authorization: create it first.
  await w.add(6, "ether to the stranger", { to, value: 1n });
  await w.call(6, probe, "write", write, { type, to, authorizationList: [await authorize(0)] });
  await w.call(6, probe, "write", write, { to });
  await w.add(6, "ether to a delegated account", { to, value: 11n });
  // A used nonce, another chain, and any chain.
  await w.call(6, probe, "see", [], {
    type,
    authorizationList: [await authorize(0), await authorize(1, { chainId: 1 })],
  });
  await w.call(6, probe, "refuse", [1n], {
    type,
    to,
    fails: true,
    authorizationList: [await authorize(1, { chainId: 0 })],
  });
  // The sender's own authorization: its nonce is already increased.
  const own = await w.accounts[7].signAuthorization({
    contractAddress: probe.address,
    chainId: CHAIN_ID,
    nonce: w.nonce(7) + 1,
  });
  await w.call(7, probe, "write", write, { type, to: w.accounts[7].address, authorizationList: [own] });
}

/** Removes account 0's liquidity, the second time with a permit signed over the chain id. */
async function removeLiquidity(w, router, token) {
  const owner = w.accounts[0].address;
  const pair = w.contracts["ether pair"];
  const value = parseEther("2");
  await w.call(0, pair, "approve", [router.address, value]);
  await w.call(0, router, "removeLiquidityETH", [token.address, value, 0n, 0n, owner, NEVER]);
  const signature = await w.accounts[0].signTypedData({
    domain: { name: "Uniswap V2", version: "1", chainId: CHAIN_ID, verifyingContract: pair.address },
    types: {
      Permit: ["owner:address", "spender:address", "value:uint256", "nonce:uint256", "deadline:uint256"].map(
        (field) => {
          const [name, type] = field.split(":");
          return { name, type };
        },
      ),
    },
    primaryType: "Permit",
    message: { owner, spender: router.address, value, nonce: 0n, deadline: NEVER },
  });
  const { r, s, v } = parseSignature(signature);
  const args = [token.address, value, 0n, 0n, owner, NEVER, false, Number(v), r, s];
  await w.call(0, router, "removeLiquidityETHWithPermit", args);
}
