// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What the game sets from its position: with the program, all that decides a proof.
struct LocalInputs {
    /// Hash of the chain's configuration.
    bytes32 chainConfig;
    /// The output root that both sides agree on, before the block.
    bytes32 outputRoot;
    /// The inbox's accumulator after the entry in question.
    bytes32 inboxAcc;
    /// Which of the entry's blocks, from 0.
    uint64 blockIndex;
}

/// @title IPreimageOracle
/// @notice What the proof program may read, 32 bytes at a time and by key. The first byte of a key says what it names
///         and so how an answer is found to be right:
///
///         | first byte | names              | rest of the key                      | the bytes behind it                  |
///         |------------|--------------------|--------------------------------------|--------------------------------------|
///         | 1          | a local input      | zeros, then its number               | its 32 bytes                         |
///         | 2          | a keccak preimage  | of its hash                          | the preimage                         |
///         | 3          | a blob             | of its versioned hash                | its 4096 field elements              |
///         | 4          | a precompile call  | of keccak256(precompile ++ input)    | 1 and the output, or 0 if it failed  |
///
///         Local inputs come with the question. Of everything else, anyone may load a part: the 32 bytes at an offset,
///         zeros from where the bytes end. What is loaded is true of its key for ever: nobody can change or remove it,
///         and to load it again does nothing.
interface IPreimageOracle {
    /// @notice A part was loaded.
    event PartLoaded(bytes32 indexed key, uint256 indexed offset, bytes32 word, uint64 len);

    /// @notice This part is not loaded, or nothing has this key.
    error PreimageOracle_NotLoaded(bytes32 key, uint256 offset);
    /// @notice Parts begin at multiples of 32.
    error PreimageOracle_Misaligned(uint256 offset);
    /// @notice A blob has 4096 elements.
    error PreimageOracle_NoSuchElement(uint256 index);
    /// @notice The proof does not show that the blob has this element there; or there was too little gas to find out.
    error PreimageOracle_BadBlobProof(bytes32 versionedHash, uint256 index);
    /// @notice The program computes the results of this address itself, or it is no precompile.
    error PreimageOracle_NotOfTheOracle(address precompile);
    /// @notice The call failed, and it is not shown that its input is the reason: perhaps there was too little gas.
    error PreimageOracle_FailureNotShown(address precompile);
    /// @notice This L1 does not have the precompile.
    error PreimageOracle_NoSuchPrecompile(address precompile);

    /// @notice Loads a part of what hashes to keccak256(preimage).
    function loadKeccak(uint256 offset, bytes calldata preimage) external returns (bytes32 key);

    /// @notice Loads element `index` of a blob, which is the part at 32 * index.
    /// @param commitment The blob's KZG commitment, 48 bytes.
    /// @param proof A KZG proof that the blob's polynomial takes the value `element` where it encodes element `index`.
    function loadBlobElement(
        bytes32 versionedHash,
        uint256 index,
        bytes32 element,
        bytes calldata commitment,
        bytes calldata proof
    ) external returns (bytes32 key);

    /// @notice Loads a part of what a precompile makes of an input: byte 1 and its output, or byte 0 if it fails.
    ///
    ///         An output is its own proof. A failure is only believed where gas cannot be the reason: if, in the same
    ///         call and with no more gas, the precompile succeeds with an input of the same length that is known to be
    ///         right. So the call needs twice the gas that the precompile takes, whatever L1 charges by then, and a
    ///         bit; with less it reverts. This relies on a price that depends on the length of the input alone, as it
    ///         does for the precompiles that can fail. ecrecover, modexp and p256verify fail for want of gas only:
    ///         with them, a call that fails reverts. So does one whose length is wrong, which the program finds out
    ///         itself.
    function loadPrecompile(uint256 offset, address precompile, bytes calldata input)
        external
        returns (bytes32 key);

    /// @notice The 32 bytes behind a key at an offset, and how many bytes there are behind it.
    /// @param local The local inputs.
    function read(bytes32 key, uint256 offset, LocalInputs calldata local)
        external
        view
        returns (bytes32 word, uint64 len);
}
