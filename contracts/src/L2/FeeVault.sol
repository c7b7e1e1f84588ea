// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IFeeVault } from "../interfaces/IFeeVault.sol";
import { IL2ToL1MessagePasser } from "../interfaces/IL2ToL1MessagePasser.sol";
import { Predeploys } from "../lib/Predeploys.sol";

/// @title FeeVault
/// @notice A vault for one kind of fee; see IFeeVault. Genesis places three of them.
contract FeeVault is IFeeVault {
    /// @inheritdoc IFeeVault
    uint256 public constant WITHDRAWAL_MIN_GAS = 400_000;

    /// @inheritdoc IFeeVault
    address public RECIPIENT; // slot 0
    /// @inheritdoc IFeeVault
    uint256 public totalProcessed; // slot 1

    /// @inheritdoc IFeeVault
    receive() external payable { }

    /// @inheritdoc IFeeVault
    function withdraw() external {
        address recipient = RECIPIENT;
        if (recipient == address(0)) revert FeeVault_NoRecipient();
        uint256 value = address(this).balance;
        if (value == 0) revert FeeVault_Empty();
        totalProcessed += value;
        emit Withdrawal(value, recipient, msg.sender);
        IL2ToL1MessagePasser(payable(Predeploys.L2_TO_L1_MESSAGE_PASSER)).initiateWithdrawal{ value: value }(
            recipient, WITHDRAWAL_MIN_GAS, ""
        );
    }
}
