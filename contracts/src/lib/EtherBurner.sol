// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title EtherBurner
/// @notice Burns ether: `new EtherBurner{ value: amount }()`.
/// @dev A contract that self-destructs in the transaction of its creation, with itself as the recipient,
///      burns its ether. EIP-6780 keeps this case.
contract EtherBurner {
    constructor() payable {
        selfdestruct(payable(address(this)));
    }
}
