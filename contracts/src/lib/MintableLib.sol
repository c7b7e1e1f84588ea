// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IOptimismMintableERC20 } from "../interfaces/IOptimismMintableERC20.sol";

/// @title MintableLib
/// @notice Detects mintable tokens by ERC-165.
library MintableLib {
    /// @dev ERC-165: the selector of supportsInterface, the invalid interface id and the maximum gas of a
    ///      reply.
    bytes4 private constant SUPPORTS_INTERFACE = 0x01ffc9a7;
    bytes4 private constant NO_INTERFACE = 0xffffffff;
    uint256 private constant ANSWER_GAS = 30_000;

    /// @notice Whether `token` supports IOptimismMintableERC20. False for an address without code, and for a
    ///         contract that claims to support the invalid interface id.
    function isMintable(address token) internal view returns (bool) {
        return _supports(token, type(IOptimismMintableERC20).interfaceId) && !_supports(token, NO_INTERFACE);
    }

    function _supports(address token, bytes4 interfaceId) private view returns (bool yes) {
        bytes memory question = abi.encodeWithSelector(SUPPORTS_INTERFACE, interfaceId);
        // Read only one word of the reply, because an unknown contract may return any amount of data.
        assembly ("memory-safe") {
            mstore(0, 0)
            let ok := staticcall(ANSWER_GAS, token, add(question, 0x20), mload(question), 0, 0x20)
            yes := and(and(ok, gt(returndatasize(), 0x1f)), eq(mload(0), 1))
        }
    }
}
