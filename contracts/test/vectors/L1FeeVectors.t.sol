// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { LibZip } from "solady/utils/LibZip.sol";
import { GasPriceOracle } from "../../src/L2/GasPriceOracle.sol";
import { L1Block } from "../../src/L2/L1Block.sol";
import { Predeploys } from "../../src/lib/Predeploys.sol";
import { Test } from "../utils/Test.sol";

/// @title L1FeeVectorsTest
/// @notice The contracts against crates/protocol/vectors/l1fee.json, which contracts/vectors.mjs makes without them.
contract L1FeeVectorsTest is Test {
    function test_oracle() public {
        string memory json = readVectors("l1fee");
        vm.etch(Predeploys.L1_BLOCK, type(L1Block).runtimeCode);
        GasPriceOracle oracle = new GasPriceOracle();
        uint256 settings = lengthOf(json, "settings");
        uint256 cases = lengthOf(json, "cases");
        vm.assertEq(settings, 5);
        vm.assertEq(cases, 21);
        for (uint256 s; s < settings; ++s) {
            setAttributes(json, item("settings", s));
            for (uint256 c; c < cases; ++c) {
                string memory path = item("cases", c);
                bytes memory data = bytesAt(json, path, "data");
                string memory fee = string.concat("oracle.fees[", vm.toString(s), "]");
                vm.assertEq(oracle.getL1Fee(data), uintAt(json, path, fee));
                vm.assertEq(oracle.getL1GasUsed(data), uintAt(json, path, "oracle.l1GasUsed"));
            }
        }
    }

    function setAttributes(string memory json, string memory path) private {
        L1Block l1Block = L1Block(Predeploys.L1_BLOCK);
        bytes memory call = abi.encodePacked(
            L1Block.setL1BlockValuesEcotone.selector,
            uint32(uintAt(json, path, "baseFeeScalar")),
            uint32(uintAt(json, path, "blobBaseFeeScalar")),
            uint64(0),
            uint64(0),
            uint64(0),
            uintAt(json, path, "l1BaseFee"),
            uintAt(json, path, "blobBaseFee"),
            bytes32(0),
            bytes32(0)
        );
        vm.prank(l1Block.DEPOSITOR_ACCOUNT());
        (bool ok,) = address(l1Block).call(call);
        vm.assertTrue(ok);
    }

    function test_fastLzBytes() public view {
        string memory json = readVectors("l1fee");
        uint256 cases = lengthOf(json, "cases");
        for (uint256 c; c < cases; ++c) {
            bytes memory data = bytesAt(json, item("cases", c), "data");
            vm.assertEq(LibZip.flzCompress(data).length, uintAt(json, item("cases", c), "fastLzBytes"));
        }
    }
}
