// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IBonds } from "../../interfaces/IBonds.sol";

/// @title ILostBonds
/// @notice Bonds and stakes that are lost: a quarter goes to each of two accounts, the rest is burned.
interface ILostBonds is IBonds {
    /// @notice A part of a lost bond was burned.
    event BondBurned(uint256 amount);
}
