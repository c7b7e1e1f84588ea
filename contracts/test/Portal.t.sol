// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Portal } from "../src/L1/Portal.sol";
import { IPortal, PortalConfig } from "../src/interfaces/IPortal.sol";
import { IRollup } from "../src/interfaces/IRollup.sol";
import { AddressAliasHelper } from "../src/lib/AddressAliasHelper.sol";
import { Relay } from "./utils/Fakes.sol";
import { Test } from "./utils/Test.sol";

contract PortalTest is Test {
    address private immutable USER = account("user");
    address private immutable OTHER = account("other");
    address private constant TO = address(0xbeef);
    uint64 private constant GAS_LIMIT_MAX = 2 ** 24;
    uint256 private constant DATA_BYTES_MAX = 65_536;

    Portal private portal;

    function setUp() public {
        vm.warp(START_TIME);
        vm.roll(START_BLOCK);
        portal = new Portal(PortalConfig({ rollup: IRollup(address(1)), guardian: address(0), pauseMax: 0 }));
        vm.deal(USER, 1e30);
    }

    function deposit(uint256 mint, address to, uint64 gasLimit, bool isCreation, bytes memory data) private {
        vm.prank(USER, USER);
        portal.depositTransaction{ value: mint }(to, mint, gasLimit, isCreation, data);
    }

    function depositReverts(
        bytes memory reason,
        address to,
        uint64 gasLimit,
        bool isCreation,
        bytes memory data
    ) private {
        vm.expectRevert(reason);
        vm.prank(USER, USER);
        portal.depositTransaction(to, 0, gasLimit, isCreation, data);
    }

    function expectDeposit(address from, address to, bytes memory opaqueData) private {
        vm.expectEmit(address(portal));
        emit IPortal.TransactionDeposited(from, to, 0, opaqueData);
    }

    // --- queue

    function test_queue_isEmptyAtFirst() public {
        vm.assertEq(portal.depositCount(), 0);
        vm.assertEq(portal.depositAcc(0), bytes32(0));
        vm.expectRevert(abi.encodeWithSelector(IPortal.Portal_UnknownDeposit.selector, 0, 0));
        portal.depositAcc(1);
        vm.expectRevert(abi.encodeWithSelector(IPortal.Portal_UnknownDeposit.selector, 0, 0));
        portal.depositTime(0);
    }

    function testFuzz_queue_keepsOrderAndTime(uint256[] calldata values, uint32 gap) public {
        uint256 count = bound(values.length, 0, 12);
        if (count > values.length) count = values.length;
        bytes32 acc;
        for (uint64 i; i < count; ++i) {
            uint256 value = bound(values[i], 0, 1e24);
            vm.roll(START_BLOCK + i);
            vm.warp(START_TIME + uint256(i) * gap);
            deposit(value, TO, 21_000, false, "");
            bytes32 opaqueHash = keccak256(abi.encodePacked(value, value, uint64(21_000), false));
            acc = keccak256(abi.encode(acc, i, START_BLOCK + i, USER, TO, uint256(0), opaqueHash));
            vm.assertEq(portal.depositAcc(i + 1), acc);
        }
        vm.assertEq(portal.depositCount(), count);
        for (uint64 i; i < count; ++i) {
            vm.assertEq(portal.depositTime(i), START_TIME + uint256(i) * gap);
        }
    }

    // --- sender

    function test_deposit_fromKey_isNotAliased() public {
        expectDeposit(USER, TO, abi.encodePacked(uint256(3), uint256(9), uint64(50_000), false, hex"c0de"));
        vm.prank(USER, USER);
        portal.depositTransaction{ value: 3 }(TO, 9, 50_000, false, hex"c0de");
        vm.assertEq(address(portal).balance, 3);
    }

    function test_deposit_fromContract_isAliased() public {
        Relay relay = new Relay();
        address from = address(uint160(address(relay)) + uint160(0x1111000000000000000000000000000000001111));
        expectDeposit(from, TO, abi.encodePacked(uint256(5), uint256(5), uint64(21_000), false));
        vm.prank(USER, USER);
        relay.relay{ value: 5 }(
            address(portal), abi.encodeCall(portal.depositTransaction, (TO, 5, 21_000, false, ""))
        );
    }

    function test_deposit_fromDelegatedKey_isNotAliased() public {
        vm.etch(USER, abi.encodePacked(hex"ef0100", address(new Relay())));
        expectDeposit(USER, TO, abi.encodePacked(uint256(0), uint256(0), uint64(21_000), false));
        deposit(0, TO, 21_000, false, "");
        // The delegated code makes the call, in another account's transaction.
        expectDeposit(USER, TO, abi.encodePacked(uint256(0), uint256(0), uint64(21_000), false));
        vm.prank(USER, OTHER);
        portal.depositTransaction(TO, 0, 21_000, false, "");
    }

    function test_deposit_fromCodeThatOnlyLooksDelegated_isAliased() public {
        vm.etch(USER, abi.encodePacked(hex"600000", OTHER));
        expectDeposit(
            AddressAliasHelper.toL2(USER), TO, abi.encodePacked(uint256(0), uint256(0), uint64(21_000), false)
        );
        vm.prank(USER, OTHER);
        portal.depositTransaction(TO, 0, 21_000, false, "");
    }

    function testFuzz_alias_isUndoneByToL1(address l1) public pure {
        vm.assertEq(AddressAliasHelper.toL1(AddressAliasHelper.toL2(l1)), l1);
        vm.assertTrue(AddressAliasHelper.toL2(l1) != l1);
    }

    // --- receive

    function test_receive_depositsToTheCaller() public {
        expectDeposit(USER, USER, abi.encodePacked(uint256(7), uint256(7), uint64(100_000), false));
        vm.prank(USER, USER);
        (bool ok,) = address(portal).call{ value: 7 }("");
        vm.assertTrue(ok);
        vm.assertEq(portal.depositCount(), 1);
    }

    function test_receive_fromContract_mintsToTheAlias() public {
        Relay relay = new Relay();
        expectDeposit(
            AddressAliasHelper.toL2(address(relay)),
            address(relay),
            abi.encodePacked(uint256(7), uint256(7), uint64(100_000), false)
        );
        vm.prank(USER, USER);
        relay.relay{ value: 7 }(address(portal), "");
    }

    // --- bounds

    function test_deposit_creationWithRecipient_reverts() public {
        depositReverts(
            abi.encodeWithSelector(IPortal.Portal_CreationWithRecipient.selector, TO), TO, 1_000_000, true, ""
        );
        deposit(0, address(0), 1_000_000, true, "");
    }

    function test_deposit_dataTooLong_reverts() public {
        deposit(0, TO, GAS_LIMIT_MAX, false, new bytes(DATA_BYTES_MAX));
        depositReverts(
            abi.encodeWithSelector(IPortal.Portal_DataTooLong.selector, DATA_BYTES_MAX + 1, DATA_BYTES_MAX),
            TO,
            GAS_LIMIT_MAX,
            false,
            new bytes(DATA_BYTES_MAX + 1)
        );
    }

    function test_deposit_gasLimitTooHigh_reverts() public {
        depositReverts(
            abi.encodeWithSelector(IPortal.Portal_GasLimitTooHigh.selector, GAS_LIMIT_MAX + 1, GAS_LIMIT_MAX),
            TO,
            GAS_LIMIT_MAX + 1,
            false,
            ""
        );
    }

    function testFuzz_deposit_gasLimitTooLow_reverts(uint16 length, bool isCreation) public {
        bytes memory data = new bytes(length);
        uint64 min = uint64(21_000 + 40 * uint256(length));
        if (isCreation) min += uint64(32_000 + 2 * ((uint256(length) + 31) / 32));
        address to = isCreation ? address(0) : TO;
        vm.assertEq(portal.minimumGasLimit(length, isCreation), min);
        depositReverts(
            abi.encodeWithSelector(IPortal.Portal_GasLimitTooLow.selector, min - 1, min),
            to,
            min - 1,
            isCreation,
            data
        );
        deposit(0, to, min, isCreation, data);
    }
}
