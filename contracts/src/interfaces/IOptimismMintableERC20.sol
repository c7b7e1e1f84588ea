// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IOptimismMintableERC20
/// @notice An ERC-20 token that represents a token on the other chain. The bridge mints and burns it. ERC-165
///         id 0xec4fc8e3, as in the OP stack.
interface IOptimismMintableERC20 {
    /// @notice The token on the other chain.
    function remoteToken() external view returns (address);

    /// @notice The bridge that mints and burns.
    function bridge() external view returns (address);

    /// @notice Mints tokens. Only for the bridge.
    function mint(address _to, uint256 _amount) external;

    /// @notice Burns tokens. Only for the bridge.
    function burn(address _from, uint256 _amount) external;
}
