// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IStandardBridge
/// @notice One of the two bridges, on L1 and on L2, that transfer ether and ERC-20 tokens. Names and meanings
///         are those of the OP stack's StandardBridge. There is no messenger contract: each bridge calls the
///         other through the portal (L1) or L2ToL1MessagePasser (L2).
///
///         A token is "local" on this chain and "remote" on the other. The bridge mints and burns a mintable
///         token (see
///         IOptimismMintableERC20) and escrows any other. It counts deposits per pair of tokens, so that a
///         malicious
///         token harms only those who bridge it.
/// @dev WARNING: bridging does not check that a pair exists on the other chain. The bridge on L2 returns a
///      failed deposit. A failed withdrawal on L1 can be tried again, and its tokens stay in the bridge until
///      it succeeds.
interface IStandardBridge {
    /// @notice The call does not come from the other bridge.
    error StandardBridge_NotOtherBridge(address caller);
    /// @notice The caller is a contract, which must name a recipient.
    error StandardBridge_NotEoa(address caller);
    /// @notice The call's value is not the amount.
    error StandardBridge_WrongValue(uint256 expected, uint256 found);
    /// @notice The token belongs to another pair.
    error StandardBridge_WrongPair(address localToken, address expectedRemoteToken, address foundRemoteToken);
    /// @notice The amount exceeds the pair's deposits.
    error StandardBridge_NotDeposited(uint256 deposited, uint256 amount);

    /// @notice Ether left for the other chain.
    event ETHBridgeInitiated(address indexed from, address indexed to, uint256 amount, bytes extraData);

    /// @notice Ether arrived from the other chain.
    event ETHBridgeFinalized(address indexed from, address indexed to, uint256 amount, bytes extraData);

    /// @notice Tokens left for the other chain. `amount` is what the bridge received, which is less than the
    ///         requested amount if the token takes a fee.
    event ERC20BridgeInitiated(
        address indexed localToken,
        address indexed remoteToken,
        address indexed from,
        address to,
        uint256 amount,
        bytes extraData
    );

    /// @notice Tokens arrived from the other chain.
    event ERC20BridgeFinalized(
        address indexed localToken,
        address indexed remoteToken,
        address indexed from,
        address to,
        uint256 amount,
        bytes extraData
    );

    /// @notice Bridges the call's value to the caller's own address. Only for accounts with a key.
    receive() external payable;

    /// @notice Bridges the call's value to the caller's own address. Only for accounts with a key.
    /// @param _minGasLimit Gas for the recipient on the other chain, besides the bridge's own gas.
    /// @param _extraData Data for the events. The bridges do not interpret it.
    function bridgeETH(uint32 _minGasLimit, bytes calldata _extraData) external payable;

    /// @notice Bridges the call's value to `_to`.
    function bridgeETHTo(address _to, uint32 _minGasLimit, bytes calldata _extraData) external payable;

    /// @notice Bridges tokens to the caller's own address. The caller must have approved this bridge. Only
    ///         for accounts with a key.
    /// @param _localToken The token on this chain.
    /// @param _remoteToken The token on the other chain.
    function bridgeERC20(
        address _localToken,
        address _remoteToken,
        uint256 _amount,
        uint32 _minGasLimit,
        bytes calldata _extraData
    ) external;

    /// @notice Bridges tokens to `_to`. The caller must have approved this bridge.
    function bridgeERC20To(
        address _localToken,
        address _remoteToken,
        address _to,
        uint256 _amount,
        uint32 _minGasLimit,
        bytes calldata _extraData
    ) external;

    /// @notice Pays out ether that left the other chain. Only for the other bridge.
    function finalizeBridgeETH(address _from, address _to, uint256 _amount, bytes calldata _extraData)
        external
        payable;

    /// @notice Pays out or mints tokens that left the other chain. Only for the other bridge.
    function finalizeBridgeERC20(
        address _localToken,
        address _remoteToken,
        address _from,
        address _to,
        uint256 _amount,
        bytes calldata _extraData
    ) external;

    /// @notice The bridge on the other chain.
    function otherBridge() external view returns (address);

    /// @notice Amount of `localToken` that this bridge holds for a pair.
    function deposits(address localToken, address remoteToken) external view returns (uint256);
}
