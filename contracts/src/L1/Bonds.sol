// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IBonds } from "../interfaces/IBonds.sol";

/// @title Bonds
/// @notice Credits that accounts withdraw; see IBonds.
abstract contract Bonds is IBonds {
    /// @inheritdoc IBonds
    mapping(address account => uint256 amount) public bondCredit;

    /// @inheritdoc IBonds
    function withdrawBond() external {
        uint256 amount = bondCredit[msg.sender];
        if (amount == 0) revert Bonds_NothingToWithdraw(msg.sender);
        bondCredit[msg.sender] = 0;
        emit BondWithdrawn(msg.sender, amount);
        _pay(msg.sender, amount);
    }

    function _credit(address account, uint256 amount) internal {
        bondCredit[account] += amount;
        emit BondCredited(account, amount);
    }

    function _pay(address account, uint256 amount) internal {
        (bool sent,) = account.call{ value: amount }("");
        if (!sent) revert Bonds_TransferFailed(account);
    }
}
