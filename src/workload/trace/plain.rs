//! Tokenmill's own format, to which every other can be converted: CSV
//!
//! ```text
//! arrival_s,prompt_tokens,output_tokens,prefix_ids_512
//! 0.000000000,6758,500,0 1 2 3 4 5 6 7 8 9 a b c
//! ```
//!
//! Times are seconds with up to nine decimal places. The fourth column is optional; its name gives the tokens per block, its fields are the
//! hexadecimal ids of the prompt's leading full blocks, separated by single spaces. Further columns are ignored.

use super::field::{self, Columns, LineProblem, shown, split, unexpected};
use super::format::{LineFormat, TraceRecord};
use super::skipped::SkipReason;
use crate::kv::Blocks;

/// Names of the required columns.
pub(super) const NAMES: [&str; 3] = ["arrival_s", "prompt_tokens", "output_tokens"];
/// Prefix of the name of the column of prefix ids; followed by the tokens per block.
pub(super) const PREFIX_IDS: &str = "prefix_ids_";

#[derive(Debug, Default)]
pub(super) struct Plain {
    columns: Option<Columns<3>>,
    /// The column of the prefix ids, its name, and the tokens per block.
    prefix: Option<(Columns<1>, String, u32)>,
}

impl Plain {
    /// True if `line` names the required columns.
    pub(super) fn has_columns(line: &[u8]) -> bool {
        Columns::find(line, NAMES).is_ok()
    }
}

impl LineFormat for Plain {
    fn header(&mut self, line: &[u8]) -> Result<bool, LineProblem> {
        self.columns = Some(Columns::find(line, NAMES)?);
        if let Some(name) = split(line).find(|name| name.starts_with(b"prefix") && !name.starts_with(PREFIX_IDS.as_bytes())) {
            let text =
                format!("header: found the column `{}`, expected `{PREFIX_IDS}512` for prefixes in blocks of 512 tokens", shown(name));
            return Err(LineProblem::new(SkipReason::Structure, text));
        }
        let named = split(line).find_map(|name| Some((name, name.strip_prefix(PREFIX_IDS.as_bytes())?)));
        if let Some((name, tokens)) = named {
            let name = String::from_utf8_lossy(name).into_owned();
            let block_tokens = field::tokens(&name, tokens)
                .map_err(|problem| LineProblem::new(SkipReason::Structure, format!("header: {}", problem.text)))?;
            self.prefix = Some((Columns::find(line, [name.as_str()])?, name, block_tokens));
        }
        Ok(true)
    }

    fn record(&mut self, line: &[u8]) -> Result<TraceRecord, LineProblem> {
        let columns = self.columns.as_ref().ok_or_else(|| LineProblem::new(SkipReason::Structure, "no header"))?;
        let [at, prompt, output] = columns.fields(line)?;
        let at_ns = field::seconds("arrival_s", at)?;
        let (prompt_tokens, output_tokens) = (field::tokens("prompt_tokens", prompt)?, field::tokens("output_tokens", output)?);
        let prefix = match &self.prefix {
            Some((column, name, block_tokens)) => {
                let [ids] = column.fields(line)?;
                prefix_ids(name, ids, (prompt_tokens / block_tokens) as usize)?
            }
            None => Blocks::default(),
        };
        Ok(TraceRecord { at_ns, prompt_tokens, output_tokens, prefix })
    }

    fn block_tokens(&self) -> Option<u32> {
        self.prefix.as_ref().map(|(_, _, block_tokens)| *block_tokens)
    }
}

fn prefix_ids(name: &str, field: &[u8], most: usize) -> Result<Blocks, LineProblem> {
    if field.is_empty() {
        return Ok(Blocks::default());
    }
    let mut ids = Vec::with_capacity(most.min(field.len()));
    for id in field.split(|&byte| byte == b' ') {
        let number =
            hexadecimal(id).ok_or_else(|| unexpected(SkipReason::Field, name, id, "hexadecimal ids with single spaces between"))?;
        ids.push(number);
    }
    if ids.len() > most {
        let text = format!("{name}: found {} ids in `{}`, expected at most {most}, the full blocks of the prompt", ids.len(), shown(field));
        return Err(LineProblem::new(SkipReason::Field, text));
    }
    Ok(ids.into_iter().collect())
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if !(1..=16).contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0u64, |number, &byte| Some(number << 4 | u64::from(char::from(byte).to_digit(16)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(header: &str) -> Plain {
        let mut plain = Plain::default();
        assert_eq!(plain.header(header.as_bytes()), Ok(true));
        plain
    }

    #[test]
    fn prefix_ids_are_hexadecimal_and_their_block_size_is_in_the_header() {
        let mut plain = plain("arrival_s,prompt_tokens,output_tokens,prefix_ids_16");
        assert_eq!(plain.block_tokens(), Some(16));
        let record = plain.record(b"1.25,40,5,ff ffffffffffffffff").unwrap();
        assert_eq!((record.at_ns, record.prefix), (1_250_000_000, [255, u64::MAX].into_iter().collect()));
        assert!(plain.record(b"1.25,40,5,").unwrap().prefix.is_empty());
        let text = |line: &str, plain: &mut Plain| plain.record(line.as_bytes()).unwrap_err().text;
        assert_eq!(
            text("1,40,5,1 2 3", &mut plain),
            "prefix_ids_16: found 3 ids in `1 2 3`, expected at most 2, the full blocks of the prompt"
        );
        assert_eq!(text("1,40,5,xyz", &mut plain), "prefix_ids_16: found `xyz`, expected hexadecimal ids with single spaces between");
        assert!(plain.record(b"1,40,5,1  2").is_err() && plain.record(b"1,40,5,10000000000000000").is_err());
    }

    #[test]
    fn the_prefix_column_is_optional_but_its_block_size_is_not() {
        assert_eq!(plain("output_tokens,arrival_s,tenant,prompt_tokens").record(b"5,1,a,40").unwrap().prompt_tokens, 40);
        for header in ["arrival_s,prompt_tokens,output_tokens,prefix_ids_", "arrival_s,prompt_tokens,output_tokens,prefix_ids_0"] {
            assert!(Plain::default().header(header.as_bytes()).is_err(), "{header}");
        }
    }
}
