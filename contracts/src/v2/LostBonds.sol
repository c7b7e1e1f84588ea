// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Bonds } from "../L1/Bonds.sol";
import { EtherBurner } from "../lib/EtherBurner.sol";
import { ILostBonds } from "./interfaces/ILostBonds.sol";

/// @title LostBonds
/// @notice Divides lost bonds; see ILostBonds.
abstract contract LostBonds is ILostBonds, Bonds {
    /// @dev A lost bond is divided by this number to get each of the two rewards. The rest is burned.
    uint256 private constant REWARD_PART = 4;

    function _lose(uint256 bond, address first, address second) internal {
        uint256 reward = bond / REWARD_PART;
        uint256 burned = bond - 2 * reward;
        _credit(first, reward);
        _credit(second, reward);
        emit BondBurned(burned);
        new EtherBurner{ value: burned }();
    }
}
