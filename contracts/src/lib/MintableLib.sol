// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IOptimismMintableERC20 } from "../interfaces/IOptimismMintableERC20.sol";

/// @title MintableLib
/// @notice Tells tokens that were made for the bridge from all others, as ERC-165 has it.
library MintableLib {
    /// @dev ERC-165: the question, an id that no contract has, and the gas that an answer takes at most.
    bytes4 private constant SUPPORTS_INTERFACE = 0x01ffc9a7;
    bytes4 private constant NO_INTERFACE = 0xffffffff;
    uint256 private constant ANSWER_GAS = 30_000;

    /// @notice Whether `token` says that it is an IOptimismMintableERC20. False for an address without code, and for
    ///         a contract that says yes to everything.
    function isMintable(address token) internal view returns (bool) {
        return _supports(token, type(IOptimismMintableERC20).interfaceId) && !_supports(token, NO_INTERFACE);
    }

    function _supports(address token, bytes4 interfaceId) private view returns (bool yes) {
        bytes memory question = abi.encodeWithSelector(SUPPORTS_INTERFACE, interfaceId);
        // Only one word of the answer is read, whatever a stranger sends.
        assembly ("memory-safe") {
            mstore(0, 0)
            let ok := staticcall(ANSWER_GAS, token, add(question, 0x20), mload(question), 0, 0x20)
            yes := and(and(ok, gt(returndatasize(), 0x1f)), eq(mload(0), 1))
        }
    }
}
