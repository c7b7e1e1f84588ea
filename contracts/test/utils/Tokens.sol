// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { ERC20 } from "solady/tokens/ERC20.sol";

/// @title TestToken
/// @notice An ERC-20 token that anyone may mint.
contract TestToken is ERC20 {
    function name() public pure override returns (string memory) {
        return "Test";
    }

    function symbol() public pure override returns (string memory) {
        return "TST";
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @title FeeToken
/// @notice A token that keeps a hundredth of every transfer.
contract FeeToken is TestToken {
    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        super.transferFrom(from, to, amount);
        _burn(to, amount / 100);
        return true;
    }
}

/// @title ReenteringToken
/// @notice A token that makes a call while it is being transferred.
contract ReenteringToken is TestToken {
    address private _target;
    bytes private _call;

    function onTransfer(address target, bytes calldata call) external {
        _target = target;
        _call = call;
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        (address target, bytes memory call) = (_target, _call);
        _target = address(0);
        if (target != address(0)) {
            (bool ok, bytes memory reason) = target.call(call);
            if (!ok) {
                assembly ("memory-safe") {
                    revert(add(reason, 0x20), mload(reason))
                }
            }
        }
        return super.transferFrom(from, to, amount);
    }
}
