// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Entry, IInbox, InboxConfig, Item } from "../interfaces/IInbox.sol";
import { IPortal } from "../interfaces/IPortal.sol";
import { AppendCalldata } from "../lib/AppendCalldata.sol";
import { CallerLib } from "../lib/CallerLib.sol";
import { ChunkHash } from "../lib/ChunkHash.sol";

/// @title Inbox
/// @notice The append-only list of entries; see IInbox.
contract Inbox is IInbox {
    uint8 private constant DATA_KIND_NONE = 0;
    uint8 private constant DATA_KIND_CALLDATA = 1;
    uint8 private constant DATA_KIND_BLOBS = 2;

    /// @inheritdoc IInbox
    bytes32 public immutable chainConfigHash;
    /// @inheritdoc IInbox
    IPortal public immutable portal;
    /// @inheritdoc IInbox
    uint64 public immutable forceWindow;
    /// @inheritdoc IInbox
    uint64 public immutable depositsPerEntryMax;
    /// @inheritdoc IInbox
    uint64 public immutable originAgeMax;
    /// @inheritdoc IInbox
    uint64 public immutable entryBytesMax;
    /// @inheritdoc IInbox
    uint64 public immutable entryBlobsMax;
    /// @inheritdoc IInbox
    uint16 public immutable entriesPerL1BlockMax;
    /// @inheritdoc IInbox
    address public immutable keyAdmin;
    /// @inheritdoc IInbox
    uint64 public immutable keyDelay;

    /// @dev The values that the next entry builds on. They share one slot, so that an entry costs one update. 48 bits
    ///      outlast L1's seconds, its blocks, and the deposits that its gas could pay for.
    struct Tail {
        uint48 entryCount;
        uint48 consumedDeposits;
        uint48 lastOrigin;
        /// Time and number of the L1 block that holds the newest batch, and the batches in that block.
        uint48 lastBatchTime;
        uint48 lastBatchBlock;
        uint16 batchesInBlock;
    }

    /// @dev Accumulator after entry k at key k; zero for entries that do not exist.
    mapping(uint64 k => bytes32 acc) private _accs;
    Tail private _tail;
    /// @inheritdoc IInbox
    bytes32 public content;
    /// @inheritdoc IInbox
    address public batcher;
    /// @inheritdoc IInbox
    address public pendingBatcher;
    /// @inheritdoc IInbox
    uint64 public pendingBatcherFrom;

    constructor(bytes32 chainConfigHash_, IPortal portal_, address batcher_, InboxConfig memory config) {
        bool works = chainConfigHash_ != 0 && address(portal_).code.length != 0 && batcher_ != address(0)
            && config.depositsPerEntryMax != 0 && config.originAgeMax != 0 && config.entryBytesMax != 0
            && config.entryBlobsMax != 0 && config.entriesPerL1BlockMax != 0
            && (config.keyAdmin == address(0) || config.keyDelay != 0);
        if (!works) revert Inbox_BadConfig();
        chainConfigHash = chainConfigHash_;
        portal = portal_;
        batcher = batcher_;
        forceWindow = config.forceWindow;
        depositsPerEntryMax = config.depositsPerEntryMax;
        originAgeMax = config.originAgeMax;
        entryBytesMax = config.entryBytesMax;
        entryBlobsMax = config.entryBlobsMax;
        entriesPerL1BlockMax = config.entriesPerL1BlockMax;
        keyAdmin = config.keyAdmin;
        keyDelay = config.keyDelay;

        content = chainConfigHash_;
        Tail memory tail;
        tail.lastBatchTime = uint48(block.timestamp);
        _record(tail, chainConfigHash_, _newEntry(0, DATA_KIND_NONE, bytes32(0)), chainConfigHash_);
        _tail = tail;
    }

    /// @inheritdoc IInbox
    function append(bytes32 expectedContent, Item[] calldata items, bytes[] calldata signatures) external {
        _checkCaller();
        bytes32 newContent = content;
        if (newContent != expectedContent) revert Inbox_WrongContent(expectedContent, newContent);
        if (items.length == 0) revert Inbox_NoItems();
        if (signatures.length != 0) revert Inbox_UnexpectedSignatures(signatures.length);
        if (!AppendCalldata.isCanonical(items, signatures)) revert Inbox_NonCanonicalCalldata();

        Tail memory tail = _tail;
        _countBatches(tail, items.length);
        bytes32 newAcc = _accs[tail.entryCount - 1];
        uint64 queued = portal.depositCount();
        uint256 blobsUsed;
        for (uint256 i; i < items.length; ++i) {
            Item calldata item = items[i];
            bytes32 dataHash;
            (dataHash, blobsUsed) = _hashData(item, blobsUsed);
            newContent = _extendContent(newContent, item, dataHash);
            Entry memory entry = _newEntry(tail.entryCount, item.kind, dataHash);
            (entry.origin, entry.originAcc) = _originOf(item, tail.lastOrigin);
            (entry.depositCount, entry.depositAcc) = _depositsOf(item, tail.consumedDeposits, queued);
            newAcc = _record(tail, newAcc, entry, newContent);
        }
        if (blobhash(blobsUsed) != 0) revert Inbox_UnusedBlobs(blobsUsed);
        _tail = tail;
        content = newContent;
    }

    /// @inheritdoc IInbox
    function forceInclude() external {
        Tail memory tail = _tail;
        uint64 consumed = tail.consumedDeposits;
        uint64 depositCount = _overdueEnd(consumed, _depositCountMax(consumed, portal.depositCount()));
        if (depositCount == consumed) revert Inbox_NothingOverdue();

        uint64 last = tail.entryCount - 1;
        bool keepsOrigin = block.timestamp - tail.lastBatchTime <= originAgeMax;
        Entry memory entry = _newEntry(tail.entryCount, DATA_KIND_NONE, bytes32(0));
        entry.origin = keepsOrigin ? tail.lastOrigin : last;
        entry.originAcc = _accs[entry.origin];
        entry.depositCount = depositCount;
        entry.depositAcc = portal.depositAcc(depositCount);
        _record(tail, _accs[last], entry, content);
        _tail = tail;
    }

    /// @inheritdoc IInbox
    function nameBatcher(address newBatcher) external {
        // The zero address makes no calls, so without a configured admin every call reverts.
        if (msg.sender != keyAdmin) revert Inbox_NotKeyAdmin(msg.sender);
        if (newBatcher == address(0)) revert Inbox_BadBatcher(newBatcher);
        uint64 from = uint64(block.timestamp) + keyDelay;
        pendingBatcher = newBatcher;
        pendingBatcherFrom = from;
        emit BatcherNamed(newBatcher, from);
    }

    /// @inheritdoc IInbox
    function changeBatcher() external {
        address next = pendingBatcher;
        if (next == address(0)) revert Inbox_NoPendingBatcher();
        uint64 from = pendingBatcherFrom;
        if (block.timestamp < from) revert Inbox_KeyDelayNotOver(from);

        address previous = batcher;
        batcher = next;
        pendingBatcher = address(0);
        pendingBatcherFrom = 0;
        emit BatcherChanged(previous, next);
    }

    /// @inheritdoc IInbox
    function acc(uint64 k) external view returns (bytes32) {
        uint64 count = _tail.entryCount;
        if (k >= count) revert Inbox_UnknownEntry(k, count);
        return _accs[k];
    }

    /// @inheritdoc IInbox
    function entryCount() external view returns (uint64) {
        return _tail.entryCount;
    }

    /// @inheritdoc IInbox
    function consumedDeposits() external view returns (uint64) {
        return _tail.consumedDeposits;
    }

    /// @inheritdoc IInbox
    function lastOrigin() external view returns (uint64) {
        return _tail.lastOrigin;
    }

    /// @inheritdoc IInbox
    function lastBatchTime() external view returns (uint64) {
        return _tail.lastBatchTime;
    }

    /// @dev Records `entry` after the last one and moves the tail. The caller stores the tail.
    function _record(Tail memory tail, bytes32 prevAcc, Entry memory entry, bytes32 newContent)
        private
        returns (bytes32 newAcc)
    {
        newAcc = keccak256(abi.encode(prevAcc, entry));
        _accs[entry.index] = newAcc;
        tail.entryCount = uint48(entry.index + 1);
        tail.consumedDeposits = uint48(entry.depositCount);
        tail.lastOrigin = uint48(entry.origin);
        emit EntryAppended(entry.index, newAcc, prevAcc, entry, newContent);
    }

    /// @dev An entry of this L1 block. Its deposits and its origin are zero.
    function _newEntry(uint64 index, uint8 dataKind, bytes32 dataHash)
        private
        view
        returns (Entry memory entry)
    {
        entry.index = index;
        entry.dataKind = dataKind;
        entry.dataHash = dataHash;
        entry.l1BlockNumber = uint64(block.number);
        entry.l1Time = uint64(block.timestamp);
        entry.l1BaseFee = block.basefee;
        entry.l1BlobBaseFee = block.blobbasefee;
        entry.l1ParentHash = blockhash(block.number - 1);
    }

    function _checkCaller() private view {
        if (msg.sender != batcher) revert Inbox_NotBatcher(msg.sender);
        if (!CallerLib.isPlainTopLevelCall()) revert Inbox_NotTopLevel();
    }

    /// @dev Counts `added` batches in this L1 block.
    function _countBatches(Tail memory tail, uint256 added) private view {
        uint256 count = added;
        if (tail.lastBatchBlock == block.number) count += tail.batchesInBlock;
        if (count > entriesPerL1BlockMax) revert Inbox_TooManyEntries(count, entriesPerL1BlockMax);
        tail.lastBatchTime = uint48(block.timestamp);
        tail.lastBatchBlock = uint48(block.number);
        tail.batchesInBlock = uint16(count);
    }

    /// @dev Commitment to the item's data, and the blobs that it and the items before it use.
    function _hashData(Item calldata item, uint256 blobsUsed) private view returns (bytes32, uint256) {
        bytes calldata data = item.data;
        if (item.kind == DATA_KIND_CALLDATA) {
            if (data.length > entryBytesMax) revert Inbox_DataTooLong(data.length, entryBytesMax);
            return (ChunkHash.hash(data), blobsUsed);
        }
        if (item.kind != DATA_KIND_BLOBS) revert Inbox_UnknownKind(item.kind);
        if (data.length != 1) revert Inbox_BadBlobData(data.length);
        uint256 count = uint8(data[0]);
        if (count == 0 || count > entryBlobsMax) revert Inbox_BadBlobCount(count, entryBlobsMax);
        return (_hashBlobs(blobsUsed, count), blobsUsed + count);
    }

    /// @dev Commitment to `count` blobs of the transaction from position `first` on.
    function _hashBlobs(uint256 first, uint256 count) private view returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](count);
        for (uint256 i; i < count; ++i) {
            hashes[i] = blobhash(first + i);
            if (hashes[i] == 0) revert Inbox_MissingBlob(first + i);
        }
        return keccak256(abi.encodePacked(hashes));
    }

    /// @dev The later one of the item's origin and the last entry's, so that a forced entry with a later origin
    ///      does not make an item fail that was sent before.
    function _originOf(Item calldata item, uint64 lastOrigin_)
        private
        view
        returns (uint64 origin, bytes32 originAcc)
    {
        (origin, originAcc) = (item.origin, item.originAcc);
        bytes32 found = _accs[origin];
        if (found != originAcc || found == 0) revert Inbox_WrongOriginAcc(origin, originAcc, found);
        if (origin < lastOrigin_) (origin, originAcc) = (lastOrigin_, _accs[lastOrigin_]);
    }

    /// @dev The deposits that the item's entry consumes up to. What others queued, or forced to be included, since the
    ///      batcher read the queue moves the count and does not make the item fail.
    function _depositsOf(Item calldata item, uint64 consumed, uint64 queued)
        private
        view
        returns (uint64 count, bytes32 depositAcc)
    {
        (count, depositAcc) = (item.depositCount, item.depositAcc);
        if (count > queued) revert Inbox_DepositsNotQueued(count, queued);
        bytes32 found = portal.depositAcc(count);
        if (found != depositAcc) revert Inbox_WrongDepositAcc(depositAcc, found);

        uint64 max = _depositCountMax(consumed, queued);
        if (count < consumed) count = consumed;
        count = count < max ? _overdueEnd(count, max) : max;
        if (count != item.depositCount) depositAcc = portal.depositAcc(count);
    }

    /// @dev The highest deposit count of the next entry. Adds in 256 bits, so that no limit overflows.
    function _depositCountMax(uint64 consumed, uint64 queued) private view returns (uint64) {
        uint256 max = uint256(consumed) + depositsPerEntryMax;
        return max < queued ? uint64(max) : queued;
    }

    /// @dev The end of the overdue deposits among those from `start` to `max`; `start` if there are none.
    ///      The queue is in order of time, so a binary search finds it.
    function _overdueEnd(uint64 start, uint64 max) private view returns (uint64 end) {
        end = start;
        if (start == max || !_isOverdue(start)) return end;
        uint64 high = max;
        ++end;
        while (end < high) {
            uint64 middle = end + (high - end) / 2;
            if (_isOverdue(middle)) end = middle + 1;
            else high = middle;
        }
    }

    /// @dev Adds in 256 bits, so that entries do not revert with a force window close to the maximum.
    function _isOverdue(uint64 depositIndex) private view returns (bool) {
        return uint256(portal.depositTime(depositIndex)) + forceWindow <= block.timestamp;
    }

    function _extendContent(bytes32 content_, Item calldata item, bytes32 dataHash)
        private
        pure
        returns (bytes32)
    {
        return keccak256(
            abi.encode(
                content_, item.kind, dataHash, item.depositCount, item.depositAcc, item.origin, item.originAcc
            )
        );
    }
}
