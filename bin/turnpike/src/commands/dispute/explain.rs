//! `turnpike dispute explain`: prints which side of a challenge is right, and why.

use std::process::ExitCode;

use turnpike_challenger::{
    DisputeVerifier, Peer, Verdict, compare_with_peer, explain as explain_challenge,
};

use super::{args::ExplainArgs, session::Session};
use crate::common::Format;

/// Prints which side is right, and why.
pub(super) async fn explain(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let session = Session::look(&args.chain).await?;
    let records = session.records();
    let (challenge, only) = args.target.find(&records)?;
    let output = records.output_of(challenge);
    let mut verifier = session.derive(args.execution, output).await?;
    let verdict = verdict(args, &verifier).await?;
    let explanation =
        explain_challenge(&mut verifier, records.disputes, challenge, only, verdict).await?;
    match args.format {
        Format::Text => println!("{explanation}"),
        Format::Json => println!("{}", serde_json::to_string(&explanation)?),
    }
    Ok(ExitCode::SUCCESS)
}

/// The verdict on the output. A peer, if given, makes the report of a wrong output more exact.
async fn verdict(args: &ExplainArgs, verifier: &DisputeVerifier<'_>) -> anyhow::Result<Verdict> {
    let mut verdict = verifier.judge()?;
    if let (Verdict::Wrong { divergence }, Some(url)) = (&mut verdict, &args.peer) {
        compare_with_peer(&Peer::new(url)?, verifier.verifier(), divergence).await;
    }
    Ok(verdict)
}
