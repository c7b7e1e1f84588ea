// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Inbox } from "../../src/L1/Inbox.sol";
import { Portal } from "../../src/L1/Portal.sol";
import { InboxConfig } from "../../src/interfaces/IInbox.sol";
import { PortalConfig } from "../../src/interfaces/IPortal.sol";
import { IRollup } from "../../src/interfaces/IRollup.sol";
import { Test } from "./Test.sol";

/// @title InboxFixture
/// @notice A portal and an inbox with small limits.
abstract contract InboxFixture is Test {
    bytes32 internal constant CHAIN_CONFIG_HASH = keccak256("chain configuration");
    uint64 internal constant FORCE_WINDOW = 1 hours;
    uint64 internal constant DEPOSITS_PER_ENTRY_MAX = 4;
    uint64 internal constant ORIGIN_LAG_MAX = 5;
    uint64 internal constant ENTRY_BYTES_MAX = 300_000;
    uint64 internal constant ENTRY_BLOBS_MAX = 3;
    uint64 internal constant KEY_DELAY = 2 days;

    address internal immutable BATCHER = account("batcher");
    address internal immutable USER = account("user");
    address internal immutable KEY_ADMIN = account("key admin");

    Portal internal portal;
    Inbox internal inbox;

    function setUp() public virtual {
        vm.warp(START_TIME);
        vm.roll(START_BLOCK);
        portal = newPortal();
        inbox = new Inbox(CHAIN_CONFIG_HASH, portal, BATCHER, defaultInboxConfig());
        vm.deal(USER, 1e30);
    }

    function defaultInboxConfig() internal view returns (InboxConfig memory) {
        return InboxConfig({
            forceWindow: FORCE_WINDOW,
            depositsPerEntryMax: DEPOSITS_PER_ENTRY_MAX,
            originLagMax: ORIGIN_LAG_MAX,
            entryBytesMax: ENTRY_BYTES_MAX,
            entryBlobsMax: ENTRY_BLOBS_MAX,
            keyAdmin: KEY_ADMIN,
            keyDelay: KEY_DELAY
        });
    }

    /// @dev A portal without a rollup, for tests that only make deposits.
    function newPortal() internal returns (Portal) {
        return new Portal(PortalConfig({ rollup: IRollup(address(1)), guardian: address(0), pauseMax: 0 }));
    }

    /// @dev Advances L1 by `blocks` blocks of 12 seconds.
    function advanceL1(uint256 blocks) internal {
        vm.roll(block.number + blocks);
        vm.warp(block.timestamp + 12 * blocks);
    }

    function deposit(uint256 count) internal {
        for (uint256 i; i < count; ++i) {
            vm.prank(USER, USER);
            portal.depositTransaction{ value: 1 }(USER, 1, 21_000, false, "");
        }
    }

    function lastAcc() internal view returns (bytes32) {
        return inbox.acc(inbox.entryCount() - 1);
    }

    /// @dev Appends as the batcher after the last entry.
    function append(uint64 depositCount, uint64 origin, bytes memory data) internal {
        bytes32 prevAcc = lastAcc();
        bytes32 depositAcc = portal.depositAcc(depositCount);
        vm.prank(BATCHER, BATCHER);
        inbox.append(prevAcc, depositCount, depositAcc, origin, data);
    }

    /// @dev Appends an empty batch with the latest admissible origin.
    function appendEmpty() internal {
        append(inbox.consumedDeposits(), inbox.entryCount() - 1, "");
    }

    /// @dev Expects the next append to revert with `reason`.
    function appendReverts(bytes memory reason, uint64 depositCount, uint64 origin, bytes memory data)
        internal
    {
        bytes32 prevAcc = lastAcc();
        bytes32 depositAcc =
            depositCount <= portal.depositCount() ? portal.depositAcc(depositCount) : bytes32(0);
        vm.expectRevert(reason);
        vm.prank(BATCHER, BATCHER);
        inbox.append(prevAcc, depositCount, depositAcc, origin, data);
    }
}
