// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IPreimageOracle, LocalInputs } from "../interfaces/IPreimageOracle.sol";
import { IRiscvStep } from "../interfaces/IRiscvStep.sol";
import { RiscvAlu } from "../lib/RiscvAlu.sol";
import { Instruction } from "../lib/RiscvInstruction.sol";
import { RiscvMemory } from "../lib/RiscvMemory.sol";
import { RiscvState } from "../lib/RiscvState.sol";
import { LibBit } from "solady/utils/LibBit.sol";

/// @title RiscvStep
/// @notice One instruction of the proof machine; see IRiscvStep.
/// @dev Functions that run instructions return the fault, or 0, and write nothing if there is one.
contract RiscvStep is IRiscvStep {
    using RiscvState for bytes;

    uint256 private constant LOAD = 0x03;
    uint256 private constant MISC_MEM = 0x0f;
    uint256 private constant OP_IMM = 0x13;
    uint256 private constant AUIPC = 0x17;
    uint256 private constant OP_IMM_32 = 0x1b;
    uint256 private constant STORE = 0x23;
    uint256 private constant OP = 0x33;
    uint256 private constant LUI = 0x37;
    uint256 private constant OP_32 = 0x3b;
    uint256 private constant BRANCH = 0x63;
    uint256 private constant JALR = 0x67;
    uint256 private constant JAL = 0x6f;
    uint256 private constant SYSTEM = 0x73;

    // Least funct3 of loads that extend with zeros, and the highest of all loads.
    uint256 private constant LOAD_FUNCT3_UNSIGNED = 4;
    uint256 private constant LOAD_FUNCT3_MAX = 6;
    uint256 private constant STORE_FUNCT3_MAX = 3;

    uint32 private constant ECALL = 0x00000073;
    uint32 private constant EBREAK = 0x00100073;

    uint64 private constant NO_FAULT = 0;
    uint64 private constant SIGILL = 132;
    uint64 private constant SIGTRAP = 133;
    uint64 private constant SIGBUS = 135;
    uint64 private constant SIGSEGV = 139;
    uint64 private constant SIGSYS = 159;

    uint64 private constant INSTRUCTION_BYTES = 4;

    uint256 private constant A0 = 10;
    uint256 private constant A1 = 11;
    uint256 private constant A2 = 12;
    uint256 private constant A3 = 13;
    uint256 private constant A4 = 14;
    uint256 private constant A7 = 17;

    uint64 private constant CALL_EXIT = 93;
    uint64 private constant CALL_READ_ORACLE = 1000;

    uint256 private constant ORACLE_WORD_BYTES = 32;
    // First bytes of oracle keys.
    uint8 private constant LOCAL_KEY = 1;
    uint8 private constant KECCAK_KEY = 2;
    uint8 private constant PRECOMPILE_KEY = 4;
    uint256 private constant LOCAL_INPUTS = 5;

    /// @inheritdoc IRiscvStep
    IPreimageOracle public immutable oracle;

    constructor(IPreimageOracle oracle_) {
        oracle = oracle_;
    }

    /// @inheritdoc IRiscvStep
    function step(bytes calldata state, bytes calldata proof, LocalInputs calldata local)
        external
        view
        returns (bytes32)
    {
        if (state.length != RiscvState.BYTES) {
            revert RiscvStep_WrongStateLength(RiscvState.BYTES, state.length);
        }
        bytes memory machine = state;
        if (!machine.isCanonical()) revert RiscvStep_NonCanonicalState();
        if (machine.exited()) {
            _checkLength(proof, 0);
        } else {
            machine.countStep();
            uint64 fault = _run(machine, proof, local);
            if (fault != NO_FAULT) machine.exit(fault);
        }
        return keccak256(machine);
    }

    function _run(bytes memory machine, bytes calldata proof, LocalInputs calldata local)
        private
        view
        returns (uint64 fault)
    {
        fault = _addressFault(machine.pc(), INSTRUCTION_BYTES);
        if (fault != NO_FAULT) {
            _checkLength(proof, 0);
            return fault;
        }
        Instruction instruction = _fetch(machine, proof);
        uint256 opcode = instruction.opcode();
        if (opcode == LOAD || opcode == STORE) return _access(machine, instruction, proof);
        _checkLength(proof, RiscvMemory.PATH_BYTES);
        if (opcode == SYSTEM) return _system(machine, instruction, local);
        if (opcode == BRANCH) return _branch(machine, instruction);
        if (opcode == JAL || opcode == JALR) return _jump(machine, instruction);
        return _compute(machine, instruction);
    }

    function _fetch(bytes memory machine, bytes calldata proof) private pure returns (Instruction) {
        if (proof.length < RiscvMemory.PATH_BYTES) {
            revert RiscvStep_WrongProofLength(RiscvMemory.PATH_BYTES, proof.length);
        }
        uint64 pc = machine.pc();
        bytes32 leaf = _provenLeaf(machine, pc, proof[:RiscvMemory.PATH_BYTES]);
        return Instruction.wrap(uint32(RiscvMemory.load(leaf, pc, INSTRUCTION_BYTES)));
    }

    /// @dev Loads and stores.
    function _access(bytes memory machine, Instruction instruction, bytes calldata proof)
        private
        pure
        returns (uint64 fault)
    {
        uint64 location;
        (fault, location) = _locate(machine, instruction);
        if (fault != NO_FAULT) {
            _checkLength(proof, RiscvMemory.PATH_BYTES);
            return fault;
        }
        _checkLength(proof, 2 * RiscvMemory.PATH_BYTES);
        bytes calldata path = proof[RiscvMemory.PATH_BYTES:];
        if (instruction.opcode() == LOAD) _load(machine, instruction, location, path);
        else _store(machine, instruction, location, path);
        _goOn(machine);
    }

    /// @dev The address of a load or store, or its fault.
    function _locate(bytes memory machine, Instruction instruction)
        private
        pure
        returns (uint64 fault, uint64 location)
    {
        bool isLoad = instruction.opcode() == LOAD;
        if (instruction.funct3() > (isLoad ? LOAD_FUNCT3_MAX : STORE_FUNCT3_MAX)) return (SIGILL, 0);
        uint64 offset = isLoad ? instruction.immediateI() : instruction.immediateS();
        unchecked {
            location = machine.register(instruction.rs1()) + offset;
        }
        fault = _addressFault(location, _size(instruction));
    }

    function _load(bytes memory machine, Instruction instruction, uint64 location, bytes calldata path)
        private
        pure
    {
        uint256 size = _size(instruction);
        uint64 value = RiscvMemory.load(_provenLeaf(machine, location, path), location, size);
        bool isSigned = instruction.funct3() < LOAD_FUNCT3_UNSIGNED;
        machine.setRegister(instruction.rd(), isSigned ? _extend(value, size) : value);
    }

    function _store(bytes memory machine, Instruction instruction, uint64 location, bytes calldata path)
        private
        pure
    {
        bytes32 leaf = _provenLeaf(machine, location, path);
        uint64 value = machine.register(instruction.rs2());
        leaf = RiscvMemory.store(leaf, location, _size(instruction), value);
        machine.setMemoryRoot(RiscvMemory.root(leaf, location, path));
    }

    function _system(bytes memory machine, Instruction instruction, LocalInputs calldata local)
        private
        view
        returns (uint64 fault)
    {
        uint32 word = Instruction.unwrap(instruction);
        if (word == EBREAK) return SIGTRAP;
        if (word != ECALL) return SIGILL;
        uint64 number = machine.register(A7);
        if (number == CALL_READ_ORACLE) return _readOracle(machine, local);
        if (number != CALL_EXIT) return SIGSYS;
        machine.exit(machine.register(A0));
    }

    function _readOracle(bytes memory machine, LocalInputs calldata local)
        private
        view
        returns (uint64 fault)
    {
        uint256 reversedKey = uint256(machine.register(A0)) | uint256(machine.register(A1)) << 64
            | uint256(machine.register(A2)) << 128 | uint256(machine.register(A3)) << 192;
        bytes32 key = bytes32(LibBit.reverseBytes(reversedKey));
        uint64 offset = machine.register(A4);
        if (offset % ORACLE_WORD_BYTES != 0 || !_isKey(key)) return SIGSYS;

        (bytes32 word, uint64 length) = oracle.read(key, offset, local);
        uint256 reversed = LibBit.reverseBytes(uint256(word));
        machine.setRegister(A0, uint64(reversed));
        machine.setRegister(A1, uint64(reversed >> 64));
        machine.setRegister(A2, uint64(reversed >> 128));
        machine.setRegister(A3, uint64(reversed >> 192));
        machine.setRegister(A4, length);
        _goOn(machine);
    }

    function _branch(bytes memory machine, Instruction instruction) private pure returns (uint64 fault) {
        uint64 a = machine.register(instruction.rs1());
        uint64 b = machine.register(instruction.rs2());
        uint256 funct3 = instruction.funct3();
        bool holds;
        if (funct3 < 2) holds = a == b; // beq, bne
        else if (funct3 < 4) return SIGILL;
        else if (funct3 < 6) holds = int64(a) < int64(b); // blt, bge
        else holds = a < b; // bltu, bgeu
        bool isInverse = funct3 & 1 != 0;
        if (holds == isInverse) {
            _goOn(machine);
            return NO_FAULT;
        }
        unchecked {
            machine.setPc(machine.pc() + instruction.immediateB());
        }
    }

    function _jump(bytes memory machine, Instruction instruction) private pure returns (uint64 fault) {
        uint64 pc = machine.pc();
        uint64 target;
        unchecked {
            if (instruction.opcode() == JAL) {
                target = pc + instruction.immediateJ();
            } else {
                if (instruction.funct3() != 0) return SIGILL;
                target = (machine.register(instruction.rs1()) + instruction.immediateI()) & ~uint64(1);
            }
        }
        machine.setRegister(instruction.rd(), pc + INSTRUCTION_BYTES);
        machine.setPc(target);
    }

    /// @dev Runs an instruction that writes at most one register.
    function _compute(bytes memory machine, Instruction instruction) private pure returns (uint64 fault) {
        uint256 opcode = instruction.opcode();
        if (opcode == MISC_MEM) {
            // fence
            if (instruction.funct3() != 0) return SIGILL;
            _goOn(machine);
            return NO_FAULT;
        }

        (bool exists, uint64 value) = (true, instruction.immediateU()); // lui
        if (opcode == AUIPC) {
            unchecked {
                value += machine.pc();
            }
        } else if (opcode != LUI) {
            (exists, value) = _operate(machine, instruction, opcode);
        }
        if (!exists) return SIGILL;
        machine.setRegister(instruction.rd(), value);
        _goOn(machine);
    }

    /// @dev The result of an operation on two registers, or on a register and an immediate. A shift by an
    ///      immediate has a funct7 above its distance. On 64 bits the lowest bit of that funct7 belongs to
    ///      the distance.
    function _operate(bytes memory machine, Instruction instruction, uint256 opcode)
        private
        pure
        returns (bool exists, uint64 result)
    {
        uint64 a = machine.register(instruction.rs1());
        uint256 funct3 = instruction.funct3();
        uint256 funct7 = instruction.funct7();
        bool isShift = funct3 == 1 || funct3 == 5;
        if (opcode == OP) return RiscvAlu.operate(funct3, funct7, a, machine.register(instruction.rs2()));
        if (opcode == OP_32) {
            return RiscvAlu.operate32(funct3, funct7, a, machine.register(instruction.rs2()));
        }
        if (opcode == OP_IMM) {
            funct7 = isShift ? funct7 & ~uint256(1) : RiscvAlu.BASE;
            return RiscvAlu.operate(funct3, funct7, a, instruction.immediateI());
        }
        // On 32 bits, multiplication and division have no immediate form.
        if (opcode == OP_IMM_32 && !(isShift && funct7 == RiscvAlu.MULTIPLY)) {
            return RiscvAlu.operate32(funct3, isShift ? funct7 : RiscvAlu.BASE, a, instruction.immediateI());
        }
    }

    /// @dev Bytes of a load or store. The two low bits of funct3 are the binary logarithm.
    function _size(Instruction instruction) private pure returns (uint256) {
        return 2 ** (instruction.funct3() & 3);
    }

    function _goOn(bytes memory machine) private pure {
        // Cannot overflow, because the program counter of an executed instruction is in memory.
        machine.setPc(machine.pc() + INSTRUCTION_BYTES);
    }

    function _addressFault(uint64 location, uint256 size) private pure returns (uint64) {
        if (location % size != 0) return SIGBUS;
        return location < RiscvMemory.BYTES ? NO_FAULT : SIGSEGV;
    }

    /// @dev The leaf that holds `location`, which is the first word of `path`. Reverts if the machine's
    ///      memory does not hold the leaf.
    function _provenLeaf(bytes memory machine, uint64 location, bytes calldata path)
        private
        pure
        returns (bytes32 leaf)
    {
        leaf = bytes32(path);
        bytes32 found = RiscvMemory.root(leaf, location, path);
        bytes32 expected = machine.memoryRoot();
        if (found != expected) revert RiscvStep_WrongMemoryRoot(expected, found);
    }

    /// @dev Whether this is a key of the oracle: LOCAL_KEY, zeros and a local input's number, or the first
    ///      byte of another kind.
    function _isKey(bytes32 key) private pure returns (bool) {
        uint8 kind = uint8(key[0]);
        if (kind == LOCAL_KEY) return uint256(key << 8) >> 8 < LOCAL_INPUTS;
        return kind >= KECCAK_KEY && kind <= PRECOMPILE_KEY;
    }

    function _checkLength(bytes calldata proof, uint256 expected) private pure {
        if (proof.length != expected) revert RiscvStep_WrongProofLength(expected, proof.length);
    }

    /// @dev `value` of `size` bytes, sign-extended to 64 bits.
    function _extend(uint64 value, uint256 size) private pure returns (uint64) {
        uint64 shift = uint64(64 - 8 * size);
        return uint64(int64(value << shift) >> shift);
    }
}
