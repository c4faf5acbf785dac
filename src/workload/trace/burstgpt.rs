//! `BurstGPT` (Wang et al., 2024): CSV of an Azure `OpenAI` service, times in seconds since the first day. Rows without response tokens are failed
//! requests; as they cannot be served, they are bad lines. No prefixes.

use super::field::{self, Columns, LineProblem};
use super::format::{LineFormat, TraceRecord};
use super::skipped::SkipReason;
use crate::kv::Blocks;

#[derive(Debug, Default)]
pub(super) struct BurstGpt {
    columns: Option<Columns<3>>,
}

impl LineFormat for BurstGpt {
    fn header(&mut self, line: &[u8]) -> Result<bool, LineProblem> {
        self.columns = Some(Columns::find(line, ["Timestamp", "Request tokens", "Response tokens"])?);
        Ok(true)
    }

    fn record(&mut self, line: &[u8]) -> Result<TraceRecord, LineProblem> {
        let columns = self.columns.as_ref().ok_or_else(|| LineProblem::new(SkipReason::Structure, "no header"))?;
        let [at, prompt, output] = columns.fields(line)?;
        let at_ns = field::seconds("Timestamp", at)?;
        let (prompt_tokens, output_tokens) = (field::tokens("Request tokens", prompt)?, field::tokens("Response tokens", output)?);
        Ok(TraceRecord { at_ns, prompt_tokens, output_tokens, prefix: Blocks::default() })
    }
}
