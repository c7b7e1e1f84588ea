"""Uses web3.py on a node as an application would. Exits with 0 if everything works."""

import asyncio
import json
import sys

from web3 import AsyncWeb3, Web3, WebSocketProvider
from web3.exceptions import ContractCustomError, ContractLogicError, Web3RPCError

RECEIPT_TIMEOUT_S = 30
EVENT_TIMEOUT_S = 30


def send(w3, account, transaction):
    transaction = {**transaction, "from": account.address, "nonce": w3.eth.get_transaction_count(account.address, "pending")}
    transaction.setdefault("gas", w3.eth.estimate_gas(transaction))
    transaction.setdefault("maxPriorityFeePerGas", w3.eth.max_priority_fee)
    transaction.setdefault("maxFeePerGas", 2 * w3.eth.gas_price)
    transaction.setdefault("chainId", w3.eth.chain_id)
    signed = account.sign_transaction({k: v for k, v in transaction.items() if k != "from"})
    receipt = w3.eth.wait_for_transaction_receipt(
        w3.eth.send_raw_transaction(signed.raw_transaction), timeout=RECEIPT_TIMEOUT_S, poll_latency=0.05
    )
    assert receipt.status == 1, receipt
    return receipt


def refused(error, call):
    try:
        call()
    except error as raised:
        return raised
    raise AssertionError(f"{error} was expected")


async def first_event(url, address, topic, emit):
    async with AsyncWeb3(WebSocketProvider(url)) as w3:
        await w3.eth.subscribe("logs", {"address": address, "topics": [topic]})
        await asyncio.to_thread(emit)
        async with asyncio.timeout(EVENT_TIMEOUT_S):
            async for message in w3.socket.process_subscriptions():
                return message["result"]


def main(url, key, artefact):
    w3 = Web3(Web3.HTTPProvider(url))
    account = w3.eth.account.from_key(key)
    other = w3.eth.account.create().address

    # Balance and send.
    assert w3.eth.get_balance(account.address) > 0
    receipt = send(w3, account, {"to": other, "value": 12_345, "gas": 21_000})
    assert w3.eth.get_balance(other) == 12_345
    block = w3.eth.get_block(receipt.blockNumber, full_transactions=True)
    assert receipt.transactionHash in [transaction.hash for transaction in block.transactions]

    # Deploy and call.
    factory = w3.eth.contract(abi=artefact["abi"], bytecode=artefact["bytecode"])
    deployed = send(w3, account, factory.constructor(7).build_transaction({"from": account.address}))
    probe = w3.eth.contract(address=deployed.contractAddress, abi=artefact["abi"])
    assert probe.functions.count().call() == 7

    # Events: by filter, by range, by subscription.
    value = b"\x17" * 32
    by_filter = probe.events.Written.create_filter(from_block="latest")
    write = lambda number: send(
        w3, account, probe.functions.write(number, value, b"\x01").build_transaction({"from": account.address})
    )
    written = write(1)
    entries = by_filter.get_new_entries()
    assert [entry.transactionHash for entry in entries] == [written.transactionHash], entries
    assert entries[0].args.key == 1 and entries[0].args.value == value
    logs = probe.events.Written.get_logs(from_block=written.blockNumber, argument_filters={"key": 1})
    assert [log.transactionHash for log in logs] == [written.transactionHash]
    topic = Web3.keccak(text="Written(address,uint256,bytes32,bytes)")
    event = asyncio.run(first_event(url.replace("http", "ws", 1), probe.address, topic.to_0x_hex(), lambda: write(2)))
    assert probe.events.Written().process_log(event).args.key == 2

    # Reverts, decoded.
    words = refused(ContractLogicError, lambda: probe.functions.refuseInWords("no such luck").call())
    assert "no such luck" in str(words), words
    refused(ContractCustomError, lambda: probe.functions.refuse(41).call())

    # A nonce that is used up.
    stale = account.sign_transaction(
        {"to": other, "value": 1, "gas": 21_000, "maxFeePerGas": 10**12, "maxPriorityFeePerGas": 0, "nonce": 0, "chainId": w3.eth.chain_id}
    )
    too_low = refused(Web3RPCError, lambda: w3.eth.send_raw_transaction(stale.raw_transaction))
    assert too_low.rpc_response["error"]["message"].startswith("nonce too low"), too_low
    print("web3.py: all of it works")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.load(sys.stdin if sys.argv[3] == "-" else open(sys.argv[3])))
