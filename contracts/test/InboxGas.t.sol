// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Inbox } from "../src/L1/Inbox.sol";
import { InboxConfig, Item } from "../src/interfaces/IInbox.sol";
import { InboxFixture } from "./utils/InboxFixture.sol";

/// @notice Gas of whole transactions to the inbox, with the limits of a production chain and all state cold.
contract InboxGasTest is InboxFixture {
    /// @dev Intrinsic gas: per transaction, and per byte of its input (EIP-2028).
    uint256 private constant TRANSACTION_GAS = 21_000;
    uint256 private constant NONZERO_BYTE_GAS = 16;
    uint256 private constant NEW_SLOT_GAS = 22_100;
    uint256 private constant UPDATE_GAS = 5000;
    uint64 private constant PRODUCTION_DEPOSITS_PER_ENTRY_MAX = 256;

    uint256 private constant WORST_APPEND_GAS = 130_000;
    uint256 private constant WORST_FORCED_GAS = 120_000;

    event log_named_uint(string name, uint256 value);

    function setUp() public override {
        super.setUp();
        InboxConfig memory config = defaultInboxConfig();
        config.depositsPerEntryMax = PRODUCTION_DEPOSITS_PER_ENTRY_MAX;
        config.entriesPerL1BlockMax = 64;
        inbox = new Inbox(CHAIN_CONFIG_HASH, portal, BATCHER, config);
    }

    function transactionGas(bytes memory input) private returns (uint256 gas) {
        gas = TRANSACTION_GAS;
        for (uint256 i; i < input.length; ++i) {
            gas += input[i] == 0 ? NONZERO_BYTE_GAS / 4 : NONZERO_BYTE_GAS;
        }
        vm.cool(address(inbox));
        vm.cool(address(portal));
        vm.prank(BATCHER, BATCHER);
        uint256 before = gasleft();
        (bool ok,) = address(inbox).call(input);
        gas += before - gasleft();
        vm.assertTrue(ok);
    }

    function appendGas(string memory name, Item[] memory items) private returns (uint256 gas) {
        gas = transactionGas(appendCall(inbox.content(), items));
        emit log_named_uint(name, gas);
    }

    function blobItem(uint64 depositCount, uint64 origin) private view returns (Item memory) {
        return itemOf(KIND_BLOBS, depositCount, origin, abi.encodePacked(uint8(ENTRY_BLOBS_MAX)));
    }

    /// @dev Deposits in as many L1 blocks as they need, so that their base fee stays low.
    function manyDeposits(uint256 count) private {
        for (uint256 i; i < count; ++i) {
            if (i % 32 == 0) vm.roll(block.number + 1);
            deposit(1);
        }
    }

    function warmUp() private {
        blobs(ENTRY_BLOBS_MAX);
        append(only(blobItem(0, 0)));
        append(only(blobItem(0, 0)));
        manyDeposits(3);
    }

    /// @dev The transaction itself, one new slot, two updates, and less than 37,000 for everything else.
    function test_gas_ofAnEntry() public {
        warmUp();
        uint256 inBlobs = appendGas("six blobs", only(blobItem(3, 2)));
        vm.assertLe(inBlobs, 90_000);
        blobs(1);
        uint256 inABlob = appendGas("one blob", only(itemOf(KIND_BLOBS, 3, 3, hex"01")));
        vm.assertGt(inBlobs, inABlob);
        blobs(0);
        vm.assertLe(appendGas("empty calldata", only(itemOf(KIND_CALLDATA, 3, 4, ""))), 90_000);
        // Exactly one new slot was written.
        vm.assertGt(inBlobs, TRANSACTION_GAS + NEW_SLOT_GAS + 2 * UPDATE_GAS);
        vm.assertGt(TRANSACTION_GAS + 2 * NEW_SLOT_GAS + 2 * UPDATE_GAS + 20_000, inBlobs);
    }

    /// @dev The item's origin lies behind the last entry's, and a deposit that is not overdue waits.
    function test_gas_ofAStaleItem() public {
        warmUp();
        append(only(blobItem(1, 2)));
        vm.assertLe(appendGas("stale origin, deposits waiting", only(blobItem(0, 1))), 98_000);
    }

    /// @dev A full entry of overdue deposits. Its origin lies behind the last entry's.
    function test_gas_ofAFullEntry() public {
        queueForASearch();
        vm.warp(START_TIME + 2 * FORCE_WINDOW);
        vm.assertLe(appendGas("256 overdue deposits", only(blobItem(0, 1))), WORST_APPEND_GAS);
        vm.assertEq(inbox.consumedDeposits(), 1 + PRODUCTION_DEPOSITS_PER_ENTRY_MAX);
    }

    /// @dev The dearest append and forced entry: an origin behind the last entry's, and the most probes of the search
    ///      in the most slots. The test tries every place where the overdue deposits may end.
    function test_gas_ofTheWorstSearch() public {
        queueForASearch();
        uint256 worst;
        uint256 worstForced;
        uint256 start = vm.snapshotState();
        for (uint256 overdue = 1; overdue <= PRODUCTION_DEPOSITS_PER_ENTRY_MAX; ++overdue) {
            vm.warp(START_TIME + FORCE_WINDOW + overdue);
            uint256 gas = transactionGas(appendCall(inbox.content(), only(blobItem(0, 1))));
            vm.assertEq(inbox.consumedDeposits(), 1 + overdue);
            if (gas > worst) worst = gas;
            vm.assertTrue(vm.revertToState(start));

            vm.warp(START_TIME + FORCE_WINDOW + overdue);
            gas = transactionGas(abi.encodeCall(inbox.forceInclude, ()));
            vm.assertEq(inbox.consumedDeposits(), 1 + overdue);
            if (gas > worstForced) worstForced = gas;
            vm.assertTrue(vm.revertToState(start));
        }
        emit log_named_uint("worst search, append", worst);
        emit log_named_uint("worst search, forceInclude", worstForced);
        vm.assertLe(worst, WORST_APPEND_GAS);
        vm.assertLe(worstForced, WORST_FORCED_GAS);
    }

    /// @dev Three entries, one deposit consumed, and a longer queue than an entry consumes, a deposit a second.
    function queueForASearch() private {
        blobs(ENTRY_BLOBS_MAX);
        deposit(1);
        append(only(blobItem(0, 0)));
        append(only(blobItem(0, 0)));
        append(only(blobItem(1, 2)));
        for (uint256 i = 1; i <= PRODUCTION_DEPOSITS_PER_ENTRY_MAX + 9; ++i) {
            vm.roll(START_BLOCK + i);
            vm.warp(START_TIME + i);
            deposit(1);
        }
    }

    function test_gas_ofAForcedEntry() public {
        warmUp();
        vm.warp(START_TIME + FORCE_WINDOW);
        uint256 gas = transactionGas(abi.encodeCall(inbox.forceInclude, ()));
        emit log_named_uint("forceInclude of 3", gas);
        vm.assertLe(gas, 85_000);
    }

    function test_gas_ofThreeItems() public {
        warmUp();
        Item[] memory items = new Item[](3);
        blobs(9);
        for (uint256 i; i < 3; ++i) {
            items[i] = itemOf(KIND_BLOBS, 3, 2, hex"03");
        }
        vm.assertLe(appendGas("three items of three blobs", items), 170_000);
    }

    /// @dev A call that comes too late, or too early, fails before it reads the rest.
    function test_gas_ofAWrongContent() public {
        warmUp();
        bytes memory input = appendCall(keccak256("wrong"), only(blobItem(3, 2)));
        uint256 gas = TRANSACTION_GAS;
        for (uint256 i; i < input.length; ++i) {
            gas += input[i] == 0 ? NONZERO_BYTE_GAS / 4 : NONZERO_BYTE_GAS;
        }
        vm.cool(address(inbox));
        vm.prank(BATCHER, BATCHER);
        uint256 before = gasleft();
        (bool ok,) = address(inbox).call(input);
        gas += before - gasleft();
        vm.assertEq(ok, false);
        emit log_named_uint("wrong content", gas);
        vm.assertLe(gas, 32_000);
    }
}
