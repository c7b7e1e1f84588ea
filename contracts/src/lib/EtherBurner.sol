// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title EtherBurner
/// @notice Takes ether out of existence: `new EtherBurner{ value: amount }()`.
/// @dev A contract that destroys itself in the transaction that creates it, and names itself as the heir, burns its
///      ether (EIP-6780 keeps this case).
contract EtherBurner {
    constructor() payable {
        selfdestruct(payable(address(this)));
    }
}
