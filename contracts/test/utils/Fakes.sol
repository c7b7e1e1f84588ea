// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title FakePortal
/// @notice Answers for a deposit queue with whatever it was told.
contract FakePortal {
    uint64 public depositCount;
    bytes32 private _acc;
    uint64 private _time;

    function set(uint64 count, bytes32 acc, uint64 time) external {
        depositCount = count;
        _acc = acc;
        _time = time;
    }

    function depositAcc(uint64) external view returns (bytes32) {
        return _acc;
    }

    function depositTime(uint64) external view returns (uint64) {
        return _time;
    }
}

/// @title FakeInbox
/// @notice Answers for an inbox with accumulators that it was told, or else a hash of the index.
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
/// @notice A contract that calls, with the ether sent along, what it is told to.
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
/// @notice A contract that takes no ether back.
contract Refuser {
    receive() external payable {
        revert("no");
    }

    function relay(address target, bytes calldata data) external payable {
        (bool ok,) = target.call{ value: msg.value }(data);
        require(ok);
    }
}
