// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title IStandardBridge
/// @notice One of two bridges, on L1 and on L2, that carry ether and ERC-20 tokens to each other; names and meanings
///         are the OP stack's StandardBridge. There is no messenger between them: this bridge sends what the other
///         one is to do, through the Portal (L1) or L2ToL1MessagePasser (L2).
///
///         A token is "local" on this chain and "remote" on the other. A token that was made for the bridge (see
///         IOptimismMintableERC20) is minted and burned; any other is kept here, and the deposits of every pair of
///         tokens are counted apart, so that a token can only ever do harm to those who bridge it.
/// @dev WARNING: nothing checks that a pair makes sense when it is bridged. On L2, what cannot be delivered is sent
///      back; on L1, a withdrawal that cannot be delivered can be tried again, but stays where it is.
interface IStandardBridge {
    /// @notice The caller is not the other bridge, or does not speak for it.
    error StandardBridge_NotOtherBridge(address caller);
    /// @notice The caller is a contract, which must say who is to receive.
    error StandardBridge_NotEoa(address caller);
    /// @notice The ether sent along is not the amount.
    error StandardBridge_WrongValue(uint256 expected, uint256 found);
    /// @notice The token is the other half of another pair.
    error StandardBridge_WrongPair(address localToken, address expectedRemoteToken, address foundRemoteToken);
    /// @notice Less of the pair was deposited than is asked for.
    error StandardBridge_NotDeposited(uint256 deposited, uint256 amount);

    /// @notice Ether left for the other chain.
    event ETHBridgeInitiated(address indexed from, address indexed to, uint256 amount, bytes extraData);

    /// @notice Ether arrived from the other chain.
    event ETHBridgeFinalized(address indexed from, address indexed to, uint256 amount, bytes extraData);

    /// @notice Tokens left for the other chain. `amount` is what arrived here, which is less than what was sent if
    ///         the token takes a fee.
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

    /// @notice Bridges the ether sent along to the caller's own address. Only for accounts with a key.
    receive() external payable;

    /// @notice Bridges the ether sent along to the caller's own address. Only for accounts with a key.
    /// @param _minGasLimit Gas on the other chain for the recipient, beyond what the bridge needs.
    /// @param _extraData Goes into events; means nothing to the bridges.
    function bridgeETH(uint32 _minGasLimit, bytes calldata _extraData) external payable;

    /// @notice Bridges the ether sent along to `_to`.
    function bridgeETHTo(address _to, uint32 _minGasLimit, bytes calldata _extraData) external payable;

    /// @notice Bridges tokens, which this bridge must be allowed to take, to the caller's own address. Only for
    ///         accounts with a key.
    /// @param _localToken The token on this chain.
    /// @param _remoteToken The token on the other chain.
    function bridgeERC20(
        address _localToken,
        address _remoteToken,
        uint256 _amount,
        uint32 _minGasLimit,
        bytes calldata _extraData
    ) external;

    /// @notice Bridges tokens, which this bridge must be allowed to take, to `_to`.
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

    /// @notice How much of a pair of tokens is kept here.
    function deposits(address localToken, address remoteToken) external view returns (uint256);
}
