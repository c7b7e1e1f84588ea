// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice The contract that Probe creates.
contract Child {
    uint256 public immutable mark;

    constructor(uint256 mark_) payable {
        mark = mark_;
    }

    /// @dev Removes the contract only if the same transaction created it.
    function end(address payable heir) external {
        selfdestruct(heir);
    }
}

/// @notice Performs an operation on request: writes, clears, logs, creates, calls, reverts, runs out of gas.
contract Probe {
    event Written(address indexed writer, uint256 indexed key, bytes32 value, bytes data);
    event Received(address indexed from, uint256 amount);
    event Created(address child);
    event Attempted(bool success, bytes result);
    event Seen(
        uint256 number, uint256 timestamp, uint256 chainId, uint256 gasLimit, uint256 baseFee, uint256 gasPrice, address coinbase
    );

    error Probe_Refused(address caller, uint256 code);

    mapping(uint256 key => bytes32 value) public values;
    uint256 public count;

    constructor(uint256 start) payable {
        count = start;
        emit Written(msg.sender, start, bytes32(start), "");
    }

    receive() external payable {
        emit Received(msg.sender, msg.value);
    }

    function write(uint256 key, bytes32 value, bytes calldata data) external payable {
        values[key] = value;
        count++;
        emit Written(msg.sender, key, value, data);
    }

    /// @dev Refunds gas.
    function clear(uint256 from, uint256 to) external {
        for (uint256 key = from; key < to; key++) delete values[key];
    }

    function refuse(uint256 code) external payable {
        values[code] = bytes32(code);
        revert Probe_Refused(msg.sender, code);
    }

    function refuseInWords(string calldata reason) external pure {
        revert(reason);
    }

    function divide(uint256 dividend, uint256 divisor) external returns (uint256) {
        return count = dividend / divisor;
    }

    function assertNothing() external pure {
        assembly {
            invalid()
        }
    }

    /// @dev Never ends by itself.
    function spin() external {
        while (true) count++;
    }

    /// @dev Emits a log with each number of topics.
    function log(bytes32 topic) external {
        assembly {
            mstore(0, topic)
            log0(0, 32)
            log1(0, 32, topic)
            log2(0, 0, topic, topic)
            log3(0, 8, topic, topic, topic)
            log4(0, 32, topic, topic, topic, caller())
        }
    }

    function create(bytes32 salt) external payable returns (Child child) {
        child = new Child{ salt: salt, value: msg.value }(uint256(salt));
        emit Created(address(child));
    }

    /// @dev Ignores the callee's failure.
    function attempt(address target, uint256 gasLimit, bytes calldata data) external payable {
        (bool success, bytes memory result) = target.call{ gas: gasLimit, value: msg.value }(data);
        emit Attempted(success, result);
    }

    function see() external {
        emit Seen(block.number, block.timestamp, block.chainid, block.gaslimit, block.basefee, tx.gasprice, block.coinbase);
    }

    function transientRoundTrip(uint256 key, uint256 value) external {
        assembly {
            tstore(key, value)
            sstore(key, tload(key))
        }
    }

    function createAndEnd(bytes32 salt) external payable {
        Child child = new Child{ salt: salt, value: msg.value }(1);
        child.end(payable(msg.sender));
    }
}
