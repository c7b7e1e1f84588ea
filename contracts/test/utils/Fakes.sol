// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title FakePortal
/// @notice A deposit queue with the values that a test sets. All deposits have the same time.
contract FakePortal {
    uint64 public depositCount;
    mapping(uint64 count => bytes32 acc) public depositAcc;
    uint64 private _time;

    function set(uint64 count, bytes32 acc, uint64 time) external {
        depositCount = count;
        depositAcc[count] = acc;
        _time = time;
    }

    function depositTime(uint64) external view returns (uint64) {
        return _time;
    }
}

/// @title FakeInbox
/// @notice An inbox with the accumulators that a test sets. The default is a hash of the index.
contract FakeInbox {
    bytes32 public constant chainConfigHash = keccak256("chain configuration");

    mapping(uint64 entry => bytes32) private _accs;

    function set(uint64 entry, bytes32 acc_) external {
        _accs[entry] = acc_;
    }

    function acc(uint64 entry) external view returns (bytes32) {
        return _accs[entry] != 0 ? _accs[entry] : keccak256(abi.encode(entry));
    }
}

/// @title Relay
/// @notice A contract that makes any call, with its own call's value.
contract Relay {
    receive() external payable { }

    function relay(address target, bytes calldata data) external payable {
        (bool ok, bytes memory result) = target.call{ value: msg.value }(data);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(result, 0x20), mload(result))
            }
        }
    }
}

/// @title Refuser
/// @notice A contract that rejects ether.
contract Refuser {
    receive() external payable {
        revert("no");
    }

    function relay(address target, bytes calldata data) external payable {
        (bool ok,) = target.call{ value: msg.value }(data);
        require(ok);
    }
}
