// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { FeeVault } from "../../src/L2/FeeVault.sol";
import { GasPriceOracle } from "../../src/L2/GasPriceOracle.sol";
import { L1Block } from "../../src/L2/L1Block.sol";
import { L2ToL1MessagePasser } from "../../src/L2/L2ToL1MessagePasser.sol";
import { Predeploys } from "../../src/lib/Predeploys.sol";
import { Test } from "./Test.sol";

/// @title L2Fixture
/// @notice The predeploys as genesis places them: runtime code at fixed addresses, without a constructor.
abstract contract L2Fixture is Test {
    address internal constant DEPOSITOR = 0xDeaDDEaDDeAdDeAdDEAdDEaddeAddEAdDEAd0001;

    L1Block internal constant L1_BLOCK = L1Block(Predeploys.L1_BLOCK);
    L2ToL1MessagePasser internal constant PASSER =
        L2ToL1MessagePasser(payable(Predeploys.L2_TO_L1_MESSAGE_PASSER));
    GasPriceOracle internal constant ORACLE = GasPriceOracle(Predeploys.GAS_PRICE_ORACLE);

    address internal immutable USER = account("user");

    function setUp() public virtual {
        vm.etch(Predeploys.L1_BLOCK, type(L1Block).runtimeCode);
        vm.etch(Predeploys.L2_TO_L1_MESSAGE_PASSER, type(L2ToL1MessagePasser).runtimeCode);
        vm.etch(Predeploys.GAS_PRICE_ORACLE, type(GasPriceOracle).runtimeCode);
        vm.etch(Predeploys.SEQUENCER_FEE_VAULT, type(FeeVault).runtimeCode);
        vm.etch(Predeploys.BASE_FEE_VAULT, type(FeeVault).runtimeCode);
        vm.etch(Predeploys.L1_FEE_VAULT, type(FeeVault).runtimeCode);
        vm.deal(USER, 1e30);
    }

    function slotOf(address contract_, uint256 slot) internal view returns (uint256) {
        return uint256(vm.load(contract_, bytes32(slot)));
    }

    struct Attributes {
        uint32 baseFeeScalar;
        uint32 blobBaseFeeScalar;
        uint64 sequenceNumber;
        uint64 timestamp;
        uint64 number;
        uint256 basefee;
        uint256 blobBaseFee;
        bytes32 hash;
        bytes32 batcherHash;
    }

    function packed(Attributes memory a) internal pure returns (bytes memory) {
        return abi.encodePacked(
            bytes4(0x440a5e20),
            a.baseFeeScalar,
            a.blobBaseFeeScalar,
            a.sequenceNumber,
            a.timestamp,
            a.number,
            a.basefee,
            a.blobBaseFee,
            a.hash,
            a.batcherHash
        );
    }

    function setAttributes(Attributes memory a) internal {
        vm.prank(DEPOSITOR);
        (bool ok,) = address(L1_BLOCK).call(packed(a));
        vm.assertTrue(ok);
    }
}
