// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IPreimageOracle, LocalInputs } from "./IPreimageOracle.sol";

/// @title IRiscvStep
/// @notice One step of the proof machine: RV64IM without atomic, compressed or float instructions, 2^32 bytes of
///         memory, and an oracle.
///
///         A step runs one instruction and counts itself. It is total: what no instruction can do halts the machine
///         with an exit code of 128 and a signal's number, the rest of the state as it was before the instruction.
///         Once it has halted, no step changes anything.
///
///      | what                                                                   | exit code |
///      |------------------------------------------------------------------------|-----------|
///      | the word at the program counter is no instruction                      | 132       |
///      | ebreak                                                                 | 133       |
///      | program counter, or address of a load or store, misaligned to its size | 135       |
///      | the same beyond the memory                                             | 139       |
///      | ecall without such a call, or with a key that is none, or an offset    |           |
///      | that is not a multiple of 32                                           | 159       |
///
///         Calls, by a7: 93 halts with the exit code a0; 1000 reads 32 bytes behind the key a0…a3, its bytes in
///         little-endian order, at offset a4 into a0…a3, and how many there are behind the key into a4.
interface IRiscvStep {
    /// @notice The encoded state has not the one length that states have.
    error RiscvStep_WrongStateLength(uint256 expected, uint256 found);
    /// @notice No machine has this state: the exit flag is neither 0 nor 1, or a code is set without it.
    error RiscvStep_NonCanonicalState();
    /// @notice The proof has not the length that this step takes.
    error RiscvStep_WrongProofLength(uint256 expected, uint256 found);
    /// @notice The proof leads to another memory root than the state's.
    error RiscvStep_WrongMemoryRoot(bytes32 expected, bytes32 found);

    /// @notice The hash of the state after `state`. That `state` is the one agreed on is for the caller to check, by
    ///         its hash: keccak256 of these 305 bytes, numbers big-endian and packed.
    ///
    ///      | offset | bytes | field                                                  |
    ///      |--------|-------|--------------------------------------------------------|
    ///      | 0      | 32    | root of the memory's tree                              |
    ///      | 32     | 8     | program counter                                        |
    ///      | 40     | 248   | x1 to x31, 8 bytes each                                |
    ///      | 288    | 1     | 1 if the machine has halted, else 0                    |
    ///      | 289    | 8     | exit code, 0 until then                                |
    ///      | 297    | 8     | steps so far                                           |
    ///
    /// @dev Memory is a binary Merkle tree over 2^27 leaves of 32 bytes, a leaf being the bytes themselves, a parent
    ///      keccak256(left ++ right). Reverts, but for the errors above, only as long as the oracle does not hold
    ///      what the step reads.
    /// @param proof Nothing if the machine has halted or its program counter is unusable. Else the instruction's leaf
    ///        and its 27 siblings from the bottom up, and behind them the same for the leaf that a load or store with
    ///        a usable address is about.
    /// @param local What the program's local inputs are.
    function step(bytes calldata state, bytes calldata proof, LocalInputs calldata local)
        external
        view
        returns (bytes32 postState);

    /// @notice Where the machine reads.
    function oracle() external view returns (IPreimageOracle);
}
