// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IPortal, PortalConfig } from "../interfaces/IPortal.sol";
import { AddressAliasHelper } from "../lib/AddressAliasHelper.sol";
import { CallerLib } from "../lib/CallerLib.sol";
import { DepositMeter } from "./DepositMeter.sol";
import { Withdrawals } from "./Withdrawals.sol";

/// @title Portal
/// @notice The deposit queue and the withdrawals; see IPortal.
contract Portal is Withdrawals, DepositMeter {
    /// @inheritdoc IPortal
    uint256 public constant DEPOSIT_VERSION = 0;
    /// @inheritdoc IPortal
    uint64 public constant DEPOSIT_DATA_BYTES_MAX = 65_536;
    /// @inheritdoc IPortal
    uint64 public constant GAS_LIMIT_MAX = 2 ** 24;
    /// @inheritdoc IPortal
    uint64 public constant RECEIVE_GAS_LIMIT = 100_000;

    /// @dev Intrinsic gas: per transaction, per byte of data (the floor of EIP-7623 for a non-zero byte), per
    ///      creation, and per word of init code (EIP-3860).
    uint64 private constant TRANSACTION_GAS = 21_000;
    uint64 private constant DATA_BYTE_GAS = 40;
    uint64 private constant CREATION_GAS = 32_000;
    uint64 private constant INIT_CODE_WORD_GAS = 2;
    uint64 private constant WORD_BYTES = 32;

    /// @dev Accumulator after deposit n at index n.
    bytes32[] private _accs;
    /// @dev Time of deposit n at index n; four to a slot.
    uint64[] private _times;

    constructor(PortalConfig memory config) Withdrawals(config) { }

    /// @inheritdoc IPortal
    receive() external payable {
        _deposit(msg.sender, msg.value, RECEIVE_GAS_LIMIT, false, "");
    }

    /// @inheritdoc IPortal
    function depositTransaction(
        address _to,
        uint256 _value,
        uint64 _gasLimit,
        bool _isCreation,
        bytes calldata _data
    ) external payable {
        _deposit(_to, _value, _gasLimit, _isCreation, _data);
    }

    /// @inheritdoc IPortal
    function depositCount() public view returns (uint64) {
        return uint64(_accs.length);
    }

    /// @inheritdoc IPortal
    function depositAcc(uint64 count) external view returns (bytes32) {
        if (count == 0) return bytes32(0);
        _checkKnown(count - 1);
        return _accs[count - 1];
    }

    /// @inheritdoc IPortal
    function depositTime(uint64 index) external view returns (uint64) {
        _checkKnown(index);
        return _times[index];
    }

    /// @inheritdoc IPortal
    function minimumGasLimit(uint64 dataBytes, bool isCreation) public pure returns (uint64 gas) {
        gas = TRANSACTION_GAS + DATA_BYTE_GAS * dataBytes;
        if (isCreation) {
            uint64 words = (dataBytes + WORD_BYTES - 1) / WORD_BYTES;
            gas += CREATION_GAS + INIT_CODE_WORD_GAS * words;
        }
    }

    function _deposit(address to, uint256 value, uint64 gasLimit, bool isCreation, bytes memory data)
        private
        metered(gasLimit)
    {
        _checkBounds(to, gasLimit, isCreation, data.length);
        bytes memory opaqueData = abi.encodePacked(msg.value, value, gasLimit, isCreation, data);
        address from = CallerLib.isEoa() ? msg.sender : AddressAliasHelper.toL2(msg.sender);
        _enqueue(from, to, opaqueData);
    }

    function _checkBounds(address to, uint64 gasLimit, bool isCreation, uint256 dataBytes) private pure {
        if (isCreation && to != address(0)) revert Portal_CreationWithRecipient(to);
        if (dataBytes > DEPOSIT_DATA_BYTES_MAX) revert Portal_DataTooLong(dataBytes, DEPOSIT_DATA_BYTES_MAX);
        if (gasLimit > GAS_LIMIT_MAX) revert Portal_GasLimitTooHigh(gasLimit, GAS_LIMIT_MAX);
        uint64 min = minimumGasLimit(uint64(dataBytes), isCreation);
        if (gasLimit < min) revert Portal_GasLimitTooLow(gasLimit, min);
    }

    function _enqueue(address from, address to, bytes memory opaqueData) private {
        uint64 index = depositCount();
        bytes32 previous = index == 0 ? bytes32(0) : _accs[index - 1];
        _accs.push(
            keccak256(
                abi.encode(
                    previous, index, uint64(block.number), from, to, DEPOSIT_VERSION, keccak256(opaqueData)
                )
            )
        );
        _times.push(uint64(block.timestamp));
        emit TransactionDeposited(from, to, DEPOSIT_VERSION, opaqueData);
    }

    function _checkKnown(uint64 index) private view {
        uint64 count = depositCount();
        if (index >= count) revert Portal_UnknownDeposit(index, count);
    }
}
