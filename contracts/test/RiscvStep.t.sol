// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IPreimageOracle } from "../src/interfaces/IPreimageOracle.sol";
import { IRiscvStep } from "../src/interfaces/IRiscvStep.sol";
import { Machine, RiscvFixture } from "./utils/RiscvFixture.sol";

/// @notice Valid and invalid inputs of RiscvStep. The differential tests in fraud-proof/ compare every
///         instruction with the machine.
contract RiscvStepTest is RiscvFixture {
    uint64 private constant PC = 0x10000;
    uint64 private constant DATA = 0xfffffff8;
    uint256 private constant A0 = 10;

    uint32 private constant ADDI_A0_A0_MINUS_1 = 0xfff50513;
    uint32 private constant LW_A0_A1 = 0x0005a503;
    uint32 private constant SD_A0_A1 = 0x00a5b023;
    uint32 private constant ECALL = 0x00000073;
    uint32 private constant EBREAK = 0x00100073;

    function setUp() public override {
        super.setUp();
        machine.pc = PC;
    }

    function afterInstruction() private view returns (Machine memory expected) {
        expected = machine;
        expected.pc += 4;
    }

    function callReadsOracle(bytes32 key, uint64 offset) private {
        next(ECALL);
        machine.registers[17] = 1000;
        machine.registers[14] = offset;
        for (uint256 i; i < 32; ++i) {
            machine.registers[A0 + i / 8] |= uint64(uint8(key[i])) << uint64(8 * (i % 8));
        }
    }

    function test_step_computes() public {
        next(ADDI_A0_A0_MINUS_1);
        Machine memory expected = afterInstruction();
        expected.registers[A0] = type(uint64).max;
        stepTo(path(PC), expected);
    }

    function test_step_loads() public {
        next(LW_A0_A1);
        write(DATA, 8, 0x0123456789abcdef);
        machine.registers[A0 + 1] = DATA;
        Machine memory expected = afterInstruction();
        expected.registers[A0] = 0xffffffff89abcdef;
        stepTo(abi.encodePacked(path(PC), path(DATA)), expected);
    }

    function test_step_stores() public {
        next(SD_A0_A1);
        machine.registers[A0] = 0x0123456789abcdef;
        machine.registers[A0 + 1] = DATA;
        bytes memory encoded = encode(machine);
        bytes memory proof = abi.encodePacked(path(PC), path(DATA));
        write(DATA, 8, 0x0123456789abcdef);
        Machine memory expected = afterInstruction();
        expected.step += 1;
        vm.assertEq(riscv.step(encoded, proof, local), keccak256(encode(expected)));
    }

    function test_step_reads() public {
        bytes32 key = bytes32(uint256(1 << 248 | 3));
        callReadsOracle(key, 32);
        bytes32 word = hex"00000000000000010000000000000002000000000000000300000000000000ff";
        bytes memory call = abi.encodeCall(IPreimageOracle.read, (key, 32, local));
        vm.mockCall(address(ORACLE), call, abi.encode(word, uint64(99)));
        Machine memory expected = afterInstruction();
        expected.registers[A0] = 1 << 56;
        expected.registers[A0 + 1] = 2 << 56;
        expected.registers[A0 + 2] = 3 << 56;
        expected.registers[A0 + 3] = 0xff << 56;
        expected.registers[A0 + 4] = 99;
        stepTo(path(PC), expected);
    }

    function test_step_partNotLoaded_reverts() public {
        bytes32 key = bytes32(uint256(2 << 248 | 3));
        callReadsOracle(key, 0);
        bytes memory call = abi.encodeCall(IPreimageOracle.read, (key, 0, local));
        vm.mockCallRevert(address(ORACLE), call, "not loaded");
        bytes memory proof = path(PC);
        bytes memory encoded = encode(machine);
        vm.expectRevert("not loaded");
        riscv.step(encoded, proof, local);
    }

    function test_step_invalidKey_exits() public {
        uint256[5] memory keys = [uint256(3), 5 << 248, 1 << 248 | 5, 1 << 248 | 1 << 240, 1 << 248 | 1 << 64];
        for (uint256 i; i < keys.length; ++i) {
            for (uint256 j; j < 5; ++j) {
                machine.registers[A0 + j] = 0;
            }
            callReadsOracle(bytes32(keys[i]), 0);
            stepExits(path(PC), 159);
        }
    }

    function test_step_misalignedOffset_exits() public {
        callReadsOracle(bytes32(uint256(1 << 248)), 31);
        stepExits(path(PC), 159);
    }

    function test_step_ecallExit_exits() public {
        next(ECALL);
        machine.registers[17] = 93;
        machine.registers[A0] = 1 << 63;
        stepExits(path(PC), 1 << 63);
    }

    function test_step_faults_exit() public {
        stepExits(path(PC), 132);
        next(EBREAK);
        stepExits(path(PC), 133);
        next(LW_A0_A1);
        machine.registers[A0 + 1] = DATA + 2;
        stepExits(path(PC), 135);
        machine.registers[A0 + 1] = 1 << 32;
        stepExits(path(PC), 139);
        machine.pc = 1 << 32;
        stepExits("", 139);
        machine.pc += 2;
        stepExits("", 135);
    }

    function test_step_exited_changesNothing() public {
        machine.exited = true;
        machine.exitCode = 3;
        vm.assertEq(step(""), keccak256(encode(machine)));
        bytes memory encoded = encode(machine);
        vm.expectRevert(abi.encodeWithSelector(IRiscvStep.RiscvStep_WrongProofLength.selector, 0, 1));
        riscv.step(encoded, "x", local);
    }

    function test_step_wrongStateLength_reverts() public {
        bytes memory encoded = abi.encodePacked(encode(machine), uint8(0));
        vm.expectRevert(abi.encodeWithSelector(IRiscvStep.RiscvStep_WrongStateLength.selector, 305, 306));
        riscv.step(encoded, "", local);
        vm.expectRevert(abi.encodeWithSelector(IRiscvStep.RiscvStep_WrongStateLength.selector, 305, 0));
        riscv.step("", "", local);
    }

    function test_step_nonCanonicalState_reverts() public {
        machine.exitCode = 1;
        bytes memory running = encode(machine);
        vm.expectRevert(IRiscvStep.RiscvStep_NonCanonicalState.selector);
        riscv.step(running, "", local);
        machine.exited = true;
        bytes memory flagged = encode(machine);
        flagged[288] = 0x02;
        vm.expectRevert(IRiscvStep.RiscvStep_NonCanonicalState.selector);
        riscv.step(flagged, "", local);
    }

    function test_step_wrongProofLength_reverts() public {
        next(LW_A0_A1);
        bytes memory encoded = encode(machine);
        bytes memory proof = path(PC);
        vm.expectRevert(abi.encodeWithSelector(IRiscvStep.RiscvStep_WrongProofLength.selector, 1792, 896));
        riscv.step(encoded, proof, local);
        vm.expectRevert(abi.encodeWithSelector(IRiscvStep.RiscvStep_WrongProofLength.selector, 896, 0));
        riscv.step(encoded, "", local);
    }

    function test_step_wrongLeaf_reverts() public {
        next(LW_A0_A1);
        write(DATA, 8, 5);
        machine.registers[A0 + 1] = DATA;
        bytes memory encoded = encode(machine);
        bytes memory swapped = abi.encodePacked(path(DATA), path(PC));
        vm.expectPartialRevert(IRiscvStep.RiscvStep_WrongMemoryRoot.selector);
        riscv.step(encoded, swapped, local);
        bytes memory twice = abi.encodePacked(path(PC), path(PC));
        vm.expectPartialRevert(IRiscvStep.RiscvStep_WrongMemoryRoot.selector);
        riscv.step(encoded, twice, local);
    }
}
