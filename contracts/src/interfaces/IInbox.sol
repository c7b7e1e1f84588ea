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
    /// The earlier entry whose L1 attributes the blocks of this entry see, and the accumulator after it. Entry 0 has
    /// none: both are zero.
    uint64 origin;
    bytes32 originAcc;
    /// L1 time of the newest entry whose data is not on L1; zero, because no such kind exists yet.
    uint64 offchainTime;
}

/// @notice One batch of a call to append: its data, and the deposits and the origin that the batcher saw.
struct Item {
    /// Where the data is: 1 in `data`, 2 in blobs of the transaction.
    uint8 kind;
    /// Deposits to consume up to, counted from the first one ever, and the accumulator over that many.
    uint64 depositCount;
    bytes32 depositAcc;
    /// An earlier entry, whose L1 attributes the blocks see, and the accumulator after it.
    uint64 origin;
    bytes32 originAcc;
    /// Kind 1: the batch, at most entryBytesMax() bytes. Kind 2: one byte, the number of the batch's blobs from 1 to
    /// entryBlobsMax(). They are the transaction's next ones, after those of the items before.
    bytes data;
}

/// @notice Parameters of an inbox, fixed at deployment.
struct InboxConfig {
    /// Seconds after which a deposit is overdue.
    uint64 forceWindow;
    /// Most deposits that one entry consumes.
    uint64 depositsPerEntryMax;
    /// Seconds after the newest batch for which forced entries keep its origin.
    uint64 originAgeMax;
    /// Most data bytes in one entry whose data is calldata.
    uint64 entryBytesMax;
    /// Most blobs in one entry.
    uint64 entryBlobsMax;
    /// Most entries with data in one L1 block.
    uint16 entriesPerL1BlockMax;
    /// Account that may name another batcher and nothing else; zero for none.
    address keyAdmin;
    /// Seconds until a newly named batcher may take over; not zero if there is a key admin.
    uint64 keyDelay;
}

/// @title IInbox
/// @notice The append-only list of entries from which L2 is derived, as two hash chains.
///
///         The accumulator covers every entry:
///
///             acc_k = keccak256(abi.encode(acc_{k-1}, entry_k))      (14 words)
///
///         where acc_{-1} is the hash of the chain's configuration. One 32-byte value authenticates everything that
///         derivation reads up to entry k.
///
///         The content covers what the batcher decided, and nothing that it cannot know in advance. It starts as the
///         hash of the chain's configuration, and each item of append extends it by its own values:
///
///             content' = keccak256(abi.encode(content, kind, dataHash, depositCount, depositAcc, origin, originAcc))
///
///         Only the batcher moves it. The batcher can thus send many appends at once: they happen in order and at most
///         once each, and no other account's transaction makes one of them fail. Derivation does not read the content.
///
///         The batcher appends data, as calldata or in blobs. Deposits older than the force window are in the next
///         entry: a batch takes them with it, and anyone may append an entry with deposits only.
interface IInbox {
    /// @notice The configuration is invalid.
    error Inbox_BadConfig();
    /// @notice The caller is not the batcher.
    error Inbox_NotBatcher(address caller);
    /// @notice The call is not at a transaction's top level, or its sender has code.
    error Inbox_NotTopLevel();
    /// @notice The arguments are not laid out as the standard ABI encoder does.
    error Inbox_NonCanonicalCalldata();
    /// @notice The call has signatures, but no committee exists.
    error Inbox_UnexpectedSignatures(uint256 count);
    /// @notice The call has no item.
    error Inbox_NoItems();
    /// @notice The batches so far are not those that the caller built on.
    error Inbox_WrongContent(bytes32 expected, bytes32 found);
    /// @notice The L1 block would hold `count` entries with data.
    error Inbox_TooManyEntries(uint256 count, uint16 max);
    /// @notice The origin is not the entry that the caller read, or does not exist yet.
    error Inbox_WrongOriginAcc(uint64 origin, bytes32 expected, bytes32 found);
    /// @notice The queue does not hold as many deposits.
    error Inbox_DepositsNotQueued(uint64 depositCount, uint64 queued);
    /// @notice The deposit queue is not the one that the caller read.
    error Inbox_WrongDepositAcc(bytes32 expected, bytes32 found);
    /// @notice No such kind of data exists.
    error Inbox_UnknownKind(uint8 kind);
    /// @notice The data is longer than one entry may hold.
    error Inbox_DataTooLong(uint256 length, uint64 max);
    /// @notice The data of an item in blobs is not one byte.
    error Inbox_BadBlobData(uint256 length);
    /// @notice The item names no blob, or more than one entry may hold.
    error Inbox_BadBlobCount(uint256 count, uint64 max);
    /// @notice The transaction has no blob at this position.
    error Inbox_MissingBlob(uint256 position);
    /// @notice The items use only the first blobs of the transaction.
    error Inbox_UnusedBlobs(uint256 used);
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

    /// @notice An entry was recorded; entry 0 at deployment. `content` includes the entry's item; an entry without data
    ///         leaves it as it was.
    event EntryAppended(
        uint64 indexed index, bytes32 indexed acc, bytes32 prevAcc, Entry entry, bytes32 content
    );

    /// @notice Another batcher was named; it may take over at L1 time `from`, in seconds.
    event BatcherNamed(address indexed batcher, uint64 from);

    /// @notice Another batcher took over.
    event BatcherChanged(address indexed previous, address indexed batcher);

    /// @notice Appends one entry for each item, in order. Only for the batcher, which must be an account without code, and
    ///         only at a transaction's top level with canonically encoded arguments: an item's data is then found in
    ///         the transaction's input by walking the items. The first item of n has its data from byte
    ///         356 + 32 * n on; each later one starts 224 bytes after the padded data before it.
    ///
    ///         Honest items never fail unless L1 has reorganised below what they name. An entry records
    ///         - the later one of the item's origin and the last entry's;
    ///         - the item's deposit count, or the nearest one that neither goes back nor consumes more than
    ///           depositsPerEntryMax(), and then the overdue deposits behind it, within the same limit.
    /// @dev `expectedContent` makes each item happen at most once, and only after the batches that the batcher sent
    ///      before. Transactions of others do not move it.
    /// @param expectedContent The content before the first item.
    /// @param items At least one. They use all blobs of the transaction.
    /// @param signatures Empty: there is no committee.
    function append(bytes32 expectedContent, Item[] calldata items, bytes[] calldata signatures) external;

    /// @notice Appends an entry without data that consumes the overdue deposits, at most depositsPerEntryMax().
    ///         Anyone may call it, but only when a deposit is overdue. It keeps the last entry's origin for
    ///         originAgeMax() seconds after the newest batch; later, its origin is the entry before it.
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

    /// @notice L1 time in seconds of the newest batch; of the deployment before the first.
    function lastBatchTime() external view returns (uint64);

    /// @notice The hash chain of the batches.
    function content() external view returns (bytes32);

    /// @notice Hash of the chain's configuration, with which both hash chains start.
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

    /// @notice Seconds after the newest batch for which forced entries keep its origin.
    function originAgeMax() external view returns (uint64);

    /// @notice Most data bytes in one entry whose data is calldata.
    function entryBytesMax() external view returns (uint64);

    /// @notice Most blobs in one entry.
    function entryBlobsMax() external view returns (uint64);

    /// @notice Most entries with data in one L1 block.
    function entriesPerL1BlockMax() external view returns (uint16);
}
