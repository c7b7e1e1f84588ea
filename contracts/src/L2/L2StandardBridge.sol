// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { SafeTransferLib } from "solady/utils/SafeTransferLib.sol";
import { IL2StandardBridge } from "../interfaces/IL2StandardBridge.sol";
import { IL2ToL1MessagePasser } from "../interfaces/IL2ToL1MessagePasser.sol";
import { IOptimismMintableERC20 } from "../interfaces/IOptimismMintableERC20.sol";
import { IStandardBridge } from "../interfaces/IStandardBridge.sol";
import { AddressAliasHelper } from "../lib/AddressAliasHelper.sol";
import { Predeploys } from "../lib/Predeploys.sol";
import { StandardBridge } from "../universal/StandardBridge.sol";

/// @title L2StandardBridge
/// @notice The bridge on L2; see IL2StandardBridge.
contract L2StandardBridge is StandardBridge, IL2StandardBridge {
    /// @dev The address that stands for ether among tokens, as in the OP stack. On L1 it is zero.
    address private constant ETHER = 0xDeadDeAddeAddEAddeadDEaDDEAdDeaDDeAD0000;
    address private constant L1_ETHER = address(0);

    /// @dev Gas that a delivery keeps for the events or the return withdrawal after it. L1StandardBridge
    ///      provides it.
    uint256 private constant RETURN_GAS = 200_000;
    uint256 private constant RETURN_BYTE_GAS = 32;

    /// @dev L1 gas of a withdrawal besides the recipient's gas: the work of the bridge on L1, per call and
    ///      per byte of its data.
    uint256 private constant WITHDRAWAL_GAS = 200_000;
    uint256 private constant WITHDRAWAL_BYTE_GAS = 40;

    address private _otherBridge; // slot 1, filled by genesis

    /// @inheritdoc IL2StandardBridge
    function withdraw(address _l2Token, uint256 _amount, uint32 _minGasLimit, bytes calldata _extraData)
        external
        payable
        onlyEoa
    {
        _withdraw(_l2Token, msg.sender, _amount, _minGasLimit, _extraData);
    }

    /// @inheritdoc IL2StandardBridge
    function withdrawTo(
        address _l2Token,
        address _to,
        uint256 _amount,
        uint32 _minGasLimit,
        bytes calldata _extraData
    ) external payable {
        _withdraw(_l2Token, _to, _amount, _minGasLimit, _extraData);
    }

    /// @inheritdoc IStandardBridge
    function finalizeBridgeETH(address _from, address _to, uint256 _amount, bytes calldata _extraData)
        external
        payable
        onlyOtherBridge
    {
        if (msg.value != _amount) revert StandardBridge_WrongValue(_amount, msg.value);
        // The message passer would record ether from this contract as a withdrawal of the bridge.
        bool delivered = _to != Predeploys.L2_TO_L1_MESSAGE_PASSER
            && SafeTransferLib.trySafeTransferETH(_to, _amount, gasleft() - _returnGas(_extraData));
        if (delivered) {
            emit DepositFinalized(L1_ETHER, ETHER, _from, _to, _amount, _extraData);
            emit ETHBridgeFinalized(_from, _to, _amount, _extraData);
            return;
        }
        emit DepositFailed(L1_ETHER, ETHER, _from, _to, _amount, _extraData);
        _send(_amount, abi.encodeCall(IStandardBridge.finalizeBridgeETH, (_to, _from, _amount, "")), 0);
    }

    /// @inheritdoc IStandardBridge
    function finalizeBridgeERC20(
        address _localToken,
        address _remoteToken,
        address _from,
        address _to,
        uint256 _amount,
        bytes calldata _extraData
    ) external onlyOtherBridge nonReentrant {
        uint256 gas = gasleft() - _returnGas(_extraData);
        try this.deliverERC20{ gas: gas }(_localToken, _remoteToken, _to, _amount) {
            emit DepositFinalized(_remoteToken, _localToken, _from, _to, _amount, _extraData);
            emit ERC20BridgeFinalized(_localToken, _remoteToken, _from, _to, _amount, _extraData);
        } catch {
            emit DepositFailed(_remoteToken, _localToken, _from, _to, _amount, _extraData);
            bytes memory message = abi.encodeCall(
                IStandardBridge.finalizeBridgeERC20, (_remoteToken, _localToken, _to, _from, _amount, "")
            );
            _send(0, message, 0);
        }
    }

    /// @inheritdoc IL2StandardBridge
    function deliverERC20(address _localToken, address _remoteToken, address _to, uint256 _amount) external {
        if (msg.sender != address(this)) revert L2StandardBridge_NotSelf(msg.sender);
        _give(_localToken, _remoteToken, _to, _amount);
    }

    /// @inheritdoc IL2StandardBridge
    function l1TokenBridge() external view returns (address) {
        return _otherBridge;
    }

    /// @inheritdoc IStandardBridge
    function otherBridge() public view override(IStandardBridge, StandardBridge) returns (address) {
        return _otherBridge;
    }

    function _withdraw(
        address l2Token,
        address to,
        uint256 amount,
        uint32 minGasLimit,
        bytes calldata extraData
    ) private {
        uint256 value = l2Token == ETHER ? amount : 0;
        if (msg.value != value) revert StandardBridge_WrongValue(value, msg.value);
        if (l2Token == ETHER) return _bridgeETH(to, minGasLimit, extraData);
        address l1Token = IOptimismMintableERC20(l2Token).remoteToken();
        _bridgeERC20(l2Token, l1Token, to, amount, minGasLimit, extraData);
    }

    function _returnGas(bytes calldata extraData) private pure returns (uint256) {
        return RETURN_GAS + RETURN_BYTE_GAS * extraData.length;
    }

    function _isOtherBridge() internal view override returns (bool) {
        return AddressAliasHelper.toL1(msg.sender) == _otherBridge;
    }

    function _send(uint256 value, bytes memory message, uint32 minGasLimit) internal override {
        uint256 gasLimit = WITHDRAWAL_GAS + WITHDRAWAL_BYTE_GAS * message.length + minGasLimit;
        IL2ToL1MessagePasser(payable(Predeploys.L2_TO_L1_MESSAGE_PASSER)).initiateWithdrawal{ value: value }(
            _otherBridge, gasLimit, message
        );
    }

    function _emitETHInitiated(address from, address to, uint256 amount, bytes memory extraData)
        internal
        override
    {
        emit WithdrawalInitiated(L1_ETHER, ETHER, from, to, amount, extraData);
        emit ETHBridgeInitiated(from, to, amount, extraData);
    }

    function _emitERC20Initiated(
        address localToken,
        address remoteToken,
        address from,
        address to,
        uint256 amount,
        bytes memory extraData
    ) internal override {
        emit WithdrawalInitiated(remoteToken, localToken, from, to, amount, extraData);
        emit ERC20BridgeInitiated(localToken, remoteToken, from, to, amount, extraData);
    }
}
