/// Formats a duration for people: `45 s`, `12 min`, `3 h 20 min`, `6 d 23 h`.
pub(crate) fn about(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{minutes} min"),
        7_200..=172_799 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// Formats an estimate: ` in about 45 s`, ` any moment`, or nothing if there is none.
pub(crate) fn when(seconds: Option<u64>) -> String {
    match seconds {
        None => String::new(),
        Some(0) => " any moment".to_owned(),
        Some(seconds) => format!(" in about {}", about(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_formatted_with_two_units_at_most() {
        let said = [45, 119, 120, 7_199, 7_200, 90_000, 604_800].map(about);
        assert_eq!(
            said,
            ["45 s", "119 s", "2 min", "119 min", "2 h 0 min", "25 h 0 min", "7 d 0 h"]
        );
        assert_eq!(when(None), "");
        assert_eq!(when(Some(0)), " any moment");
        assert_eq!(when(Some(5)), " in about 5 s");
    }
}
