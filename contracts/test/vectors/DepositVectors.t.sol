// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Portal } from "../../src/L1/Portal.sol";
import { PortalConfig } from "../../src/interfaces/IPortal.sol";
import { IRollup } from "../../src/interfaces/IRollup.sol";
import { IPortal } from "../../src/interfaces/IPortal.sol";
import { AddressAliasHelper } from "../../src/lib/AddressAliasHelper.sol";
import { Test } from "../utils/Test.sol";
import { Log } from "../utils/Vm.sol";

/// @title DepositVectorsTest
/// @notice The contracts against crates/protocol/vectors/deposits.json, which contracts/vectors.mjs makes without them.
contract DepositVectorsTest is Test {
    address private immutable BATCHER = account("batcher");

    function test_queue() public {
        string memory json = readVectors("deposits");
        Portal portal =
            new Portal(PortalConfig({ rollup: IRollup(address(1)), guardian: address(0), pauseMax: 0 }));
        uint256 count = lengthOf(json, "deposits");
        vm.assertEq(count, 4);
        for (uint64 i; i < count; ++i) {
            string memory path = item("deposits", i);
            vm.assertEq(portal.depositAcc(i), hashAt(json, path, "previousAcc"));
            vm.roll(uintAt(json, path, "l1BlockNumber"));
            vm.recordLogs();
            makeDeposit(portal, json, path);

            Log[] memory logs = vm.getRecordedLogs();
            vm.assertEq(logs.length, 1);
            vm.assertEq(logs[0].topics[0], IPortal.TransactionDeposited.selector);
            vm.assertEq(logs[0].topics[1], asTopic(addressAt(json, path, "from")));
            vm.assertEq(logs[0].topics[2], asTopic(addressAt(json, path, "to")));
            vm.assertEq(uint256(logs[0].topics[3]), uintAt(json, path, "version"));
            vm.assertEq(abi.decode(logs[0].data, (bytes)), bytesAt(json, path, "opaqueData"));
            vm.assertEq(portal.depositCount(), i + 1);
            vm.assertEq(portal.depositAcc(i + 1), hashAt(json, path, "acc"));
        }
    }

    function makeDeposit(Portal portal, string memory json, string memory path) private {
        address caller = addressAt(json, path, "caller");
        bool callerIsContract = vm.parseJsonBool(json, string.concat(path, ".callerIsContract"));
        bool isCreation = vm.parseJsonBool(json, string.concat(path, ".isCreation"));
        address to = addressAt(json, path, "to");
        uint256 mint = uintAt(json, path, "mint");
        uint256 value = uintAt(json, path, "value");
        uint64 gasLimit = uint64At(json, path, "gasLimit");
        bytes memory data = bytesAt(json, path, "data");
        vm.deal(caller, mint);
        vm.prank(caller, callerIsContract ? BATCHER : caller);
        portal.depositTransaction{ value: mint }(to, value, gasLimit, isCreation, data);
    }

    function asTopic(address account_) private pure returns (bytes32) {
        return bytes32(uint256(uint160(account_)));
    }

    function test_aliases() public view {
        string memory json = readVectors("deposits");
        uint256 count = lengthOf(json, "aliases");
        vm.assertEq(count, 4);
        for (uint256 i; i < count; ++i) {
            address l1 = addressAt(json, item("aliases", i), "l1");
            address l2 = addressAt(json, item("aliases", i), "l2");
            vm.assertEq(AddressAliasHelper.toL2(l1), l2);
            vm.assertEq(AddressAliasHelper.toL1(l2), l1);
        }
    }

    function test_minimumGasLimits() public {
        string memory json = readVectors("deposits");
        Portal portal =
            new Portal(PortalConfig({ rollup: IRollup(address(1)), guardian: address(0), pauseMax: 0 }));
        uint256 count = lengthOf(json, "minimumGasLimits");
        vm.assertEq(count, 8);
        for (uint256 i; i < count; ++i) {
            string memory path = item("minimumGasLimits", i);
            uint64 min = portal.minimumGasLimit(
                uint64At(json, path, "dataBytes"), vm.parseJsonBool(json, string.concat(path, ".isCreation"))
            );
            vm.assertEq(min, uintAt(json, path, "min"));
        }
    }
}
