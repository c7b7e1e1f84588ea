// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IPreimageOracle, LocalInputs } from "./IPreimageOracle.sol";

/// @title IRiscvStep
/// @notice One step of the proof machine: RV64IM without atomic, compressed or float instructions, 2^32 bytes of
///         memory, and an oracle.
///
///         A step runs one instruction and increments the step count. It is total: a fault halts the machine
///         with exit
///         code 128 plus a signal's number and changes nothing else of the state. A step of a halted machine
///         changes
///         nothing.
///
///      | fault                                                                  | exit code |
///      |------------------------------------------------------------------------|-----------|
///      | the word at the program counter is not an instruction                  | 132       |
///      | ebreak                                                                 | 133       |
///      | program counter, or address of a load or store, misaligned to its size | 135       |
///      | program counter, or address of a load or store, outside of the memory  | 139       |
///      | ecall with an unknown number, an invalid key, or an offset that is not |           |
///      | a multiple of 32                                                       | 159       |
///
///         Calls, by a7: 93 halts with exit code a0. 1000 reads the preimage of the key in a0…a3 at offset
///         a4. It
///         writes 32 bytes to a0…a3 and the preimage's length to a4. Keys and words are in little-endian
///         order.
interface IRiscvStep {
    /// @notice The encoded state has the wrong length.
    error RiscvStep_WrongStateLength(uint256 expected, uint256 found);
    /// @notice No machine has this state: the exit flag is neither 0 nor 1, or it is 0 and the exit code is
    ///         not.
    error RiscvStep_NonCanonicalState();
    /// @notice The proof has the wrong length for this step.
    error RiscvStep_WrongProofLength(uint256 expected, uint256 found);
    /// @notice The proof's memory root is not the state's.
    error RiscvStep_WrongMemoryRoot(bytes32 expected, bytes32 found);

    /// @notice The hash of the state after `state`. The caller must check that `state` has the agreed hash. A
    ///         state's hash is keccak256 of these 305 bytes, with packed big-endian numbers.
    ///
    ///      | offset | bytes | field                                                  |
    ///      |--------|-------|--------------------------------------------------------|
    ///      | 0      | 32    | root of the memory's tree                              |
    ///      | 32     | 8     | program counter                                        |
    ///      | 40     | 248   | x1 to x31, 8 bytes each                                |
    ///      | 288    | 1     | 1 if the machine has halted, else 0                    |
    ///      | 289    | 8     | exit code, 0 if the machine has not halted             |
    ///      | 297    | 8     | steps so far                                           |
    ///
    /// @dev Memory is a binary Merkle tree over 2^27 leaves of 32 bytes. A leaf is the bytes themselves, a
    ///      parent is keccak256(left ++ right). Besides the errors above, this reverts only while the oracle
    ///      has not loaded the part that the step reads.
    /// @param proof Empty if the machine has halted or its program counter is invalid. Otherwise the
    ///        instruction's leaf and its 27 siblings from the bottom up. For a load or store with a valid
    ///        address, the accessed leaf and its siblings follow.
    /// @param local The program's local inputs.
    function step(bytes calldata state, bytes calldata proof, LocalInputs calldata local)
        external
        view
        returns (bytes32 postState);

    /// @notice The oracle that the machine reads.
    function oracle() external view returns (IPreimageOracle);
}
