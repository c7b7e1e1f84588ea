// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IOptimismMintableERC20Factory
/// @notice Makes tokens for the bridge on L2. Anyone may make one, for any token on L1.
/// @dev WARNING: a token's name says nothing. What it stands for is its remoteToken().
interface IOptimismMintableERC20Factory {
    /// @notice Zero is no token.
    error OptimismMintableERC20Factory_NoRemoteToken();

    /// @notice A token was made. Two events, of which the first is the older one.
    event StandardL2TokenCreated(address indexed remoteToken, address indexed localToken);
    event OptimismMintableERC20Created(
        address indexed localToken, address indexed remoteToken, address deployer
    );

    /// @notice Makes a token with 18 decimals.
    /// @dev Its address follows from the parameters, so the same token cannot be made twice.
    function createOptimismMintableERC20(address _remoteToken, string calldata _name, string calldata _symbol)
        external
        returns (address);

    /// @notice Makes a token.
    function createOptimismMintableERC20WithDecimals(
        address _remoteToken,
        string calldata _name,
        string calldata _symbol,
        uint8 _decimals
    ) external returns (address);

    /// @notice Older name of createOptimismMintableERC20.
    function createStandardL2Token(address _remoteToken, string calldata _name, string calldata _symbol)
        external
        returns (address);

    /// @notice What a token made here stands for; zero for any other address.
    function deployments(address localToken) external view returns (address remoteToken);

    /// @notice The bridge that mints and burns the tokens.
    function bridge() external view returns (address);
    function BRIDGE() external view returns (address);
}
