// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IOptimismMintableERC20Factory
/// @notice Creates tokens for the bridge on L2. Anyone may create one, for any token on L1.
/// @dev WARNING: anyone chooses a token's name. Only remoteToken() says which token it represents.
interface IOptimismMintableERC20Factory {
    /// @notice The remote token is the zero address.
    error OptimismMintableERC20Factory_NoRemoteToken();

    /// @notice A token was created. The factory emits both events; the first is the older one.
    event StandardL2TokenCreated(address indexed remoteToken, address indexed localToken);
    event OptimismMintableERC20Created(
        address indexed localToken, address indexed remoteToken, address deployer
    );

    /// @notice Creates a token with 18 decimals.
    /// @dev The parameters determine the token's address, so the same token cannot be created twice.
    function createOptimismMintableERC20(address _remoteToken, string calldata _name, string calldata _symbol)
        external
        returns (address);

    /// @notice Creates a token.
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

    /// @notice The remote token of a token that this factory created; zero for any other address.
    function deployments(address localToken) external view returns (address remoteToken);

    /// @notice The bridge that mints and burns the tokens.
    function bridge() external view returns (address);
    function BRIDGE() external view returns (address);
}
