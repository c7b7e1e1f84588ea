// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title AddressAliasHelper
/// @notice Maps an L1 contract to its alias, the sender of its deposits on L2. Somebody else may control a
///         contract's address on the other chain, so the alias adds a fixed offset.
library AddressAliasHelper {
    /// @dev The OP stack's offset.
    uint160 internal constant OFFSET = uint160(0x1111000000000000000000000000000000001111);

    /// @notice The L2 address of the L1 contract `l1Address`.
    function toL2(address l1Address) internal pure returns (address l2Address) {
        unchecked {
            l2Address = address(uint160(l1Address) + OFFSET);
        }
    }

    /// @notice The L1 contract behind the L2 address `l2Address`.
    function toL1(address l2Address) internal pure returns (address l1Address) {
        unchecked {
            l1Address = address(uint160(l2Address) - OFFSET);
        }
    }
}
