//! A peer on loopback that serves a dishonest sequencer's chain shows where it diverges.

mod fixture;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use alloy_primitives::{Address, B256, U256};
use fixture::{ALICE, ETHER, Rollup, transfer};
use serde_json::{Value, json};
use turnpike_challenger::{Evidence, FirstBlock, Peer, StateKey, compare_with_peer};
use turnpike_executor::BlockOutcome;
use turnpike_state::FlatState;

/// The chain that a peer serves. Like the sequencer, the peer serves the newest state only.
struct Served {
    blocks: Vec<BlockOutcome>,
    state: FlatState,
}

impl Served {
    fn block(&self, params: &Value) -> Option<&BlockOutcome> {
        let number: U256 = serde_json::from_value(params[0].clone()).ok()?;
        self.blocks.get(number.to::<usize>().checked_sub(1)?)
    }

    fn answer(&self, method: &str, params: &Value) -> Option<Value> {
        let head = self.blocks.len();
        match method {
            "eth_blockNumber" => Some(json!(U256::from(head))),
            "eth_getBlockByNumber" => Some(json!({ "hash": self.block(params)?.hash() })),
            "eth_getBlockReceipts" => {
                let receipts = self.block(params)?.transactions.iter().map(|tx| {
                    json!({
                        "transactionHash": tx.envelope().tx_hash(),
                        "from": tx.sender,
                        "status": U256::from(u8::from(tx.receipt.envelope.status())),
                        "gasUsed": U256::from(tx.receipt.gas_used),
                        "logs": tx.receipt.envelope.logs(),
                    })
                });
                Some(receipts.collect())
            }
            "eth_getProof" if params[2] == json!(U256::from(head)) => {
                let address: Address = serde_json::from_value(params[0].clone()).ok()?;
                let slots: Vec<B256> = serde_json::from_value(params[1].clone()).ok()?;
                let account = self.state.account(&address).unwrap_or_default();
                let slot =
                    |slot: &B256| json!({ "value": self.state.storage(&address, (*slot).into()) });
                Some(json!({
                    "balance": account.balance,
                    "nonce": U256::from(account.nonce),
                    "codeHash": account.code_hash,
                    "storageProof": slots.iter().map(slot).collect::<Vec<_>>(),
                }))
            }
            _ => None,
        }
    }

    fn serve(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("free port");
        let url = format!("http://{}", listener.local_addr().expect("bound address"));
        thread::spawn(move || {
            for stream in listener.incoming() {
                self.respond(stream.expect("the client connects"));
            }
        });
        url
    }

    fn respond(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(&stream);
        let (mut line, mut length) = (String::new(), 0);
        while reader.read_line(&mut line).expect("the request has a header line") > 2 {
            let lower = line.to_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().expect("valid content length");
            }
            line.clear();
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("the request has a body");
        let request: Value = serde_json::from_slice(&body).expect("the body is JSON");
        let method = request["method"].as_str().expect("the request has a method");
        let mut answer = json!({ "jsonrpc": "2.0", "id": request["id"] });
        match self.answer(method, &request["params"]) {
            Some(result) => answer["result"] = result,
            None => answer["error"] = json!({ "code": -32000, "message": "not available" }),
        }
        let answer = answer.to_string();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
        write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{answer}", answer.len())
            .expect("the response is sent");
    }
}

fn liar() -> Rollup {
    let mut rollup = Rollup::new(Some(3));
    rollup.post(&[1]);
    rollup.propose(1);
    rollup.post(&[1, 2, 0]);
    rollup.propose(2);
    rollup
}

fn serve(rollup: &Rollup) -> Peer {
    let state = rollup.sequencer.state().flat().clone();
    let url = Served { blocks: rollup.blocks.clone(), state }.serve();
    Peer::new(&url).expect("valid URL")
}

#[tokio::test(flavor = "multi_thread")]
async fn peer_names_transaction_and_account() {
    let rollup = liar();
    let mut lie = rollup.divergence(2);
    compare_with_peer(&serve(&rollup), &rollup.verifier, &mut lie).await;
    assert_eq!(lie.first_block, FirstBlock::Exact { block: 3, evidence: Evidence::Peer });
    let findings = lie.findings.as_ref().expect("the peer was queried");
    assert_eq!(findings.gap, None);
    let first = findings.first_transaction.as_ref().expect("a transaction was found");
    assert_eq!((first.hash, first.index), (Some(transfer(2).hash()), 0));
    assert_eq!(first.receipt, None);
    assert_eq!((findings.state_block, findings.is_exact), (Some(4), true));
    assert_eq!(findings.state[0].key, StateKey { address: ALICE, slot: None });
    assert_eq!(findings.state[0].field, "balance");
    let wei = |text: &str| text.parse::<u128>().expect("wei");
    let credit = wei(&findings.state[0].claimed) - wei(&findings.state[0].derived);
    assert_eq!(credit, ETHER);
    let text = lie.to_string();
    assert!(text.contains(&format!("first transaction: {}", transfer(2).hash())), "{text}");
    assert!(text.contains(&format!("account {ALICE}: balance is claimed to be")), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn peer_ahead_is_compared_if_later_blocks_are_quiet() {
    let mut rollup = liar();
    let mut lie = rollup.divergence(2);
    rollup.block(0);
    compare_with_peer(&serve(&rollup), &rollup.verifier, &mut lie).await;
    let findings = lie.findings.clone().expect("the peer was queried");
    assert_eq!((findings.gap, findings.state_block), (None, Some(5)));
    assert_eq!(findings.state.len(), 1);
    assert_eq!(findings.state[0].key, StateKey { address: ALICE, slot: None });
    assert_eq!(findings.first_transaction.and_then(|it| it.hash), Some(transfer(2).hash()));

    rollup.block(1);
    compare_with_peer(&serve(&rollup), &rollup.verifier, &mut lie).await;
    let findings = lie.findings.clone().expect("the peer was queried");
    assert_eq!((findings.is_exact, findings.first_transaction), (false, None));
    assert!(findings.gap.expect("the comparison has a gap").contains("after block 6 only"));
    assert!(lie.to_string().contains("(as of block 6, not derived yet)"), "{lie}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_receipt_is_named() {
    let rollup = liar();
    let mut lie = rollup.divergence(2);
    let mut blocks = rollup.blocks.clone();
    Arc::make_mut(&mut blocks[2].transactions[1]).receipt.gas_used += 1;
    let state = rollup.sequencer.state().flat().clone();
    let peer = Peer::new(&Served { blocks, state }.serve()).expect("valid URL");
    compare_with_peer(&peer, &rollup.verifier, &mut lie).await;
    let findings = lie.findings.expect("the peer was queried");
    let first = findings.first_transaction.expect("a transaction was found");
    assert_eq!((first.hash, first.index), (Some(transfer(3).hash()), 1));
    assert_eq!(first.receipt.map(|receipt| receipt.field), Some("gasUsed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_or_foreign_peer_adds_a_reason_only() {
    let rollup = liar();
    let mut lie = rollup.divergence(2);
    let before = lie.first_block;
    compare_with_peer(&serve(&Rollup::new(None)), &rollup.verifier, &mut lie).await;
    assert_eq!(lie.first_block, before);
    let gap =
        lie.findings.clone().and_then(|findings| findings.gap).expect("the comparison has a gap");
    assert!(gap.contains("refuses eth_getBlockByNumber"), "{gap}");
    let nobody = Peer::new("http://127.0.0.1:1/secret").expect("valid URL");
    compare_with_peer(&nobody, &rollup.verifier, &mut lie).await;
    let gap = lie.findings.and_then(|findings| findings.gap).expect("the comparison has a gap");
    assert!(gap.contains("unreachable") && !gap.contains("secret"), "{gap}");
    let mut honest = Rollup::new(None);
    honest.post(&[1]);
    honest.post(&[1, 2, 0]);
    let mut lie = rollup.divergence(2);
    compare_with_peer(&serve(&honest), &rollup.verifier, &mut lie).await;
    let gap = lie.findings.and_then(|findings| findings.gap).expect("the comparison has a gap");
    assert_eq!(gap, "the peer does not serve the claimed chain");
}
