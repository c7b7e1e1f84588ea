// Deploys Uniswap v2 as published on npm. The router computes pair addresses from the hash of the pair
// code in @uniswap/v2-core, so that code is used.
import { require } from "./programs.mjs";
import { deploy } from "./clients.mjs";

function artefact(path) {
  const { abi, evm } = require(`@uniswap/${path}.json`);
  return { abi, bytecode: `0x${evm.bytecode.object}` };
}

export const FACTORY = artefact("v2-core/build/UniswapV2Factory");
export const PAIR = artefact("v2-core/build/UniswapV2Pair");
export const ERC20 = artefact("v2-core/build/ERC20");
export const ROUTER = artefact("v2-periphery/build/UniswapV2Router02");
export const WETH = artefact("v2-periphery/build/WETH9");

/** A deadline that never passes. */
export const NEVER = 2n ** 64n - 1n;

/** Deploys factory, router, wrapped ether and two tokens, each with `supply` in the hands of the wallet's account. */
export async function deployUniswap(client, wallet, supply) {
  const weth = await deploy(client, wallet, WETH);
  const factory = await deploy(client, wallet, FACTORY, [wallet.account.address]);
  const router = await deploy(client, wallet, ROUTER, [factory.address, weth.address]);
  const tokens = [
    await deploy(client, wallet, ERC20, [supply]),
    await deploy(client, wallet, ERC20, [supply]),
  ];
  return { weth, factory, router, tokens };
}
