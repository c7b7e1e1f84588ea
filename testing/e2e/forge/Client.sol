// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev The cheatcodes that are used here.
interface Vm {
    function startBroadcast() external;
    function stopBroadcast() external;
    function envAddress(string calldata name) external view returns (address);
}

Vm constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

contract Counter {
    event Counted(address indexed by, uint256 count);

    uint256 public count;

    function increment() external {
        count++;
        emit Counted(msg.sender, count);
    }
}

/// @notice What a project's deployment is: `forge script --broadcast`.
contract DeployCounter {
    function run() external returns (Counter counter) {
        VM.startBroadcast();
        counter = new Counter();
        counter.increment();
        counter.increment();
        VM.stopBroadcast();
    }
}

/// @notice Tests against the state of a running chain: `forge test --fork-url`.
contract ForkTest {
    function test_readsAndWritesTheForkedState() external {
        Counter counter = Counter(VM.envAddress("COUNTER"));
        require(counter.count() == 2, "the deployment's count");
        counter.increment();
        require(counter.count() == 3, "the fork's count");
    }
}
