// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice The inputs of the proof program that the dispute contract sets. Program and local inputs determine
///         the result of a proof.
struct LocalInputs {
    /// Hash of the chain's configuration.
    bytes32 chainConfig;
    /// The output root before the block, which both sides agree on.
    bytes32 outputRoot;
    /// The inbox's accumulator after the disputed block's entry.
    bytes32 inboxAcc;
    /// Index of the disputed block in its entry, from 0.
    uint64 blockIndex;
    /// Whether the entry's data is missing for good. Data on L1 never is.
    bool dataMissing;
}

/// @title IPreimageOracle
/// @notice Preimages that the proof program reads by key, 32 bytes at a time. The first byte of a key is its
///         kind, which decides how a preimage is verified:
///
///         | first byte | kind               | rest of the key                      | preimage
///         |
///         |------------|--------------------|--------------------------------------|--------------------------------------|
///         | 1          | a local input      | zeros, then its number               | its 32 bytes                         |
///         | 2          | a keccak preimage  | of its hash                          | the preimage                         |
///         | 3          | a blob             | of its versioned hash                | its 4096 field elements              |
///         | 4          | a precompile call  | of keccak256(precompile ++ input)    | 1 and the output, or 0 if it failed  |
///
///         The caller of read() passes the local inputs. Of every other preimage, anyone may load a part: the
///         32 bytes
///         at an offset, padded with zeros beyond the end. A loaded part stays for ever: nobody can change or
///         remove
///         it, and loading it again has no effect.
interface IPreimageOracle {
    /// @notice A part was loaded.
    event PartLoaded(bytes32 indexed key, uint256 indexed offset, bytes32 word, uint64 len);

    /// @notice This part is not loaded, or the key is invalid.
    error PreimageOracle_NotLoaded(bytes32 key, uint256 offset);
    /// @notice The offset is not a multiple of 32.
    error PreimageOracle_Misaligned(uint256 offset);
    /// @notice The index is not below 4096, the number of a blob's elements.
    error PreimageOracle_NoSuchElement(uint256 index);
    /// @notice The proof does not show that the blob has this element at this index, or the gas did not
    ///         suffice to check it.
    error PreimageOracle_BadBlobProof(bytes32 versionedHash, uint256 index);
    /// @notice The address is not a precompile, or the program runs this precompile itself.
    error PreimageOracle_NotOfTheOracle(address precompile);
    /// @notice The precompile failed, and it may have failed for lack of gas.
    error PreimageOracle_FailureNotShown(address precompile);
    /// @notice This L1 does not have the precompile.
    error PreimageOracle_NoSuchPrecompile(address precompile);

    /// @notice Loads a part of a Keccak-256 preimage.
    function loadKeccak(uint256 offset, bytes calldata preimage) external returns (bytes32 key);

    /// @notice Loads element `index` of a blob, which is the part at offset 32 * index.
    /// @param commitment The blob's KZG commitment, 48 bytes.
    /// @param proof A KZG proof that the blob's polynomial has the value `element` at the point of element
    ///        `index`.
    function loadBlobElement(
        bytes32 versionedHash,
        uint256 index,
        bytes32 element,
        bytes calldata commitment,
        bytes calldata proof
    ) external returns (bytes32 key);

    /// @notice Loads a part of a precompile's result for an input: byte 1 and the output, or byte 0 if it
    ///         fails.
    ///
    ///         A successful output needs no further proof. A failure is recorded only if lack of gas cannot
    ///         be its
    ///         cause: in the same call and with no more gas, the precompile must succeed with a valid input
    ///         of the same
    ///         length. So the call needs a little more than twice the precompile's gas, at any gas price
    ///         schedule of L1;
    ///         with less it reverts. This relies on a gas cost that depends only on the length of the input,
    ///         which holds
    ///         for the precompiles that can fail. ecrecover, modexp and p256verify fail only for lack of gas,
    ///         so a
    ///         failure of theirs reverts. An input of invalid length reverts, too; the program itself detects
    ///         it.
    function loadPrecompile(uint256 offset, address precompile, bytes calldata input)
        external
        returns (bytes32 key);

    /// @notice The 32 bytes of a preimage at an offset, and the length of the preimage.
    /// @param local The local inputs.
    function read(bytes32 key, uint256 offset, LocalInputs calldata local)
        external
        view
        returns (bytes32 word, uint64 len);
}
