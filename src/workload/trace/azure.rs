//! Azure LLM inference traces (Patel et al., Splitwise, ISCA 2024; `AzurePublicDataset`): CSV with calendar times. The 2023 files write
//! `2023-11-16 18:17:03.9799600`, those of 2024 add a zone as in `2024-05-10 00:00:00.009930+00:00`. No prefixes.

use super::field::{self, Columns, LineProblem};
use super::format::{LineFormat, TraceRecord};
use super::skipped::SkipReason;
use crate::kv::Blocks;

const NAMES: [&str; 3] = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"];
const S: i64 = 1_000_000_000;

#[derive(Debug, Default)]
pub(super) struct Azure {
    columns: Option<Columns<3>>,
}

impl LineFormat for Azure {
    fn header(&mut self, line: &[u8]) -> Result<bool, LineProblem> {
        self.columns = Some(Columns::find(line, NAMES)?);
        Ok(true)
    }

    fn record(&mut self, line: &[u8]) -> Result<TraceRecord, LineProblem> {
        let columns = self.columns.as_ref().ok_or_else(|| LineProblem::new(SkipReason::Structure, "no header"))?;
        let [at, prompt, output] = columns.fields(line)?;
        let at_ns = calendar_ns(at).ok_or_else(|| {
            field::unexpected(SkipReason::Field, "TIMESTAMP", at, "a time from 1970 to 2261 such as `2023-11-16 18:17:03.9799600`")
        })?;
        let (prompt_tokens, output_tokens) = (field::tokens("ContextTokens", prompt)?, field::tokens("GeneratedTokens", output)?);
        Ok(TraceRecord { at_ns, prompt_tokens, output_tokens, prefix: Blocks::default() })
    }
}

/// Nanoseconds since 1970 of `YYYY-MM-DD HH:MM:SS[.fraction][zone]`, also with `T` between date and time. Digits beyond nanoseconds are dropped. No
/// leap seconds.
fn calendar_ns(text: &[u8]) -> Option<u64> {
    let (date, rest) = text.split_at_checked(10)?;
    let (separator, rest) = rest.split_first()?;
    let (time, rest) = rest.split_at_checked(8)?;
    if !b" T".contains(separator) {
        return None;
    }
    let (fraction, zone) = match rest.strip_prefix(b".") {
        Some(rest) => {
            let digits = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
            (rest.get(..digits).filter(|digits| !digits.is_empty())?, rest.get(digits..)?)
        }
        None => (rest.get(..0)?, rest),
    };
    let seconds = days_since_1970(date)? * 86_400 + seconds_of_day(time)? - zone_seconds(zone)?;
    u64::try_from(seconds.checked_mul(S)?.checked_add_unsigned(field::fraction_ns(fraction)?)?).ok()
}

/// Two digits and the rest of the text.
fn two_digits(text: &[u8]) -> Option<(i64, &[u8])> {
    let (digits, rest) = text.split_at_checked(2)?;
    Some((i64::try_from(field::whole(digits)?).ok()?, rest))
}

fn days_since_1970(date: &[u8]) -> Option<i64> {
    let (year, rest) = date.split_at_checked(4)?;
    let year = i64::try_from(field::whole(year)?).ok().filter(|year| (1970..=2261).contains(year))?;
    let (month, rest) = two_digits(rest.strip_prefix(b"-")?)?;
    let (day, rest) = two_digits(rest.strip_prefix(b"-")?)?;
    let leap = i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    let lengths = [31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let index = usize::try_from(month - 1).ok()?;
    if !rest.is_empty() || !(1..=*lengths.get(index)?).contains(&day) {
        return None;
    }
    // Leap years from 1970 to last year: all up to then minus the 477 up to 1969.
    let past = year - 1;
    let leap_days = past / 4 - past / 100 + past / 400 - 477;
    Some((year - 1970) * 365 + leap_days + lengths.iter().take(index).sum::<i64>() + day - 1)
}

fn seconds_of_day(time: &[u8]) -> Option<i64> {
    let (hour, rest) = two_digits(time)?;
    let (minute, rest) = two_digits(rest.strip_prefix(b":")?)?;
    let (second, rest) = two_digits(rest.strip_prefix(b":")?)?;
    (rest.is_empty() && hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
}

/// Seconds east of UTC, from an empty text, `Z`, `+HH:MM` or `-HH:MM`.
fn zone_seconds(zone: &[u8]) -> Option<i64> {
    let (sign, rest) = match zone {
        b"" | b"Z" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = two_digits(rest)?;
    let (minutes, rest) = two_digits(rest.strip_prefix(b":")?)?;
    (rest.is_empty() && hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendar_times_become_nanoseconds_since_1970() {
        // Seconds from `date -u -d … +%s`.
        for (text, ns) in [
            ("1970-01-01 00:00:00", 0),
            ("2023-11-16 18:17:03.9799600", 1_700_158_623_979_960_000),
            ("2024-05-10 00:00:00.009930+00:00", 1_715_299_200_009_930_000),
            ("2024-05-10T02:00:00.009930+02:00", 1_715_299_200_009_930_000),
            ("2024-05-09 18:30:00.00993-05:30", 1_715_299_200_009_930_000),
            ("2024-02-29 23:59:59Z", 1_709_251_199_000_000_000),
            ("2000-03-01 00:00:00", 951_868_800_000_000_000),
            ("2100-03-01 00:00:00.1234567899", 4_107_542_400_123_456_789),
        ] {
            assert_eq!(calendar_ns(text.as_bytes()), Some(ns), "{text}");
        }
    }

    #[test]
    fn invalid_times_are_rejected() {
        for text in [
            "",
            "2023-11-16",
            "2023-11-16 18:17",
            "2023-11-16 24:00:00",
            "2023-11-16 18:60:00",
            "2023-11-16 18:17:60",
            "2023-02-29 00:00:00",
            "2023-13-01 00:00:00",
            "2023-00-01 00:00:00",
            "2023-01-00 00:00:00",
            "1969-12-31 23:59:59",
            "1970-01-01 00:00:00+01:00",
            "9999-01-01 00:00:00",
            "2023-11-16_18:17:03",
            "2023-11-16 18:17:03.",
            "2023-11-16 18:17:03.5x",
            "2023-11-16 18:17:03+1:00",
            "2023-11-16 18:17:03+00:00x",
            "2023/11/16 18:17:03",
            "-023-11-16 18:17:03",
            "2023-11-16 18:17:-3",
            "1700158623",
        ] {
            assert_eq!(calendar_ns(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn the_calendar_agrees_with_counting_days_one_by_one() {
        let mut expected = 0;
        for year in 1970..=2261 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Some(days) = days_since_1970(format!("{year}-{month:02}-{day:02}").as_bytes()) {
                        assert_eq!(days, expected);
                        expected += 1;
                    }
                }
            }
        }
        // 292 years, 71 of them leap years: 73 multiples of four from 1972 to 2260 minus 2100 and 2200.
        assert_eq!(expected, 292 * 365 + 71);
    }
}
