// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Inbox } from "../src/L1/Inbox.sol";
import { IInbox, InboxConfig } from "../src/interfaces/IInbox.sol";
import { InboxFixture } from "./utils/InboxFixture.sol";

/// @notice Rotation of the batcher's key.
contract InboxKeysTest is InboxFixture {
    address private immutable NEXT = account("next batcher");

    function name(address newBatcher) private {
        vm.prank(KEY_ADMIN);
        inbox.nameBatcher(newBatcher);
    }

    function appendAs(address sender) private returns (bool ok) {
        bytes memory call = appendCall(inbox.content(), only(itemOf(KIND_CALLDATA, 0, 0, "batch")));
        vm.prank(sender, sender);
        (ok,) = address(inbox).call(call);
    }

    function test_constructor_noPendingBatcher() public view {
        vm.assertEq(inbox.keyAdmin(), KEY_ADMIN);
        vm.assertEq(inbox.keyDelay(), KEY_DELAY);
        vm.assertEq(inbox.pendingBatcher(), address(0));
        vm.assertEq(inbox.pendingBatcherFrom(), 0);
    }

    function test_nameBatcher_changesNothingYet() public {
        vm.expectEmit(address(inbox));
        emit IInbox.BatcherNamed(NEXT, uint64(START_TIME) + KEY_DELAY);
        name(NEXT);
        vm.assertEq(inbox.pendingBatcher(), NEXT);
        vm.assertEq(inbox.pendingBatcherFrom(), START_TIME + KEY_DELAY);
        vm.assertEq(inbox.batcher(), BATCHER);
        vm.assertTrue(appendAs(BATCHER));
        vm.assertEq(appendAs(NEXT), false);
    }

    function test_nameBatcher_notKeyAdmin_reverts() public {
        address[3] memory others = [BATCHER, USER, NEXT];
        for (uint256 i; i < others.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_NotKeyAdmin.selector, others[i]));
            vm.prank(others[i]);
            inbox.nameBatcher(NEXT);
        }
    }

    function test_nameBatcher_zero_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_BadBatcher.selector, address(0)));
        name(address(0));
    }

    function test_constructor_keyAdminWithoutDelay_reverts() public {
        InboxConfig memory config = defaultInboxConfig();
        config.keyDelay = 0;
        vm.expectRevert(IInbox.Inbox_BadConfig.selector);
        new Inbox(CHAIN_CONFIG_HASH, portal, BATCHER, config);
        config.keyDelay = 1;
        new Inbox(CHAIN_CONFIG_HASH, portal, BATCHER, config);
    }

    function test_nameBatcher_withoutKeyAdmin_reverts() public {
        InboxConfig memory config = defaultInboxConfig();
        config.keyAdmin = address(0);
        config.keyDelay = 0;
        inbox = new Inbox(CHAIN_CONFIG_HASH, portal, BATCHER, config);
        vm.expectRevert(abi.encodeWithSelector(IInbox.Inbox_NotKeyAdmin.selector, KEY_ADMIN));
        name(NEXT);
        vm.expectRevert(IInbox.Inbox_NoPendingBatcher.selector);
        inbox.changeBatcher();
    }

    function test_changeBatcher_afterTheDelay_byAnyone() public {
        name(NEXT);
        vm.warp(START_TIME + KEY_DELAY);
        vm.expectEmit(address(inbox));
        emit IInbox.BatcherChanged(BATCHER, NEXT);
        vm.prank(USER);
        inbox.changeBatcher();
        vm.assertEq(inbox.batcher(), NEXT);
        vm.assertEq(inbox.pendingBatcher(), address(0));
        vm.assertEq(inbox.pendingBatcherFrom(), 0);
        vm.assertEq(appendAs(BATCHER), false);
        vm.assertTrue(appendAs(NEXT));

        vm.expectRevert(IInbox.Inbox_NoPendingBatcher.selector);
        inbox.changeBatcher();
    }

    function test_changeBatcher_early_reverts() public {
        name(NEXT);
        vm.warp(START_TIME + KEY_DELAY - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IInbox.Inbox_KeyDelayNotOver.selector, uint64(START_TIME) + KEY_DELAY)
        );
        inbox.changeBatcher();
    }

    function test_changeBatcher_noPendingBatcher_reverts() public {
        vm.expectRevert(IInbox.Inbox_NoPendingBatcher.selector);
        inbox.changeBatcher();
    }

    function test_nameBatcher_again_startsTheDelayAnew() public {
        name(NEXT);
        vm.warp(START_TIME + KEY_DELAY - 1);
        name(USER);
        vm.warp(START_TIME + KEY_DELAY);
        vm.expectRevert(
            abi.encodeWithSelector(
                IInbox.Inbox_KeyDelayNotOver.selector, uint64(START_TIME) + 2 * KEY_DELAY - 1
            )
        );
        inbox.changeBatcher();
        vm.warp(START_TIME + 2 * KEY_DELAY - 1);
        inbox.changeBatcher();
        vm.assertEq(inbox.batcher(), USER);
    }
}
