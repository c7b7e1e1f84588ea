//! Contract interfaces and creation code, from the committed artefacts.
#![allow(missing_docs, clippy::all, unreachable_pub)] // generated

alloy::sol!(
    #[sol(rpc)]
    #[derive(Debug)]
    Inbox,
    "../contracts/artifacts/Inbox.json"
);
alloy::sol!(
    #[sol(rpc)]
    #[derive(Debug)]
    Portal,
    "../contracts/artifacts/Portal.json"
);
alloy::sol!(
    #[sol(rpc)]
    #[derive(Debug)]
    Rollup,
    "../contracts/artifacts/Rollup.json"
);
alloy::sol!(
    #[sol(rpc)]
    #[derive(Debug)]
    L1StandardBridge,
    "../contracts/artifacts/L1StandardBridge.json"
);
alloy::sol!(
    #[sol(rpc)]
    #[derive(Debug)]
    L2ToL1MessagePasser,
    "../contracts/artifacts/L2ToL1MessagePasser.json"
);
