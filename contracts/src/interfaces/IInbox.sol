// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IPortal } from "./IPortal.sol";

/// @notice One element of the inbox: everything that L2 blocks derived from it may depend on.
struct Entry {
    /// Position in the inbox; entry 0 is recorded at deployment.
    uint64 index;
    /// Where the data is: 0 none, 1 calldata of the L1 transaction, 2 blobs of the L1 transaction. No other kind
    /// exists.
    uint8 dataKind;
    /// Commitment to the data; zero when there is none. Calldata: keccak256 over the concatenated keccak256 hashes
    /// of consecutive chunks of at most 98,304 bytes, so keccak256("") for empty data. Blobs: keccak256 over the
    /// concatenated versioned hashes of all the transaction's blobs, in order.
    bytes32 dataHash;
    /// Accumulator over the first `depositCount` deposits.
    bytes32 depositAcc;
    /// Deposits consumed by this and all earlier entries.
    uint64 depositCount;
    /// L1 block that holds the entry, and its time in seconds, base fee, blob base fee (wei) and parent's hash.
    uint64 l1BlockNumber;
    uint64 l1Time;
    uint256 l1BaseFee;
    uint256 l1BlobBaseFee;
    bytes32 l1ParentHash;
    /// The earlier entry whose L1 attributes the blocks of this entry see.
    uint64 origin;
}

/// @notice Parameters of an inbox, fixed at deployment.
struct InboxConfig {
    /// Seconds after which a deposit is overdue.
    uint64 forceWindow;
    /// Most deposits that one entry consumes.
    uint64 depositsPerEntryMax;
    /// Most entries by which an entry's origin may lie behind it.
    uint64 originLagMax;
    /// Most data bytes in one entry whose data is calldata.
    uint64 entryBytesMax;
    /// Most blobs in one entry.
    uint64 entryBlobsMax;
    /// Account that may name another batcher and nothing else; zero for none.
    address keyAdmin;
    /// Seconds until a newly named batcher may take over.
    uint64 keyDelay;
}

/// @title IInbox
/// @notice The append-only list of entries from which L2 is derived, as a hash chain:
///
///             acc_k = keccak256(abi.encode(acc_{k-1}, entry_k))      (12 words)
///
///         where acc_{-1} is the hash of the chain's configuration. One 32-byte value authenticates everything that
///         derivation reads up to entry k.
///
///         The batcher appends data, as calldata or in blobs. Deposits older than the force window must be in the next entry: the
///         batcher's entries revert without them, and anyone may append an entry with deposits only.
interface IInbox {
    /// @notice The configuration is invalid.
    error Inbox_BadConfig();
    /// @notice The caller is not the batcher.
    error Inbox_NotBatcher(address caller);
    /// @notice The call is not at a transaction's top level, or its sender has code.
    error Inbox_NotTopLevel();
    /// @notice The arguments are not laid out as the standard ABI encoder does.
    error Inbox_NonCanonicalCalldata();
    /// @notice The last entry is not the one that the caller built on.
    error Inbox_WrongPrevAcc(bytes32 expected, bytes32 found);
    /// @notice The deposit queue is not the one that the caller read.
    error Inbox_WrongDepositAcc(bytes32 expected, bytes32 found);
    /// @notice The deposit count decreases, or exceeds the queue.
    error Inbox_BadDepositCount(uint64 depositCount, uint64 consumed, uint64 queued);
    /// @notice The entry consumes more deposits than one entry may.
    error Inbox_TooManyDeposits(uint64 taken, uint64 max);
    /// @notice The entry omits deposit `index`, which is overdue and would fit.
    error Inbox_OverdueDepositLeftOut(uint64 index);
    /// @notice The origin is before the last entry's.
    error Inbox_OriginGoesBack(uint64 origin, uint64 last);
    /// @notice The origin is not an earlier entry.
    error Inbox_OriginNotEarlier(uint64 origin, uint64 index);
    /// @notice The origin is more than `max` entries behind.
    error Inbox_OriginTooOld(uint64 origin, uint64 index, uint64 max);
    /// @notice The data is longer than one entry may hold.
    error Inbox_DataTooLong(uint256 length, uint64 max);
    /// @notice The transaction carries no blob, or more than one entry may hold.
    error Inbox_BadBlobCount(uint256 count, uint64 max);
    /// @notice No deposit is overdue.
    error Inbox_NothingOverdue();
    /// @notice The entry does not exist yet.
    error Inbox_UnknownEntry(uint64 index, uint64 count);
    /// @notice The caller may not name a batcher.
    error Inbox_NotKeyAdmin(address caller);
    /// @notice The address cannot be a batcher.
    error Inbox_BadBatcher(address batcher);
    /// @notice No other batcher is named.
    error Inbox_NoPendingBatcher();
    /// @notice The named batcher may not take over yet.
    error Inbox_KeyDelayNotOver(uint64 from);

    /// @notice An entry was recorded; entry 0 at deployment.
    event EntryAppended(uint64 indexed index, bytes32 indexed acc, bytes32 prevAcc, Entry entry);

    /// @notice Another batcher was named; it may take over at L1 time `from`, in seconds.
    event BatcherNamed(address indexed batcher, uint64 from);

    /// @notice Another batcher took over.
    event BatcherChanged(address indexed previous, address indexed batcher);

    /// @notice Appends an entry with data. Only for the batcher, which must be an account without code, and only at
    ///         a transaction's top level with canonically encoded arguments: the data is then the transaction's input
    ///         from byte 196 on, where every reader of L1 finds it.
    /// @dev `expectedPrevAcc` makes the append happen at most once, and only on top of the entry that the batcher saw.
    /// @param expectedPrevAcc Accumulator of the last entry.
    /// @param depositCount Deposits consumed after this entry, counted from the first one ever.
    /// @param expectedDepositAcc Accumulator over that many deposits.
    /// @param origin Entry whose L1 attributes the blocks see: not before the last entry's origin, not more than
    ///        originLagMax() behind.
    /// @param data The batch, at most entryBytesMax() bytes.
    function append(
        bytes32 expectedPrevAcc,
        uint64 depositCount,
        bytes32 expectedDepositAcc,
        uint64 origin,
        bytes calldata data
    ) external;

    /// @notice Appends an entry whose data is all the blobs of the transaction: 1 to entryBlobsMax() of them. Only the
    ///         batcher, and only as the outermost call, as for append.
    /// @dev The parameters are those of append.
    function appendBlobs(
        bytes32 expectedPrevAcc,
        uint64 depositCount,
        bytes32 expectedDepositAcc,
        uint64 origin
    ) external;

    /// @notice Appends an entry without data that consumes the overdue deposits, at most depositsPerEntryMax().
    ///         Anyone may call it, but only when a deposit is overdue: nobody else can get between the batcher's
    ///         entries. Its origin is the entry before it.
    function forceInclude() external;

    /// @notice Names another batcher, which may take over after keyDelay(). Only keyAdmin(). Naming again replaces
    ///         the named batcher and restarts the delay; naming the current batcher cancels.
    function nameBatcher(address newBatcher) external;

    /// @notice Lets the named batcher take over, once its delay is over. Anyone may call it.
    function changeBatcher() external;

    /// @notice Accumulator after entry `k`.
    function acc(uint64 k) external view returns (bytes32);

    /// @notice Number of entries, entry 0 included.
    function entryCount() external view returns (uint64);

    /// @notice Deposits consumed so far.
    function consumedDeposits() external view returns (uint64);

    /// @notice Origin of the last entry.
    function lastOrigin() external view returns (uint64);

    /// @notice Hash of the chain's configuration, with which the hash chain starts.
    function chainConfigHash() external view returns (bytes32);

    /// @notice The deposit queue.
    function portal() external view returns (IPortal);

    /// @notice The account that appends data.
    function batcher() external view returns (address);

    /// @notice The named next batcher; zero for none.
    function pendingBatcher() external view returns (address);

    /// @notice L1 time in seconds from which pendingBatcher() may take over.
    function pendingBatcherFrom() external view returns (uint64);

    /// @notice The account that names batchers; zero for none.
    function keyAdmin() external view returns (address);

    /// @notice Seconds from the naming of a batcher until it may take over.
    function keyDelay() external view returns (uint64);

    /// @notice Seconds after which a deposit is overdue.
    function forceWindow() external view returns (uint64);

    /// @notice Most deposits that one entry consumes.
    function depositsPerEntryMax() external view returns (uint64);

    /// @notice Most entries by which an entry's origin may lie behind it.
    function originLagMax() external view returns (uint64);

    /// @notice Most data bytes in one entry whose data is calldata.
    function entryBytesMax() external view returns (uint64);

    /// @notice Most blobs in one entry.
    function entryBlobsMax() external view returns (uint64);
}
